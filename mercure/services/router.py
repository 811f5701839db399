"""The router: takes complete series and studies, decides by the rules, derives the tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mercure.event_details import Recovered, Warned
from mercure.routing.completion import CompletionTracker
from mercure.routing.intake import clear_receiving, take_series, unfinished
from mercure.routing.studies import StudyTracker, take_study
from mercure.routing.work import Routing, studies_in_routing
from mercure.services.common import PAUSE_AFTER_ERROR, Context
from mercure.spool import Changes, Claim, Stage, move
from mercure.spool.ending import fail_task
from mercure.spool.task import Failure, TaskError, load_task

SCAN_SECONDS: Final = 30.0
"""Everything is looked at this often, whatever inotify said."""

BUSY_SECONDS: Final = 0.2
"""Wait after a series was found locked: an image was just landing."""

ATTEMPTS: Final = 3
"""So often an unexpected error may stop the same series before it is put aside into ``error/``."""

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
        self._series = CompletionTracker(context.spool, context.clock)
        self._studies = StudyTracker(context.spool, context.clock)
        self._routing = Routing(context.spool, context.events, context.clock)
        self._troubles: dict[str, _Trouble] = {}
        self._next_scan = float("-inf")

    def watched(self) -> Iterable[Path]:
        """Wake up for new series, for associations that end, and for tasks that are put back."""
        stages = (Stage.INCOMING, Stage.RECEIVING, Stage.ROUTING, Stage.STUDIES)
        return [self._spool.stage(stage) for stage in stages]

    def turn(self, changes: Changes) -> float:
        """Route every complete series, and what an earlier run left in ``routing/``."""
        now = self._context.clock.monotonic()
        if now >= self._next_scan or changes.lost or changes.within(self._spool.stage(Stage.ROUTING)):
            self._finish_leftovers(now)
            clear_receiving(self._spool, self._context.clock)
            self._next_scan = now + SCAN_SECONDS
        wait = min(self._take_series(), self._take_studies())
        soonest = min((trouble.again for trouble in self._troubles.values()), default=float("inf"))
        return max(0.0, min(wait, soonest - now, self._next_scan - now))

    def end(self) -> None:
        """Nothing is in hand between turns."""

    def _take_series(self) -> float:
        """Route every complete series; return seconds until the next may be complete."""
        context = self._context
        due, wait = self._series.due(context.config.completion, self._spool.names(Stage.INCOMING))
        for series in due:
            if context.stop:
                break
            claim = take_series(self._spool, series, context.clock)
            if claim is None:
                wait = min(wait, BUSY_SECONDS)
            else:
                self._guarded(claim, series.reason)
        return wait

    def _take_studies(self) -> float:
        """Route every complete study; return seconds until the next may be complete."""
        context = self._context
        if not self._spool.names(Stage.STUDIES):
            return float("inf")
        arriving = self._series.arriving_studies() | studies_in_routing(self._spool)
        due, wait = self._studies.due(context.config, arriving)
        for study in due:
            if context.stop:
                break
            claim = take_study(self._spool, study, context.clock)
            if claim is None:
                wait = min(wait, BUSY_SECONDS)
            else:
                self._guarded(claim, study.taken.reason)
        return wait

    def _finish_leftovers(self, now: float) -> None:
        names = unfinished(self._spool)
        self._troubles = {name: trouble for name, trouble in self._troubles.items() if name in names}
        for name in names:
            trouble = self._troubles.get(name)
            if trouble is not None and trouble.again > now:
                continue
            claim = Claim.take(self._spool.entry(Stage.ROUTING, name))
            if claim is None:
                continue
            if trouble is None:
                what = f"series {name} was found half-routed and is finished now"
                self._context.events.emit(Recovered(what=what), task=name, key="spool.recovered")
            self._guarded(claim, "recovered")

    def _guarded(self, claim: Claim, reason: str) -> None:
        """Route one series; whatever goes wrong concerns this series only."""
        name = claim.path.name
        try:
            self._routing.route(self._context.config, claim, reason)
            self._troubles.pop(name, None)
        except OSError as error:
            # No space, a failing disk: nothing about this series is wrong. It stays where it is and is tried again.
            self._put_off(name, 0, f"{error}", "make room or mend the disk; the router tries again by itself")
        except Exception as error:  # noqa: BLE001 - one series that we cannot handle must not stop all others
            _log.exception("a series could not be routed", extra={"task": name})
            attempts = self._troubles.get(name, _Trouble(0.0)).attempts + 1
            text = f"{type(error).__name__}: {error}"
            if attempts >= ATTEMPTS:
                self._put_aside(claim, text)
            else:
                self._put_off(name, attempts, text, f"it is tried {ATTEMPTS - attempts} more times")
        finally:
            claim.release()

    def _put_off(self, name: str, attempts: int, text: str, advice: str) -> None:
        again = self._context.clock.monotonic() + PAUSE_AFTER_ERROR
        first = name not in self._troubles
        self._troubles[name] = _Trouble(again, attempts)
        self._next_scan = min(self._next_scan, again)
        if first:
            self._context.events.emit(Warned(text=f"series {name} is not routed yet: {text}", advice=advice), task=name)

    def _put_aside(self, claim: Claim, text: str) -> None:
        try:
            task = load_task(claim.path)
        except TaskError:
            _log.exception("the task has no model either", extra={"task": claim.path.name})
            move(self._spool, claim, Stage.ERROR)
            return
        advice = "look into the router's log; retry the task when the cause is gone"
        failure = Failure(stage=Stage.ROUTING, reason=text, advice=advice, at=self._context.clock.now())
        fail_task(self._spool, self._context.events, claim, task, failure)
