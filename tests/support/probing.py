"""Runs of the probe by one kind of runner."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from mercure.runners import IN, OUT, RunLimits, RunRequest, RunStatus, run_name
from tests.conformance.runners.backends import Backend
from tests.support.polling import eventually
from tests.support.series import synthetic_images

if TYPE_CHECKING:
    from mercure.runners import Run, RunOutcome


PLENTY = 30.0


NUMBERS = itertools.count(1)


MEBIBYTE = 1024 * 1024


LIMITS = RunLimits(
    memory_bytes=256 * MEBIBYTE,
    cores=1,
    processes=64,
    seconds=60,
    output_bytes=8 * MEBIBYTE,
    log_bytes=64 * 1024,
)


class Probing:
    """Runs of the probe by one kind of runner."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.runner = backend.runner()
        self.images = synthetic_images(2, 16, 16, seed="probe")

    def request(self, *arguments: object, **changes: object) -> RunRequest:
        """Make the folder of a run and what is asked for."""
        number = next(NUMBERS)
        name = run_name("20260101T000000000000-0000000a", 1, number)
        folder = self.backend.folder / name
        for path in (folder, folder / IN, folder / OUT):
            path.mkdir()
        for sop, data in self.images:
            (folder / IN / f"{sop}.dcm").write_bytes(data)
        self.backend.own(folder, folder / OUT)
        plain = RunRequest(name, folder, self.backend.image, tuple(map(str, arguments)), limits=LIMITS, grace_seconds=2)
        return replace(plain, **changes)  # type: ignore[arg-type]

    def run(self, *arguments: object, **changes: object) -> tuple[RunRequest, RunOutcome]:
        """Run the probe to its end, and clean up."""
        request = self.request(*arguments, **changes)
        run = self.runner.start(request)
        outcome = self.end(run)
        run.collect()
        run.clean_up()
        return request, outcome

    def end(self, run: Run, seconds: float = PLENTY) -> RunOutcome:
        """Wait for the end of a run."""
        status = run.wait(seconds)
        for _ in range(10):
            if status.state == "ended":
                break
            status = run.wait(seconds / 10)
        assert status.outcome is not None, f"not ended within {seconds} s: {status}"
        return status.outcome

    def begun(self, request: RunRequest, run: Run) -> RunStatus:
        """Wait until the probe itself runs."""

        def look() -> RunStatus | None:
            status = run.wait(0.05)
            assert status.outcome is None, f"it ended: {status.outcome}"
            return status if (self.backend.at_work(request) / OUT / "begun").exists() else None

        return eventually(look, seconds=PLENTY, what="the probe has begun") or RunStatus(state="queued")
