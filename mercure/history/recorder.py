"""The recorder: from the outbox into the tables, exactly once.

Rows and read position are committed in one transaction, so after any crash the history continues where it stands. A
file is removed only when its writer is gone and everything in it is committed.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import peewee
import psycopg

from mercure import durable
from mercure.clock import Clock
from mercure.history.collect import collect
from mercure.history.database import disconnect, transaction
from mercure.history.forget import Forgotten, forget
from mercure.history.instants import micros
from mercure.history.migrate import migrate
from mercure.history.models import OutboxPositionRow
from mercure.history.outbox import MAX_LINES, file_names, read_batch
from mercure.history.outbox_lines import OutboxLine
from mercure.history.ownership import CLAIM_SECONDS, Owner, claim
from mercure.history.writer import forget_positions, write_positions, write_rows

FAILURES: Final = (peewee.PeeweeException, sqlite3.Error, psycopg.Error, OSError)
"""Errors of a database or a disk that is away."""

_UNFIT: Final = (
    peewee.DataError,
    peewee.IntegrityError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    psycopg.DataError,
    psycopg.IntegrityError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
_UNFIT_STATES: Final = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity violation, program limit exceeded (an index entry too long, say)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecorderRun:
    """What one run did."""

    recorded: int = 0
    """Events that are new in the history."""
    lines: int = 0
    removed: int = 0
    """Files that are done with."""
    more: bool = False
    """There is more to read at once."""

    @property
    def any(self) -> bool:
        """Return True if anything was done."""
        return bool(self.lines or self.removed)


class Recorder:
    """Reads one node's outbox into a history; there is one for each node.

    Parameters
    ----------
    database : peewee.Database
        A writable history.
    outbox : Path
        The stage.
    node : str
        Name of this router in the history.
    clock : Clock
        Where the time comes from.
    batch_lines : int
        At most so many events in one transaction.
    owner : Owner, optional
        Who writes: refused while another router writes under the same name. Without one this is not checked.
    """

    def __init__(
        self,
        database: peewee.Database,
        outbox: Path,
        node: str,
        clock: Clock,
        *,
        batch_lines: int = MAX_LINES,
        owner: Owner | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._node = node
        self._clock = clock
        self._batch_lines = batch_lines
        self._positions: dict[str, int] | None = None
        self._owner = owner
        self._held = False
        self._claim_at = float("-inf")

    def run_once(self) -> RecorderRun:
        """Record one batch.

        Raises
        ------
        mercure.history.database.HistoryError
            The history belongs to a newer program, or another router writes under the same name.
        Exception
            One of `FAILURES`: the database or the disk. Nothing is lost: call again later.
        """
        try:
            return self._run()
        except BaseException:
            # The connection may be dead, and whether a commit that failed took effect only the database knows.
            self._positions = None
            disconnect(self._database)
            raise

    def forget(self, before: datetime, after: str) -> Forgotten:
        """Forget some of what this node finished before an instant, see `mercure.history.forget.forget`."""
        return forget(self._database, self._node, before, after)

    def close(self) -> None:
        """Close the connection; the next run opens a new one."""
        disconnect(self._database)

    def claim(self, *, adopt: bool = False) -> None:
        """Say that this router writes under its name, unless it did so a moment ago.

        Raises
        ------
        mercure.history.ownership.NameTakenError
            Another router writes under it.
        """
        now = self._clock.monotonic()
        if self._owner is None or (now < self._claim_at and not adopt):
            return
        instant = micros(self._clock.now())
        claim(self._database, self._node, self._owner, instant, held=self._held, adopt=adopt)
        self._held, self._claim_at = True, now + CLAIM_SECONDS

    def _run(self) -> RecorderRun:
        positions = self._known_positions()
        self.claim()
        names = file_names(self._outbox)
        batch = read_batch(self._outbox, names, positions, max_lines=self._batch_lines)
        try:
            gone = positions.keys() - set(names)
            now = micros(self._clock.now())
            read = batch.positions
            recorded = record_lines(self._database, self._node, batch.lines, read, now) if read else 0
            positions.update(batch.positions)
            self._forget(positions, gone)
            for name in batch.finished:
                durable.unlink(self._outbox / name)
            return RecorderRun(recorded, len(batch.lines), len(batch.finished), batch.more)
        finally:
            batch.close()

    def _known_positions(self) -> dict[str, int]:
        if self._positions is None:
            migrate(self._database, self._clock)
            query = OutboxPositionRow.select(OutboxPositionRow.file, OutboxPositionRow.position)
            rows = query.where(OutboxPositionRow.node == self._node).tuples().execute(self._database)
            self._positions = dict(rows)
        return self._positions

    def _forget(self, positions: dict[str, int], gone: set[str]) -> None:
        """Drop the positions of files that were removed: only now is it certain that none is read again from there."""
        if gone:
            with transaction(self._database):
                forget_positions(self._database, self._node, gone)
            for name in gone:
                del positions[name]


def record_lines(
    database: peewee.Database, node: str, lines: Sequence[OutboxLine], positions: Mapping[str, int], now: int
) -> int:
    """Record lines and the positions behind them in one transaction; return how many events were new.

    When the database refuses a value in them, they are recorded in smaller transactions around it, and the event that
    holds it is kept as unreadable.

    Raises
    ------
    Exception
        One of `FAILURES`: the database or the disk.
    """
    try:
        return _commit(database, node, lines, positions, now)
    except Exception as error:
        if not _unfit(error) or not lines:
            raise
        if len(lines) > 1:
            middle = len(lines) // 2
            ends = {line.file: line.end for line in lines[:middle]}
            first = record_lines(database, node, lines[:middle], ends, now)
            return first + record_lines(database, node, lines[middle:], positions, now)
        if lines[0].event is None:
            raise
        _log.error("an event cannot be recorded and is kept as unreadable", exc_info=True)
        raw = lines[0].event.model_dump_json().encode()
        refused = replace(lines[0], event=None, raw=raw, problem=f"refused by the database: {error}")
        return _commit(database, node, [refused], positions, now)


def _commit(
    database: peewee.Database, node: str, lines: Sequence[OutboxLine], positions: Mapping[str, int], now: int
) -> int:
    with transaction(database):
        rows, count = collect(database, node, lines, now)
        write_rows(database, rows, now)
        write_positions(database, node, positions)
        durable.step("commit", "history")
    return count


def _unfit(error: Exception) -> bool:
    """Return True if the fault lies in a value, so that trying again later would not help."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(error, _UNFIT) or str(state or "")[:2] in _UNFIT_STATES
