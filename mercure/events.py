"""Events: what happened, on its way from a service to the history (``docs/reference/events.md``)."""

from __future__ import annotations

import fcntl
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime

from mercure import durable
from mercure.clock import Clock
from mercure.event_details import DETAILS
from mercure.model import Record
from mercure.names import new_id

MAX_FILE_BYTES = 8 * 1024 * 1024
"""A writer goes on to a new file after this many bytes, so that files already recorded can be removed."""

MAX_FILE_SECONDS = 3600.0
"""A writer goes on to a new file after this time."""


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
    clock : Clock
        Where the time comes from.
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

    def emit(
        self,
        details: Record,
        *,
        type: str | None = None,  # noqa: A002 - the word that the format uses
        task: str | None = None,
        series: str | None = None,
        sync: bool = False,
    ) -> Event:
        """Append one event.

        Parameters
        ----------
        details : Record
            A model of `mercure.event_details`.
        type : str, optional
            The type; only needed where several types share one model.
        task, series : str, optional
            Task id and Series Instance UID that it is about.
        sync : bool
            True: on stable storage on return, for what must outlive a power cut at once.

        Raises
        ------
        OSError
            It could not be written; the state that it tells of stands all the same.
        """
        name = type or _TYPES[details.__class__]
        if DETAILS.get(name) is not details.__class__:
            raise TypeError(f"an event of type {name!r} does not carry {details.__class__.__name__}")
        now = self._clock.now()
        event = Event(
            id=new_id(now),
            time=now,
            service=self._service,
            type=name,
            task=task,
            series=series,
            details=details.model_dump(mode="json", exclude_none=True),
        )
        data = event.model_dump_json().encode() + b"\n"
        with self._lock:
            descriptor = self._open(now)
            durable.append(descriptor, data, self._path, sync=sync)
            self._bytes += len(data)
        return event

    def _open(self, now: datetime) -> int:
        worn = self._bytes > MAX_FILE_BYTES or self._clock.monotonic() - self._opened > MAX_FILE_SECONDS
        if self._descriptor is not None and worn:
            self._close()
        while self._descriptor is None:
            self._path = self._outbox / f"{self._service}-{new_id(now)}.jsonl"
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
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
