"""Worker pool of a service: a thread for each task that is worked on, and a pause for those that were disturbed.

Dispatcher and processor each have a pool. A target or a module that hangs blocks only the workers that are with it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic, TypeVar

from mercure.clock import Clock
from mercure.event_details import Warned
from mercure.events import TRIES_AGAIN, EventWriter
from mercure.scheduling.queue import TaskQueue
from mercure.spool import Claim, TaskError, load_task
from mercure.spool.failed_tasks import fail_task
from mercure.spool.task import Failure

STOP_SECONDS: Final = 30.0
"""How long the workers have to end after the service was told to stop."""

_log = logging.getLogger(__name__)


@dataclass
class TaskWorker:
    """Worker on one task, in a thread of its own.

    Parameters
    ----------
    task : str
        The task's id.
    """

    doing: ClassVar[str]
    """What it does, in the name of its thread."""

    task: str
    rest: float = field(default=0.0, init=False)
    """Seconds for which the task should be left alone: nothing about it was decided."""
    disturbed: str | None = field(default=None, init=False)
    """What kept it from being tried; neither who it is for nor the task is to blame, as far as is known."""
    _thread: threading.Thread = field(init=False, repr=False)

    def work(self) -> None:
        """Do what is to be done; whatever it raises is a disturbance."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Free what was taken for it. It is called once, whatever happened."""
        raise NotImplementedError

    def pause(self, disturbances: int) -> float:
        """Return the seconds until the next try after so many disturbances in a row."""
        raise NotImplementedError

    def start(self, done: Callable[[], None]) -> None:
        """Begin. The thread is a daemon: a file system that hangs for ever must not keep the service from ending."""
        self._thread = threading.Thread(target=self._run, args=(done,), name=f"{self.doing} {self.task}", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end; tell whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self, done: Callable[[], None]) -> None:
        try:
            self.work()
        except Exception as error:  # noqa: BLE001 - whatever one task does, the others go on
            _log.exception("work on a task was disturbed", extra={"task": self.task})
            self.disturbed = f"{type(error).__name__}: {error}"
        finally:
            try:
                self.let_go()
            finally:
                done()


WorkerT = TypeVar("WorkerT", bound=TaskWorker)


class WorkerPool(Generic[WorkerT]):
    """The workers of one service.

    Parameters
    ----------
    waiting : Queue
        What waits in the stage; it looks again at each task that a worker let go of.
    events : EventWriter
        Told of a disturbance, once for each task until it goes on.
    clock : Clock
        Where the time comes from.
    wake : callable
        Ends the wait of the service, from any thread.
    """

    def __init__(self, waiting: TaskQueue, events: EventWriter, clock: Clock, wake: Callable[[], None]) -> None:
        self._waiting, self._events, self._clock, self._wake = waiting, events, clock, wake
        self._workers: dict[str, WorkerT] = {}
        self._ended: queue.SimpleQueue[WorkerT] = queue.SimpleQueue()
        self._resting: dict[str, float] = {}
        self._disturbances: dict[str, int] = {}

    def __iter__(self) -> Iterator[WorkerT]:
        """Walk the workers that are running."""
        return iter(list(self._workers.values()))

    def __contains__(self, task: object) -> bool:
        """Tell whether a task is worked on, or rests."""
        return task in self._workers or task in self._resting

    def begin(self, worker: WorkerT) -> None:
        """Start a worker on its task."""

        def done() -> None:
            self._ended.put(worker)
            self._wake()

        self._workers[worker.task] = worker
        worker.start(done)

    def collect(self) -> float:
        """Take back the workers that have ended; return the seconds until the next task has rested enough."""
        now = self._clock.monotonic()
        while not self._ended.empty():
            worker = self._ended.get()
            self._workers.pop(worker.task, None)
            rest = self._rest_after(worker)
            if rest:
                self._resting[worker.task] = now + rest
            self._waiting.look(worker.task)
        self._resting = {task: until for task, until in self._resting.items() if until > now}
        return min((until - now for until in self._resting.values()), default=float("inf"))

    def _rest_after(self, worker: WorkerT) -> float:
        """Return for how many seconds a task is left alone.

        Longer and longer while the spool itself refuses: what was done cannot be written down then, and each try would
        do all of it again.
        """
        if worker.disturbed is None:
            self._disturbances.pop(worker.task, None)
            return worker.rest
        times = self._disturbances[worker.task] = self._disturbances.get(worker.task, 0) + 1
        if times == 1:
            text = f"task {worker.task} in {self._waiting.stage} could not be tried: {worker.disturbed}"
            self._events.emit(Warned(text=text, advice=TRIES_AGAIN), task=worker.task)
        return worker.pause(times)

    def fail_all(self, name: str, reason: str, advice: str) -> None:
        """Put the tasks for a target or module that there is no more aside, where a person sees them.

        Parameters
        ----------
        name : str
            Of the target or module.
        reason, advice : str
            What is wrong, and what to do.

        Raises
        ------
        OSError
            As the disk says.
        """
        spool, stage = self._waiting.spool, self._waiting.stage
        for task in self._waiting.waiting(name):
            claim = None if task.id in self._workers else Claim.take(spool.entry(stage, task.id))
            if claim is None:
                continue
            failure = Failure(stage=stage.value, reason=reason, advice=advice, at=self._clock.now())
            with claim, contextlib.suppress(TaskError):  # the queue tells of one that cannot be read at its next look
                fail_task(spool, self._events, claim, load_task(claim.path), failure)

    def end(self) -> None:
        """Wait for the workers, as long as there is time."""
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self:
            if not worker.join(max(0.0, deadline - time.monotonic())):
                _log.warning("work on a task did not end in time and is left", extra={"task": worker.task})
