"""Division of a series in ``routing/`` into tasks by sender, study and patient: its model on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from mercure import durable
from mercure.model import Record
from mercure.seal import is_intact, sealed
from mercure.spool.task import DIVISION_FILE, Task


class DivisionPart(Record):
    """One task that comes of the series, and its images."""

    task: Task
    files: tuple[str, ...]


class Division(Record):
    """The tasks that a series is divided into; kept in it, so that after a crash the same is done."""

    version: Literal[1] = 1
    parts: tuple[DivisionPart, ...]
    held: bool = False
    """The parts are kept in ``error/`` until a person releases them."""

    @property
    def studies(self) -> frozenset[str]:
        """The studies of its parts."""
        return frozenset(part.task.identity.StudyInstanceUID for part in self.parts)


def load_division(directory: Path) -> Division | None:
    """Read how a series is divided; None when it is not, or that cannot be read."""
    try:
        content = (directory / DIVISION_FILE).read_bytes()
        return Division.model_validate_json(content) if is_intact(content) else None
    except (FileNotFoundError, ValidationError):
        return None


def save_division(directory: Path, division: Division) -> None:
    """Write down how a series is divided, durably, before anything of it is done."""
    content = {"version": division.version, **division.model_dump(mode="json", exclude_defaults=True)}
    durable.write_file(directory / DIVISION_FILE, sealed(json.dumps(content, ensure_ascii=False).encode()))
