"""Returns: images that come back from where they were sent to, counted, so that a loop of routers ends.

Nothing in an image tells where it was, and it is never changed. But the router remembers which images of a series it
has had and who brought the first: the same instance with the same data set from anybody else is a return. A few are
nothing unusual (an archive sends prior images back for comparison); what comes back again and again is held.

A hint in ``state/returns/``, one file for each series, replaced atomically and not synced.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.config import Config
from mercure.model import Record
from mercure.names import safe_name
from mercure.routing.planning import Plan
from mercure.spool import Hold, Spool, Stage, TagRecord, Task
from mercure.spool.hints import exclusive, remove_older
from mercure.spool.images import text
from mercure.spool.notices import post

HELD_BY: Final = "loop"
"""Stands where a person's name does when a series is held because it came back too often."""

MOST_IMAGES: Final = 20_000
"""Remembered for each series; of the images beyond, returns are not counted."""

_DIGITS: Final = 12
"""Hexadecimal digits by which an image is remembered."""

_HELD_STAGES: Final = (Stage.OUTGOING, Stage.PROCESSING)


class Returns(Record):
    """What is remembered of a series.

    ``sender`` brought its first image. ``images`` holds the marks of all images, one after the other; ``back`` counts
    how often each came back since ``since``. ``task`` was counted last.
    """

    sender: str
    task: str = ""
    images: str = ""
    back: dict[str, int] = {}
    since: AwareDatetime | None = None


@dataclass(frozen=True)
class Loop:
    """Images that came back too often.

    Parameters
    ----------
    images : int
        How many.
    times : int
        How often, the one that did most.
    sender, first : str
        Who brought them now, and who brought the series first.
    """

    images: int
    times: int
    sender: str
    first: str

    @property
    def reason(self) -> str:
        """What is said of a held task."""
        return f"{self.images} images came back from {self.sender} {self.times} times: they go round"


class ReturnCounter:
    """Counts what comes back, and finds the loops.

    Parameters
    ----------
    spool : Spool
        Whose.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def look(self, config: Config, task: Task, records: Sequence[TagRecord], now: datetime) -> Loop | None:
        """Count the images of a routed task, and tell whether they are in a loop.

        A series is counted once; a study only asked for what its series came to.

        Parameters
        ----------
        config : Config
            Names the senders, and says how often is too often.
        task : Task
            The series or study.
        records : sequence of TagRecord
            Its tag records.
        now : datetime
            Aware instant.

        Raises
        ------
        OSError
            As the disk says.
        """
        sender = task.origin.sender or config.sender_of(task.origin.calling_aet, task.origin.address)
        marks: dict[str, list[str]] = {}
        for record in records:
            series, mark = text(record, "SeriesInstanceUID"), mark_of(record)
            if series and mark:
                marks.setdefault(series, []).append(mark)
        worst: list[tuple[int, int, str]] = []
        for series, found in marks.items():
            known = self._note(config, task, sender, series, marks=found, now=now)
            often = [known.back.get(mark, 0) for mark in found]
            beyond = [times for times in often if times > config.loops.returns]
            if beyond and known.sender != sender:
                worst.append((len(beyond), max(beyond), known.sender))
        if not worst:
            return None
        return Loop(sum(item[0] for item in worst), max(item[1] for item in worst), sender, worst[0][2])

    def forget(self, seconds: float, now: datetime) -> None:
        """Forget series of which nothing has come for so long."""
        remove_older(returns_folder(self._spool), seconds, now.timestamp())

    def _note(
        self, config: Config, task: Task, sender: str, series: str, *, marks: Sequence[str], now: datetime
    ) -> Returns:
        path = returns_folder(self._spool) / f"{safe_name(series)}.json"
        before = _read(path)
        if before is not None and (before.task == task.id or task.scope != "series"):
            return before
        within = timedelta(seconds=config.loops.within_seconds)
        if before is None:
            known = counted(None, sender, marks, now, within).model_copy(update={"task": task.id})
            if _write_new(path, known):
                return known
        with exclusive(path.parent):
            known = counted(_read(path), sender, marks, now, within).model_copy(update={"task": task.id})
            durable.write_file(path, known.model_dump_json(exclude_defaults=True).encode(), sync=False)
            return known


def _write_new(path: Path, known: Returns) -> bool:
    """Write the hint of a series that is new, the cheap way; tell whether there was none."""
    if not path.parent.is_dir():
        durable.make_directory(path.parent, sync=False)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except FileExistsError:
        return False
    try:
        durable.append(descriptor, known.model_dump_json(exclude_defaults=True).encode(), path, sync=False)
    finally:
        os.close(descriptor)
    return True


def counted(before: Returns | None, sender: str, marks: Sequence[str], now: datetime, within: timedelta) -> Returns:
    """Return what is remembered of a series after a task of it. Pure."""
    known = before or Returns(sender=sender)
    sender_again = known.sender == sender
    expired = known.since is not None and not timedelta(0) <= now - known.since <= within
    back = {} if expired else dict(known.back)
    since = None if expired else known.since
    there = {known.images[place : place + _DIGITS] for place in range(0, len(known.images), _DIGITS)}
    for mark in dict.fromkeys(marks):
        if mark in there and not sender_again:
            back[mark] = back.get(mark, 0) + 1
            since = since or now
    room = MOST_IMAGES - len(there)
    fresh = [mark for mark in dict.fromkeys(marks) if mark not in there][: max(0, room)]
    return known.model_copy(update={"images": known.images + "".join(fresh), "back": back, "since": since})


def mark_of(record: TagRecord) -> str:
    """Return by what an image is remembered: its instance and its data set; empty without an instance.

    The data set is known by the digest that was taken at receipt; one that has none, by the instance alone.
    """
    sop = text(record, "SOPInstanceUID")
    if not sop:
        return ""
    data = f"{sop}\0{text(record, 'DataSetDigest')}".encode("utf-8", "backslashreplace")
    return hashlib.blake2b(data, digest_size=_DIGITS // 2).hexdigest()


def held(plan: Plan, loop: Loop, now: datetime) -> Plan:
    """Return a plan whose tasks wait for a person."""
    hold = Hold(by=HELD_BY, at=now, reason=loop.reason)
    derived = tuple(
        item.model_copy(update={"task": item.task.model_copy(update={"hold": hold})})
        if item.stage in _HELD_STAGES
        else item
        for item in plan.derived
    )
    return plan.model_copy(update={"derived": derived})


def notice(spool: Spool, config: Config, plan: Plan, loop: Loop, now: datetime) -> None:
    """Write down that a loop was found, for the alert.

    Raises
    ------
    OSError
        As the disk says.
    """
    targets = sorted({item.task.target for item in plan.derived if item.task.target})
    address = loop.sender.rpartition("@")[2]
    likely = [name for name, settings in config.targets.items() if (settings.node() or ("",))[0] == address]
    suspects = f" (the address of target {', '.join(map(repr, likely))})" if likely else ""
    text = (
        f"images that {loop.first} sent come back from {loop.sender}{suspects} again and again, "
        f"{loop.times} times so far: what would go to {', '.join(targets) or 'modules'} is held"
    )
    advice = (
        "end the loop: have that machine not send back what it gets from here, or make a rule with tags.SenderAET; "
        "then release or discard what is held (`mercure queue list`)"
    )
    post(spool, "loop", loop.sender, text, advice, now=now)


def returns_folder(spool: Spool) -> Path:
    """Return where the hints are."""
    return spool.stage(Stage.STATE) / "returns"


def _read(path: Path) -> Returns | None:
    try:
        return Returns.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
