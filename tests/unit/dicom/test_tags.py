"""Reading tag records again: in calls of many files, none of which may spoil the others."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from mercure.dicom import tags, tools
from mercure.dicom.tags import read_tag_records
from mercure.dicom.tools import ToolMissingError, tool_path
from tests.support.series import synthetic_series

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """#!/bin/sh
# Stands for getdcmtags with a fault: dies at "bad", hangs at "slow", prints a torn line and nothing at "odd".
shift
for file; do
    name=${{file##*/}}
    echo "$name" >>"{log}"
    case $name in
        bad*) kill -SEGV $$ ;;
        slow*) exec sleep 1000 ;;
        odd*) printf '{{"FileName": "o' ; exit 20 ;;
        none*) ;;
        *) printf '{{"FileName": "%s", "Modality": "CT"}}\\n' "$name" ;;
    esac
done
"""


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a faulty reader in place; return the file in which it notes the files that it was given."""
    log = tmp_path / "log"
    program = tmp_path / "getdcmtags"
    program.write_text(SCRIPT.format(log=log), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("MERCURE_BIN", str(tmp_path))
    return log


def paths(folder: Path, *names: str) -> list[Path]:
    return [folder / name for name in names]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], []),
        (["1", "2"], ["1", "2"]),
        (["1", "bad", "2", "3"], ["1", "2", "3"]),
        (["bad", "1"], ["1"]),
        (["1", "bad"], ["1"]),
        (["bad1", "bad2", "1", "bad3", "2"], ["1", "2"]),
        (["1", "none", "bad", "2"], ["1", "2"]),
        (["1", "odd"], ["1"]),
    ],
)
def test_a_file_that_ends_the_program_costs_the_others_nothing(
    tmp_path: Path, called: Path, names: list[str], found: list[str]
) -> None:
    assert list(read_tag_records(paths(tmp_path, *names))) == found


def test_a_file_that_hangs_the_program_costs_its_time_once(
    tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "SECONDS_PER_CALL", 0.5)
    assert list(read_tag_records(paths(tmp_path, "1", "slow", "2"))) == ["1", "2"]
    assert called.read_text(encoding="utf-8").split() == ["1", "slow", "2"]


def test_many_files_are_read_in_several_calls(tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "FILES_PER_CALL", 3)
    names = [str(number) for number in range(10)]
    assert list(read_tag_records(paths(tmp_path, *names))) == names


def test_the_real_one(tmp_path: Path) -> None:
    files = synthetic_series(tmp_path / "series", 3, 4, 4, PatientID="P7")
    (tmp_path / "series" / "no.dcm").write_bytes(b"no DICOM")
    records = read_tag_records([*files, tmp_path / "series" / "no.dcm", tmp_path / "series" / "gone.dcm"])
    assert {name: record["PatientID"] for name, record in records.items()} == {file.name: "P7" for file in files}


def test_where_programs_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("MERCURE_BIN", str(empty))
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(tools, "_BUILT", empty)
    with pytest.raises(ToolMissingError, match="MERCURE_BIN"):
        tool_path("getdcmtags")
    for folder in ("path", "built", "bin"):
        program = tmp_path / folder / "getdcmtags"
        program.parent.mkdir()
        program.write_text("", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(tools, "_BUILT", tmp_path / "built")
        monkeypatch.setenv("PATH", str(tmp_path / "path"))
        monkeypatch.setenv("MERCURE_BIN", str(tmp_path / "bin"))
        assert tool_path("getdcmtags") == program
