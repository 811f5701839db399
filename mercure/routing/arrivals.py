"""Arrivals of a series: its units, instances and studies so far, from its tag lines.

A line is read once; looking again costs what has come since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mercure.config import Config
from mercure.config.completion import CompletionTimes, ExpectedCount
from mercure.routing.units import Unit, sender_of, unit_of
from mercure.spool import TagRecord
from mercure.spool.images import instance_of, text


@dataclass
class UnitSoFar:
    """The images of one unit that have come."""

    first: TagRecord
    instances: set[str] = field(default_factory=set)


@dataclass
class Arrivals:
    """Reads the lines of one series folder.

    Parameters
    ----------
    directory : Path
        The folder.
    """

    directory: Path
    units: dict[Unit, UnitSoFar] = field(default_factory=dict)
    studies: set[str] = field(default_factory=set)
    lines: int = 0
    _read: dict[str, int] = field(default_factory=dict)

    def look(self, config: Config) -> None:
        """Read the lines that came since the last call; a torn last line is left for the next one."""
        for record in self._new_records():
            self.lines += 1
            self.studies.add(text(record, "StudyInstanceUID"))
            unit = self.units.setdefault(unit_of(config, record), UnitSoFar(record))
            unit.instances.add(instance_of(record))

    def all_expected(self, config: Config) -> bool:
        """Return whether each unit has as many instances as its sender, or a tag of its images, promised."""
        self.look(config)
        return bool(self.units) and all(_has_all(config, unit) for unit in self.units.values())

    def _new_records(self) -> Iterator[TagRecord]:
        try:
            names = [name for name in os.listdir(self.directory) if name.endswith(".jsonl")]
        except FileNotFoundError:
            return
        for name in sorted(names):
            position = self._read.get(name, 0)
            try:
                with open(self.directory / name, "rb") as file:
                    file.seek(position)
                    data = file.read()
            except FileNotFoundError:
                continue
            whole = data[: data.rfind(b"\n") + 1]
            self._read[name] = position + len(whole)
            for line in whole.split(b"\n"):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    yield value


def _has_all(config: Config, unit: UnitSoFar) -> bool:
    count = times_of(config, unit.first).expected_images
    wanted = expected(count, unit.first)
    return wanted is not None and len(unit.instances) >= wanted


def times_of(config: Config, record: TagRecord) -> CompletionTimes:
    """Return the times that hold for the sender of an image."""
    return config.completion_of(text(record, "SenderAET"), sender_of(config, record))


def expected(count: ExpectedCount | None, record: TagRecord) -> int | None:
    """Return how many there should be, by number or by a tag of the images; None when that is not known."""
    if count is None:
        return None
    if count.tag is None:
        return count.number
    value = text(record, count.tag).strip()
    return int(value) if value.isdecimal() and int(value) > 0 else None
