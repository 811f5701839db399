"""Long actions: each has a thread of its own, goes on when whoever asked for it is gone, and its result is kept.

The connection of whoever asked only follows it, and so does everybody who joins. What is kept is bounded, and is gone
with the control service: the audit tells what was changed, and what only looked is asked again
(``docs/decisions/0135-long-actions-are-jobs.md``).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from appliance.control.api import jobs as api
from appliance.control.api.base import Nothing, Progress
from appliance.control.api.jobs import JobError, JobResult, JobState, Outcome
from appliance.control.errors import ControlError, control_error
from appliance.control.registry import Asked, carries_out_for_caller
from appliance.control.roles import Caller
from mercure.clock import Clock

RUNNING: Final = 8
"""That may be under way at the same time."""

RESERVED: Final = 2
"""Of them for admins: what others have begun never keeps an administrator from mending."""

KEPT: Final = 30
"""Ended ones whose results are kept."""

KEPT_BYTES: Final = 32 * 1024 * 1024
"""Of all kept results; the newest is kept whatever its size."""

PAUSE_SECONDS: Final = 0.1
"""Between two words to the same listener: of what happens meanwhile the last counts."""

BEAT_SECONDS: Final = 20.0
"""After this long without news the last is said again, so that nobody takes a long step for a dead router."""

Report = Callable[[Progress], None]
Work = Callable[[Report], BaseModel]


class Job:
    """One long action.

    Parameters
    ----------
    verb, about, user : str
        What, about what, and for whom.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, verb: str, about: str, user: str, clock: Clock) -> None:
        self.id = secrets.token_hex(8)
        self.verb = verb
        self.bytes = 0
        self._about = about
        self._user = user
        self._clock = clock
        self._begun = clock.now()
        self._since = clock.monotonic()
        self._changed = threading.Condition()
        self._progress = Progress(job=self.id)
        self._seconds: float | None = None
        self._answer: BaseModel | None = None
        self._error: ControlError | None = None

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._seconds is not None

    def run(self, work: Work) -> None:
        """Do it, in the thread that is its own."""
        try:
            answer = work(self._report)
            size = len(answer.model_dump_json())
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is its result
            self._end(None, control_error(self.verb, error), 0)
        else:
            self._end(answer, None, size)

    def _report(self, progress: Progress) -> None:
        with self._changed:
            self._progress = progress.model_copy(update={"job": self.id})
            self._changed.notify_all()

    def _end(self, answer: BaseModel | None, error: ControlError | None, size: int) -> None:
        with self._changed:
            self._answer, self._error, self.bytes = answer, error, size
            self._seconds = round(self._clock.monotonic() - self._since, 3)
            self._changed.notify_all()

    def follow(self, told: Report) -> None:
        """Tell of its progress, the first word at once, until it has ended."""
        last: Progress | None = None
        ended = False
        while not ended:
            progress, ended = self._news(last)
            if not ended or progress is not last:
                told(progress)
            last = progress
            with self._changed:
                self._changed.wait_for(lambda: self.ended, PAUSE_SECONDS)

    def _news(self, last: Progress | None) -> tuple[Progress, bool]:
        """Wait for something else than the last word; return it, and whether it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._progress is not last, BEAT_SECONDS)
            return self._progress, self.ended

    def answer(self) -> BaseModel:
        """Return what it came to, once it has ended.

        Raises
        ------
        ControlError
            It failed.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._answer is None:
            raise ValueError("it has not ended")
        return self._answer

    def state(self) -> JobState:
        """Tell how it is."""
        with self._changed:
            seconds = self._seconds
            running = round(self._clock.monotonic() - self._since, 3)
            outcome: Outcome = "running" if seconds is None else "done" if self._error is None else "failed"
            return JobState(
                job=self.id,
                verb=self.verb,
                about=self._about,
                user=self._user,
                begun=self._begun,
                seconds=running if seconds is None else seconds,
                outcome=outcome,
                progress=self._progress,
                error=self._error.text if self._error is not None else "",
            )

    def result(self) -> JobResult:
        """Return its state and what it came to."""
        error = self._error
        return JobResult(
            state=self.state(),
            answer=None if self._answer is None else self._answer.model_dump(mode="json"),
            error=None if error is None else JobError(text=error.text, **dict(error.data())),
        )


@dataclass
class Jobs:
    """All of a control service.

    Parameters
    ----------
    clock : Clock
        Where the time comes from.
    """

    clock: Clock
    _jobs: dict[str, tuple[Job, threading.Thread]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def carry_out(self, verb: str, about: str, caller: Caller, work: Work, report: Report) -> BaseModel:
        """Begin a long action and follow it to its end.

        Parameters
        ----------
        verb, about : str
            What, and about what.
        caller : Caller
            For whom.
        work : callable
            Does it; is given what takes its progress.
        report : callable
            Told of the progress.

        Raises
        ------
        ControlError
            It failed, or too many are under way.
        """
        job = Job(verb, about, caller.user, self.clock)
        most = RUNNING if caller.may("admin") else RUNNING - RESERVED
        thread = threading.Thread(target=job.run, args=(work,), name=f"job-{verb}", daemon=True)
        with self._lock:
            running = [other.verb for other, _ in self._jobs.values() if not other.ended]
            if len(running) >= most:
                text = f"{len(running)} long actions are under way already: {', '.join(running)}"
                raise ControlError("too-much", text, "wait until one has ended")
            self._forget()
            self._jobs[job.id] = job, thread
        thread.start()
        job.follow(report)
        return job.answer()

    def _forget(self) -> None:
        """Let go of the oldest that have ended, beyond the numbers that are kept."""
        ended = [job for job, _ in reversed(self._jobs.values()) if job.ended]
        size = 0
        for number, job in enumerate(ended):
            size += job.bytes
            if number >= KEPT or (number and size > KEPT_BYTES):
                del self._jobs[job.id]

    def list(self) -> tuple[JobState, ...]:
        """Return all that are known, the newest first."""
        with self._lock:
            jobs = [job for job, _ in reversed(self._jobs.values())]
        return tuple(job.state() for job in jobs)

    def find(self, name: str) -> Job:
        """Return one.

        Raises
        ------
        ControlError
            It is not known (any more).
        """
        with self._lock:
            if name not in self._jobs:
                advice = "ask `audit.list` what was changed; what only looked is asked again"
                text = f"there is no long action {name!r}: the control service was restarted, or it is long ago"
                raise ControlError("not-found", text, advice)
            return self._jobs[name][0]

    def close(self, seconds: float) -> None:
        """Wait so long for those that are under way."""
        with self._lock:
            threads = [thread for _, thread in self._jobs.values()]
        end = self.clock.monotonic() + seconds
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - self.clock.monotonic()))


@carries_out_for_caller(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Jobs:
    """List the long actions of the control service."""
    return api.Jobs(jobs=_jobs(asked).list())


@carries_out_for_caller(api.JOIN)
def join(asked: Asked, wanted: api.OneJob) -> JobResult:
    """Follow one to its end."""
    job = _jobs(asked).find(wanted.job)
    job.follow(asked.report)
    return job.result()


def _jobs(asked: Asked) -> Jobs:
    """Return those of the service; where a verb is carried out without one, there are none."""
    return asked.jobs if asked.jobs is not None else Jobs(asked.session.clock)
