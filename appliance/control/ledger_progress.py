"""How far running tasks are: how many images their targets have confirmed, by the ledgers.

A ledger only grows while a task runs, so of each only what is new is read. That is an answer for a screen; what counts
for the delivery is read whole (`mercure.spool.images.read_ledger`).
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mercure.spool.task import LEDGER_FILE

KEPT: Final = 200
"""Ledgers of so many tasks are remembered."""


@dataclass
class _Read:
    """What was read of a ledger so far: up to which byte, and who has which image by it."""

    inode: int
    end: int = 0
    holders: set[tuple[str, str | None]] = field(default_factory=set)


class LedgerProgress:
    """Counts confirmed images of running tasks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledgers: OrderedDict[Path, _Read] = OrderedDict()

    def confirmed(self, directory: Path, destinations: Set[str]) -> int:
        """Return how many images of a task are confirmed at some destinations."""
        with self._lock:
            read = self._read_on(directory / LEDGER_FILE)
        return len({image for image, where in read.holders if where in destinations})

    def _read_on(self, path: Path) -> _Read:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                read = self._ledgers.get(path)
                if read is None or read.inode != status.st_ino or read.end > status.st_size:
                    read = _Read(status.st_ino)
                file.seek(read.end)
                new = file.read()
        except OSError:
            return _Read(0)
        whole = new[: new.rfind(b"\n") + 1]
        read.end += len(whole)
        read.holders.update(filter(None, map(_holder, whole.splitlines())))
        self._ledgers[path] = read
        self._ledgers.move_to_end(path)
        while len(self._ledgers) > KEPT:
            self._ledgers.popitem(last=False)
        return read


def _holder(line: bytes) -> tuple[str, str | None] | None:
    """Return the image and the destination of a line; None of one that says neither."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    if not isinstance(content, dict) or not isinstance(content.get("file"), str):
        return None
    where = content.get("destination")
    return content["file"], where if isinstance(where, str) else None
