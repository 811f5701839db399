"""How far running tasks are: counted from their ledgers, of which only what is new is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from appliance.control.ledger_progress import KEPT, LedgerProgress
from mercure.spool.images import LedgerLine, add_to_ledger
from mercure.spool.task import LEDGER_FILE

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = frozenset({"here"})


def confirm(directory: Path, *files: str, at: str | None = "here") -> None:
    directory.mkdir(exist_ok=True)
    lines = (LedgerLine(file=file, status="0000", time=NOW, target="archive", destination=at) for file in files)
    add_to_ledger(directory, lines)


def test_each_image_counts_once_and_only_where_it_is_to_go(tmp_path: Path) -> None:
    progress, task = LedgerProgress(), tmp_path / "task"
    assert progress.confirmed(task, HERE) == 0
    confirm(task, "1.dcm", "2.dcm")
    assert progress.confirmed(task, HERE) == 2
    confirm(task, "2.dcm", "3.dcm")
    confirm(task, "4.dcm", at="elsewhere")
    confirm(task, "5.dcm", at=None)
    assert progress.confirmed(task, HERE) == 3
    assert progress.confirmed(task, frozenset({"here", "elsewhere"})) == 4


def test_a_torn_end_counts_when_it_is_whole_and_nonsense_never(tmp_path: Path) -> None:
    progress, task = LedgerProgress(), tmp_path / "task"
    confirm(task, "1.dcm")
    path = task / LEDGER_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + whole.replace(b"1.dcm", b"2.dcm")[:20])
    assert progress.confirmed(task, HERE) == 1
    path.write_bytes(whole + whole.replace(b"1.dcm", b"2.dcm") + b'nonsense\n[1]\n{"file": 7}\n\xff\n')
    assert progress.confirmed(task, HERE) == 2


def test_a_ledger_that_is_another_file_now_is_read_from_its_beginning(tmp_path: Path) -> None:
    progress, task = LedgerProgress(), tmp_path / "task"
    confirm(task, "1.dcm", "2.dcm", "3.dcm")
    assert progress.confirmed(task, HERE) == 3
    (task / LEDGER_FILE).rename(task / "old")
    confirm(task, "4.dcm")
    assert progress.confirmed(task, HERE) == 1


def test_no_more_ledgers_are_remembered_than_are_needed(tmp_path: Path) -> None:
    progress = LedgerProgress()
    for number in range(KEPT + 20):
        confirm(tmp_path / str(number), "1.dcm")
        assert progress.confirmed(tmp_path / str(number), HERE) == 1
    assert len(progress._ledgers) == KEPT
