"""Events: what happened, on its way from a service to the history (``docs/reference/events.md``)."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime

from mercure import durable
from mercure.clock import Clock
from mercure.event_details import DETAILS
from mercure.event_log import log_event
from mercure.locks import lock
from mercure.model import Record
from mercure.names import derived_id, new_id

MAX_FILE_BYTES = 8 * 1024 * 1024
"""A writer goes on to a new file after this many bytes, so that files already recorded can be removed."""

MAX_FILE_SECONDS = 3600.0
"""A writer goes on to a new file after this time."""

MAX_BACKLOG = 10_000
"""Events that wait in memory at most for a disk that refuses them.

Beyond, the oldest are given up (the cleaner tells states again).
"""

TRIES_AGAIN = "make room or mend the disk, or see the log of the service; it tries again by itself"
"""The advice with which a service tells of an error of its own disk."""

_log = logging.getLogger(__name__)


class Event(Record):
    """One line of the outbox."""

    id: str
    time: AwareDatetime
    service: str
    type: str
    task: str | None = None
    series: str | None = None
    details: dict[str, Any] = {}

    def typed(self) -> Record | None:
        """Return the details as the model of this type; None for a type that this version does not know.

        Raises
        ------
        pydantic.ValidationError
            The details lack what the type demands.
        """
        model = DETAILS.get(self.type)
        return None if model is None else model.model_validate(self.details)


_TYPES = {model: name for name, model in DETAILS.items() if list(DETAILS.values()).count(model) == 1}


class EventWriter:
    """Appends the events of one process to its own file in ``outbox/``; safe for threads.

    Parameters
    ----------
    outbox : Path
        The stage; it exists.
    service : str
        Name of the service, a part of the file name.
    """

    def __init__(self, outbox: Path, service: str, clock: Clock | None = None) -> None:
        self._outbox = outbox
        self._service = service
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path = outbox
        self._bytes = 0
        self._opened = 0.0
        self._backlog: deque[bytes] = deque(maxlen=MAX_BACKLOG)
        self._unsynced: set[Path] = set()

    def emit(
        self,
        details: Record,
        *,
        type: str | None = None,
        task: str | None = None,
        series: str | None = None,
        key: str | None = None,
        id: str | None = None,
    ) -> Event:
        """Append one event, and before it those that could not be written earlier.

        Parameters
        ----------
        details : Record
            A model of `mercure.event_details`.
        type : str, optional
            The type; only needed where several types share one model.
        task, series : str, optional
            Task id and Series Instance UID that it is about.
        key : str, optional
            What happens to a task only once ("task.delivered", say): the event's id is made from it, so that a
            repetition after a crash is the same event, and the history takes it once. Needs `task`.
        id : str, optional
            The event's id itself, for what is about no task and may be repeated too.

        Returns
        -------
        Event
            What was or will be written. An event that the disk refuses is kept and written with the next one: the
            state that it reports stands already, and to fail because it cannot be written would turn a full disk into a
            stuck queue.
        """
        name = type or _TYPES[details.__class__]
        if DETAILS.get(name) is not details.__class__:
            raise TypeError(f"an event of type {name!r} does not carry {details.__class__.__name__}")
        now = self._clock.now()
        event = Event(
            id=id or (new_id(now) if key is None or task is None else derived_id(task, key)),
            time=now,
            service=self._service,
            type=name,
            task=task,
            series=series,
            details=details.model_dump(mode="json", exclude_none=True),
        )
        with self._lock:
            self._backlog.append(event.model_dump_json().encode() + b"\n")
            self._flush(now)
        log_event(name, details, task, series)
        return event

    def sync(self) -> None:
        """Put what was emitted onto stable storage, before the last trace of what it tells is removed.

        Raises
        ------
        OSError
            The disk refuses; the trace must stay.
        """
        with self._lock:
            if self._backlog:
                self._flush(self._clock.now())
            if self._backlog:
                raise OSError(errno.EIO, "events could not be written", str(self._path))
            for path in sorted(self._unsynced):
                _sync_if_there(path)
            if self._unsynced:
                durable.sync_directory(self._outbox)
            self._unsynced.clear()

    def flush(self) -> int:
        """Try to write what the disk refused; return how many events are still waiting."""
        with self._lock:
            if self._backlog:
                self._flush(self._clock.now())
            return len(self._backlog)

    def _flush(self, now: datetime) -> None:
        try:
            while self._backlog:
                descriptor = self._open(now)
                self._unsynced.add(self._path)
                durable.append(descriptor, self._backlog[0], self._path, sync=False)
                self._bytes += len(self._backlog.popleft())
        except OSError:
            # What was written of the line must stay the last of its file: the reader drops an unfinished last line.
            self._close()
            _log.warning("events wait in memory: the outbox cannot be written", exc_info=True)

    def _open(self, now: datetime) -> int:
        worn = self._bytes > MAX_FILE_BYTES or self._clock.monotonic() - self._opened > MAX_FILE_SECONDS
        if self._descriptor is not None and worn:
            self._close()
        while self._descriptor is None:
            self._path = self._outbox / f"{self._service}-{new_id(now)}.jsonl"
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                lock(descriptor)
                # Between creation and lock the bookkeeper may have taken the empty file for a dead writer's.
                if os.fstat(descriptor).st_nlink:
                    self._descriptor = descriptor
            finally:
                if self._descriptor is None:
                    os.close(descriptor)
            self._bytes = 0
            self._opened = self._clock.monotonic()
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def close(self) -> None:
        """Let go of the file; the bookkeeper may then remove it. Emitting again opens a new one."""
        with self._lock:
            self._close()


def _sync_if_there(path: Path) -> None:
    """Sync a file of ours, which may be closed by now; one that is gone was read to its end and committed."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        durable.step("fdatasync", path)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
