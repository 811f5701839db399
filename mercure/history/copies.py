"""A copy of the history as it is at one moment, while it is written to; and bringing such a copy back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

from mercure import durable
from mercure.history.database import HistoryError, address_of, sqlite_path, without_password
from mercure.programs import run_program

HistoryKind = Literal["sqlite", "postgresql"]

LONGEST_SECONDS: Final = 6 * 3600.0
"""Of pg_dump and pg_restore."""


class PostgresToolMissingError(HistoryError):
    """A program of PostgreSQL is not installed here."""


def kind_of(url: str) -> HistoryKind:
    """Return what a history is kept in."""
    return "sqlite" if urlsplit(url).scheme == "sqlite" else "postgresql"


def copy_history(url: str, password: str | None, to: Path) -> bool:
    """Write a copy of the history; False when there is none yet.

    Parameters
    ----------
    url, password : str
        As for `mercure.history.database.open_history`.
    to : Path
        A file that does not exist: a database of SQLite, or what ``pg_dump --format=custom`` writes.

    Raises
    ------
    PostgresToolMissingError
        ``pg_dump`` is not installed.
    HistoryError
        The history cannot be read, or not be copied.
    """
    if kind_of(url) == "postgresql":
        _run_tool("pg_dump", url, password, ["--format=custom", "--no-owner", "--no-privileges", f"--file={to}"])
        return True
    path = sqlite_path(url)
    if not path.exists():
        return False
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(to)) as copy,
        ):
            # All pages in one step: in WAL mode this blocks no writer, and page by page it would restart at each write.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=delete")
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise HistoryError(f"the history at {path} cannot be copied: {error}") from error
    if found != "ok":
        raise HistoryError(f"the history at {path} is damaged: {found}")
    return True


def bring_back(url: str, password: str | None, copy: Path, *, replace: bool) -> None:
    """Make a copy the history.

    Parameters
    ----------
    url, password : str
        Of the history that is to be.
    copy : Path
        What `copy_history` wrote.
    replace : bool
        What is there already gives way to it; without, it is an error.

    Raises
    ------
    PostgresToolMissingError
        ``pg_restore`` is not installed.
    HistoryError
        There is one already, or it did not work; then nothing was changed.
    """
    if kind_of(url) == "postgresql":
        clean = ["--clean", "--if-exists"] if replace else []
        _run_tool("pg_restore", url, password, [*clean, "--no-owner", "--single-transaction", "--exit-on-error"], copy)
        return
    path = sqlite_path(url)
    if path.exists() and not replace:
        raise HistoryError(f"there is a history at {path} already")
    for rest in (f"{path}-wal", f"{path}-shm"):
        # Of the old one; SQLite would apply it to the new one.
        durable.unlink(Path(rest))
    durable.copy_file(copy, path)


def _run_tool(name: str, url: str, password: str | None, options: list[str], *files: Path) -> None:
    """Run a program of PostgreSQL; the password goes by the environment, where no other user sees it."""
    program = shutil.which(name)
    if program is None:
        raise PostgresToolMissingError(f"{name} is not installed; it comes with the package postgresql-client")
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    who = f"{quote(unquote(parts.username or ''))}@" if parts.username else ""
    bare = address_of(parts, who + host, parts.query)
    secret = password if password is not None else unquote(parts.password or "")
    environment = {**os.environ, **({"PGPASSWORD": secret} if secret else {})}
    command = [program, "--no-password", *options, f"--dbname={bare}", *map(str, files)]
    try:
        done = run_program(command, seconds=LONGEST_SECONDS, environment=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HistoryError(f"{name} did not work: {error}") from error
    if done.returncode:
        text = " ".join(done.stderr.split())[-500:]
        raise HistoryError(f"{name} for {without_password(url)} ended with {done.returncode}: {text}")
