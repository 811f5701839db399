"""A copy of the history, taken while it is written to, and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.history.copies import PostgresToolMissingError, bring_back, copy_history, kind_of
from mercure.history.database import HistoryError, disconnect, open_history, run_sql, transaction
from tests.support.postgres import OWNER

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from tests.support.postgres import Cluster


def rows(database: Database) -> list[tuple[str, str]]:
    found = run_sql(database, "SELECT name, value FROM kept ORDER BY name").fetchall()
    disconnect(database)
    return [tuple(row) for row in found]


@pytest.fixture
def filled(database: Database) -> Database:
    """Give a history with a table of ours in it."""
    run_sql(database, "CREATE TABLE kept (name varchar(20), value varchar(20))")
    run_sql(database, "INSERT INTO kept VALUES ('a', 'it''s there')")
    return database


def new_url(history_url: str, tmp_path: Path, postgres_server: Cluster) -> str:
    return postgres_server.create_database() if kind_of(history_url) == "postgresql" else f"sqlite://{tmp_path}/new.db"


def test_it_is_as_it_was_and_what_is_not_committed_is_not_in_it(
    filled: Database, history_url: str, tmp_path: Path, postgres_server: Cluster
) -> None:
    other = open_history(history_url)
    with transaction(other):
        run_sql(other, "INSERT INTO kept VALUES ('b', 'not yet')")
        assert copy_history(history_url, None, tmp_path / "copy")
    disconnect(other)
    url = new_url(history_url, tmp_path, postgres_server)
    bring_back(url, None, tmp_path / "copy", replace=False)
    assert rows(open_history(url)) == [("a", "it's there")]
    assert rows(filled) == [("a", "it's there"), ("b", "not yet")]


def test_a_history_behind_the_socket_of_this_host_is_copied_and_comes_back(
    postgres_server: Cluster, tmp_path: Path
) -> None:
    # As on the appliance: nothing between the slashes, and the host in the query.
    def behind_the_socket(url: str) -> str:
        name = url.rpartition("/")[2]
        return f"postgresql:///{name}?host={postgres_server.data}&port={postgres_server.port}&user={OWNER}"

    source, target = (behind_the_socket(postgres_server.create_database()) for _ in range(2))
    history = open_history(source)
    run_sql(history, "CREATE TABLE kept (name varchar(20), value varchar(20))")
    run_sql(history, "INSERT INTO kept VALUES ('a', 'here')")
    disconnect(history)
    assert copy_history(source, None, tmp_path / "copy")
    bring_back(target, None, tmp_path / "copy", replace=False)
    assert rows(open_history(target)) == [("a", "here")]


def test_what_is_there_gives_way_only_when_it_is_to(filled: Database, history_url: str, tmp_path: Path) -> None:
    copy_history(history_url, None, tmp_path / "copy")
    run_sql(filled, "INSERT INTO kept VALUES ('c', 'later')")
    disconnect(filled)
    with pytest.raises(HistoryError):
        bring_back(history_url, None, tmp_path / "copy", replace=False)
    assert len(rows(open_history(history_url))) == 2
    bring_back(history_url, None, tmp_path / "copy", replace=True)
    assert rows(open_history(history_url)) == [("a", "it's there")]


def test_a_server_that_is_away_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="pg_dump") as failed:
        copy_history("postgresql://mercure:geheim@127.0.0.1:1/history", None, tmp_path / "copy")
    assert "geheim" not in str(failed.value)


def test_without_the_program_it_is_said_which_package_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PostgresToolMissingError, match="postgresql-client"):
        copy_history("postgresql://mercure@127.0.0.1/history", None, tmp_path / "copy")


def test_there_is_none_yet(tmp_path: Path) -> None:
    assert not copy_history(f"sqlite://{tmp_path}/missing.db", None, tmp_path / "copy")
    assert not (tmp_path / "missing.db").exists()


def test_a_damaged_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    with pytest.raises(HistoryError, match="cannot be copied"):
        copy_history(f"sqlite://{tmp_path}/bad.db", None, tmp_path / "copy")
