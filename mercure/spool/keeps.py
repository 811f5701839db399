"""Keeps: what a person wants kept beyond its retention, by task, study or patient, with a reason and an end.

A file in ``state/keeps/`` for each (``docs/reference/spool.md``, "Kept"). Who reads them in order to remove tasks, and
who adds one, holds the lock of the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import AwareDatetime

from mercure import durable
from mercure.locks import locked
from mercure.model import Record, read_state
from mercure.names import is_id
from mercure.spool.hints import make_folders, unless_busy
from mercure.spool.layout import Spool, Stage, list_names
from mercure.spool.uptime import Uptime


class KeepableTask(Protocol):
    """What a keep looks at in a task."""

    @property
    def id(self) -> str:
        """The task."""

    @property
    def parent(self) -> str | None:
        """The task that it was derived from."""

    @property
    def study(self) -> str:
        """Its Study Instance UID."""

    @property
    def patient(self) -> str:
        """Its patient id."""


class Keep(Record):
    """One keep: who wants what kept, why, and until when.

    One of `task`, `study` and `patient` is not empty. A task stands also for what is derived from it.
    """

    id: str
    by: str
    at: AwareDatetime
    until: AwareDatetime
    reason: str = ""
    task: str = ""
    study: str = ""
    patient: str = ""

    def covers(self, task: KeepableTask) -> bool:
        """Return whether a task is kept by this."""
        return (
            (bool(self.task) and self.task in (task.id, task.parent))
            or (bool(self.study) and self.study == task.study.strip())
            or (bool(self.patient) and self.patient == task.patient.strip())
        )

    def seconds_left(self, lived: Uptime) -> float:
        """Return for how long it holds: counted by the time lived through, so no step of the clock ends it."""
        return max(0.0, (self.until - self.at).total_seconds() - lived.age(self.at))


@dataclass(frozen=True)
class Keeps:
    """All keeps of a spool.

    Parameters
    ----------
    keeps : tuple of Keep
        Those that can be read, the oldest first.
    unreadable : tuple of str
        The ids of the others: what they keep is not known.
    """

    keeps: tuple[Keep, ...] = ()
    unreadable: tuple[str, ...] = ()

    def in_force(self, lived: Uptime) -> tuple[Keep, ...]:
        """Return those that have not ended."""
        return tuple(keep for keep in self.keeps if keep.seconds_left(lived) > 0)


def read_keeps(spool: Spool) -> Keeps:
    """Read all keeps."""
    names = [name.removesuffix(".json") for name in list_names(_folder(spool)) if name.endswith(".json")]
    found = {name: _read(_path(spool, name)) for name in names if is_id(name)}
    return Keeps(
        tuple(keep for keep in found.values() if keep is not None),
        tuple(name for name, keep in found.items() if keep is None and _path(spool, name).exists()),
    )


@contextmanager
def changing_keeps(spool: Spool) -> Iterator[None]:
    """Let one at a time add or remove a keep; wait while tasks are being removed."""
    make_folders(_folder(spool))
    with locked(_folder(spool)):
        yield


@contextmanager
def settled_keeps(spool: Spool) -> Iterator[bool]:
    """Let no keep be added for the length of the block; False, without waiting, when one is just being added."""
    with suppress(OSError):
        make_folders(_folder(spool))
    if not _folder(spool).is_dir():
        yield True  # a full disk: nobody can add a first keep either, and tasks must go to make room
        return
    with unless_busy(_folder(spool)) as alone:
        yield alone


def save_keep(spool: Spool, keep: Keep) -> None:
    """Write a keep, durably; the caller holds the lock."""
    durable.write_file(_path(spool, keep.id), keep.model_dump_json(indent=1, exclude_defaults=True).encode())


def remove_keep(spool: Spool, name: str) -> None:
    """Remove a keep, durably."""
    durable.unlink(_path(spool, name))
    durable.sync_directory(_folder(spool))


def _read(path: Path) -> Keep | None:
    try:
        return read_state(path, Keep)
    except OSError:
        return None


def _folder(spool: Spool) -> Path:
    return spool.stage(Stage.STATE) / "keeps"


def _path(spool: Spool, name: str) -> Path:
    return _folder(spool) / f"{name}.json"
