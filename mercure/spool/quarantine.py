"""Quarantine: objects that could not be read, and what is known of them (``docs/reference/spool.md``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from mercure import durable
from mercure.model import Record, read_state
from mercure.names import id_time, is_id
from mercure.spool.layout import Spool, Stage, list_names

OBJECT_FILE: Final = "object.part"
REASON_FILE: Final = "reason.json"
AGAIN_FILE: Final = "again.json"
_KNOWN: Final = "quarantine"
"""Folder in ``state/``: by which bytes the receiver knows an entry again."""


class QuarantineReason(Record):
    """``reason.json``: what the receiver knew; the UIDs are those of the sender's command."""

    reason: str = ""
    bytes: int = 0
    sop_class: str = ""
    sop: str = ""
    transfer_syntax: str = ""
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""


class Repetitions(Record):
    """``again.json``: how often the same bytes came again, and when last."""

    count: int = 0
    last: AwareDatetime | None = None


@dataclass(frozen=True)
class Unreadable:
    """An entry of the quarantine.

    Parameters
    ----------
    name : str
        Its name: the id that the object got when it came.
    came, last : datetime
        When it came first, and last.
    times : int
        How often it came.
    bytes : int
        Of its file.
    reason : QuarantineReason
        Why it could not be read, and who sent it.
    """

    name: str
    came: datetime
    last: datetime
    times: int
    bytes: int
    reason: QuarantineReason


def read_entry(spool: Spool, name: str) -> Unreadable | None:
    """Read what is known of an entry; None when it is gone. What is missing or damaged of it counts as empty."""
    folder = spool.entry(Stage.QUARANTINE, name)
    if not folder.is_dir():
        return None
    reason = read_state(folder / REASON_FILE, QuarantineReason) or QuarantineReason(reason="its reason is not known")
    again = read_state(folder / AGAIN_FILE, Repetitions) or Repetitions()
    came = id_time(name)
    last = max(came, again.last) if again.last else came
    return Unreadable(name, came, last, 1 + again.count, _bytes(folder), reason)


def entries(spool: Spool) -> Iterator[Unreadable]:
    """Walk the entries, the oldest first."""
    for name in spool.names(Stage.QUARANTINE):
        found = read_entry(spool, name) if is_id(name) else None
        if found is not None:
            yield found


def load(spool: Spool) -> tuple[int, int]:
    """Return how many objects lie there, and their bytes, as the receiver counts them."""
    names = spool.names(Stage.QUARANTINE)
    return len(names), sum(_bytes(spool.entry(Stage.QUARANTINE, name)) for name in names)


def _bytes(folder: Path) -> int:
    try:
        return os.stat(folder / OBJECT_FILE).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def forget_gone(spool: Spool) -> int:
    """Forget by which bytes entries were known that are gone; return how many."""
    folder = spool.stage(Stage.STATE) / _KNOWN
    there = set(spool.names(Stage.QUARANTINE))
    gone = [folder / name for name in list_names(folder) if _named_in(folder / name) not in there]
    for path in gone:
        durable.unlink(path)
    return len(gone)


def _named_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
