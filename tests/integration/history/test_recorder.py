"""The way of events from the outbox into the tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.history.database import run_sql
from mercure.history.recorder import Recorder
from tests.support.history import Outbox, Told, lines
from tests.support.history_rows import count, rows_of
from tests.support.recording import record_all

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database


def scalar(database: Database, sql: str) -> object:
    return run_sql(database, sql).fetchone()[0]


def test_a_story_told_by_four_writers_is_recorded_and_the_outbox_is_empty_then(
    recorder: Recorder, outbox: Outbox, database: Database
) -> None:
    story = Told(images=5, targets=("archive", "research"))
    outbox.put(story.receiver(), service="receiver")
    outbox.put(story.router(), service="router")
    outbox.put([*story.dispatcher("archive"), *story.dispatcher("research")], service="dispatcher")
    outbox.put(story.cleaner("archive"), service="cleaner")

    assert record_all(recorder) == len(story.all()) - 1

    assert outbox.files() == []
    assert count(database, "images") == 5
    assert count(database, "tasks") == 3
    assert count(database, "attempts") == 4
    states = dict(run_sql(database, "SELECT id, state FROM tasks").fetchall())
    assert states == {
        story.task: "decided",
        story.derived("archive"): "delivered",
        story.derived("research"): "delivered",
    }
    assert scalar(database, "SELECT count(*) FROM tasks WHERE retired IS NOT NULL") == 1
    assert scalar(database, "SELECT count(*) FROM images WHERE task IS NULL") == 0
    assert scalar(database, "SELECT images FROM series") == 5
    # The routed series and both its tasks hold the same images: one list.
    assert count(database, "image_lists") == 1
    assert count(database, "task_images") == 5
    # An image received is a row of its own, and no event beside it.
    assert scalar(database, "SELECT count(*) FROM events WHERE type = 'image.received'") == 0
    archive = "SELECT value FROM metrics_minute WHERE name = 'images.delivered' AND label = 'archive'"
    assert scalar(database, archive) == 5


def test_a_living_writer_keeps_its_file_and_is_read_as_it_writes(
    recorder: Recorder, outbox: Outbox, database: Database
) -> None:
    story = Told(images=3)
    path = outbox.put([story.received(0)], service="receiver", alive=True)
    assert record_all(recorder) == 1
    assert path.exists()

    second = lines([story.received(1)])
    outbox.append(second[:40])
    assert record_all(recorder) == 0, "half a line is not read"
    outbox.append(second[40:])
    assert record_all(recorder) == 1
    outbox.append(lines([story.received(2)]))
    outbox.close()

    assert recorder.run_once().removed == 1
    assert not path.exists()
    assert count(database, "images") == 3
    assert count(database, "outbox_positions") == 1, "kept until the file is seen to be gone"
    recorder.run_once()
    assert count(database, "outbox_positions") == 0


def test_what_is_told_again_is_recorded_once(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    story = Told()
    outbox.put(story.all(), number=1)
    record_all(recorder)
    before = rows_of(database)

    later = [story.created("archive", seconds=5000), story.delivered("archive", seconds=5001)]
    outbox.put([*later, *later, *story.all()], number=2)

    assert record_all(recorder) == 0
    assert rows_of(database) == before


def test_an_unfinished_last_line_is_told_by_one_row(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    story = Told()
    whole = lines(story.receiver())
    path = outbox.put(whole + lines([story.completed()])[:70], service="receiver", alive=True)

    assert record_all(recorder) == 5
    assert scalar(database, "SELECT count(*) FROM events WHERE type = 'unreadable'") == 0, "the writer may go on"
    outbox.close()
    record_all(recorder)
    record_all(recorder)

    assert not path.exists()
    details = json.loads(str(scalar(database, "SELECT details FROM events WHERE type = 'unreadable'")))
    assert details["file"] == path.name
    assert details["position"] == len(whole)
    assert details["bytes"] == 70
    assert details["reason"].startswith("an unfinished last line")
    assert details["raw"].startswith('{"id":')


def test_a_last_line_that_only_lacks_its_end_is_an_event(
    recorder: Recorder, outbox: Outbox, database: Database
) -> None:
    outbox.put(lines(Told(images=2).receiver()).rstrip(b"\n"), service="receiver")
    assert record_all(recorder) == 4
    assert scalar(database, "SELECT count(*) FROM events WHERE type = 'unreadable'") == 0


def test_damage_in_the_middle_does_not_stop_the_reading(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    story = Told(images=2)
    zeros = b"\0" * 5000 + b"\n"
    damage = b'{"id": 1}\n[]\n\xff\xfe\n' + zeros + b'{"half": \n\n   \n'
    outbox.put(lines([story.received(0)]) + damage + lines([story.received(1)]), service="receiver")

    assert record_all(recorder) == 2
    assert count(database, "images") == 2
    rows = run_sql(database, "SELECT details FROM events WHERE type = 'unreadable'").fetchall()
    assert len(rows) == 1, "neighbouring lines are one row"
    details = json.loads(rows[0][0])
    assert details["lines"] == 5
    assert details["bytes"] == len(damage) - len(b"\n   \n")


def test_unknown_types_and_unfit_details_are_recorded_as_events_alone(
    recorder: Recorder, outbox: Outbox, database: Database
) -> None:
    story = Told()
    future = story.completed().model_copy(update={"id": "future", "type": "series.dreamt"})
    unfit = story.completed().model_copy(update={"id": "unfit", "details": {"identity": 5, "images": "none"}})
    taskless = story.completed().model_copy(update={"id": "taskless", "task": None})
    outbox.put([future, unfit, taskless])

    assert record_all(recorder) == 3
    assert count(database, "tasks") == 0
    kept = dict(run_sql(database, "SELECT id, details FROM events").fetchall())
    assert json.loads(kept["unfit"])["unusable"].startswith("identity")
    assert "names no task" in json.loads(kept["taskless"])["unusable"]
    assert "unusable" not in json.loads(kept["future"])


def test_nodes_share_a_history_and_stay_apart(database: Database, outbox: Outbox, tmp_path: Path) -> None:
    story = Told(images=4)
    other = Outbox(tmp_path / "other")
    mine = Recorder(database, outbox.folder, "node-a", ManualClock())
    theirs = Recorder(database, other.folder, "node-b", ManualClock())
    outbox.put(story.receiver(), service="receiver")
    again = Told(number=1, images=2, start=500)
    other.put(again.receiver(), service="receiver", number=2)

    record_all(mine)
    record_all(theirs)

    series = run_sql(database, "SELECT node, images FROM series ORDER BY node").fetchall()
    assert [tuple(row) for row in series] == [("node-a", 4), ("node-b", 2)]
    nodes = {row[0] for row in run_sql(database, "SELECT DISTINCT node FROM metrics_minute")}
    assert nodes == {"node-a", "node-b"}


def test_many_small_files_are_taken_a_batch_at_a_time(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    for number in range(1000):
        outbox.put(Told(number=number, images=1, start=number).receiver(), service="receiver", number=number)

    first = recorder.run_once()
    assert first.more
    assert first.removed == 400
    record_all(recorder)
    assert count(database, "images") == 1000
    assert outbox.files() == []


def test_links_folders_and_strangers_in_the_outbox_are_left_alone(
    recorder: Recorder, outbox: Outbox, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(lines(Told().receiver()))
    (outbox.folder / "link.jsonl").symlink_to(secret)
    (outbox.folder / "folder.jsonl").mkdir()
    (outbox.folder / ".hidden.jsonl").write_bytes(b"x")
    (outbox.folder / "notes.txt").write_bytes(b"x")

    assert record_all(recorder) == 0
    assert outbox.files() == [".hidden.jsonl", "folder.jsonl", "link.jsonl", "notes.txt"]
    assert secret.exists()
