"""One task in the hands of a processor, in a thread of its own: a module that hangs holds up nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from mercure import durable
from mercure.config import ModuleSettings, Processing, Retry
from mercure.delivery.crew import Hand
from mercure.delivery.order import ORDER_SECONDS
from mercure.delivery.policy import backoff, eligible_at
from mercure.processing.attempt import NotAllowedError, Stepper
from mercure.processing.finish import Finisher
from mercure.processing.health import ModuleHealth
from mercure.processing.images import Images
from mercure.processing.record import Recorder
from mercure.processing.steps import half_made, read_run, run_folders
from mercure.runners import ImageMissingError, RunnerUnavailableError, RunRequest, open_runner
from mercure.spool import Claim, Stage, Task, TaskError, load_task
from mercure.spool.ending import fail_task

PAUSE_WHEN_TAKEN: Final = 1.0
"""Seconds to rest when somebody else has the task, or it was changed."""

_RESTS: Final = Retry(first_seconds=5, cap_seconds=300)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lane:
    """Leave to run one module now.

    Parameters
    ----------
    stepper : Stepper
        What runs it.
    slot : Claim
        One of the module's, to be released at the end.
    health : ModuleHealth
        To be told how it went.
    images : Images
        To be told when the image is not there after all.
    """

    stepper: Stepper
    slot: Claim
    health: ModuleHealth
    images: Images


@dataclass
class Worker(Hand):
    """Takes one task one step on: a run of its module, or, when all have run, what becomes of the result.

    Parameters
    ----------
    finisher : Finisher
        Hands the result on; it also knows spool, events and clock.
    lane : Lane, optional
        The leave to run its module; None when no module is left.
    settings : ModuleSettings
        Of the module, for what is on record of it.
    may_start : callable
        Told the task's model as it is under its claim; tells whether it is its turn.
    """

    doing: ClassVar = "process"

    finisher: Finisher
    lane: Lane | None
    settings: ModuleSettings
    may_start: Callable[[Task], bool]

    @property
    def local(self) -> bool:
        """Whether it uses this machine for its run."""
        return self.lane is not None and self.lane.stepper.runner.local

    def let_go(self) -> None:
        """Free the slot of the module."""
        if self.lane is not None:
            self.lane.slot.release()

    def pause(self, disturbances: int) -> float:
        """Return the seconds until the next try."""
        return backoff(_RESTS, disturbances).total_seconds()

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
            task = Recorder(finisher.events, finisher.clock).settle(claim.path, task, self.settings)
            forget_runs(claim.path, task, finisher.config.processing)
            self._go_on(claim, task)

    def _go_on(self, claim: Claim, task: Task) -> None:
        finisher, lane = self.finisher, self.lane
        if task.failure is None and task.module is not None:
            if lane is None or task.module != lane.stepper.name:
                return  # it is another module's turn: the queue hears of it
            if eligible_at(task, lane.stepper.settings.retry_seconds, finisher.clock.now()):
                self.rest = PAUSE_WHEN_TAKEN
                return
            if not self.may_start(task):
                self.rest = ORDER_SECONDS
                return
            after = self._attempt(claim, task, lane)
            if after is None:
                return
            task = after
            forget_runs(claim.path, task, finisher.config.processing)
        if task.failure is not None:
            fail_task(finisher.spool, finisher.events, claim, task, task.failure)
        elif task.module is None:
            finisher.finish(claim, task)

    def _attempt(self, claim: Claim, task: Task, lane: Lane) -> Task | None:
        try:
            after = lane.stepper.attempt(claim, task)
        except RunnerUnavailableError as error:
            lane.health.failed("runner", str(error))
        except ImageMissingError as error:
            lane.images.forget(lane.stepper.settings)
            lane.health.failed("image", str(error))
        except NotAllowedError as error:
            lane.health.failed("configuration", str(error))
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
