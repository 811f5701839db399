"""Bringing a history to the schema of this program, and refusing one of a newer program.

On plain SQL, and not by ``playhouse.migrations``: that takes no lock, so two nodes that start together apply a step
twice, and it passes a database whose steps it does not know. Steps only add; what goes away goes one version later.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from peewee import Database

from mercure import durable
from mercure.clock import Clock
from mercure.history.database import HistoryError, is_sqlite, run_sql, transaction
from mercure.history.instants import micros
from mercure.history.migrations import MIGRATIONS, Migration

_LOCK_KEY: Final = 0x6D657263757265  # "mercure"; one number for one lock among all of a PostgreSQL database
_MARK_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS schema_migrations "
    "(number INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, applied BIGINT NOT NULL)"
)
_NOTE: Final = {
    "?": "INSERT INTO schema_migrations (number, name, applied) VALUES (?, ?, ?)",
    "%s": "INSERT INTO schema_migrations (number, name, applied) VALUES (%s, %s, %s)",
}

NOT_MADE: Final = "is not made yet: the bookkeeper makes it within seconds of its first start; ask again then"
"""What is said of a history of a router that has just begun, or never ran."""

_log = logging.getLogger(__name__)


class NewerHistoryError(HistoryError):
    """The history was written by a newer version of the router."""


def schema_number(database: Database) -> int:
    """Return the number of the last migration that was applied; 0 for an empty database."""
    if "schema_migrations" not in database.get_tables():
        return 0
    row = run_sql(database, "SELECT max(number) FROM schema_migrations").fetchone()
    return int(row[0] or 0)


def check_schema(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make sure that a reader understands the history.

    Raises
    ------
    HistoryError
        It is empty, older or newer than this program.
    """
    found, known = schema_number(database), migrations[-1].number
    _refuse_newer(found, known)
    if found == 0:
        raise HistoryError(f"the history {NOT_MADE}")
    if found < known:
        raise HistoryError(
            f"the history has schema {found} and this program needs {known}: "
            "start the bookkeeper, which brings it up to date"
        )


def migrate(database: Database, clock: Clock, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply the migrations that are missing, all in one transaction.

    Several bookkeepers may do this at the same moment: they take their turns, and the later ones find nothing left to
    do. A crash leaves the schema as it was.

    Parameters
    ----------
    database : peewee.Database
        A writable history.
    clock : Clock
        For the record of when it was done.
    migrations : sequence of Migration
        Numbered from 1 without a gap; other than the real ones only in tests.

    Returns
    -------
    list of str
        Names of the migrations that were applied now.

    Raises
    ------
    NewerHistoryError
        A newer program has changed the schema; nothing was touched.
    """
    applied = []
    with transaction(database):
        if not is_sqlite(database):  # SQLite's write lock is held already
            run_sql(database, "SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        run_sql(database, _MARK_TABLE)
        found = schema_number(database)
        _refuse_newer(found, migrations[-1].number)
        for migration in migrations[found:]:
            migration.apply(database)
            run_sql(database, _NOTE[database.param], (migration.number, migration.name, micros(clock.now())))
            applied.append(migration.name)
        durable.step("commit", "schema")
    if applied:
        _log.info("history brought to schema %s", migrations[-1].number, extra={"applied": applied})
    return applied


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        raise NewerHistoryError(
            f"the history has schema {found}, made by a newer version of the router; this one knows {known}. "
            "Install that version again, or point 'history' to another database. Until then events wait in the outbox."
        )
