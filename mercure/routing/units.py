"""Unit of a decision: images of one sender, one study and one patient.

A series arrives in a folder by its SeriesInstanceUID alone, and nothing keeps two senders, or one that mixes patients,
from using the same. What differs in one of these is never decided together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Final

from mercure.config import Config
from mercure.event_details import Identity
from mercure.spool import TagRecord, Task
from mercure.spool.images import text

_BLANK: Final = " \0"
"""What pads a value; at its ends it says nothing (PS3.5 section 6.2)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What the images of one decision have in common.

    Parameters
    ----------
    sender : str
        Its name in the configuration, or ``AET@address``; empty if the origin of the images is unknown.
    study, patient, issuer : str
        StudyInstanceUID, PatientID and IssuerOfPatientID without blanks at their ends; empty where missing.
    """

    sender: str
    study: str
    patient: str
    issuer: str

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same unit."""
        return _digest(*astuple(self))


def unit_of(config: Config, record: TagRecord) -> Unit:
    """Tell to which unit an image belongs."""
    return Unit(
        sender=sender_of(config, record),
        study=_whole(record, "StudyInstanceUID"),
        patient=_whole(record, "PatientID"),
        issuer=_whole(record, "IssuerOfPatientID"),
    )


def has_origin(record: TagRecord) -> bool:
    """Return whether it is known from where an image came."""
    return "SenderAET" in record


def sender_of(config: Config, record: TagRecord) -> str:
    """Return the sender of an image, as it was named at receipt; empty if its origin is unknown.

    A line of an older release does not have the name: it is by the configuration of now.
    """
    if not has_origin(record):
        return ""
    return text(record, "SenderName") or config.sender_of(text(record, "SenderAET"), text(record, "SenderAddress"))


def named(config: Config, record: TagRecord) -> TagRecord:
    """Return a tag record with the name of its sender, also where an older release has written none."""
    if "SenderName" in record or not has_origin(record):
        return record
    return {**record, "SenderName": sender_of(config, record)}


def units_of(config: Config, records: Iterable[TagRecord]) -> dict[Unit, list[TagRecord]]:
    """Divide images by their units, each in the order received."""
    found: dict[Unit, list[TagRecord]] = {}
    for record in records:
        found.setdefault(unit_of(config, record), []).append(record)
    return found


def patient_digest(task: Task) -> str:
    """Return what tells the patients of one Study Instance UID apart, and where it must, their senders."""
    who = task.identity
    sender = [task.origin.sender] if task.sender_apart else []
    return _digest(who.PatientID.strip(_BLANK), who.IssuerOfPatientID.strip(_BLANK), *sender)[:8]


def unit_digest(task: Task) -> str:
    """Return the digest of the unit that a series is."""
    who = task.identity
    values = (who.StudyInstanceUID, who.PatientID, who.IssuerOfPatientID)
    return Unit(task.origin.sender, *(value.strip(_BLANK) for value in values)).digest


def same_unit(one: Task, other: Task) -> bool:
    """Return whether two tasks hold images of the same unit; in one of an older router the sender has no name."""
    if not (one.origin.sender and other.origin.sender):
        ends = [(task.origin.address, task.origin.calling_aet) for task in (one, other)]
        if ends[0] != ends[1]:
            return False
        one, other = (task.model_copy(update={"origin": one.origin}) for task in (one, other))
    return unit_digest(one) == unit_digest(other)


def names_of(records: Iterable[TagRecord]) -> set[str]:
    """Return the different patient names, by what is significant in them.

    Neither blanks around a component nor ``^`` and ``=`` at the end of a group or of all are (PS3.5 section 6.2.1).
    """
    return {_significant(written) for written in {_whole(record, "PatientName") for record in records}}


def masked(patient: str) -> str:
    """Show the end of a patient's id, if enough stays hidden before it."""
    if not patient:
        return "without an id"
    return f"…{patient[-_SHOWN:]}" if len(patient) > 2 * _SHOWN else "…"


def described(identity: Identity, sender: str) -> str:
    """Name a unit for a person, with the patient's id masked."""
    who = masked(identity.PatientID.strip(_BLANK))
    issuer = f" issued by {identity.IssuerOfPatientID}" if identity.IssuerOfPatientID else ""
    return f"patient {who}{issuer} from {sender or 'an unknown sender'}, study {identity.StudyInstanceUID or '(none)'}"


_SHOWN: Final = 3


def _significant(name: str) -> str:
    groups = ("^".join(part.strip(_BLANK) for part in group.split("^")).rstrip("^") for group in name.split("="))
    return "=".join(groups).rstrip("=")


def _whole(record: TagRecord, keyword: str) -> str:
    """Return a tag as one text with all of its values, whatever it is."""
    value = record.get(keyword, "")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "\\".join(value)
    whole = value if isinstance(value, str) else json.dumps(value)
    return text({keyword: whole.strip(_BLANK)}, keyword)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
