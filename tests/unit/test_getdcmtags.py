"""The getdcmtags program: what it prints, what it says, and how it ends (docs/reference/getdcmtags.1.md)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mercure.dicom.uids import uid_name
from tests.support.binaries import PROJECT, tool
from tests.support.dicom_files import storable_files
from tests.support.getdcmtags import getdcmtags
from tests.support.series import synthetic_series

SOURCES = PROJECT / "getdcmtags/src"


def test_prints_one_record_for_each_file_in_their_order(tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 20)
    order = [*reversed(files), files[3]]
    result = getdcmtags(order)
    assert result.code == 0
    assert [record["FileName"] for record in result.records] == [file.name for file in order]
    assert result.errors == []


def test_a_file_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    first, second = synthetic_series(tmp_path, 2)
    text = tmp_path / "text.dcm"
    text.write_text("no image")
    result = getdcmtags([first, text, second])
    assert result.code == 21
    assert [record["FileName"] for record in result.records] == [first.name, second.name]
    assert result.errors == [f"getdcmtags: {text}: not a DICOM file"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _path: None, "No such file"),
        (Path.mkdir, "not a regular file"),
        (os.mkfifo, "not a regular file"),
    ],
    ids=["missing", "folder", "pipe"],
)
def test_what_cannot_be_opened_ends_with_20(make: object, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    assert callable(make)
    make(path)
    result = getdcmtags([path])
    assert result.code == 20
    assert reason in result.errors[0]


def test_an_error_is_one_line_without_anything_that_a_terminal_obeys(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[2Jb"
    path.write_text("no image")
    (line,) = getdcmtags([path]).errors
    assert line.endswith("a\\x0a\\x1b[2Jb: not a DICOM file")


def test_names_from_standard_input(tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3)
    listing = "\n".join(map(str, files))
    for given in (listing, listing + "\n", "\n" + listing):
        result = getdcmtags([], "--files-from", "-", given=given.encode())
        assert result.code == 0
        assert len(result.records) == 3


def test_names_with_line_breaks_are_separated_by_nul(tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    odd = image.rename(tmp_path / "two\nlines.dcm")
    result = getdcmtags([], "--files-from", "-", "--null", given=f"{odd}\0".encode())
    assert [record["FileName"] for record in result.records] == ["two\nlines.dcm"]


def test_names_from_a_file(tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    listing = tmp_path / "list"
    listing.write_text(f"{image}\n")
    assert getdcmtags([], "--files-from", str(listing)).code == 0
    missing = getdcmtags([], "--files-from", str(tmp_path / "none"))
    assert missing.code == 22
    assert missing.errors == ["getdcmtags: the list of files: No such file or directory"]


def test_answers_each_name_before_the_next_is_given(tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3)
    command = [str(tool("getdcmtags")), "--files-from", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for file in files:
            program.stdin.write(f"{file}\n".encode())
            program.stdin.flush()
            assert file.name.encode() in program.stdout.readline()
        program.stdin.close()
        assert program.wait() == 0


def test_a_full_disk_under_standard_output_ends_with_40(tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run([tool("getdcmtags"), image, image], stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.returncode == 40
    assert result.stderr.decode() == "getdcmtags: standard output: No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["--nonsense"], ["--null", "x"], ["--files-from", "-", "x"], ["--files-from"]],
    ids=["nothing", "unknown", "null-without-list", "both", "no-value"],
)
def test_a_wrong_command_line_ends_with_1(arguments: list[str]) -> None:
    result = getdcmtags([], *arguments, given=b"")
    assert result.code == 1
    assert result.records == []
    assert len(result.errors) == 1


def test_help_and_man_page_name_every_option_and_exit_code() -> None:
    shown = subprocess.run([tool("getdcmtags"), "--help"], check=True, capture_output=True, text=True).stdout
    page = (PROJECT / "docs/reference/getdcmtags.1.md").read_text(encoding="utf-8")
    for option in re.findall(r"--[a-z-]+", shown):
        assert f"`{option}" in page, f"{option} is missing in the man page"
    for code in re.findall(r"^ +(\d+)  ", shown, re.M):
        assert f"`{code}`" in page, f"exit code {code} is missing in the man page"


def test_version() -> None:
    shown = subprocess.run([tool("getdcmtags"), "--version"], check=True, capture_output=True, text=True).stdout
    assert re.fullmatch(r"getdcmtags \d+\.\d+\.\d+ \(DCMTK \d+\.\d+\.\d+\)\n", shown)


def test_needs_no_dictionary_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCMDICTPATH", "/nowhere")
    result = getdcmtags(storable_files()[:1])
    assert result.code == 0
    assert "SOPClassUID" in result.records[0]


@pytest.mark.parametrize(
    ("generator", "table"),
    [("make_public_dictionary.py", "tags/public_dictionary.inc"), ("make_uid_names.py", "uid_names.inc")],
)
def test_tables_of_the_standard_are_those_of_the_installed_pydicom(generator: str, table: str) -> None:
    command: list[str | Path] = [sys.executable, PROJECT / "getdcmtags/tools" / generator]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = (PROJECT / "getdcmtags/src" / table).read_text(encoding="utf-8")
    assert made == kept, f"run tools/{generator} as its first lines say"


def test_the_programs_call_transfer_syntaxes_and_classes_by_the_names_of_the_command_line() -> None:
    table = (SOURCES / "uid_names.inc").read_text(encoding="utf-8")
    rows = re.findall(r'^\{"([0-9.]+)", "(.+)"\},$', table, re.MULTILINE)
    assert len(rows) > 300
    assert all(uid_name(uid) == name for uid, name in rows)
    by_dcmtk = [path.name for path in SOURCES.rglob("*.cc") if "dcmFindNameOfUID" in path.read_text(encoding="utf-8")]
    assert by_dcmtk == []
