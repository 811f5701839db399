"""What the record of a series costs the database is the same after one, ten and a hundred times as many.

Counted are statements and steps of SQLite's machine, and not time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history
from mercure.history.migrate import migrate
from mercure.history.recorder import Recorder
from tests.support.history import Outbox, Told
from tests.support.recording import record_all

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

BEFORE = (5, 50, 500)
MEASURED = 5
STEP = 100
"""The machine tells of so many instructions at a time."""

MARGIN = 1.3


class Counter:
    """Counts what a connection does from now on."""

    def __init__(self, database: Database) -> None:
        self.statements = self.steps = 0
        connection = database.connection()  # type: ignore[no-untyped-call]
        connection.set_trace_callback(self._statement)
        connection.set_progress_handler(self._step, STEP)

    def _statement(self, _text: str) -> None:
        self.statements += 1

    def _step(self) -> int:
        self.steps += 1
        return 0

    def taken(self) -> tuple[int, int]:
        """Return what was counted since the last time."""
        found = self.statements, self.steps
        self.statements = self.steps = 0
        return found


def test_a_series_costs_the_history_the_same_however_many_came(tmp_path: Path) -> None:
    database = open_history(f"sqlite://{tmp_path}/history.db")
    migrate(database, ManualClock())
    outbox = Outbox(tmp_path / "outbox")
    recorder, told = Recorder(database, outbox.folder, "node-a", ManualClock()), 0

    def tell(count: int) -> None:
        nonlocal told
        for _ in range(count):
            told += 1
            outbox.put(Told(number=told, start=100.0 * told).all())
        record_all(recorder)

    try:
        counter, costs = Counter(database), []
        for before in BEFORE:
            tell(before - told)
            counter.taken()
            tell(MEASURED)
            costs.append(counter.taken())
    finally:
        outbox.close()
        disconnect(database)
    for what, counted in zip(("statements", "steps"), zip(*costs, strict=True), strict=True):
        assert counted[0] > 0, what
        assert max(counted) <= MARGIN * counted[0], f"{what} after {BEFORE}: {counted}"
