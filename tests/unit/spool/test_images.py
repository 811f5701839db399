"""Images, tag lines, ledger: read leniently, for a crash may have torn any line, and the network wrote the rest."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercure.seal import MEMBER, is_intact
from mercure.spool import LedgerLine, add_to_ledger, image_files, image_refs, read_ledger, read_tags
from mercure.spool.images import LONGEST_VALUE, MOST_VALUES, by_file, distinct_values, json_line, read_lines, text
from tests.support.faults import failing_at

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def line(name: str, **tags: object) -> bytes:
    return json.dumps({"FileName": name, **tags}).encode() + b"\n"


def confirmed(name: str, target: str = "pacs", status: str = "0x0000") -> LedgerLine:
    return LedgerLine(file=name, status=status, time=NOW, target=target, destination=f"at {target}")


def test_images_are_the_visible_regular_dcm_files_by_name(tmp_path: Path) -> None:
    for name in ("2.dcm", "1.dcm", ".3.dcm", "task.json", "x.DCM", "4.dcm.tmp"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "5.dcm").mkdir()
    (tmp_path / "6.dcm").symlink_to(tmp_path / "1.dcm")
    os.utime(tmp_path / "1.dcm", ns=(5, 7))
    assert [(image.name, image.bytes) for image in image_files(tmp_path)] == [("1.dcm", 5), ("2.dcm", 5)]
    assert image_files(tmp_path)[0].modified_ns == 7


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b'{"a": 1}', [{"a": 1}]),
        (b'{"a": 1}\n{"b": ', [{"a": 1}]),
        (b'"b": 2}\n{"a": 1}\n', [{"a": 1}]),
        (b'[1]\n"x"\n1\nnull\n{"a": 1}\n', [{"a": 1}]),
        (b'\xff\xfe\n{"a": 1}\n', [{"a": 1}]),
        (b"[" * 200_000 + b'\n{"a": 1}\n', [{"a": 1}]),
        (b'{"a": ' + b"9" * 10_000 + b'}\n{"a": 1}\n', [{"a": 1}]),
        (b'{"a": 1}\x00\n{"a": 1}\n', [{"a": 1}]),
    ],
)
def test_torn_and_strange_lines_are_passed_over(tmp_path: Path, data: bytes, expected: list[dict[str, Any]]) -> None:
    (tmp_path / "lines").write_bytes(data)
    assert read_lines(tmp_path / "lines") == expected


def test_no_file_holds_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "lines") == []
    assert read_ledger(tmp_path) == {}


@given(st.dictionaries(st.text(), st.text(st.characters(codec=None, exclude_categories=()))))
def test_a_tag_line_is_one_line_of_utf8_that_reads_back(record: dict[str, Any]) -> None:
    written = json_line(record)
    assert written.count(b"\n") == 1
    written.decode("utf-8")
    assert is_intact(written)
    assert {key: value for key, value in json.loads(written).items() if key != MEMBER} == record


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("MR", "MR"),
        (["CT", "MR"], "CT"),
        ([], ""),
        ([[]], ""),
        (None, ""),
        (3, ""),
        ({"base64": "AA=="}, ""),
        ("\ud800x", "�x"),
        (["\udcff"], "�"),
    ],
)
def test_a_tag_as_one_text(value: object, expected: str) -> None:
    """Texts of tags go into models, events and names of folders; they must be Unicode."""
    assert text({"Modality": value}, "Modality") == expected
    assert text({}, "Modality") == ""


def test_the_first_line_of_a_file_holds_and_lines_without_file_are_ignored(tmp_path: Path) -> None:
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / name).write_bytes(b"x")
    lines = line("2.dcm", n=1) + line("3.dcm") + line("1.dcm") + line("2.dcm", n=2) + b'{"FileName": 7}\n{}\n'
    (tmp_path / "tags.jsonl").write_bytes(lines)
    assert [(record["FileName"], record.get("n")) for record in read_tags(tmp_path)] == [("2.dcm", 1), ("1.dcm", None)]
    assert by_file([], ["1.dcm"]) == {}


def test_images_are_named_in_the_order_received_and_the_undescribed_last(tmp_path: Path) -> None:
    for name in ("1.dcm", "2.dcm", "3.dcm"):
        (tmp_path / name).write_bytes(name.encode() * 2)
    (tmp_path / "tags.jsonl").write_bytes(
        line("3.dcm", ImageID="i3", SOPInstanceUID="1.3") + line("1.dcm", ImageID="", SOPInstanceUID=["1.1", "x"])
    )
    refs = image_refs(tmp_path)
    assert [(ref.file, ref.image, ref.sop, ref.bytes) for ref in refs] == [
        ("3.dcm", "i3", "1.3", 10),
        ("1.dcm", None, "1.1", 10),
        ("2.dcm", None, "", 10),
    ]


def test_the_ledger_grows_and_the_last_word_on_an_image_holds(tmp_path: Path) -> None:
    add_to_ledger(tmp_path, [confirmed("1.dcm"), confirmed("2.dcm", "other")])
    add_to_ledger(tmp_path, [confirmed("1.dcm", status="0xB000")])
    add_to_ledger(tmp_path, [])
    assert {name: entry.status for name, entry in read_ledger(tmp_path).items()} == {
        "1.dcm": "0xB000",
        "2.dcm": "0x0000",
    }
    assert set(read_ledger(tmp_path, {"at pacs"})) == {"1.dcm"}
    assert set(read_ledger(tmp_path, {"nobody"})) == set()


@pytest.mark.parametrize("torn", [b'{"file": "2.dcm", "sta', b"{}", b'{"file": 1}'])
def test_a_line_torn_by_a_crash_spoils_none_that_follows(tmp_path: Path, torn: bytes) -> None:
    add_to_ledger(tmp_path, [confirmed("1.dcm")])
    with open(tmp_path / "ledger.jsonl", "ab") as file:
        file.write(torn)
    add_to_ledger(tmp_path, [confirmed("3.dcm")])
    assert set(read_ledger(tmp_path)) == {"1.dcm", "3.dcm"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path, number: int) -> None:
    with failing_at(number, "ENOSPC"), pytest.raises(OSError, match="No space"):
        add_to_ledger(tmp_path, [confirmed("1.dcm")])
    add_to_ledger(tmp_path, [confirmed("2.dcm")])
    assert "2.dcm" in read_ledger(tmp_path)


def test_different_values_of_tags_each_once() -> None:
    records: list[dict[str, object]] = [
        {"Manufacturer": "A", "SliceThickness": ["1", "2"]},
        {"Manufacturer": " A ", "SliceThickness": "1", "Rows": 3, "ContrastBolusAgent": ""},
        {"Manufacturer": ["B", {"no": "text"}], "ProtocolName": "x\ud800" * 300},
        {},
    ]
    keywords = ("Manufacturer", "SliceThickness", "Rows", "ContrastBolusAgent", "ProtocolName", "Modality")
    found = distinct_values(records, keywords)
    assert {keyword: found[keyword] for keyword in ("Manufacturer", "SliceThickness")} == {
        "Manufacturer": ("A", "B"),
        "SliceThickness": ("1", "2"),
    }
    assert len(found["ProtocolName"][0]) == LONGEST_VALUE
    assert found.keys() == {"Manufacturer", "SliceThickness", "ProtocolName"}
    many = [{"InstanceNumber": str(number)} for number in range(100)]
    assert len(distinct_values(many, ["InstanceNumber"])["InstanceNumber"]) == MOST_VALUES
