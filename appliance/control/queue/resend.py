"""Sending again: plans, the jobs that carry them out, and the thread of the control service that works on these."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final, Literal

from appliance.control.api import resend as api
from appliance.control.api.base import Nothing
from appliance.control.api.queue import ChangeTask
from appliance.control.api.resend import BeginResend, LeftOut, OneResend, PlanResend, ResendPlan, Resends, ResendState
from appliance.control.errors import ControlError
from appliance.control.queue.resend_plan import EXAMPLES, Planner
from appliance.control.queue.task_actions import retry
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Json, Session
from mercure.config.models import Order
from mercure.names import new_id
from mercure.routing.resend import SOURCES, UNDER_WAY, BusyError, LeftError, Resender, under_way_of
from mercure.routing.resend_jobs import (
    JobWish,
    ResendItem,
    ResendJob,
    ResendOrder,
    Wish,
    all_jobs,
    begin_job,
    forget_ended,
    jobs_folder,
    ordering,
)
from mercure.spool import Claim

TURN_SECONDS: Final = 1.0
"""Between two looks at jobs that are under way."""

IDLE_SECONDS: Final = 60.0
"""Between two looks where there was none: one that begins in this process wakes the worker at once."""

AT_ONCE: Final = 20
"""Items of one job that are done in one look, so that another job and a wish come to their turn."""

_IN_LINE: Final[Order] = "received"

_WAKE: Final = threading.Event()
"""Set by what begins or resumes a job."""

_log = logging.getLogger(__name__)


@carries_out_for_caller(api.PLAN)
def plan(asked: Asked, wanted: PlanResend) -> ResendPlan:
    """Say what would be sent again, and where it would go; nothing is changed.

    Raises
    ------
    ControlError
        Nothing is selected, or a target is not there.
    """
    return Planner(asked.session, wanted, asked.report).make()[0]


@carries_out_for_caller(api.BEGIN)
def begin(asked: Asked, wanted: BeginResend) -> ResendState:
    """Begin a job that carries out what a person has seen as a plan.

    Raises
    ------
    ControlError
        The caller may not, the spool is not what it was in the plan, or nothing is left to send.
    """
    session = asked.session
    if wanted.how == "elsewhere" and not asked.caller.may("admin"):
        text = f"to send to targets of one's own choice needs the role admin, and {asked.caller.user} has not"
        advice = "send again to the same target, or mend the rules and decide anew"
        raise ControlError("not-allowed", text, advice, role="admin")
    with session.changing() as events, ordering(session.spool):
        found, items = Planner(session, wanted, asked.report).make()
        if found.digest != wanted.digest:
            advice = "look at the new plan, and confirm that one"
            raise ControlError("busy", "what would be sent again is not what the plan said any more", advice)
        if not items:
            raise ControlError("invalid", "there is nothing to send again", "the plan says why")
        now = session.clock.now()
        order = ResendOrder(
            id=new_id(now),
            how=wanted.how,
            by=session.user,
            at=now,
            reason=wanted.reason,
            off_peak=wanted.off_peak,
            items=items,
        )
        job = begin_job(session.spool, order)
        after: dict[str, Json] = {
            "how": wanted.how,
            "to": [*wanted.to],
            "series": found.series,
            "images": found.images,
            "bytes": found.bytes,
            "reason": wanted.reason,
        }
        session.audit(events, "resend.begin", order.id, after=after)
    _WAKE.set()
    return _state(session, job)


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> Resends:
    """List the jobs, the newest first."""
    return Resends(jobs=tuple(_state(session, job) for job in reversed(list(all_jobs(session.spool)))))


@carries_out(api.PAUSE)
def pause(session: Session, wanted: OneResend) -> ResendState:
    """Pause a job: nothing more of it is put into the queue."""
    return _wish(session, wanted.job, "pause")


@carries_out(api.RESUME)
def resume(session: Session, wanted: OneResend) -> ResendState:
    """Let a paused job go on."""
    return _wish(session, wanted.job, "run")


@carries_out(api.STOP)
def stop(session: Session, wanted: OneResend) -> ResendState:
    """End a job; what it has put into the queue is delivered."""
    return _wish(session, wanted.job, "stop")


def _wish(session: Session, name: str, wish: Wish) -> ResendState:
    with session.changing() as events:
        job = _find(session, name)
        before = _state(session, job).state
        if before in ("stopped", "done"):
            raise ControlError("invalid", f"job {job.order.id} has ended: it is {before}")
        job.set_wish(JobWish(wish=wish, by=session.user, at=session.clock.now()))
        session.audit(events, f"resend.{_VERBS[wish]}", job.order.id, before=before, after=wish)
    _WAKE.set()
    return _state(session, job)


_VERBS: Final[dict[Wish, str]] = {"run": "resume", "pause": "pause", "stop": "stop"}
_STATES: Final[dict[Wish, Literal["running", "paused", "stopped"]]] = {
    "run": "running",
    "pause": "paused",
    "stop": "stopped",
}


def _find(session: Session, name: str) -> ResendJob:
    """Find a job by its id or the end of it."""
    found = [job for job in all_jobs(session.spool) if job.order.id.endswith(name)]
    if len(found) != 1:
        many = "several jobs end" if found else "no job ends"
        raise ControlError("not-found", f"{many} in {name!r}", "`mercure resend list` shows them")
    return found[0]


def _state(session: Session, job: ResendJob) -> ResendState:
    journal, order, wish = job.journal(), job.order, job.wish()
    left: dict[str, list[str]] = {}
    for line in journal:
        if line.left:
            left.setdefault(line.left, []).append(order.items[line.item].task)
    return ResendState(
        id=order.id,
        how=order.how,
        by=order.by,
        at=order.at,
        reason=order.reason,
        off_peak=order.off_peak,
        state="done" if len(journal) >= len(order.items) else _STATES[wish.wish],
        items=len(order.items),
        done=len(journal),
        under_way=len(under_way_of(session.spool, [job])),
        left=tuple(LeftOut(why=why, tasks=len(tasks), examples=tuple(tasks[:EXAMPLES])) for why, tasks in left.items()),
        changed_by=wish.by,
    )


class ResendWorker:
    """Works on the jobs, one item after the other: a thread of the control service.

    Parameters
    ----------
    open_session : callable
        Makes a session for one look.
    """

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open = open_session
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="resend", daemon=True)
        self._failing = ""

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """End after the item of now."""
        self._stop.set()
        _WAKE.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _keep_on(self) -> None:
        while not self._stop.is_set():
            _WAKE.clear()
            wait = TURN_SECONDS
            try:
                wait = TURN_SECONDS if self.turn() else IDLE_SECONDS
                self._failing = ""
            except (OSError, ControlError) as error:
                # A full disk, say: the item is done again at the next look.
                if self._failing != str(error):
                    _log.warning("what is to be sent again waits: %s", error)
                self._failing = str(error)
            except Exception:  # noqa: BLE001 - a mistake in one job must not end the control service; the log has each
                _log.exception("a look at the jobs that send again failed")
            _WAKE.wait(wait)

    def turn(self) -> bool:
        """Do what can be done now; return whether jobs are under way.

        Raises
        ------
        OSError
            I/O failed.
        ControlError
            There is no configuration or no spool.
        """
        session = self._open()
        if not jobs_folder(session.spool).is_dir():
            return False
        jobs = [job for job in all_jobs(session.spool) if not job.ended]
        for job in jobs:
            claim = Claim.take(job.folder)
            if claim is not None:
                with claim:
                    self._work(session, job, jobs)
        if not jobs:
            forget_ended(session.spool)
        return bool(jobs)

    def _work(self, session: Session, job: ResendJob, jobs: Iterable[ResendJob]) -> None:
        room = _most_under_way(session) - len(under_way_of(session.spool, jobs))
        with session.changing() as events:
            as_person = Session(session.root, job.order.by, service=session.service, clock=session.clock)
            resender = Resender(session.spool, events, session.clock, job, lambda item: _retry(as_person, job, item))
            for _ in range(max(0, min(AT_ONCE, room))):
                if self._stop.is_set() or not resender.advance(session.config):
                    break
            resender.end_if_done()


def _most_under_way(session: Session) -> int:
    """Return how many may be on their way: one where tasks of a target go in one line, since live ones wait behind."""
    in_line = any(getattr(target, "order", "") == _IN_LINE for target in session.config.targets.values())
    return 1 if in_line else UNDER_WAY


def _retry(session: Session, job: ResendJob, item: ResendItem) -> None:
    """Put a task that failed, or that a person discarded, on its way again, in the name of who ordered it."""
    stage = session.spool.find(item.task)
    if stage is None:
        raise LeftError("it is no longer on the disk")
    if stage not in SOURCES:
        return  # it is on its way already: an earlier run of this job did it, or a person
    try:
        retry(session, ChangeTask(task=item.task, reason=job.order.reason or f"job {job.order.id}"))
    except ControlError as error:
        if error.kind == "busy":
            raise BusyError from error
        raise LeftError(error.text) from error
