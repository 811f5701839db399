"""A router's root in a test: configuration, spool, services with an injected clock, and a count of every image."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercure.clock import ManualClock
from mercure.config import Root
from mercure.event_details import DETAILS
from mercure.events import Event
from mercure.names import new_id
from mercure.services.common import Context, open_store
from mercure.services.router import Router
from mercure.spool import Changes, Spool, Stage, Task, Uptime, image_files, save_task
from mercure.spool.uptime import Reading, Stretch
from tests.support.incoming import Association, make_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mercure.services.common import Service
    from tests.support.incoming import Image

QUIET = 60.0
GRACE = 5.0
ROUTE_ALL: dict[str, Any] = {"all": {"rule": "True", "targets": ["archive"]}}
DELIVERS = ("deliver ", "ask ")
"""So the names of threads begin in which something is being delivered or asked."""
KEPT_STAGES = (
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.SUCCESS,
    Stage.DISCARD,
    Stage.ERROR,
)


@dataclass
class Box:
    """One root. `clock` is shared by all services made from it, as the clocks of one machine are."""

    root: Path
    clock: ManualClock = field(default_factory=ManualClock)
    contexts: list[Context] = field(default_factory=list)

    @property
    def spool(self) -> Spool:
        """The spool."""
        return Spool(self.root / "spool")

    @property
    def delivered(self) -> Path:
        """The folder of the default folder target."""
        return self.root / "delivered"

    def configure(
        self, *, rules: dict[str, Any] | None = None, targets: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Write the configuration; without arguments one rule sends everything to one folder."""
        (self.root / "config").mkdir(parents=True, exist_ok=True)
        self.delivered.mkdir(exist_ok=True)
        archive = {"kind": "folder", "path": str(self.delivered)}
        content = {
            "version": 1,
            "completion": {"quiet_seconds": QUIET, "after_release_seconds": GRACE},
            "targets": {"archive": archive} if targets is None else targets,
            "rules": ROUTE_ALL if rules is None else rules,
            **more,
        }
        open_store(Root(self.root)).parse(content)
        (self.root / "config" / "mercure.json").write_text(json.dumps(content), encoding="utf-8")
        self.spool.create()

    def context(self, service: str) -> Context:
        """Start what a service works with, as at the start of its process."""
        context = Context(self.root, service, self.clock)
        assert context.start()
        self.contexts.append(context)
        return context

    def live_through(self, seconds: float) -> None:
        """Have the box run for so long up to now, as its clock has it."""
        now = Reading.of(self.clock)
        stretch = Stretch(lived_from=0, lived_to=seconds, wall_from=now.wall - seconds, wall_to=now.wall)
        path = self.spool.stage(Stage.STATE) / "clock" / "uptime.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(Uptime(boot=now.boot, monotonic=now.monotonic, stretches=(stretch,)).model_dump_json())

    def router(self) -> Router:
        """Start a router."""
        return Router(self.context("router"))

    def close(self) -> None:
        """Let go of all that the contexts hold, as the end of their processes would."""
        for context in self.contexts:
            context.events.close()
        self.contexts.clear()

    def associate(self, calling: str = "SCANNER", **ends: str) -> Association:
        """Open an association; `ends` are its address and called AE title."""
        return Association(self.spool, self.clock, calling, **ends)

    def receive(self, images: Iterable[Image], calling: str = "SCANNER") -> None:
        """Receive images over one association that then ends."""
        with self.associate(calling) as association:
            for image in images:
                association.store(image)

    def waiting_task(
        self, count: int = 3, *, target: str = "archive", series: str = "1.2.3", tags: bool = True, **fields: Any
    ) -> Path:
        """Put a task of `count` images into ``outgoing/``, as the router leaves it, and return its folder."""
        self.clock.advance(0.001)
        name = new_id(self.clock.now())
        directory = self.spool.entry(Stage.OUTGOING, name)
        directory.mkdir()
        images = make_images(count, series=series)
        for image in images:
            (directory / image.name).write_bytes(image.data)
        lines = [json.dumps({**image.tags, "FileName": image.name}).encode() + b"\n" for image in images]
        if tags:
            (directory / "tags.jsonl").write_bytes(b"".join(lines))
        task = Task.model_validate(
            {
                "id": name,
                "created": self.clock.now(),
                "action": "route",
                "target": target,
                "images": count,
                "bytes": sum(len(image.data) for image in images),
                "identity": {"SeriesInstanceUID": series, "StudyInstanceUID": "1.2", "PatientID": "P1"},
                **fields,
            }
        )
        save_task(directory, task)
        return directory

    def tasks(self, stage: Stage) -> list[Path]:
        """Return the tasks of a stage, in the order of their names."""
        return [self.spool.entry(stage, name) for name in self.spool.names(stage)]

    def places(self, stages: Sequence[Stage] = (Stage.INCOMING, *KEPT_STAGES)) -> dict[bytes, Counter[Stage]]:
        """Return for each image content in how many entries of each stage it is; hidden entries do not count."""
        found: dict[bytes, Counter[Stage]] = {}
        for stage in stages:
            for entry in self._entries(stage):
                for image in image_files(entry):
                    found.setdefault((entry / image.name).read_bytes(), Counter())[stage] += 1
        return found

    def _entries(self, stage: Stage) -> Iterable[Path]:
        for entry in self.tasks(stage):
            if entry.is_dir():
                yield entry
                if stage in (Stage.STUDIES, Stage.ROUTING):
                    yield from (path for path in entry.iterdir() if path.is_dir() and not path.name.startswith("."))

    def events(self, *types: str) -> list[Event]:
        """Read what was told, each event once, in the order of the files; all types when none is named."""
        told: dict[str, Event] = {}
        for path in sorted(self.spool.stage(Stage.OUTBOX).iterdir()):
            for line in path.read_bytes().splitlines():
                event = Event.model_validate_json(line)
                assert event.type in DETAILS
                assert event.typed() is not None
                assert told.setdefault(event.id, event).type == event.type
        return [event for event in told.values() if not types or event.type in types]


def deliveries() -> list[str]:
    """Return the names of the threads of this process in which something is being delivered or asked."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(DELIVERS)]


def turn(service: Service, changes: Changes | None = None) -> float:
    """Let a service look at everything once."""
    return service.turn(changes or Changes.everything())
