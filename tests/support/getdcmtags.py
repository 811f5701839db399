"""Runs getdcmtags and gives its records."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.binaries import tool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# A value of a record: text, a list of texts, bytes as base64, or the items of a sequence.
Record = dict[str, Any]


@dataclass(frozen=True)
class Extraction:
    """How one run ended."""

    code: int
    records: list[Record]
    errors: list[str]


def getdcmtags(
    files: Iterable[Path | str] = (), *options: str, given: bytes | None = None, seconds: float = 60.0
) -> Extraction:
    """Run getdcmtags on files, or on the list ``given`` on standard input."""
    result = subprocess.run(
        [tool("getdcmtags"), *options, *files], input=given, capture_output=True, timeout=seconds, check=False
    )
    lines = result.stdout.decode("utf-8").split("\n")
    assert lines.pop() == "", "the last line has no end"
    return Extraction(result.returncode, [json.loads(line) for line in lines], result.stderr.decode().splitlines())


def record_of(file: Path) -> Record:
    """Return the record of one file that must be readable."""
    result = getdcmtags([file])
    assert result.code == 0, result.errors
    (record,) = result.records
    return record
