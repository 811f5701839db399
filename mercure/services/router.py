"""The router: takes complete series and studies, decides by the rules, derives the tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mercure.dicom.tools import ToolMissingError
from mercure.event_details import Recovered, TaskFailed, Warned
from mercure.events import TRIES_AGAIN
from mercure.routing.completion import CompletionTracker
from mercure.routing.division import parts_of
from mercure.routing.intake import clear_receiving, take_series, unfinished
from mercure.routing.pace import Paces
from mercure.routing.route_task import TaskRouter, studies_in_routing
from mercure.routing.studies import StudyTracker, take_study
from mercure.scheduling.backoff import PAUSE_AFTER_ERROR
from mercure.services.common import Context
from mercure.spool import Changes, Claim, Stage, move
from mercure.spool.failed_tasks import fail_task
from mercure.spool.task import Failure, TaskError, load_task
from mercure.spool.versions import recall

SCAN_SECONDS: Final = 30.0
"""Everything is looked at this often, whatever inotify said."""

BUSY_SECONDS: Final = 0.2
"""Wait after a series was found locked: an image was just landing."""

ATTEMPTS: Final = 3
"""Unexpected errors on the same series after which it is put aside into ``error/``."""

_NOT_ITS_FAULT: Final = (OSError, ToolMissingError)
"""What says nothing of the series that was being routed; a file that is missing does."""

_log = logging.getLogger(__name__)


@dataclass
class _Trouble:
    """A task in ``routing/`` that could not be finished."""

    again: float
    attempts: int = 0


class Router:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spool = context.spool
        paces = Paces(context.spool, context.clock)
        self._series = CompletionTracker(context.spool, context.clock, paces)
        self._studies = StudyTracker(context.spool, context.clock)
        self._routing = TaskRouter(context.spool, context.events, context.clock, paces)
        self._troubles: dict[str, _Trouble] = {}
        self._next_scan = float("-inf")
        self._recalled = False

    def watched(self) -> Iterable[Path]:
        """Wake up for new series, for associations that end, and for tasks that are put back."""
        stages = (Stage.INCOMING, Stage.RECEIVING, Stage.ROUTING, Stage.STUDIES)
        return [self._spool.stage(stage) for stage in stages]

    def turn(self, changes: Changes) -> float:
        """Route every complete series, and what an earlier run left in ``routing/``."""
        now = self._context.clock.monotonic()
        if not self._recalled:
            with self._context.contained("what waits cannot be noted"):
                recall(self._spool)
                self._recalled = True
        if now >= self._next_scan or changes.lost or changes.within(self._spool.stage(Stage.ROUTING)):
            self._next_scan = now + SCAN_SECONDS
            self._finish_leftovers(now)
            with self._context.contained("receiving/ cannot be cleared"):
                clear_receiving(self._spool, self._context.clock)
        wait = self._take_series()
        with self._context.contained("studies/ cannot be looked at"):
            wait = min(wait, self._take_studies())
        soonest = min((trouble.again for trouble in self._troubles.values()), default=float("inf"))
        return max(0.0, min(wait, soonest - now, self._next_scan - now))

    def end(self) -> None:
        """Nothing is in hand between turns."""

    def _take_series(self) -> float:
        """Route every complete series; return seconds until the next may be complete."""
        context = self._context
        due, wait = self._series.due(context.config, self._spool.names(Stage.INCOMING))
        for name, error in self._series.unreadable.items():
            context.failed(f"series {name} cannot be looked at", error)
        for series in due:
            take = partial(take_series, self._spool, series, context.clock)
            wait = min(wait, self._take(f"series {series.name}", take, series.reason))
        return wait

    def _take_studies(self) -> float:
        """Route every complete study; return seconds until the next may be complete."""
        context = self._context
        if not self._spool.names(Stage.STUDIES):
            return float("inf")
        arriving = self._series.arriving_studies(context.config) | studies_in_routing(self._spool)
        due, wait = self._studies.due(context.config, arriving)
        for study in due:
            take = partial(take_study, self._spool, study, context.clock)
            wait = min(wait, self._take(f"study {study.name}", take, study.taken.reason))
        return wait

    def _take(self, what: str, take: Callable[[], Claim | None], reason: str) -> float:
        """Take and route one series or study; return seconds until it is to be tried again, if it is."""
        if self._context.stop:
            return SCAN_SECONDS
        claim, pause = None, PAUSE_AFTER_ERROR
        with self._context.contained(f"{what} cannot be taken"):
            claim, pause = take(), BUSY_SECONDS
        if claim is None:
            return pause
        self._guarded(claim, reason)
        return SCAN_SECONDS

    def _finish_leftovers(self, now: float) -> None:
        names = unfinished(self._spool)
        parts = parts_of(names, self._spool)
        self._troubles = {name: trouble for name, trouble in self._troubles.items() if name in names}
        for name in names:
            trouble = self._troubles.get(name)
            if self._context.stop or (trouble is not None and trouble.again > now):
                continue
            with self._context.contained(f"task {name} in routing/ cannot be opened"):
                claim = Claim.take(self._spool.entry(Stage.ROUTING, name))
                if claim is None:
                    continue
                if trouble is None and name not in parts:
                    what = f"series {name} was found half-routed and is finished now"
                    self._context.events.emit(Recovered(what=what), task=name, key="spool.recovered")
                self._guarded(claim, "recovered")

    def _guarded(self, claim: Claim, reason: str) -> None:
        """Route one series, and what it was divided into; whatever goes wrong concerns this series only."""
        parts: tuple[str, ...] = ()
        name = claim.path.name
        try:
            parts = self._routing.route(self._context.config, claim, reason)
            self._troubles.pop(name, None)
        except Exception as error:  # noqa: BLE001 - one series that we cannot handle must not stop all others
            if isinstance(error, _NOT_ITS_FAULT) and not isinstance(error, FileNotFoundError):
                # No space, a failing disk: nothing about this series is wrong. It stays where it is and is tried again.
                self._put_off(name, 0, f"{error}", TRIES_AGAIN)
            else:
                _log.exception("a series could not be routed", extra={"task": name})
                self._after_fault(claim, f"{type(error).__name__}: {error}")
        finally:
            claim.release()
        for part in parts:
            taken = None if self._context.stop else Claim.take(self._spool.entry(Stage.ROUTING, part))
            if taken is not None:
                self._guarded(taken, reason)

    def _after_fault(self, claim: Claim, text: str) -> None:
        name = claim.path.name
        attempts = self._troubles.get(name, _Trouble(0.0)).attempts + 1
        left = ATTEMPTS - attempts
        if left > 0:
            self._put_off(name, attempts, text, f"it is tried {left} more times and then put into error/")
            return
        try:
            self._put_aside(claim, text)
        except OSError as error:
            self._put_off(name, attempts, f"{text}; and it cannot be put into error/: {error}", TRIES_AGAIN)

    def _put_off(self, name: str, attempts: int, text: str, advice: str) -> None:
        again = self._context.clock.monotonic() + PAUSE_AFTER_ERROR
        first = name not in self._troubles
        self._troubles[name] = _Trouble(again, attempts)
        self._next_scan = min(self._next_scan, again)
        if first:
            self._context.events.emit(Warned(text=f"series {name} is not routed yet: {text}", advice=advice), task=name)

    def _put_aside(self, claim: Claim, text: str) -> None:
        name, events = claim.path.name, self._context.events
        try:
            task = load_task(claim.path)
        except TaskError:
            move(self._spool, claim, Stage.ERROR)
            advice = (
                "its images are in error/ under the same name; look into the router's log, or send the series again"
            )
            failed = TaskFailed(stage=Stage.ROUTING.value, reason=text, advice=advice)
            events.emit(failed, task=name, key="task.failed:unreadable")
            return
        advice = "look into the router's log; retry the task when the cause is gone"
        failure = Failure(stage=Stage.ROUTING.value, reason=text, advice=advice, at=self._context.clock.now())
        fail_task(self._spool, events, claim, task, failure)
