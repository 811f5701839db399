"""A router in this process, with a clock that stands still until it is told to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercure.clock import ManualClock
from mercure.services.router import Router
from mercure.spool import Changes, Spool, Stage, Task, load_task
from tests.support.box import Box
from tests.support.incoming import Image
from tests.support.series import synthetic_images

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


TARGETS = {name: {"kind": "folder", "path": "/nowhere"} for name in ("pacs", "research")}


class RouterDesk:
    """A box with one router, and what a test does around it."""

    def __init__(self, root: Path) -> None:
        self.box = Box(root)
        self.configure({"all": {"rule": "True", "targets": ["pacs"]}})
        self.context = self.box.context("router")
        self.router = Router(self.context)

    def configure(self, rules: dict[str, Any], **more: Any) -> None:
        self.box.configure(rules=rules, targets=TARGETS, **more)
        for context in self.box.contexts:
            context.live.refresh()

    @property
    def spool(self) -> Spool:
        return self.box.spool

    @property
    def clock(self) -> ManualClock:
        return self.box.clock

    def restart(self) -> None:
        """Begin anew with nothing in memory, as after a crash."""
        self.router = Router(self.context)

    def turn(self, seconds: float = 0.0) -> float:
        """Let time pass, then one turn."""
        self.clock.advance(seconds)
        return self.router.turn(Changes.everything())

    def send(self, images: Iterable[Image], calling: str = "SCANNER") -> None:
        """Send images over one association, release it, and let the router see them."""
        self.box.receive(images, calling)
        self.turn(0.001)

    def tasks(self, stage: Stage) -> list[Task]:
        return [load_task(path) for path in self.box.tasks(stage)]

    def only(self, stage: Stage) -> Path:
        """Return the folder of the one task that is in a stage."""
        (directory,) = self.box.tasks(stage)
        return directory

    def files(self, task: Task, stage: Stage) -> list[str]:
        return sorted(path.name for path in self.spool.entry(stage, task.id).glob("*.dcm"))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of all events of a type, each id once."""
        return [event.details for event in self.box.events(kind)]


def dicom(count: int, **tags: object) -> list[Image]:
    """Make images whose bytes are real DICOM, of one series."""
    made = synthetic_images(count, 4, 4, seed="router", **tags)
    return [Image(uid, "1.2.3", data, {"SOPInstanceUID": uid, "Modality": "CT"}) for uid, data in made]
