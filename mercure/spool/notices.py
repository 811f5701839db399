"""Notices: what happened and needs a person's attention; each is an alert for as long as it is recent.

A state of the router (a target that is down, a full disk) can be read at any time. What happened once and left
nothing to read, a service records here: small files in ``state/notices/``, one for each kind and what it is about.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure import durable
from mercure.model import Record, read_state
from mercure.spool.hints import exclusive
from mercure.spool.layout import Spool, Stage, list_names

NoticeKind = Literal["refused", "rule", "unrouted", "loop", "mixed", "name", "backup", "truncated", "audit"]
"""Of the alerts that are raised by a notice."""

MOST_OF_A_KIND: Final = 100
"""Further ones share one notice: a peer that can connect must not fill the disk or the list of alerts."""

OTHERS: Final = "others"
"""What a notice is about that stands for many."""

KEPT: Final = timedelta(days=30)
"""An old notice is removed after this time; whether it is still an alert, the alert's rule says."""


class Notice(Record):
    """What happened, when first and last, and how often."""

    kind: NoticeKind
    about: str
    text: str
    advice: str = ""
    first: AwareDatetime
    last: AwareDatetime
    count: int = 1


def post(spool: Spool, kind: NoticeKind, about: str, text: str, advice: str, *, now: datetime, times: int = 1) -> None:
    """Record a notice; one of the same kind about the same thing is counted and gets the new text.

    Parameters
    ----------
    kind : str
        Of the alert.
    about : str
        A sender, a target, a task. There is one notice for each.
    text, advice : str
        What happened, and what to do; patients are named in neither, or masked.
    now : datetime
        When it happened. What is no later than the recorded last time was counted before.
    times : int
        How often it has happened since the last call.
    """
    about, text, advice = (_writable(each) for each in (about, text, advice))
    with exclusive(_folder(spool)) as folder:
        path = _path(folder, kind, about)
        before = _read(path)
        if before is None and len(list(folder.glob(f"{kind}-*.json"))) >= MOST_OF_A_KIND:
            about, path = OTHERS, _path(folder, kind, OTHERS)
            before = _read(path)
        if before is not None and now <= before.last:
            return
        first, count = (now, times) if before is None else (before.first, before.count + times)
        notice = Notice(kind=kind, about=about, text=text, advice=advice, first=first, last=now, count=count)
        durable.write_file(path, notice.model_dump_json().encode(), sync=before is None)


def withdraw(spool: Spool, kind: NoticeKind, about: str) -> None:
    """Remove a notice: its matter is over."""
    path = _path(_folder(spool), kind, _writable(about))
    if path.exists():
        durable.unlink(path)


def notices(spool: Spool) -> list[Notice]:
    """Return all notices; one that cannot be read is passed over."""
    folder = _folder(spool)
    found = (_read(folder / name) for name in list_names(folder))
    return [notice for notice in found if notice is not None]


def forget_notices(spool: Spool, now: datetime) -> None:
    """Remove old notices."""
    for notice in notices(spool):
        if now - notice.last > KEPT:
            durable.unlink(_path(_folder(spool), notice.kind, notice.about))


def _writable(text: str) -> str:
    """Write half a character, which a sender can bring, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _folder(spool: Spool) -> Path:
    return spool.stage(Stage.STATE) / "notices"


def _path(folder: Path, kind: str, about: str) -> Path:
    return folder / f"{kind}-{hashlib.sha256(about.encode()).hexdigest()[:24]}.json"


def _read(path: Path) -> Notice | None:
    return read_state(path, Notice)
