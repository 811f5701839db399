"""The two halves of each merge rule say the same: the SQL of the recorder, and the Python of a verification."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import BooleanField, DoubleField, ForeignKeyField, IntegerField, Model, TextField

from mercure.clock import ManualClock
from mercure.history.database import run_many, run_sql
from mercure.history.merge import table_of
from mercure.history.models import TABLES, ImageListRow, SeriesRow
from mercure.history.reader import Reader
from mercure.history.recorder import Recorder
from mercure.history.verify.evidence import Evidence
from tests.integration.history.test_order import EVENTS
from tests.support.history import Outbox
from tests.support.history_rows import empty
from tests.support.recording import record_all

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database, Field

    from mercure.events import Event
    from mercure.history.merge import Row
    from mercure.history.verify.views import TaskView

MERGED = [model for model in TABLES if None not in table_of(model).rules.values()]
NODE = "node-a"
VALUES: dict[type[Field[Any]], tuple[object, ...]] = {
    TextField: ("", "a", "aa", "b", "\u00e4", "\uffee", "\U0001f480"),
    BooleanField: (False, True),
    IntegerField: (0, 1, 2, 3, 4),
    DoubleField: (0.0, 1.0, 2.0),
    ForeignKeyField: (1, 2),
}
"""Few values, so that some are equal; texts that a comparison by the words of a language would put in another order."""


def values_of(field: Field[Any]) -> tuple[object, ...]:
    """Return what a column may hold."""
    values = next(values for kind, values in VALUES.items() if isinstance(field, kind))
    return (None, *values) if field.null else values


@st.composite
def rows_of_one_key(draw: st.DrawFn, model: type[Model]) -> list[dict[str, object]]:
    """Draw what several events say of one row, in any order, and some of them twice."""
    table = table_of(model)
    choices = {name: values_of(getattr(model, name)) for name in table.rules}
    key = {name: values_of(getattr(model, name))[-1] for name in table.key}
    # One draw for each row: one for each value would take most of the test's time.
    picks = draw(st.lists(st.binary(min_size=len(choices), max_size=len(choices)), min_size=1, max_size=5))
    rows = [
        key | {name: values[byte % len(values)] for (name, values), byte in zip(choices.items(), pick, strict=True)}
        for pick in picks
    ]
    return draw(st.permutations([*rows, *draw(st.lists(st.sampled_from(rows), max_size=3))]))


def prepare(database: Database) -> None:
    """Make the rows to which those of other tables refer."""
    for number in (1, 2):
        run_sql(database, f"INSERT INTO series (id, node, folder) VALUES ({number}, 'n', '{number}')")  # noqa: S608
        run_sql(database, f"INSERT INTO image_lists (id, digest, images, bytes) VALUES ({number}, '{number}', 0, 0)")  # noqa: S608


def by_sql(database: Database, model: type[Model], rows: list[dict[str, object]]) -> Row:
    """Let the database merge rows, and return the one that becomes of them."""
    table = table_of(model)
    run_many(database, table.statement(database.param), map(table.values, rows))
    fields = [getattr(model, name) for name in table.blank]
    where = " AND ".join(f"{getattr(model, name).column_name} = {database.param}" for name in table.key)
    columns = ", ".join(field.column_name for field in fields)
    statement = f"SELECT {columns} FROM {table.name} WHERE {where}"  # noqa: S608
    found = run_sql(database, statement, [rows[0][name] for name in table.key]).fetchall()
    assert len(found) == 1
    return dict(zip(table.blank, found[0], strict=True))


@pytest.mark.parametrize("model", MERGED, ids=[model.__name__ for model in MERGED])
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_sql_and_python_merge_rows_to_the_same(data: st.DataObject, model: type[Model], database: Database) -> None:
    rows = data.draw(rows_of_one_key(model))
    try:
        if model not in (SeriesRow, ImageListRow):
            prepare(database)
        assert by_sql(database, model, rows) == reduce(table_of(model).merge, rows)
    finally:
        empty(database)


def views(outbox: Outbox, history_url: str) -> dict[str, TaskView]:
    """Return what a verification knows of every task: of the history and the unread outbox together."""
    with Reader(history_url) as history, Evidence(outbox.folder, NODE, history, ManualClock()) as evidence:
        return {view.id: view for some in evidence.tasks() for view in some}


@pytest.fixture
def expected(database: Database, history_url: str, tmp_path: Path) -> dict[str, TaskView]:
    """Record all events, so that SQL alone has merged them."""
    outbox = Outbox(tmp_path / "in-order")
    outbox.put(sorted(EVENTS, key=lambda event: event.time))
    record_all(Recorder(database, outbox.folder, NODE, ManualClock()))
    found = views(outbox, history_url)
    empty(database)
    return found


@st.composite
def divided(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Deal the events, in any order: those that are recorded, and those that still wait; some of them twice."""
    first = {event.id: event for event in reversed(EVENTS)}
    dealt = [first[event.id] for event in draw(st.permutations(EVENTS))]
    twice = draw(st.lists(st.sampled_from(dealt), max_size=15))
    cut = draw(st.integers(0, len(dealt)))
    return dealt[:cut], [*dealt[cut:], *twice]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=divided())
def test_a_verification_merges_what_is_recorded_and_what_waits_as_the_recorder_does(
    events: tuple[list[Event], list[Event]],
    database: Database,
    history_url: str,
    tmp_path: Path,
    expected: dict[str, TaskView],
) -> None:
    recorded, waiting = events
    outbox = Outbox(tmp_path / "outbox")
    try:
        outbox.put(recorded, number=0)
        record_all(Recorder(database, outbox.folder, NODE, ManualClock()))
        outbox.put(waiting, number=1)
        assert views(outbox, history_url) == expected
    finally:
        for name in outbox.files():
            (outbox.folder / name).unlink()
        empty(database)
