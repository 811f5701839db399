"""What a person can do about objects that could not be read: look, read again, forward as they are, remove.

What leaves the quarantine is told and audited first, on stable storage, and removed last: after a crash in between it
is still there, and the same can be done again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.control.api import quarantine as api
from appliance.control.api.quarantine import (
    ChangeObject,
    DiscardObject,
    ListQuarantine,
    ObjectDiscarded,
    ObjectRead,
    ObjectSent,
    OneObject,
    Quarantine,
    QuarantineDetail,
    QuarantinedObject,
    QuarantineGroup,
    SendObject,
)
from appliance.control.disk import quarantine_state
from appliance.control.errors import ControlError
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Json, Session
from appliance.control.targets.targets import find_target, only_processed
from mercure import durable
from mercure.dicom.receipt import AlteredHeaderError, read_receipt
from mercure.dicom.receiver_program import ReadAgainError, read_again
from mercure.dicom.tags import read_damaged
from mercure.dicom.tools import ToolMissingError
from mercure.event_details import Identity, QuarantineLeft
from mercure.names import is_id, new_id, safe_name
from mercure.spool import Claim, Stage, Task, uptime
from mercure.spool.quarantine import OBJECT_FILE, Unreadable, entries, read_entry
from mercure.targets import DeliveryJob, ImageResult, open_target

SHORT_ID: Final = 4
"""So many of the last characters of an id are enough to name an object, if no other ends in them."""

SEND_SECONDS: Final = 3600.0
_AROUND: Final = 64
_LINE: Final = 16
_PLACE: Final = re.compile(r"(?:after|at byte) (\d+)")
_DEFLATED: Final = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95")


@carries_out(api.LIST)
def list_quarantine(session: Session, wanted: ListQuarantine) -> Quarantine:
    """List what lies in quarantine, the latest first."""
    held = quarantine_state(session)
    found = [one for one in _objects(session) if _fits(one, wanted)]
    found.sort(key=lambda one: (one.last, one.entry), reverse=True)
    return Quarantine(
        **held.model_dump(),
        found=len(found),
        groups=tuple(_groups(found)),
        entries=tuple(found[: wanted.limit or None]),
    )


def _objects(session: Session) -> Iterator[QuarantinedObject]:
    lived = uptime(session.spool, session.clock)
    kept = session.config.retention.quarantine_seconds
    for one in entries(session.spool):
        yield _shown(session, one, max(0.0, kept - lived.age(one.last)))


def _shown(session: Session, one: Unreadable, seconds_left: float) -> QuarantinedObject:
    told = one.reason
    return QuarantinedObject(
        entry=one.name,
        sender=session.config.sender_of(told.calling_aet, told.address),
        received=one.came,
        last=one.last,
        times=one.times,
        seconds_left=round(seconds_left, 3),
        **told.model_dump() | {"bytes": one.bytes},
    )


def _fits(one: QuarantinedObject, wanted: ListQuarantine) -> bool:
    text = f"{one.entry} {one.sender} {one.calling_aet} {one.address} {one.reason} {one.sop_class} {one.sop}".casefold()
    late = wanted.since is None or one.last >= wanted.since
    return late and wanted.sender in (None, one.sender) and wanted.text.casefold() in text


def _groups(objects: list[QuarantinedObject]) -> Iterator[QuarantineGroup]:
    """Put together what one sender sent for one reason: places and lengths in the reason do not make it another."""
    found: dict[tuple[str, str], list[QuarantinedObject]] = defaultdict(list)
    for one in objects:
        found[one.sender, re.sub(r"\d+ bytes|byte \d+", "… bytes", one.reason)].append(one)
    for (sender, reason), members in found.items():
        yield QuarantineGroup(
            sender=sender,
            reason=reason if len(members) > 1 else members[0].reason,
            objects=len(members),
            times=sum(one.times for one in members),
            bytes=sum(one.bytes for one in members),
            last=max(one.last for one in members),
        )


def find_object(session: Session, name: str) -> str:
    """Find an object by its id or the end of it.

    Raises
    ------
    ControlError
        There is none, or several end so.
    """
    names = [entry for entry in session.spool.names(Stage.QUARANTINE) if is_id(entry)]
    found = [entry for entry in names if entry == name] or [
        entry for entry in names if len(name) >= SHORT_ID and entry.endswith(name)
    ]
    if not found:
        raise ControlError("not-found", f"nothing in quarantine is {name!r}", "`mercure quarantine list` shows all")
    if len(found) > 1:
        raise ControlError("invalid", f"{len(found)} objects in quarantine end in {name!r}", "give more of the id")
    return found[0]


@carries_out(api.SHOW)
def show(session: Session, wanted: OneObject) -> QuarantineDetail:
    """Show what can be read of an object, and the bytes around the place where it is damaged.

    Raises
    ------
    ControlError
        There is no such object.
    """
    one = _read(session, find_object(session, wanted.entry))
    path = session.spool.entry(Stage.QUARANTINE, one.entry) / OBJECT_FILE
    try:
        tags = read_damaged(path, session.config.character_set_of(one.calling_aet, one.address))
    except ToolMissingError as error:
        raise ControlError("failed", str(error)) from error
    fault = str(tags.pop("Fault", "" if tags else one.reason))
    place = _PLACE.search(fault)
    offset = int(place[1]) if place and one.transfer_syntax not in _DEFLATED else None
    return QuarantineDetail(
        object=one, file=str(path), fault=fault, offset=offset, tags=tags, hex=tuple(_hex(path, offset))
    )


def _read(session: Session, name: str) -> QuarantinedObject:
    one = read_entry(session.spool, name)
    if one is None:
        raise ControlError("not-found", f"object {name} has just left the quarantine", "look again")
    lived = uptime(session.spool, session.clock)
    return _shown(session, one, max(0.0, session.config.retention.quarantine_seconds - lived.age(one.last)))


def _hex(path: Path, offset: int | None) -> Iterator[str]:
    """Write the bytes around a place, or the first of the data set; the line of the place begins with ``>``."""
    begin = _data_set(path) if offset is None else max(0, offset - _AROUND)
    begin -= begin % _LINE
    try:
        with path.open("rb") as file:
            file.seek(begin)
            data = file.read(2 * _AROUND + _LINE)
    except OSError:
        return
    for at in range(0, len(data), _LINE):
        piece, address = data[at : at + _LINE], begin + at
        mark = ">" if offset is not None and address <= offset < address + _LINE else " "
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in piece)  # noqa: PLR2004 - ASCII
        yield f"{mark} {address:08x}  {piece.hex(' '):<{3 * _LINE}} |{letters}|"


def _data_set(path: Path) -> int:
    try:
        receipt = read_receipt(path)
    except (AlteredHeaderError, OSError):
        return 0
    return receipt.header_bytes if receipt is not None else 0


@dataclass(frozen=True)
class _Held:
    """An object that nobody else works on."""

    session: Session
    claim: Claim
    object: QuarantinedObject

    def leave(self, verb: str, what: QuarantineLeft, after: dict[str, Json]) -> None:
        """Tell that it leaves, by whom and why, and remove it."""
        session, one = self.session, self.object
        before: Json = {"sender": one.sender, "reason": one.reason, "bytes": one.bytes, "sop": one.sop}
        with session.changing() as events:
            events.emit(what, type=_EVENTS[verb])
            session.audit(events, f"quarantine.{verb}", one.entry, before=before, after=after)
        durable.remove_tree(self.claim.path)


_EVENTS: Final = {"read_again": "quarantine.read", "send": "quarantine.sent", "discard": "quarantine.discarded"}


@contextmanager
def _held(session: Session, name: str) -> Iterator[_Held]:
    entry = find_object(session, name)
    claim = Claim.take(session.spool.entry(Stage.QUARANTINE, entry))
    if claim is None:
        raise ControlError("busy", f"somebody works on object {entry} just now", "try again in a moment")
    with claim:
        yield _Held(session, claim, _read(session, entry))


@carries_out(api.READ_AGAIN)
def read_object_again(session: Session, wanted: ChangeObject) -> ObjectRead:
    """Read an object again; one that can be read now is an image like any other, and leaves the quarantine.

    Raises
    ------
    ControlError
        There is no such object, somebody works on it, or the disk refuses.
    """
    with _held(session, wanted.entry) as held:
        entry = held.object.entry
        with session.changing():
            pass  # whoever may not change anything here is told so before anything is done
        try:
            found = read_again(session.config, session.spool.root, entry)
        except (ReadAgainError, ToolMissingError) as error:
            raise ControlError("failed", f"object {entry} was not read: {error}", "it is kept as it is") from error
        if found.read:
            place = {"series": found.folder, "file": found.file}
            left = QuarantineLeft(entry=entry, by=session.user, reason=wanted.reason, **place)
            held.leave("read_again", left, {**place, "reason": wanted.reason})
        return ObjectRead(entry=entry, read=found.read, reason=found.reason, series=found.folder, file=found.file)


@carries_out_for_caller(api.SEND)
def send_object(asked: Asked, wanted: SendObject) -> ObjectSent:
    """Send an object to a target as it is; it leaves the quarantine once the target has taken it.

    Raises
    ------
    ControlError
        There is no such object or target, it gets images only processed, or somebody works on the object.
    """
    session = asked.session
    settings = find_target(session, wanted.target)
    rule = only_processed(session.config, wanted.target)
    if rule:
        text = f"{wanted.target!r} gets images only processed, by rule {rule!r}"
        raise ControlError("invalid", text, "forward it to another target: what it holds cannot be processed")
    with _held(session, wanted.entry) as held:
        entry = held.object.entry
        results: list[ImageResult] = []
        with _sending(held) as folder:
            job = _job(held, folder, results)
            trouble = open_target(settings, session.config.targets).deliver(job)
        taken = bool(results) and results[-1].stored
        answer = " ".join(filter(None, [results[-1].status, results[-1].comment])) if results else ""
        text = answer if taken or trouble is None else trouble.text
        after: dict[str, Any] = {"target": wanted.target, "taken": taken, "text": text, "reason": wanted.reason}
        if taken:
            left = QuarantineLeft(entry=entry, by=session.user, reason=wanted.reason, target=wanted.target)
            held.leave("send", left, after)
        else:
            with session.changing() as events:
                session.audit(events, "quarantine.send", entry, after=after)
        return ObjectSent(entry=entry, target=wanted.target, taken=taken, text=text)


@contextmanager
def _sending(held: _Held) -> Iterator[Path]:
    """Give a folder that holds the object as an image; hidden, so that the cleaner removes what a crash leaves."""
    with held.session.changing():
        folder = held.claim.path.with_name(f".{new_id(held.session.clock.now())}")
        durable.make_directory(folder, sync=False)
    try:
        name = safe_name(held.object.sop) if held.object.sop else held.object.entry
        durable.link(held.claim.path / OBJECT_FILE, folder / f"{name}.dcm")
        yield folder
    finally:
        durable.remove_tree(folder)


def _job(held: _Held, folder: Path, results: list[ImageResult]) -> DeliveryJob:
    files = [path.name for path in folder.glob("*.dcm")]
    now = held.session.clock.now()
    task = Task(id=new_id(now), created=now, action="route", images=1, identity=Identity())
    return DeliveryJob(
        folder,
        files,
        task,
        SEND_SECONDS,
        results.append,
        stopping=lambda: False,
        held=(held.claim.descriptor,),
        as_it_is=True,
    )


@carries_out(api.DISCARD)
def discard_object(session: Session, wanted: DiscardObject) -> ObjectDiscarded:
    """Remove an object for good.

    Raises
    ------
    ControlError
        There is no such object, or somebody works on it.
    """
    with _held(session, wanted.entry) as held:
        one = held.object
        left = QuarantineLeft(entry=one.entry, by=session.user, reason=wanted.reason)
        held.leave("discard", left, {"reason": wanted.reason})
        return ObjectDiscarded(entry=one.entry, bytes=one.bytes)
