"""Backups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from appliance.control.api.base import Nothing, Verb
from mercure.model import Model

HistoryKind = Literal["sqlite", "postgresql"]


class CreateBackup(Model):
    """What goes into a backup beside configuration, revisions, state and history, and into which folder it goes.

    `folder` is absolute and writable for the router's user; absent: ``backup/`` in the root. `recipients` is a file
    with public keys, one a line (age(1)): the backup is encrypted for their owners; absent: it is not.
    """

    images: bool = False
    folder: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    recipients: Annotated[str, Field(pattern="^/", max_length=4000)] | None = None


class BackupMade(Model):
    """A new backup; ``left_out`` says in words what should be in it and is not."""

    path: str
    bytes: int
    files: int
    history: HistoryKind | None
    images: bool
    left_out: tuple[str, ...] = ()
    seconds: float


class BackupFile(Model):
    """A file in ``backup/``; ``modified`` in seconds since 1970."""

    name: str
    path: str
    bytes: int
    modified: float


class Backups(Model):
    """The backups in ``backup/``, the newest first."""

    backups: tuple[BackupFile, ...]


class OneBackup(Model):
    """A backup in ``backup/``, by the name of its file."""

    name: Annotated[str, Field(min_length=1, max_length=255)]


class BackupChecked(Model):
    """Whether every file of a backup is as it was written, and what it holds; ``problem`` says what is wrong."""

    path: str
    ok: bool
    problem: str = ""
    node: str = ""
    time: datetime | None = None
    by: str = ""
    revision: int = 0
    files: int = 0
    history: HistoryKind | None = None
    images: bool = False
    left_out: tuple[str, ...] = ()


CREATE: Final = Verb(
    "backup.create",
    CreateBackup,
    BackupMade,
    "admin",
    "Write a backup of configuration, revisions, state and history, with the images where asked.",
    changes=True,
    long=True,
)
LIST: Final = Verb("backup.list", Nothing, Backups, "viewer", "List the backups in the root's own folder.")
CHECK: Final = Verb(
    "backup.check", OneBackup, BackupChecked, "operator", "Compare each file of a backup with its digest.", long=True
)
