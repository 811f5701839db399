"""What scripts of users import from the package's old name."""

from __future__ import annotations

from mercure.bookkeeping.database import HistoryError
from mercure.bookkeeping.queries import RECORDED_AS
from mercure.history import database, queries


def test_the_old_name_gives_the_same_things() -> None:
    assert HistoryError is database.HistoryError
    assert RECORDED_AS is queries.RECORDED_AS
