"""The service: it goes on by itself when the database or the disk come back, and is alone with its outbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mercure import durable
from mercure.clock import ManualClock
from mercure.history.database import disconnect, open_history, run_sql
from mercure.services.bookkeeper import LONGEST_PAUSE, SCAN_SECONDS, Bookkeeper
from mercure.services.common import Context
from mercure.spool import Changes, Stage
from tests.support.history import Outbox, Told
from tests.support.history_rows import count

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fixtures import MountSmallDisk
    from tests.support.postgres import Cluster

ANYTHING = Changes.everything()


def make_context(root: Path, url: str, **history: object) -> Context:
    folder = root / "config"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"version": 1, "name": "node-a", "history": {"url": url, **history}}
    (folder / "mercure.json").write_text(json.dumps(content))
    context = Context(root, "bookkeeper", ManualClock())
    assert context.start()
    return context


def events_of(url: str, type_: str) -> list[dict[str, object]]:
    database = open_history(url)
    try:
        rows = run_sql(database, f"SELECT details FROM events WHERE type = '{type_}'").fetchall()  # noqa: S608
        return [json.loads(row[0]) for row in rows]
    finally:
        disconnect(database)


def images_in(url: str) -> int:
    database = open_history(url)
    try:
        return count(database, "images")
    finally:
        disconnect(database)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        while file.write(b"\0" * 65536):
            pass


def test_it_records_what_services_tell_and_then_waits(history_url: str, tmp_path: Path) -> None:
    context = make_context(tmp_path, history_url)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    bookkeeper = Bookkeeper(context)
    outbox.put(Told(images=4).receiver(), service="receiver")

    assert bookkeeper.turn(ANYTHING) == SCAN_SECONDS

    assert images_in(history_url) == 4
    assert len(events_of(history_url, "service.started")) == 1, "its own events too"
    bookkeeper.end()
    context.finish()


def test_more_than_a_batch_is_read_at_once(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    context = make_context(tmp_path, url)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    outbox.put(Told(images=4500).receiver(), service="receiver")
    bookkeeper = Bookkeeper(context)
    assert [bookkeeper.turn(ANYTHING) for _ in range(3)] == [0.0, 0.0, SCAN_SECONDS]
    bookkeeper.end()
    context.finish()
    assert images_in(url) == 4500


def test_at_its_end_it_records_what_the_others_told_at_theirs(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    context = make_context(tmp_path, url)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    bookkeeper = Bookkeeper(context)
    bookkeeper.turn(ANYTHING)
    outbox.put(Told(images=2500).receiver(), service="receiver")
    bookkeeper.end()
    assert images_in(url) == 2500
    context.finish()


def test_a_database_that_is_away_is_waited_for_and_then_caught_up_with(
    postgres_cluster: Cluster, tmp_path: Path
) -> None:
    with postgres_cluster.server():
        url = postgres_cluster.create_database()
        context = make_context(tmp_path, url)
        outbox = Outbox(context.spool.stage(Stage.OUTBOX))
        bookkeeper = Bookkeeper(context)
        outbox.put(Told(images=2).receiver(), service="receiver", number=1)
        assert bookkeeper.turn(ANYTHING) == SCAN_SECONDS

    # The server is gone under an open connection.
    clock = context.clock
    assert isinstance(clock, ManualClock)
    outbox.put(Told(number=2, images=3, start=50).receiver(), service="receiver", number=2)
    pauses = []
    for _ in range(9):
        pauses.append(bookkeeper.turn(ANYTHING))
        assert bookkeeper.turn(ANYTHING) == pauses[-1], "nothing is tried before the pause is over"
        clock.advance(pauses[-1])
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert len([name for name in outbox.files() if name.startswith("receiver")]) == 1

    with postgres_cluster.server():
        assert bookkeeper.turn(ANYTHING) == SCAN_SECONDS
        bookkeeper.turn(ANYTHING)
        assert images_in(url) == 5
        warnings = events_of(url, "warning")
        assert len(warnings) == 1, "one outage is told once"
        assert str(warnings[0]["text"]).startswith("the history cannot be written")
        assert len(events_of(url, "spool.recovered")) == 1
        bookkeeper.end()
    context.finish()


def test_a_full_disk_under_the_history_is_waited_for(small_disk: MountSmallDisk, tmp_path: Path) -> None:
    disk = small_disk(8)
    url = f"sqlite://{disk}/history.db"
    context = make_context(tmp_path, url)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    bookkeeper = Bookkeeper(context)
    outbox.put(Told(images=5).receiver(), service="receiver", number=1)
    assert bookkeeper.turn(ANYTHING) == SCAN_SECONDS

    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    outbox.put(Told(number=2, images=1900, start=100).receiver(), service="receiver", number=2)
    for _ in range(3):
        pause = bookkeeper.turn(ANYTHING)
        assert pause >= 1.0
        assert isinstance(context.clock, ManualClock)
        context.clock.advance(pause)

    filler.unlink()
    small = 0
    while bookkeeper.turn(ANYTHING) != SCAN_SECONDS:
        small += 1
        assert small < 5
    assert images_in(url) == 1905
    bookkeeper.end()
    context.finish()


def test_a_file_that_cannot_be_removed_is_recorded_once_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    context = make_context(tmp_path, url)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    outbox.put(Told(images=5).receiver(), service="receiver")
    bookkeeper = Bookkeeper(context)
    monkeypatch.setattr(durable, "unlink", _read_only)
    assert bookkeeper.turn(ANYTHING) == 1.0
    monkeypatch.undo()
    assert isinstance(context.clock, ManualClock)
    context.clock.advance(2)
    assert bookkeeper.turn(ANYTHING) == SCAN_SECONDS
    assert images_in(url) == 5
    assert [name for name in outbox.files() if name.startswith("receiver")] == []
    bookkeeper.end()
    context.finish()


def _read_only(path: Path) -> None:
    raise OSError(30, "Read-only file system", str(path))


def test_a_second_bookkeeper_of_the_same_outbox_waits(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    context = make_context(tmp_path, url)
    first, second = Bookkeeper(context), Bookkeeper(context)
    assert first.turn(ANYTHING) == SCAN_SECONDS
    assert second.turn(ANYTHING) == LONGEST_PAUSE
    first.end()
    assert second.turn(ANYTHING) == SCAN_SECONDS
    second.end()
    context.finish()


def test_another_history_in_the_configuration_is_taken_up(tmp_path: Path) -> None:
    one, two = f"sqlite://{tmp_path}/one.db", f"sqlite://{tmp_path}/two.db"
    context = make_context(tmp_path, one)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    bookkeeper = Bookkeeper(context)
    outbox.put(Told(images=5).receiver(), service="receiver", number=1)
    bookkeeper.turn(ANYTHING)
    (tmp_path / "config" / "mercure.json").write_text(json.dumps({"version": 1, "history": {"url": two}}))
    assert context.live.refresh()
    outbox.put(Told(number=2, images=3).receiver(), service="receiver", number=2)
    bookkeeper.turn(ANYTHING)
    assert (images_in(one), images_in(two)) == (5, 3)
    bookkeeper.end()
    context.finish()
