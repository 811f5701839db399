"""Loop guard: images that come back from where they were sent to are counted, so that a loop of routers ends.

Nothing in an image tells where it was, and it is never changed. But the router remembers which images of a series it
has had and who brought the first: the same instance with the same data set from anybody else is a return. A few are
nothing unusual (an archive sends prior images back for comparison); what comes back again and again is held. Who brings
them tells more, where it is a router: its association has our implementation class and the mark of its spool.

A hint in ``state/returns/``, one file for each series, replaced atomically and not synced.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure import durable
from mercure.config import Config
from mercure.config.models import Loops
from mercure.model import Record, read_state
from mercure.names import safe_name
from mercure.routing.plan import Plan
from mercure.spool import Hold, Spool, Stage, TagRecord, Task
from mercure.spool.hints import exclusive, remove_older
from mercure.spool.identity import router_mark
from mercure.spool.images import text
from mercure.spool.notices import post

HELD_BY: Final = "loop"
"""Stands where a person's name does when a series is held because it came back too often."""

MOST_IMAGES: Final = 20_000
"""Remembered for each series; of the images beyond, returns are not counted."""

_DIGITS: Final = 12
"""Hexadecimal digits by which an image is remembered."""

QUICK: Final = timedelta(hours=1)
"""What a router that is a target brings back so soon, it had from here."""

_HELD_STAGES: Final = (Stage.OUTGOING, Stage.PROCESSING)


Peer = Literal["", "own", "target", "router"]
"""Who brought an image: this router itself, a router that is a target, another router; "" for anybody else."""

_PEERS: Final[dict[Peer, str]] = {
    "own": "this router itself",
    "target": "a router that is a target",
    "router": "a router",
}


class Returns(Record):
    """What is remembered of a series.

    ``sender`` brought its first image. ``images`` holds the marks of all images, one after the other; ``back`` counts
    how often each came back since ``since``, and ``surely`` how often so that it must have been in a loop. ``task`` was
    counted last; ``last`` is when the first sender brought some last.
    """

    sender: str
    task: str = ""
    images: str = ""
    back: dict[str, int] = {}
    surely: dict[str, int] = {}
    last: AwareDatetime | None = None
    since: AwareDatetime | None = None


@dataclass(frozen=True)
class Brought:
    """What one task brought of a series: marks of images, by whom, and when."""

    sender: str
    peer: Peer
    marks: tuple[str, ...]
    at: datetime


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
    peer : str
        What the sender is, where it is a router.
    """

    images: int
    times: int
    sender: str
    first: str
    peer: Peer = ""

    @property
    def reason(self) -> str:
        """What is said of a held task."""
        return f"{self.images} images came back from {self.who} {self.times} times: they go round"

    @property
    def who(self) -> str:
        """Who brought them, in words."""
        return f"{self.sender} ({_PEERS[self.peer]})" if self.peer else self.sender


class ReturnCounter:
    """Counter of images that come back; finds loops."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def look(self, config: Config, task: Task, records: Sequence[TagRecord], now: datetime) -> Loop | None:
        """Count the images of a routed task, and return whether they are in a loop.

        A series is counted once; for a study the counts of its series are read.

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
        """
        sender = task.origin.sender or config.sender_of(task.origin.calling_aet, task.origin.address)
        marks: dict[str, list[str]] = {}
        for record in records:
            series, mark = text(record, "SeriesInstanceUID"), mark_of(record)
            if series and mark:
                marks.setdefault(series, []).append(mark)
        peer = peer_of(config, router_mark(self._spool), records)
        worst: list[tuple[int, int, str]] = []
        for series, found in marks.items():
            known = self._note(config, task, Brought(sender, peer, tuple(found), now), series)
            beyond = [known.back.get(mark, 0) for mark in found if _is_beyond(known, mark, config.loops)]
            if beyond and (known.sender != sender or peer == "own"):
                worst.append((len(beyond), max(beyond), known.sender))
        if not worst:
            return None
        return Loop(sum(item[0] for item in worst), max(item[1] for item in worst), sender, worst[0][2], peer)

    def forget(self, seconds: float, now: datetime) -> None:
        """Forget series of which nothing has come for so long."""
        remove_older(returns_folder(self._spool), seconds, now.timestamp())

    def _note(self, config: Config, task: Task, brought: Brought, series: str) -> Returns:
        path = returns_folder(self._spool) / f"{safe_name(series)}.json"
        before = _read(path)
        if before is not None and (before.task == task.id or task.scope != "series"):
            return before
        within = timedelta(seconds=config.loops.within_seconds)
        if before is None:
            known = counted(None, brought, within).model_copy(update={"task": task.id})
            if _write_new(path, known):
                return known
        with exclusive(path.parent):
            known = counted(_read(path), brought, within).model_copy(update={"task": task.id})
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


def peer_of(config: Config, mark: str, records: Sequence[TagRecord]) -> Peer:
    """Tell what brought images: a router is known by its implementation, this one by its mark and AE title too."""
    routers = [record for record in records if text(record, "SenderRouter")]
    if not routers:
        return ""
    titles = {getattr(settings, "calling_aet", "") for settings in config.targets.values()} - {""}
    own = [record for record in routers if mark and text(record, "SenderRouter").endswith(f"_{mark}")]
    if any(text(record, "SenderAET") in titles for record in own):
        return "own"
    hosts = {(settings.node() or ("",))[0] for settings in config.targets.values()} - {""}
    return "target" if any(text(record, "SenderAddress") in hosts for record in routers) else "router"


def _is_beyond(known: Returns, mark: str, loops: Loops) -> bool:
    return known.back.get(mark, 0) > loops.returns or known.surely.get(mark, 0) > loops.router_returns


def counted(before: Returns | None, brought: Brought, within: timedelta) -> Returns:
    """Return what is remembered of a series after a task of it. Pure."""
    now, marks = brought.at, brought.marks
    known = before or Returns(sender=brought.sender)
    sender_again = known.sender == brought.sender and brought.peer != "own"
    is_quick = known.last is not None and timedelta(0) <= now - known.last <= QUICK
    is_sure = brought.peer == "own" or (brought.peer == "target" and is_quick)
    expired = known.since is not None and not timedelta(0) <= now - known.since <= within
    back, surely = ({}, {}) if expired else (dict(known.back), dict(known.surely))
    since = None if expired else known.since
    there = {known.images[place : place + _DIGITS] for place in range(0, len(known.images), _DIGITS)}
    for mark in dict.fromkeys(marks):
        if mark in there and not sender_again:
            back[mark] = back.get(mark, 0) + 1
            if is_sure:
                surely[mark] = surely.get(mark, 0) + 1
            since = since or now
    room = MOST_IMAGES - len(there)
    fresh = [mark for mark in dict.fromkeys(marks) if mark not in there][: max(0, room)]
    last = now if sender_again else known.last
    update = {"images": known.images + "".join(fresh), "back": back, "surely": surely, "since": since, "last": last}
    return known.model_copy(update=update)


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
    """Write down that a loop was found, for the alert."""
    targets = sorted({item.task.target for item in plan.derived if item.task.target})
    address = loop.sender.rpartition("@")[2]
    likely = [name for name, settings in config.targets.items() if (settings.node() or ("",))[0] == address]
    suspects = f" (the address of target {', '.join(map(repr, likely))})" if likely else ""
    text = (
        f"images that {loop.first} sent come back from {loop.who}{suspects} again and again, "
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
    return read_state(path, Returns)
