"""The bookkeeper is killed at every step it takes, and the history still holds everything exactly once."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

from mercure.history.database import disconnect, open_history, run_sql
from tests.support.history import Outbox, Told
from tests.support.history_rows import empty, rows_of
from tests.support.polling import eventually
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.history_rows import Rows

IMAGES = 2100  # more than one batch


def prepare(root: Path, url: str) -> Outbox:
    config = root / "config"
    config.mkdir(parents=True)
    (config / "mercure.json").write_text(json.dumps({"version": 1, "name": "node-a", "history": {"url": url}}))
    outbox = Outbox(root / "spool" / "outbox")
    story = Told(images=IMAGES, targets=("archive", "research"))
    outbox.put(story.receiver(), service="receiver")
    outbox.put(story.router(), service="router")
    outbox.put([*story.dispatcher("archive"), *story.dispatcher("research")], service="dispatcher")
    return outbox


def bookkeeper(root: Path) -> list[str]:
    return [sys.executable, "-m", "mercure.services", "bookkeeper", "--root", str(root)]


def run(root: Path, outbox: Outbox, **environment: str) -> int:
    """Run the service until the story is recorded, or until it dies; return its exit code."""

    def done(program: Running) -> bool:
        left = [name for name in outbox.files() if not name.startswith("bookkeeper")]
        return not program.is_alive or not left

    with running(bookkeeper(root), env=environment) as program:
        eventually(lambda: done(program), seconds=60, what="the outbox is recorded, or the service dead")
        if program.is_alive:
            program.signal(signal.SIGTERM)
        return program.wait(seconds=30)


def recorded(url: str) -> Rows:
    """Return the rows, without what the bookkeeper tells of itself at each start."""
    database = open_history(url)
    try:
        rows = rows_of(database)
        rows["events"] = [row for row in rows["events"] if row[3] != "bookkeeper"]
        del rows["nodes"]
        assert run_sql(database, "SELECT count(*) FROM events WHERE type = 'unreadable'").fetchone()[0] <= 1
        return rows
    finally:
        disconnect(database)


def forget(url: str, *, schema_too: bool) -> None:
    database = open_history(url)
    try:
        if schema_too and url.startswith("postgresql"):
            run_sql(database, "DROP SCHEMA public CASCADE")
            run_sql(database, "CREATE SCHEMA public")
        else:
            empty(database)
            run_sql(database, "DELETE FROM node_owners")  # the next root is another router, which may have the name
    finally:
        disconnect(database)


def test_killed_before_any_step_it_misses_nothing_and_doubles_nothing(history_url: str, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    outbox = prepare(tmp_path / "whole", history_url)
    assert run(tmp_path / "whole", outbox, MERCURE_STEP_LOG=str(steps)) == 0
    expected = recorded(history_url)
    assert len(expected["images"]) == IMAGES
    operations = [line.split()[2] for line in steps.read_text().splitlines()]
    first = next(number for number, operation in enumerate(operations, 1) if operation == "commit")
    assert operations.count("commit") >= 3, "the schema, and at least two batches"

    for number in range(first, len(operations) + 1):
        root = tmp_path / f"killed-{number}"
        url = history_url if history_url.startswith("postgresql") else f"sqlite://{root}/history.db"
        if url == history_url:
            forget(url, schema_too=True)
        outbox = prepare(root, url)
        code = run(root, outbox, MERCURE_FAULT=f"kill@{number}")
        assert code in (-signal.SIGKILL, 0), number
        run(root, outbox)
        assert recorded(url) == expected, f"killed before step {number}, {operations[number - 1]}"


def test_a_failing_disk_at_a_commit_is_tried_again(history_url: str, tmp_path: Path) -> None:
    outbox = prepare(tmp_path / "root", history_url)
    steps = tmp_path / "steps"
    assert run(tmp_path / "root", outbox, MERCURE_STEP_LOG=str(steps)) == 0
    expected = recorded(history_url)
    operations = [line.split()[2] for line in steps.read_text().splitlines()]
    commit = [number for number, operation in enumerate(operations, 1) if operation == "commit"][1]

    forget(history_url, schema_too=False)
    again = prepare(tmp_path / "again", history_url)
    assert run(tmp_path / "again", again, MERCURE_FAULT=f"EIO@{commit}") == 0
    assert recorded(history_url) == expected
