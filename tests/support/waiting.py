"""Tasks that wait in ``outgoing/`` and dispatchers in this process that serve them, turn by turn."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercure.names import new_id
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Changes, Spool, Stage, Task, save_task
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.box import Box
    from tests.support.incoming import Image


def waiting_series(
    box: Box,
    series: str,
    *,
    study: str = "1.2",
    target: str = "archive",
    images: Iterable[Image] | int = 2,
    patient: str = "P1",
    **fields: Any,
) -> str:
    """Put a task of one series into ``outgoing/``, as the router leaves it, and return its id: later than all before.

    Parameters
    ----------
    box
        Whose spool and clock.
    series, study, patient
        Its identity.
    target
        Whom it is addressed to.
    images
        Its images, or how many small ones to make.
    fields
        More fields of the model.
    """
    box.clock.advance(0.001)
    name = new_id(box.clock.now())
    made = make_images(images, series=series, study=study) if isinstance(images, int) else list(images)
    building = box.spool.stage(Stage.OUTGOING) / f".{name}.new"
    building.mkdir()
    for image in made:
        (building / image.name).write_bytes(image.data)
    lines = [json.dumps({**image.tags, "FileName": image.name}).encode() + b"\n" for image in made]
    (building / "tags.jsonl").write_bytes(b"".join(lines))
    content = {
        "id": name,
        "created": box.clock.now(),
        "action": "route",
        "target": target,
        "images": len(made),
        "bytes": sum(len(image.data) for image in made),
        "identity": {"SeriesInstanceUID": series, "StudyInstanceUID": study, "PatientID": patient},
        **fields,
    }
    save_task(building, Task.model_validate(content))
    building.rename(box.spool.entry(Stage.OUTGOING, name))
    return name


@dataclass
class Dispatchers:
    """Some dispatchers of one root, driven by hand: they share the clock of the box, and nothing else but the spool."""

    box: Box
    count: int = 1
    each: list[Dispatcher] = field(init=False)

    def __post_init__(self) -> None:
        self.each = [self.start() for _ in range(self.count)]

    def start(self) -> Dispatcher:
        """Start one more, as after a crash: with nothing in memory."""
        return Dispatcher(self.box.context("dispatcher"))

    def round(self) -> None:
        """Let each look at everything once, and wait for what it has begun."""
        for dispatcher in self.each:
            dispatcher.turn(Changes.everything())
            dispatcher.end()

    def until(self, done: Callable[[], object], *, rounds: int = 50, seconds: float = 0.3) -> None:
        """Let rounds pass, and `seconds` by the clock between them, until something is true.

        Raises
        ------
        AssertionError
            It is not true after so many rounds.
        """
        for _ in range(rounds):
            if done():
                return
            self.round()
            self.box.clock.advance(seconds)
        assert done(), f"not within {rounds} rounds; waiting: {self.box.spool.names(Stage.OUTGOING)}"


def finished_order(spool: Spool) -> list[str]:
    """List the delivered tasks in the order of their last confirmation."""
    ended = {}
    for name in spool.names(Stage.SUCCESS):
        lines = (spool.entry(Stage.SUCCESS, name) / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
        ended[name] = json.loads(lines[-1])["time"]
    return sorted(ended, key=ended.__getitem__)
