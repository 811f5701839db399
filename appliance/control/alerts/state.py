"""Which alerts are raised: a small file, so that a restart of the control service tells nobody anything twice.

What is to become of the book is decided by `step`, a pure function; telling is noted in it afterwards, so that after a
crash in between it is told again, and as the same message.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from appliance.control.alerts.conditions import USUAL_AT_FIRST, as_watched, is_due, worst_first
from appliance.control.api.status import Acknowledgement, Alert, Alerts
from mercure import durable
from mercure.config.alerts import AlertSettings as Rules
from mercure.locks import locked
from mercure.model import Record, read_state
from mercure.spool import Spool, Stage

FRESH: Final = timedelta(seconds=15)
"""A book that nobody has looked into for longer says nothing of now."""

News = Literal["raised", "again", "cleared"]


class Entry(Record):
    """A raised alert.

    ``told`` is when people were last told (None: they are to be told), ``times`` how often before; ``gone`` is since
    when its cause is not there; ``cleared`` when it ended (people are to be told).
    """

    alert: Alert
    raised: AwareDatetime
    told: AwareDatetime | None = None
    times: int = 0
    gone: AwareDatetime | None = None
    cleared: AwareDatetime | None = None
    acknowledged: Acknowledgement | None = None

    @property
    def shown(self) -> Alert:
        """The alert with what became of it."""
        more = {"raised": self.raised, "over": self.gone, "acknowledged": self.acknowledged}
        return self.alert.model_copy(update=more)

    @property
    def news(self) -> News | None:
        """What people are to be told of it."""
        if self.cleared is not None:
            return "cleared"
        if self.told is not None:
            return None
        return "again" if self.times else "raised"


class Book(Record):
    """All raised alerts by key; ``pending``: those that have not lasted long enough, and when they were first seen.

    ``watched`` are the alerts of ``pending``, to be shown and not sent. ``disk_full_in`` is a forecast, in seconds: it
    needs somebody who watches.
    """

    looked: AwareDatetime | None = None
    entries: dict[str, Entry] = {}
    pending: dict[str, AwareDatetime] = {}
    watched: dict[str, Alert] = {}
    disk_full_in: float | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether somebody keeps the book."""
        return self.looked is not None and abs(now - self.looked) < FRESH

    def listed(self) -> Alerts:
        """Return the alerts that are raised, the worst first, and then those that are only watched."""
        raised = [entry.shown for entry in self.entries.values() if entry.cleared is None]
        return Alerts(alerts=worst_first([*raised, *self.watched.values()]))

    def noted(self, key: str, now: datetime) -> Book:
        """Return the book after people were told the news of an entry."""
        entry = self.entries[key]
        entries = {name: other for name, other in self.entries.items() if name != key}
        if entry.cleared is None:
            entries[key] = entry.model_copy(update={"told": now, "times": entry.times + 1})
        return self.model_copy(update={"entries": entries})

    def facts(self) -> Book:
        """Return what must outlast a power cut: the book without what changes all the time."""
        entries = {
            key: entry.model_copy(update={"alert": entry.alert.model_copy(update={"text": "", "since": None})})
            for key, entry in self.entries.items()
        }
        return Book(entries=entries)


def step(book: Book, found: Alerts, rules: Rules, now: datetime) -> Book:
    """Return the book after a look at the router.

    Parameters
    ----------
    book : Book
        As it was.
    found : Alerts
        All that is not as it should be now.
    rules : Rules
        Thresholds.
    now : datetime
        Aware instant.
    """
    causes = {alert.key: alert for alert in found.alerts}
    entries: dict[str, Entry] = {}
    for key, entry in book.entries.items():
        if entry.cleared is not None:
            entries[key] = entry  # a new cause waits until people know that the old one is over
        elif key in causes:
            entries[key] = _goes_on(entry, causes[key], rules, now)
        else:
            entries[key] = _fades(entry, rules, now)
    pending: dict[str, datetime] = {}
    watched: dict[str, Alert] = {}
    for key, alert in causes.items():
        if key in entries:
            continue
        first = min(book.pending.get(key, now), now)
        if is_due(alert, rules, first, now):
            entries[key] = Entry(alert=alert, raised=now)
        else:
            pending[key] = first
            if alert.kind not in USUAL_AT_FIRST:
                watched[key] = as_watched(alert, first)
    return Book(looked=now, entries=entries, pending=pending, watched=watched)


def _goes_on(entry: Entry, alert: Alert, rules: Rules, now: datetime) -> Entry:
    worse = alert.severity == "critical" != entry.alert.severity or _is_nearer(alert, entry.alert)
    known = entry.acknowledged
    ended = known is not None and known.until is not None and known.until <= now
    known = None if ended else known
    told = entry.told
    since = None if told is None else (now - told).total_seconds()
    again = known is None and 0 < rules.repeat_seconds <= (since or 0.0)
    if worse or ended or again:
        told = None
    return entry.model_copy(update={"alert": alert, "gone": None, "acknowledged": known, "told": told})


def _is_nearer(alert: Alert, before: Alert) -> bool:
    """Tell whether a certificate has passed the next threshold before its end."""
    return alert.days is not None and before.days is not None and alert.days < before.days


def _fades(entry: Entry, rules: Rules, now: datetime) -> Entry:
    gone = min(entry.gone or now, now)
    over = (now - gone).total_seconds() >= rules.clear_seconds
    return entry.model_copy(update={"gone": gone, "cleared": now if over else None})


class Shelf:
    """Where the book lies.

    Parameters
    ----------
    spool : Spool
        In its ``state/alerts/``.
    """

    def __init__(self, spool: Spool) -> None:
        self._folder = spool.stage(Stage.STATE) / "alerts"

    def read(self) -> Book:
        """Read the book; an empty one when there is none that can be read."""
        return read_state(self._path, Book) or Book()

    def write(self, book: Book, before: Book) -> None:
        """Put the book back; it outlasts a power cut when anything of weight has changed."""
        data = book.model_dump_json().encode()
        durable.write_file(self._path, data, sync=book.facts() != before.facts())

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let one at a time change the book, by a lock on its folder."""
        for folder in (self._folder.parent, self._folder):
            if not folder.is_dir():
                durable.make_directory(folder)
        with locked(self._folder):
            yield

    @property
    def _path(self) -> Path:
        return self._folder / "book.json"


def news(entries: Mapping[str, Entry]) -> list[tuple[str, Entry, News]]:
    """Return what people are to be told, what is over first: a mailbox then ends with what is wrong now."""
    found = [(key, entry, entry.news) for key, entry in entries.items()]
    told = [(key, entry, what) for key, entry, what in found if what is not None]
    return sorted(told, key=lambda item: item[2] != "cleared")
