"""The log of a container as conmon keeps it (the format of Kubernetes), made the log of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mercure.runners.bounded_log import BoundedLog

_FIELDS: Final = 4
"""Time, stream, whether the line is whole (``F``) or goes on (``P``), and the text."""

_GAP: Final = b"\n[mercure: much output was left out here]\n"

_LONGEST: Final = 256 * 1024
"""conmon cuts lines of a container at 16 KiB."""


def keep_log(parts: Sequence[Path], log: Path, limit: int) -> None:
    """Write the lines of conmon's files to `log` as the module printed them, both streams in their order.

    conmon begins a new file when one is full. Of many, the first (a link to it was kept) and the last are there; what
    the module printed in between is lost, and a line says so.

    Parameters
    ----------
    parts : sequence of Path
        conmon's first and last file, which may be the same one. Absent: the module never ran, and the log is empty.
    log : Path
        Replaced.
    limit : int
        Bytes kept.

    Raises
    ------
    OSError
        The disk refuses.
    """
    with BoundedLog(log, limit) as kept:
        seen: set[int] = set()
        for part in parts:
            try:
                lines = part.open("rb")
            except FileNotFoundError:
                continue
            with lines:
                number = os.fstat(lines.fileno()).st_ino
                if number in seen:
                    continue
                if seen:
                    kept.add(_GAP)
                seen.add(number)
                while line := lines.readline(_LONGEST):
                    kept.add(_text(line))


def _text(line: bytes) -> bytes:
    parts = line.split(b" ", _FIELDS - 1)
    if len(parts) < _FIELDS:
        return line
    return parts[-1].removesuffix(b"\n") if parts[2] == b"P" else parts[-1]
