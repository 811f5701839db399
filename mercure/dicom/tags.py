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


def read_tag_records(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Read the tag records of files in one folder, by file name; a file that cannot be read has none.

    Raises
    ------
    mercure.dicom.tools.ToolMissingError
        ``getdcmtags`` is not installed.
    """
    records: dict[str, dict[str, Any]] = {}
    for first in range(0, len(files), FILES_PER_CALL):
        names = [str(path) for path in files[first : first + FILES_PER_CALL]]
        try:
            done = subprocess.run(
                [tool_path("getdcmtags"), "--", *names],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS_PER_CALL,
                check=False,
            )
            output = done.stdout
        except subprocess.TimeoutExpired as expired:
            output = expired.stdout or b""
        for line in output.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # the last line of a call that was cut off
            if isinstance(record, dict) and isinstance(record.get("FileName"), str):
                records[record["FileName"]] = record
    return records
