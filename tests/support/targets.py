"""A target that answers as a test tells it to. It stands for nothing real: real ones are in tests/conformance."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mercure.targets import Check, DeliveryJob, ImageResult, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

Behaviour = Callable[[DeliveryJob], Trouble | None]


def confirms(job: DeliveryJob) -> Trouble | None:
    """Take every image."""
    for name in job.files:
        job.report(ImageResult(file=name, sop=name.removesuffix(".dcm"), status="0x0000", outcome="confirmed"))
    return None


def answers(**outcomes: str) -> Behaviour:
    """Answer for single images (by the last part of their SOP Instance UID, ``_1`` say); take the others."""
    statuses = {"confirmed": "0x0000", "warning": "0xB000", "refused": "0xA700", "failed": "0xC000"}

    def behave(job: DeliveryJob) -> Trouble | None:
        bad = []
        for name in job.files:
            outcome = outcomes.get("_" + name.removesuffix(".dcm").rpartition(".")[2], "confirmed")
            result = ImageResult.model_validate({"file": name, "status": statuses.get(outcome), "outcome": outcome})
            job.report(result)
            if not result.stored:
                bad.append(name)
        return Trouble("refused", f"{len(bad)} images were not taken") if bad else None

    return behave


def finds_altered(*files: str) -> Behaviour:
    """Take every image but these, of which our copy is not what was received."""

    def behave(job: DeliveryJob) -> Trouble | None:
        for name in job.files:
            if name in files:
                text = "its data set (bytes 500 to 1500) is not what was received"
                job.report(ImageResult(file=name, outcome="failed", kind="altered", comment=text))
            else:
                job.report(ImageResult(file=name, status="0x0000", outcome="confirmed"))
        return None

    return behave


def cannot_read(*files: str) -> Behaviour:
    """Take every image but these, which cannot be read from our disk."""

    def behave(job: DeliveryJob) -> Trouble | None:
        for name in job.files:
            bad = name in files
            outcome = {"outcome": "failed", "kind": "local"} if bad else {"outcome": "confirmed", "status": "0x0000"}
            job.report(ImageResult.model_validate({"file": name, **outcome}))
        return Trouble("local", f"{files[0]}: the file could not be read to its end")

    return behave


def fails(trouble: Trouble, *, after: int = 0) -> Behaviour:
    """Take ``after`` images, then fail as a whole."""

    def behave(job: DeliveryJob) -> Trouble | None:
        for name in list(job.files)[:after]:
            job.report(ImageResult(file=name, status="0x0000", outcome="confirmed"))
        return trouble

    return behave


DOWN = Trouble("unreachable", "nothing listens there")


@dataclass
class ScriptedTarget:
    """Behaves as `script` says, one entry for each delivery, the last for all that follow.

    `up` is what `check` answers. Of each delivery the files asked for are kept in `asked`.
    """

    script: list[Behaviour] = field(default_factory=lambda: [confirms])
    up: bool = True
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    checks: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def then(self, *behaviours: Behaviour) -> ScriptedTarget:
        """Replace the script."""
        self.script[:] = behaviours
        return self

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        """Play the next behaviour."""
        with self._lock:
            self.asked.append((job.task.id, list(job.files)))
            behaviour = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        return behaviour(job)

    def check(self) -> Check:
        """Answer as `up` says."""
        with self._lock:
            self.checks += 1
        return Check(self.up, "it answered" if self.up else "no answer")


def numbers(files: Iterable[str]) -> list[int]:
    """Return the numbers of images of `tests.support.incoming.make_images` by their file names."""
    return sorted(int(name.removesuffix(".dcm").rpartition(".")[2]) for name in files)
