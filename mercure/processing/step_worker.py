"""Step worker: one task on its next step, in a thread of its own, so that a hung module blocks only that thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from mercure import durable
from mercure.config import ModuleSettings, Processing
from mercure.processing.finish import Finisher
from mercure.processing.module_health import ModuleHealth
from mercure.processing.module_images import ModuleImages
from mercure.processing.record import StepRecorder
from mercure.processing.step_attempt import ModuleNotAllowedError, StepExecutor
from mercure.processing.steps import half_made, read_run, run_folders
from mercure.runners import ImageMissingError, RunnerUnavailableError, RunRequest, open_runner
from mercure.scheduling.backoff import Backoff, eligible_at
from mercure.scheduling.order import ORDER_SECONDS
from mercure.scheduling.worker_pool import TaskWorker
from mercure.spool import Claim, Stage, Task, TaskError, load_task
from mercure.spool.failed_tasks import fail_task

PAUSE_WHEN_TAKEN: Final = 1.0
"""Seconds to rest when somebody else has the task, or it was changed."""

_RESTS: Final = Backoff(5, 300)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPermit:
    """Permit to run one module now.

    Parameters
    ----------
    stepper : StepExecutor
        What runs it.
    slot : Claim
        One of the module's, to be released at the end.
    health : ModuleHealth
        To be told how it went.
    images : ModuleImages
        To be told when the image is not there after all.
    """

    stepper: StepExecutor
    slot: Claim
    health: ModuleHealth
    images: ModuleImages


@dataclass
class StepWorker(TaskWorker):
    """Takes one task one step on: a run of its module, or, when all have run, what becomes of the result.

    Parameters
    ----------
    finisher : Finisher
        Hands the result on; it also knows spool, events and clock.
    permit : RunPermit, optional
        To run its module; None when no module is left.
    settings : ModuleSettings
        Of the module, for what is on record of it.
    may_start : callable
        Checks the task's model under its claim: whether it is its turn.
    """

    doing: ClassVar = "process"

    finisher: Finisher
    permit: RunPermit | None
    settings: ModuleSettings
    may_start: Callable[[Task], bool]

    @property
    def local(self) -> bool:
        """Whether it uses this machine for its run."""
        return self.permit is not None and self.permit.stepper.runner.local

    def let_go(self) -> None:
        """Free the slot of the module."""
        if self.permit is not None:
            self.permit.slot.release()

    def pause(self, disturbances: int) -> float:
        """Return the seconds until the next try."""
        return _RESTS.seconds(disturbances)

    def work(self) -> None:
        """Take the task one step on, if it is still to be."""
        finisher = self.finisher
        claim = Claim.take(finisher.spool.entry(Stage.PROCESSING, self.task))
        if claim is None:
            self.rest = PAUSE_WHEN_TAKEN  # another processor, or a person, has it
            return
        with claim:
            try:
                task = load_task(claim.path)
            except (TaskError, FileNotFoundError):
                return  # the queue tells of it at its next look
            if task.hold is not None:
                self.rest = PAUSE_WHEN_TAKEN
                return
            task = StepRecorder(finisher.events, finisher.clock).settle(claim.path, task, self.settings)
            forget_runs(claim.path, task, finisher.config.processing)
            self._go_on(claim, task)

    def _go_on(self, claim: Claim, task: Task) -> None:
        finisher, permit = self.finisher, self.permit
        if task.failure is None and task.module is not None:
            if permit is None or task.module != permit.stepper.name:
                return  # it is another module's turn: the queue hears of it
            if eligible_at(task, permit.stepper.settings.retry_seconds, finisher.clock.now()):
                self.rest = PAUSE_WHEN_TAKEN
                return
            if not self.may_start(task):
                self.rest = ORDER_SECONDS
                return
            after = self._attempt(claim, task, permit)
            if after is None:
                return
            task = after
            forget_runs(claim.path, task, finisher.config.processing)
        if task.failure is not None:
            fail_task(finisher.spool, finisher.events, claim, task, task.failure)
        elif task.module is None:
            finisher.finish(claim, task)

    def _attempt(self, claim: Claim, task: Task, permit: RunPermit) -> Task | None:
        try:
            after = permit.stepper.attempt(claim, task)
        except RunnerUnavailableError as error:
            permit.health.failed("runner", str(error))
        except ImageMissingError as error:
            permit.images.forget(permit.stepper.settings)
            permit.health.failed("image", str(error))
        except ModuleNotAllowedError as error:
            permit.health.failed("configuration", str(error))
        else:
            return after
        return None


def forget_runs(directory: Path, task: Task, settings: Processing) -> None:
    """Let runners forget the runs that are counted, and remove their folders.

    What cannot be done now (a cluster that does not answer) is done when the task is looked at again, and for a task
    that has ended it is left: a finished job costs nothing, and a finished container has no process.
    """
    for step, number, folder in run_folders(directory):
        if number > task.attempts_made:
            continue
        known = read_run(folder)
        if known is not None:
            try:
                run = open_runner(known.runner, settings).attach(RunRequest(known.run, folder, image=""))
                if run is not None:
                    run.clean_up()
            except RunnerUnavailableError as error:
                _log.warning("a run cannot be cleaned up: %s", error, extra={"run": known.run, "step": step})
                continue
        durable.remove_tree(folder)
    for folder in half_made(directory):
        durable.remove_tree(folder)
