"""Tag records of files, read by ``getdcmtags``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mercure.dicom.tools import tool_path

SECONDS_PER_CALL: Final = 120.0
FILES_PER_CALL: Final = 500


def read_tag_records(files: Sequence[Path], character_set: str = "") -> dict[str, dict[str, Any]]:
    """Read the tag records of files in one folder, by file name; a file that cannot be read has none.

    A file that ends the program costs the others nothing: it is called again for those that are left.
    `character_set` is assumed for files that name none.

    Raises
    ------
    mercure.dicom.tools.ToolMissingError
        ``getdcmtags`` is not installed.
    """
    records: dict[str, dict[str, Any]] = {}
    left = list(files)
    while left:
        part = left[:FILES_PER_CALL]
        found, ended_well = _call(part, character_set)
        records |= found
        last = max((place for place, path in enumerate(part) if path.name in found), default=-1)
        left = left[len(part) if ended_well else last + 2 :]
    return records


def read_damaged(file: Path, character_set: str = "") -> dict[str, Any]:
    """Read what can be read of a file; where it cannot be read whole, ``Fault`` says what is wrong.

    Empty where nothing can be read of it, or it ends the program that reads it.

    Raises
    ------
    mercure.dicom.tools.ToolMissingError
        ``getdcmtags`` is not installed.
    """
    record = _call([file], character_set, "--damaged-too")[0].get(file.name, {})
    return {key: value for key, value in record.items() if key not in {"FileName", "FileSize"}}


def _call(files: Sequence[Path], character_set: str, *options: str) -> tuple[dict[str, dict[str, Any]], bool]:
    """Call the program once; return what it found, and whether it came to its end."""
    assumed = ["--character-set", character_set] if character_set else []
    command = [str(tool_path("getdcmtags")), *assumed, *options, "--", *(str(path) for path in files)]
    ended_well = True
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_PER_CALL,
            check=False,
        )
        output, ended_well = done.stdout, done.returncode >= 0
    except subprocess.TimeoutExpired as expired:
        output, ended_well = expired.stdout or b"", False
    found = {}
    for line in output.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the last line of a call that was cut off
        if isinstance(record, dict) and isinstance(record.get("FileName"), str):
            found[record["FileName"]] = record
    return found, ended_well
