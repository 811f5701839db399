"""Opening the history by its URL: SQLite on this machine, or PostgreSQL for the box and for several nodes."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from peewee import Database, PeeweeException, PostgresqlDatabase, SqliteDatabase

BUSY_SECONDS: Final = 10
"""How long SQLite waits for another connection's lock."""

_CONNECT_PAUSE: Final = 0.02

READ_SECONDS: Final = 60
"""The longest that one query of a reader may take in PostgreSQL."""

_SQLITE_WRITER: Final = {
    "journal_mode": "wal",  # readers and the one writer do not wait for each other
    "synchronous": "full",  # an outbox file is removed once its rows are committed: they must outlast a power cut
    "foreign_keys": 1,
    "cache_size": -65_536,  # KiB: indexes of a million images stay in memory
    "journal_size_limit": 64 * 1024 * 1024,
}
_SQLITE_READER: Final = {"query_only": 1, "cache_size": -16_384}
_POSTGRESQL: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "tcp_user_timeout": 30_000,  # ms: a server that vanished is noticed, not waited for until TCP gives up
}


class HistoryError(Exception):
    """The history cannot be used; the text says why and what to do."""


def open_history(
    url: str, *, password: str | None = None, read_only: bool = False, application: str = "mercure"
) -> Database:
    """Prepare access to a history; the connection itself is made by the first query, and again after a failure.

    Parameters
    ----------
    url : str
        ``sqlite:///absolute/path`` (four slashes mean the same) or ``postgresql://user@host:port/database``.
    password : str, optional
        For PostgreSQL, when the URL holds none.
    read_only : bool
        True for everything but the bookkeeper: nothing can be changed by such a connection.
    application : str
        How PostgreSQL names the connection in ``pg_stat_activity``.

    Returns
    -------
    peewee.Database
        One connection for each thread that uses it.

    Raises
    ------
    HistoryError
        The URL is neither of the two.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("/"):
        return _open_sqlite(sqlite_path(url), read_only=read_only)
    if parts.scheme == "postgresql" and parts.path.strip("/"):
        return _open_postgresql(url, password, application, read_only=read_only)
    raise HistoryError(
        f"{without_password(url)!r} is no address of a history: use sqlite:///absolute/path or postgresql://user@host/database"
    )


def open_scratch(path: Path) -> Database:
    """Prepare a database that need not outlive this process, and so waits for no disk."""
    return SqliteDatabase(str(path), pragmas={"journal_mode": "memory", "synchronous": "off", "foreign_keys": 1})


def without_password(url: str) -> str:
    """Return the URL as it may be shown and logged."""
    parts = urlsplit(url)
    if parts.password is None and "password" not in parts.query:
        return url
    netloc = parts.netloc if parts.password is None else parts.netloc.replace(f":{parts.password}@", ":***@", 1)
    query = "&".join(f"{key}={'***' if 'password' in key else quote(value)}" for key, value in parse_qsl(parts.query))
    return address_of(parts, netloc, query)


def address_of(parts: SplitResult, netloc: str, query: str) -> str:
    """Put a split address together again.

    Not by ``urlunsplit``: some versions of Python drop the slashes around an empty host, and
    ``postgresql:///name?host=/run/postgresql``, a database behind a socket, is no address without them.
    """
    return f"{parts.scheme}://{netloc}{parts.path}" + (f"?{query}" if query else "")


def is_sqlite(database: Database) -> bool:
    """Return True if a history is in SQLite."""
    return isinstance(database, SqliteDatabase)


def run_sql(database: Database, statement: str, values: Sequence[object] = ()) -> Any:  # noqa: ANN401 - the driver's cursor
    """Run a statement that is written out in SQL, and return its cursor."""
    return database.execute_sql(statement, values)  # type: ignore[no-untyped-call]  # peewee's stubs leave it open


def run_many(database: Database, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Run one statement for many rows: SQLite compiles it once, psycopg sends it all in one go (a pipeline)."""
    values = list(rows)
    if values:
        connection = database.connection()  # type: ignore[no-untyped-call]  # peewee's stubs leave it open
        connection.cursor().executemany(statement, values)


@contextlib.contextmanager
def transaction(database: Database) -> Iterator[None]:
    """Run a block as one transaction that holds SQLite's write lock from its start.

    Without that, two writers that began by reading would each wait for the other, and one would fail.
    """
    with database.atomic("IMMEDIATE") if is_sqlite(database) else database.atomic():
        yield


@contextlib.contextmanager
def consistent_read(database: Database) -> Iterator[None]:
    """Run several queries on one state of the history, whatever is recorded meanwhile."""
    if is_sqlite(database):
        with database.atomic("DEFERRED"):
            yield
    else:
        with database.atomic("REPEATABLE READ"):
            yield


def disconnect(database: Database) -> None:
    """Close this thread's connection, whatever state it is in; the next query opens a new one."""
    try:
        if not database.is_closed():
            database.close()
    except PeeweeException:
        # A dead connection cannot be closed politely, and it may still think itself in a transaction.
        with contextlib.suppress(Exception):
            database.connection().close()  # type: ignore[no-untyped-call]  # peewee's stubs leave it open
        database.dispose()


def sqlite_path(url: str) -> Path:
    """Return the file of a history in SQLite."""
    return Path("/" + unquote(urlsplit(url).path).lstrip("/"))


def _open_sqlite(path: Path, *, read_only: bool) -> Database:
    if not read_only:
        return _PatientSqlite(str(path), pragmas=_SQLITE_WRITER, timeout=BUSY_SECONDS)
    uri = f"file:{quote(str(path))}?mode=ro"
    return SqliteDatabase(uri, pragmas=_SQLITE_READER, timeout=BUSY_SECONDS, uri=True)


def _open_postgresql(url: str, password: str | None, application: str, *, read_only: bool) -> Database:
    # A commit that the server's crash could take back would lose events, whose file is removed by then. So this session
    # does not accept a server-wide synchronous_commit=off.
    settings: dict[str, Any] = _POSTGRESQL | {"application_name": application}
    settings["options"] = (
        f"-c default_transaction_read_only=on -c statement_timeout={READ_SECONDS}s"
        if read_only
        else "-c lock_timeout=30s"
    )
    if password is not None:
        settings["password"] = password
    kind = PostgresqlDatabase if read_only else _DurablePostgresql
    return kind(url, prefer_psycopg3=True, **settings)


class _PatientSqlite(SqliteDatabase):
    """A writer's connection that waits for others also while the file is put into WAL mode, as SQLite does not."""

    def _connect(self) -> Any:  # noqa: ANN401 - the driver's connection
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return super()._connect()  # type: ignore[misc]  # not in peewee's stubs
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_CONNECT_PAUSE)


class _DurablePostgresql(PostgresqlDatabase):
    """A writer's connection: a commit has reached stable storage when it returns."""

    def _initialize_connection(self, conn: Any) -> None:  # noqa: ANN401 - the driver's connection
        with conn.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] == "off":
                cursor.execute("SET synchronous_commit = on")
