"""A router's story as events: what the history's tests and benchmark feed it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from mercure.event_details import (
    AssociationClosed,
    AssociationOpened,
    Identity,
    ImageReceived,
    ImageRef,
    Origin,
    RuleOutcome,
    SeriesCompleted,
    SeriesDecided,
    TaskAttempt,
    TaskCreated,
    TaskDelivered,
    TaskRetired,
)
from mercure.events import Event
from mercure.model import Record
from mercure.names import derived_id, safe_name

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def make_id(number: int, seconds: float = 0.0, kind: str = "") -> str:
    """Make an id like those of the router, the same for the same arguments."""
    return derived_id(f"{START + timedelta(seconds=seconds):%Y%m%dT%H%M%S%f}-00000000", f"{kind}{number}")


def event(type_: str, details: Record, seconds: float, **fields: str | None) -> Event:
    """Make an event that happened so many seconds after the start of the story."""
    body = details.model_dump(mode="json", exclude_none=True)
    service = fields.pop("service", None) or "router"
    name = fields.pop("id", None) or make_id(hash_of(type_, body, fields), seconds, type_)
    return Event(id=name, time=START + timedelta(seconds=seconds), service=service, type=type_, details=body, **fields)


def hash_of(*values: object) -> int:
    """Return a number for a value, the same in every process."""
    return int(hashlib.sha256(repr(values).encode()).hexdigest()[:12], 16)


@dataclass(frozen=True)
class Told:
    """One series from its first image to its retirement, as each service tells it."""

    number: int = 1
    images: int = 3
    targets: tuple[str, ...] = ("archive",)
    start: float = 0.0
    name: str = ""

    @property
    def uid(self) -> str:
        return f"1.2.826.0.1.{self.number}"

    @property
    def association(self) -> str:
        return make_id(self.number, self.start, "association")

    @property
    def task(self) -> str:
        return make_id(self.number, self.start + 60, "task")

    @cached_property
    def identity(self) -> Identity:
        return Identity(
            PatientID=f"P{self.number:06}",
            PatientName=self.name or f"Doe{self.number}^Jane",
            AccessionNumber=f"A{self.number:06}",
            StudyInstanceUID=f"1.2.826.0.2.{self.number}",
            SeriesInstanceUID=self.uid,
            Modality="CT",
            StudyDescription="CT HEAD",
            SeriesDescription="Axial",
            StudyDate="20261121",
        )

    @cached_property
    def origin(self) -> Origin:
        return Origin(
            address="10.0.0.7",
            calling_aet="CT1",
            called_aet="MERCURE",
            associations=(self.association,),
            first_received=START + timedelta(seconds=self.start),
            last_received=START + timedelta(seconds=self.start + self.images * 0.01),
        )

    @cached_property
    def refs(self) -> tuple[ImageRef, ...]:
        return tuple(
            ImageRef(
                image=make_id(index, self.start + index * 0.01, f"image{self.number}"),
                file=f"{self.uid}.{index}.dcm",
                sop=f"{self.uid}.{index}",
                bytes=1000 + index,
            )
            for index in range(self.images)
        )

    def derived(self, target: str) -> str:
        return derived_id(self.task, f"route:{target}")

    def received(self, index: int, *, repetition: bool = False) -> Event:
        ref = (
            self.refs[index] if not repetition else self.refs[index].model_copy(update={"image": self.repeated(index)})
        )
        details = ImageReceived(
            image=ref.image or "",
            association=self.association,
            file=ref.file,
            folder=safe_name(self.uid),
            sop=ref.sop,
            sop_class="1.2.840.10008.5.1.4.1.1.2",
            study=self.identity.StudyInstanceUID,
            series=self.uid,
            patient=self.identity.PatientID,
            accession=self.identity.AccessionNumber,
            modality="CT",
            bytes=ref.bytes,
            transfer_syntax="1.2.840.10008.1.2.1",
            repetition=repetition,
            address="10.0.0.7",
            calling_aet="CT1",
            called_aet="MERCURE",
        )
        seconds = self.start + index * 0.01 + (5 if repetition else 0)
        return event("image.received", details, seconds, service="receiver", series=self.uid)

    def repeated(self, index: int) -> str:
        return make_id(index, self.start + 5, f"repeated{self.number}")

    def receiver(self) -> list[Event]:
        ends = {"association": self.association, "address": "10.0.0.7", "calling_aet": "CT1", "called_aet": "MERCURE"}
        size = sum(ref.bytes for ref in self.refs)
        opened = event("association.opened", AssociationOpened(**ends, contexts=4), self.start, service="receiver")
        closed = AssociationClosed(**ends, how="released", images=self.images, bytes=size, seconds=2.5)
        images = [self.received(index) for index in range(self.images)]
        return [opened, *images, event("association.closed", closed, self.start + 10, service="receiver")]

    def router(self) -> list[Event]:
        return [self.completed(), self.decided(), *(self.created(target) for target in self.targets)]

    def completed(self) -> Event:
        size = sum(ref.bytes for ref in self.refs)
        details = SeriesCompleted(
            identity=self.identity, origin=self.origin, images=self.refs, bytes=size, reason="released"
        )
        return event("series.completed", details, self.start + 60, task=self.task, series=self.uid)

    def decided(self) -> Event:
        rules = (RuleOutcome(rule="all", fired=True), RuleOutcome(rule="never", fired=False))
        details = SeriesDecided(rules=rules, derived=tuple(map(self.derived, self.targets)))
        return event("series.decided", details, self.start + 61, task=self.task, series=self.uid)

    def created(self, target: str, seconds: float = 62) -> Event:
        details = TaskCreated(
            stage="outgoing",
            action="route",
            parent=self.task,
            target=target,
            rules=("all",),
            identity=self.identity,
            origin=self.origin,
            images=self.refs,
            bytes=sum(ref.bytes for ref in self.refs),
        )
        task = self.derived(target)
        name = derived_id(task, "task.created")
        return event("task.created", details, self.start + seconds, id=name, task=task, series=self.uid)

    def dispatcher(self, target: str) -> list[Event]:
        failed = TaskAttempt(
            target=target,
            number=1,
            outcome="failure",
            kind="unreachable",
            error="no route to host",
            images=self.images,
            next_attempt=START + timedelta(seconds=self.start + 80),
        )
        size = sum(ref.bytes for ref in self.refs)
        worked = TaskAttempt(
            target=target,
            number=2,
            outcome="success",
            images=self.images,
            sent=self.images,
            confirmed=self.images,
            bytes=size,
        )
        common = {"task": self.derived(target), "series": self.uid, "service": "dispatcher"}
        return [
            event("task.attempt", failed, self.start + 70, **common),
            event("task.attempt", worked, self.start + 80, **common),
            self.delivered(target),
        ]

    def delivered(self, target: str, seconds: float = 81) -> Event:
        refs = tuple(ref.model_copy(update={"status": "0x0000"}) for ref in self.refs)
        details = TaskDelivered(target=target, images=refs, bytes=sum(ref.bytes for ref in refs), attempts=2)
        task = self.derived(target)
        name = derived_id(task, "task.delivered")
        return event(
            "task.delivered", details, self.start + seconds, id=name, task=task, series=self.uid, service="dispatcher"
        )

    def cleaner(self, target: str) -> list[Event]:
        details = TaskRetired(stage="success", images=self.images, reason="retention")
        return [event("task.retired", details, self.start + 900, task=self.derived(target), service="cleaner")]

    def all(self) -> list[Event]:
        events = [*self.receiver(), *self.router()]
        for target in self.targets:
            events += [*self.dispatcher(target), *self.cleaner(target)]
        return events


def lines(events: Iterable[Event]) -> bytes:
    """Write events as a file of the outbox holds them."""
    return b"".join(event.model_dump_json().encode() + b"\n" for event in events)


class Outbox:
    """An outbox that tests write, with writers that live or are gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._open: list[int] = []

    def put(
        self, events: Sequence[Event] | bytes, *, service: str = "router", number: int = 1, alive: bool = False
    ) -> Path:
        """Write a file in one go; a living writer holds its lock until `close`."""
        path = self.folder / f"{service}-{make_id(number, 0, service)}.jsonl"
        path.write_bytes(events if isinstance(events, bytes) else lines(events))
        if alive:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._open.append(descriptor)
        return path

    def append(self, data: bytes) -> None:
        """Write on as the writer that was put last."""
        os.write(self._open[-1], data)

    def close(self) -> None:
        """Let all writers die."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def files(self) -> list[str]:
        """Name what is there."""
        return sorted(entry.name for entry in self.folder.iterdir())
