"""Addresses of a history: which are taken, which refused, and what is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from peewee import OperationalError

from mercure.history.database import HistoryError, disconnect, open_history, run_sql, transaction, without_password

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_sqlite_by_absolute_path(tmp_path: Path, slashes: str) -> None:
    database = open_history(f"sqlite:{slashes}{tmp_path}/with%20space.db")
    run_sql(database, "CREATE TABLE t (a)")
    disconnect(database)
    assert (tmp_path / "with space.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://relative.db",
        "sqlite:relative.db",
        "postgresql://host",
        "postgresql://host/",
        "mysql://host/database",
        "history.db",
        "",
    ],
)
def test_other_addresses_are_refused_with_what_is_right(url: str) -> None:
    with pytest.raises(HistoryError, match="use sqlite:///absolute/path or postgresql://"):
        open_history(url)


def test_the_password_is_never_shown() -> None:
    url = "postgresql://mercure:s3cret@db.example:5432/history?sslmode=verify-full&password=s3cret"
    assert without_password(url) == "postgresql://mercure:***@db.example:5432/history?sslmode=verify-full&password=***"
    assert without_password("postgresql://mercure@db/history") == "postgresql://mercure@db/history"
    assert without_password("postgresql:///history?password=s3cret") == "postgresql:///history?password=***"
    with pytest.raises(HistoryError) as caught:
        open_history("mysql://root:s3cret@db/history")
    assert "s3cret" not in str(caught.value)


def test_sqlite_is_durable_and_does_not_block_readers(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    writer = open_history(url)
    run_sql(writer, "CREATE TABLE t (a)")
    reader = open_history(url, read_only=True)
    with transaction(writer):
        run_sql(writer, "INSERT INTO t VALUES (1)")
        assert run_sql(reader, "SELECT count(*) FROM t").fetchone()[0] == 0
    assert run_sql(reader, "SELECT count(*) FROM t").fetchone()[0] == 1
    pragmas = {name: run_sql(writer, f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    disconnect(reader)
    disconnect(writer)


def test_a_reader_can_change_nothing(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    writer = open_history(url)
    run_sql(writer, "CREATE TABLE t (a)")
    disconnect(writer)
    reader = open_history(url, read_only=True)
    with pytest.raises(OperationalError, match="readonly"):
        run_sql(reader, "INSERT INTO t VALUES (1)")
    disconnect(reader)


def test_a_reader_makes_no_history_where_there_is_none(tmp_path: Path) -> None:
    reader = open_history(f"sqlite://{tmp_path}/history.db", read_only=True)
    with pytest.raises(OperationalError):
        run_sql(reader, "SELECT 1")
    assert list(tmp_path.iterdir()) == []
