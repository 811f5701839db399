"""The schema: made once, by whoever comes first, whole or not at all, and never by an older program."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from peewee import PeeweeException

from mercure.clock import ManualClock
from mercure.history import models
from mercure.history.database import HistoryError, disconnect, open_history, run_sql
from mercure.history.migrate import NewerHistoryError, check_schema, migrate, schema_number
from mercure.history.migrations import MIGRATIONS, Migration
from mercure.history.recorder import Recorder
from tests.support.history import Outbox, Told
from tests.support.history_rows import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

CLOCK = ManualClock()


@pytest.fixture
def empty_database(history_url: str) -> Iterator[Database]:
    opened = open_history(history_url)
    yield opened
    disconnect(opened)


def add_column(database: Database) -> None:
    run_sql(database, "ALTER TABLE series ADD COLUMN colour TEXT")


def fail_half_way(database: Database) -> None:
    run_sql(database, "CREATE TABLE half (a TEXT)")
    raise OSError("the power went")


def test_the_numbers_have_no_gap() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_the_schema_holds_what_the_models_say(database: Database) -> None:
    for model in models.TABLES:
        columns = {column.name: column for column in database.get_columns(model._meta.table_name)}
        fields = {field.column_name: field for field in model._meta.sorted_fields}
        assert columns.keys() == fields.keys(), model.__name__
        for name, field in fields.items():
            generated = name == "id" and model in (models.SeriesRow, models.ImageListRow)
            assert generated or columns[name].null == field.null, f"{model.__name__}.{name}"


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert schema_number(database) == MIGRATIONS[-1].number
    assert migrate(database, CLOCK) == []
    check_schema(database)


def test_a_later_step_keeps_what_is_there(database: Database, recorder: Recorder, outbox: Outbox) -> None:
    outbox.put(Told().all())
    recorder.run_once()
    later = (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "colours", add_column))
    assert migrate(database, CLOCK, later) == ["colours"]
    assert migrate(database, CLOCK, later) == []
    assert run_sql(database, "SELECT colour, images FROM series").fetchone()[1] == 3


def test_a_step_that_fails_leaves_the_schema_as_it_was(database: Database) -> None:
    later = (
        *MIGRATIONS,
        Migration(len(MIGRATIONS) + 1, "colours", add_column),
        Migration(len(MIGRATIONS) + 2, "half", fail_half_way),
    )
    with pytest.raises(OSError, match="the power went"):
        migrate(database, CLOCK, later)
    assert schema_number(database) == len(MIGRATIONS)
    assert "half" not in database.get_tables()
    assert "colour" not in {column.name for column in database.get_columns("series")}


def test_a_history_of_a_newer_program_is_refused_and_untouched(
    database: Database, recorder: Recorder, outbox: Outbox
) -> None:
    migrate(database, CLOCK, (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "colours", add_column)))
    outbox.put(Told().all())
    with pytest.raises(NewerHistoryError, match="newer version of the router"):
        recorder.run_once()
    with pytest.raises(NewerHistoryError):
        check_schema(database)
    assert len(outbox.files()) == 1
    assert count(database, "events") == 0


def test_a_reader_of_an_empty_database_says_what_to_do(empty_database: Database) -> None:
    with pytest.raises(HistoryError, match="is not made yet: the bookkeeper makes it"):
        check_schema(empty_database)


def test_two_nodes_that_start_together_take_turns(history_url: str) -> None:
    results: list[object] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        database = open_history(history_url)
        try:
            barrier.wait()
            results.append(migrate(database, CLOCK))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)
        finally:
            disconnect(database)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(repr, results)) == [repr([step.name for step in MIGRATIONS]), "[]", "[]", "[]"]


def test_texts_compare_by_code_point_whatever_the_server_speaks(postgres_url: str) -> None:
    database = open_history(postgres_url)
    migrate(database, CLOCK)
    rows = run_sql(
        database,
        "SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'text' AND table_name <> 'schema_migrations'",
    ).fetchall()
    disconnect(database)
    assert len(rows) > 50
    assert {row[2] for row in rows} == {"C"}


def test_a_server_that_does_not_wait_for_its_disk_is_made_to(postgres_url: str) -> None:
    owner = open_history(postgres_url)
    name = postgres_url.rpartition("/")[2]
    run_sql(owner, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    disconnect(owner)
    writer, reader = open_history(postgres_url), open_history(postgres_url, read_only=True)
    assert run_sql(writer, "SHOW synchronous_commit").fetchone()[0] == "on"
    assert run_sql(reader, "SHOW synchronous_commit").fetchone()[0] == "off"
    disconnect(writer)
    disconnect(reader)


def test_a_reader_can_change_nothing(database: Database, history_url: str) -> None:
    reader = open_history(history_url, read_only=True)
    with pytest.raises(PeeweeException, match=r"read-?only"):
        run_sql(reader, "DELETE FROM tasks")
    disconnect(reader)


@pytest.mark.parametrize("language", ["sqlite", "postgresql"])
def test_the_queries_of_the_page_are_queries(language: str, postgres_url: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "history.md").read_text(encoding="utf-8")
    # The block before it asks the view of the tags, which is not there without `history.tags` (test_series_tags.py).
    (block,) = [each.split("```")[0] for each in page.split("```sql\n")[1:] if each.startswith("-- SQLite")]
    sqlite, server, both = (part.split("\n", 1)[1] for part in block.split("-- ")[1:])
    history = open_history(postgres_url if language == "postgresql" else f"sqlite://{tmp_path}/history.db")
    migrate(history, CLOCK)
    for query in (both, sqlite if language == "sqlite" else server):
        assert run_sql(history, query.strip().rstrip(";")).fetchall() == []
    disconnect(history)
