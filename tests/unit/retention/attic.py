"""Finished tasks, and a history that knows what it is told to know: what the tests of the cleaner work on."""

from __future__ import annotations

from collections import namedtuple
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mercure.services.cleaner import Cleaner
from mercure.spool import Stage, Task, load_task, save_task
from tests.support.box import Box, turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOUR, DAY = 3600.0, 86400.0
KEEP = {"success_seconds": DAY, "discard_seconds": 2 * DAY, "pressure_free_bytes": 0}
STATES = {Stage.SUCCESS: "delivered", Stage.DISCARD: "discarded", Stage.ERROR: "failed"}
Usage = namedtuple("Usage", "total used free")


class Attic:
    """A box with finished tasks, and a history that knows what it is told to know."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.configure()
        box.live_through(2000 * DAY)
        self.known: dict[str, str] = {}
        self.error: Exception | None = None
        self.restart()

    def configure(self, **retention: float) -> None:
        off: dict[str, Any] = {"scrub": {"every_days": 0}, "nightly_verify": {"enabled": False}}
        self.box.configure(retention={**KEEP, **retention}, **off)

    def restart(self) -> None:
        self.cleaner = Cleaner(self.box.context("cleaner"), self.states)

    def states(self, tasks: Sequence[str]) -> Mapping[str, str]:
        if self.error is not None:
            raise self.error
        return {task: self.known[task] for task in tasks if task in self.known}

    def finished(self, stage: Stage, *, age: float, known: bool = True, **fields: Any) -> Path:
        """Put a finished task into a stage; by default the history knows of it."""
        directory = self.box.waiting_task(2, **fields)
        task = load_task(directory)
        action = "discard" if stage is Stage.DISCARD else "route"
        finished = self.box.clock.now() - timedelta(seconds=age)
        failure = {"stage": "outgoing", "reason": "no", "at": finished} if stage is Stage.ERROR else None
        changes = {"finished": finished, "action": action, "failure": failure}
        save_task(directory, Task.model_validate({**task.model_dump(), **changes}))
        destination = self.box.spool.entry(stage, directory.name)
        directory.rename(destination)
        if known:
            self.known[directory.name] = STATES[stage]
        return destination

    def turn(self, *, times: int = 1, seconds: float = 60.0) -> None:
        for _ in range(times):
            turn(self.cleaner)
            self.box.clock.advance(seconds)

    def types(self) -> list[str]:
        return [event.type for event in self.box.events() if event.type.startswith(("task.", "disk."))]
