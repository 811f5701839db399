"""Back-fill of tags that the history is to keep of series from now on: what the spool still has of them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from peewee import Database

from mercure.clock import Clock
from mercure.event_details import Origin
from mercure.history.database import disconnect, transaction
from mercure.history.handlers import folder_of
from mercure.history.instants import micros
from mercure.history.series_tags import declare, has_tables, note_filled
from mercure.history.writer import write_tags
from mercure.names import time_part
from mercure.spool import Spool, Stage, TagRecord, TaskError, load_task, read_tags
from mercure.spool.images import distinct_values, text

SETTLE_SECONDS: Final = 30.0
"""After a change of ``history.tags``, until then the router may take a series by the configuration before it."""

AT_ONCE: Final = 20
"""So many tasks are read in one step, so that new events are recorded in between."""

_log = logging.getLogger(__name__)


class TagBackfill:
    """Brings columns and values of one router to what its configuration wants.

    Parameters
    ----------
    database : peewee.Database
        A writable history.
    spool : Spool
        Where tasks are.
    node : str
        Name of this router in the history.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, database: Database, spool: Spool, node: str, clock: Clock) -> None:
        self._database = database
        self._spool = spool
        self._node = node
        self._clock = clock
        self._declared: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._missing: list[str] = []
        self._fill_at = 0.0
        self._left: list[Path] = []
        self._done: set[str] = set()
        self._seen: set[tuple[str, ...]] = set()

    def advance(self, keywords: Sequence[str], indexed: Sequence[str]) -> bool:
        """Do the next step, while nothing waits to be recorded; return True if there is more to do at once.

        Raises
        ------
        Exception
            One of `mercure.history.recorder.FAILURES`: the database or the disk. Call again later.
        """
        try:
            if self._declared != (keywords, indexed):
                self._declare(keywords, indexed)
            if not self._missing or self._clock.monotonic() < self._fill_at:
                return False
            return self._fill()
        except BaseException:
            disconnect(self._database)
            raise

    def _declare(self, keywords: Sequence[str], indexed: Sequence[str]) -> None:
        if keywords or has_tables(self._database):
            with transaction(self._database):
                now = micros(self._clock.now())
                self._missing = declare(self._database, self._node, keywords, indexed, now)
        self._declared = (keywords, indexed)
        self._fill_at = self._clock.monotonic() + SETTLE_SECONDS
        self._left, self._done, self._seen = [], set(), set()

    def _fill(self) -> bool:
        """Record the missing tags of some tasks; the order of the tasks does not matter, nor do repetitions."""
        left = self._left or [path for path in self._directories() if path.name not in self._done]
        some, self._left = left[:AT_ONCE], left[AT_ONCE:]
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for path in some:
            with contextlib.suppress(FileNotFoundError):  # it has moved on, and is found by the next look
                for folder, tags in self._tags_of(path).items():
                    known = found.setdefault(folder, {})
                    known |= {keyword: (*known.get(keyword, ()), *values) for keyword, values in tags.items()}
                self._done.add(path.name)
        with transaction(self._database):
            write_tags(self._database, self._node, found)
            if not some:
                note_filled(self._database, self._node, self._missing, micros(self._clock.now()))
        if not some:
            _log.info("tags of what is on the disk are recorded", extra={"keywords": self._missing})
            self._missing = []
        return bool(some)

    def _directories(self) -> Iterator[Path]:
        for stage, name in self._spool.tasks():
            yield self._spool.entry(stage, name)
        for study, name in self._spool.studies():
            yield self._spool.entry(Stage.STUDIES, study) / name

    def _tags_of(self, directory: Path) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the missing tags of a task's series by folder; nothing of what a module made."""
        try:
            task = load_task(directory)
        except TaskError:
            return {}
        # Tasks of one series for several targets have the same images.
        key = (time_part(task.id), task.identity.SeriesInstanceUID, task.part if task.scope == "series" else task.id)
        if task.processed_by or key in self._seen:
            return {}
        records = read_tags(directory)
        self._seen.add(key)
        if task.scope == "series":
            folder = folder_of(task.identity.SeriesInstanceUID, task.origin, task.id)
            return {folder: distinct_values(records, self._missing)}
        by_series: dict[str, list[TagRecord]] = {}
        for record in records:
            by_series.setdefault(text(record, "SeriesInstanceUID"), []).append(record)
        return {
            folder_of(uid, Origin(), ""): distinct_values(some, self._missing) for uid, some in by_series.items() if uid
        }
