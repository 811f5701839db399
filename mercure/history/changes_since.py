"""Changes of the history since a moment, whatever the order in which it was recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import Config, Root
from mercure.history.models import EventRow, OutboxPositionRow, TaskRow
from mercure.history.outbox import file_names, unread_lines_of
from mercure.history.queries import History, ResultPage
from mercure.history.records import EventRecord, SeriesRecord, TaskRecord

AT_ONCE: Final = 2000
_MOST_OF_A_FAMILY: Final = 5000


class HistoryChanges(History):
    """The queries of the notifier."""

    def recorded(self, node: str) -> datetime | None:
        """Return when something of a node was last recorded: it changes with each batch."""
        return next((lag.recorded for lag in self.lag() if lag.node == node), None)

    def since(self, types: Sequence[str], since: datetime, node: str) -> Iterator[EventRecord]:
        """Walk events of some types from an instant on, the oldest first."""
        query = EventRow.select().where(EventRow.type.in_(list(types)), EventRow.node == node)
        query = query.order_by(EventRow.time, EventRow.id)
        for offset in itertools.count(0, AT_ONCE):
            page = ResultPage(limit=AT_ONCE, offset=offset, since=since)
            events = self.fetch(page.apply(query, EventRow.time), EventRecord)
            yield from events
            if len(events) < AT_ONCE:
                return

    def oldest_unrecorded(self, outbox: Path, node: str) -> datetime | None:
        """Return the time of the oldest event that waits in the outbox; None when all is recorded.

        What happened before that time is in the history, whatever the order in which the files are read.
        """
        query = OutboxPositionRow.select(OutboxPositionRow.file, OutboxPositionRow.position)
        with self.reading() as database:
            positions = dict(query.where(OutboxPositionRow.node == node).tuples().execute(database))
        times = []
        for name in file_names(outbox):
            events = (line.event for line in unread_lines_of(outbox, name, positions.get(name, 0)))
            first = next((event for event in events if event is not None), None)
            if first is not None:
                times.append(first.time)
        return min(times, default=None)

    def family(self, task: str) -> list[TaskRecord]:
        """Return what the router took, and every task that came of it: of the family to which a task belongs."""
        found = root = self.task(task)
        while found is not None and found.parent is not None:
            found = self.task(found.parent)
            root = found or root
        if root is None:
            return []
        family, newest = [root], [root]
        while newest and len(family) < _MOST_OF_A_FAMILY:
            query = TaskRow.select().where(TaskRow.parent.in_([member.id for member in newest])).order_by(TaskRow.id)
            newest = self.fetch(query, TaskRecord)
            family += newest
        return family

    def received(self, task: TaskRecord) -> SeriesRecord | None:
        """Return the series that a task was made of; of a study, one of its series."""
        if task.series_uid is not None:
            found = self.series(ResultPage(limit=1), series_uid=task.series_uid, node=task.node)
            return found[0] if found else None
        members = self.tasks(ResultPage(limit=1), study_uid=task.study_uid, node=task.node) if task.study_uid else []
        return self.received(members[0]) if members and members[0].series_uid is not None else None


class CurrentHistory:
    """The history that the configuration in force names; another configuration opens it anew.

    Parameters
    ----------
    root : Root
        Where it is, unless the configuration says otherwise.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._opened: tuple[Config, HistoryChanges] | None = None

    def of(self, config: Config) -> HistoryChanges:
        """Return the history of a configuration.

        Raises
        ------
        mercure.history.database.HistoryError
            It cannot be reached.
        """
        if self._opened is None or self._opened[0] is not config:
            self.close()
            self._opened = (config, HistoryChanges.open(self._root, config))
        return self._opened[1]

    def close(self) -> None:
        """Close it; the next call of `of` opens it anew."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None
