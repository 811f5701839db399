"""Tasks that wait in ``processing/``, modules that are shell scripts in a sandbox, and a processor driven by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mercure.names import new_id
from mercure.services.processor import Processor
from mercure.spool import Changes, Stage, Task, load_task, save_task
from tests.support.polling import eventually
from tests.support.series import seeded_uid, synthetic_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.box import Box

COPY = 'for file in "$MERCURE_IN_DIR"/*.dcm; do name="${file##*/}"; cp "$file" "$MERCURE_OUT_DIR/${name#*#}"; done'
"""A module whose result is what it was given."""

RETRY = {"first_seconds": 1, "cap_seconds": 2}


def script(text: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of a module that is a shell script."""
    return {"runner": "command", "image": "/bin/sh", "arguments": ["-c", text], **settings}


def configure(box: Box, modules: dict[str, Any], *, grace: float = 0.5, **more: Any) -> None:
    """Write a configuration with some modules and the folder target of the box."""
    folder = {"kind": "folder", "path": str(box.delivered), "layout": "flat", "retry": RETRY}
    processing = {"stop_grace_seconds": grace, "log_limit_bytes": 4096, **more.pop("processing", {})}
    box.configure(targets={"archive": folder}, rules={}, modules=modules, processing=processing, **more)


def put_task(box: Box, *modules: str, count: int = 2, seed: int | str = 0, **fields: Any) -> Path:
    """Put a task of a real series into ``processing/``, as the router leaves it, and return its folder."""
    box.clock.advance(0.001)
    name = new_id(box.clock.now())
    building = box.spool.stage(Stage.PROCESSING) / f".{name}.new"
    building.mkdir()
    study, series = seeded_uid("study", seed), seeded_uid("series", seed)
    lines, size = [], 0
    for uid, data in synthetic_images(count, 16, 16, seed=seed):
        (building / f"{uid}.dcm").write_bytes(data)
        tags = {"SOPInstanceUID": uid, "SeriesInstanceUID": series, "StudyInstanceUID": study, "PatientID": "P1"}
        lines.append(json.dumps({**tags, "FileName": f"{uid}.dcm"}).encode() + b"\n")
        size += len(data)
    (building / "tags.jsonl").write_bytes(b"".join(lines))
    content = {
        "id": name,
        "created": box.clock.now(),
        "action": "process",
        "module": modules[0],
        "modules": modules[1:],
        "then_targets": ["archive"],
        "images": count,
        "bytes": size,
        "identity": {"SeriesInstanceUID": series, "StudyInstanceUID": study, "PatientID": "P1"},
        "rules": [{"rule": "all", "why": "True"}],
        **fields,
    }
    save_task(building, Task.model_validate(content))
    final = box.spool.entry(Stage.PROCESSING, name)
    building.rename(final)
    return final


def turn(processor: Processor, box: Box) -> None:
    """Let a processor look at everything once, a second later."""
    processor.turn(Changes.everything())
    box.clock.advance(1)


@contextmanager
def processor(box: Box) -> Iterator[Processor]:
    """Give a processor; at the end it is told to end, as by TERM."""
    context = box.context("processor")
    made = Processor(context)
    try:
        yield made
    finally:
        context.stop.set()
        made.end()


def process(box: Box, until: Callable[[], object], *, seconds: float = 30, what: str = "it is processed") -> None:
    """Run a processor until something holds."""
    with processor(box) as made:

        def rest() -> object:
            turn(made, box)
            return until()

        eventually(rest, seconds=seconds, what=what)


def process_all(box: Box, *, seconds: float = 30) -> None:
    """Run a processor until nothing waits in ``processing/`` any more."""
    process(box, lambda: not box.tasks(Stage.PROCESSING), seconds=seconds)


def ended(box: Box, task: str) -> tuple[Stage, Task]:
    """Return where a task is and its model."""
    stage = box.spool.find(task)
    assert stage is not None
    return stage, load_task(box.spool.entry(stage, task))
