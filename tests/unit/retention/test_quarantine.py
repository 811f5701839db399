"""What could not be read is kept for its time after it came last, and its end is told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from mercure.names import new_id, utc_text
from mercure.spool import Claim, Stage
from tests.unit.retention.attic import DAY, Attic

if TYPE_CHECKING:
    from pathlib import Path


def put(attic: Attic, days: float, *, again: float | None = None) -> Path:
    """Put an object there that came so many days ago, and again later."""
    now = attic.box.clock.now()
    entry = attic.box.spool.entry(Stage.QUARANTINE, new_id(now - timedelta(days=days)))
    entry.mkdir()
    (entry / "object.part").write_bytes(b"x" * 10)
    (entry / "reason.json").write_text('{"reason": "torn"}')
    if again is not None:
        (entry / "again.json").write_text(json.dumps({"count": 1, "last": utc_text(now - timedelta(days=again))}))
    known = attic.box.spool.stage(Stage.STATE) / "quarantine"
    known.mkdir(exist_ok=True)
    (known / entry.name).write_text(entry.name)
    return entry


def test_it_goes_when_it_was_kept_long_enough_and_is_told(attic: Attic) -> None:
    old, young, repeated, held = put(attic, 91), put(attic, 89), put(attic, 200, again=10), put(attic, 95)
    claim = Claim.take(held)
    assert claim is not None
    with claim:
        attic.turn()
    assert [entry.exists() for entry in (old, young, repeated, held)] == [False, True, True, True]
    assert [event.details["entry"] for event in attic.box.events("quarantine.expired")] == [old.name]
    known = attic.box.spool.stage(Stage.STATE) / "quarantine"
    assert {path.name for path in known.iterdir()} == {young.name, repeated.name, held.name}
    attic.turn()
    assert not held.exists()


def test_the_time_is_a_setting_and_a_doubted_clock_removes_nothing(attic: Attic) -> None:
    attic.configure(quarantine_seconds=DAY)
    attic.restart()
    entry = put(attic, 2)
    attic.box.clock.step_wall(400 * DAY)
    attic.turn()
    assert entry.exists()


def test_a_full_disk_removes_nothing_of_it(attic: Attic) -> None:
    attic.configure(pressure_free_bytes=10**18)
    attic.restart()
    entry = put(attic, 2)
    attic.turn()
    assert entry.exists()
