"""A connection that reads: opening, errors in words, and rows as typed records."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import peewee
import psycopg
from peewee import Database

from mercure.config import Config, Root
from mercure.config.secrets import SecretError, read_secret
from mercure.history.database import (
    HistoryError,
    consistent_read,
    disconnect,
    is_sqlite,
    open_history,
    sqlite_path,
    without_password,
)
from mercure.history.migrate import NOT_MADE, check_schema
from mercure.model import Record

_FAILURES: Final = (peewee.PeeweeException, sqlite3.Error, psycopg.Error, OSError)

R = TypeVar("R", bound=Record)
V = TypeVar("V", str, int)


class HistoryUnavailableError(HistoryError):
    """The history cannot be asked now: the database is down, or not made yet."""


def password_of(config: Config) -> str | None:
    """Return the password of the history, from where the configuration says that it is.

    Raises
    ------
    HistoryError
        There is no such file or environment variable.
    """
    secret = config.history.password
    try:
        return None if secret is None else read_secret(secret)
    except SecretError as error:
        raise HistoryError(f"the password of the history: {error}") from error


class Reader:
    """A history that is read; also a context manager that closes its connection.

    Every method raises `HistoryUnavailableError` when the database fails. One object serves one thread at a time.

    Parameters
    ----------
    url : str
        See `mercure.history.database.open_history`.
    password : str, optional
        For PostgreSQL.
    """

    def __init__(self, url: str, *, password: str | None = None) -> None:
        self._shown = without_password(url)
        self._file = sqlite_path(url)
        self._database = open_history(url, password=password, read_only=True, application="mercure-reader")

    @classmethod
    def open(cls, root: Root, config: Config) -> Self:
        """Open the history that a configuration names.

        Raises
        ------
        HistoryUnavailableError
            It cannot be reached, or is not made yet.
        HistoryError
            It has another schema than this program knows.
        """
        reader = cls(root.history_url(config), password=password_of(config))
        reader.check()
        return reader

    def check(self) -> None:
        """Make sure that the history answers, and in a form that this program understands."""
        with self.reading() as database:
            check_schema(database)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """Give the database to a block of queries, which all see the same state of it."""
        try:
            with consistent_read(self._database):
                yield self._database
        except _FAILURES as error:
            disconnect(self._database)
            if is_sqlite(self._database) and not self._file.exists():
                raise HistoryUnavailableError(f"the history at {self._shown} {NOT_MADE}") from None
            text = str(error).strip() or type(error).__name__
            raise HistoryUnavailableError(f"the history at {self._shown} cannot be asked: {text}") from error

    def fetch(self, query: Any, record: type[R]) -> list[R]:  # noqa: ANN401 - any query of peewee
        """Run one query and return its rows as records."""
        with self.reading() as database:
            return records(database, query, record)

    def close(self) -> None:
        """Close the connection."""
        disconnect(self._database)

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def records(database: Database, query: Any, record: type[R]) -> list[R]:  # noqa: ANN401 - any query of peewee
    """Run a query and return its rows as records."""
    return [record.model_validate(row) for row in query.dicts().execute(database)]


def batches(values: Iterable[V], size: int) -> Iterator[list[V]]:
    """Cut a list of values into pieces that one statement can take as parameters."""
    wanted = list(values)
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]
