"""A flipped bit in what a decision rests on: it is not believed, whatever bit it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mercure.dicom.records import records_of
from mercure.routing.execute_plan import load_plan, save_plan
from mercure.routing.plan import Plan
from mercure.seal import is_intact, sealed
from mercure.spool import Task, TaskError, load_task, save_task
from mercure.spool.images import LedgerLine, add_to_ledger, json_line, ledger_lines, read_lines
from tests.support.receipts import receive_again
from tests.support.series import synthetic_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
LINE = LedgerLine(file="1.2.1.dcm", sop="1.2.1", status="0x0000", time=NOW, target="pacs", destination="dicom:a:104:P")
TASK = Task(id="20261130T090000000000-0000000a", created=NOW, target="pacs", images=3)
TAGS = {"FileName": "1.2.1.dcm", "PatientID": "P1", "Modality": "CT", "SenderAET": "CT1"}


def flips(content: bytes) -> Iterator[bytes]:
    for place in range(len(content)):
        for bit in range(8):
            yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def test_no_flipped_bit_makes_another_ledger_line(tmp_path: Path) -> None:
    add_to_ledger(tmp_path, [LINE])
    path = tmp_path / "ledger.jsonl"
    assert ledger_lines(tmp_path) == [LINE]
    for content in flips(path.read_bytes()):
        path.write_bytes(content)
        assert ledger_lines(tmp_path) in ([], [LINE])


def test_no_flipped_bit_makes_another_tag_line(tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    for content in flips(json_line(TAGS)):
        path.write_bytes(content)
        assert all(line.items() >= TAGS.items() for line in read_lines(path))


def test_no_flipped_bit_makes_another_task(tmp_path: Path) -> None:
    save_task(tmp_path, TASK)
    path = tmp_path / "task.json"
    for content in flips(path.read_bytes()):
        path.write_bytes(content)
        try:
            assert load_task(tmp_path) == TASK
        except TaskError:
            continue


def test_no_flipped_bit_makes_another_plan(tmp_path: Path) -> None:
    plan = Plan(files=("1.dcm",), rules=(), ends_in="discard", discarded_by="no")
    save_plan(tmp_path, plan)
    path = tmp_path / "plan.json"
    for content in flips(path.read_bytes()):
        path.write_bytes(content)
        assert load_plan(tmp_path) in (None, plan)


def test_what_an_older_release_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text(LINE.model_dump_json() + "\n")
    (tmp_path / "task.json").write_text(TASK.model_dump_json(indent=1))
    assert ledger_lines(tmp_path) == [LINE]
    assert load_task(tmp_path) == TASK


def test_what_ends_like_a_seal_and_is_none_is_read() -> None:
    assert is_intact(b'{"settings":{"Seal of":"x"}}')
    assert is_intact(b'{"a":1}')
    assert is_intact(b"")
    assert not is_intact(b'{"a":1,"Seal":"0123456789abcdef"}')
    assert is_intact(sealed(b'{"a":1}') + b"\n")


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_tag_line_that_is_not_believed_is_made_again_from_its_file(tmp_path: Path, damage: str) -> None:
    lines = []
    for sop, data in synthetic_images(2, 16, 16):
        (tmp_path / f"{sop}.dcm").write_bytes(data)
        lines.append(json_line({"FileName": f"{sop}.dcm", "SOPInstanceUID": sop}))
    path = tmp_path / "tags.jsonl"
    path.write_bytes(b"".join(lines))
    receive_again(tmp_path)
    path.write_bytes(
        lines[0] + (lines[1].replace(b"SOPInstanceUID", b"SOPInstanceUIE") if damage == "flipped" else b"")
    )
    again = records_of(tmp_path)[sorted(tmp_path.glob("*.dcm"))[1].name]
    assert again["SeriesInstanceUID"]
    assert again["SenderAET"] == "CT1"
