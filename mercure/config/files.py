"""Revisioned configuration file: atomic, checked, never lost, safe for two people at once."""

from __future__ import annotations

import contextlib
import json
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel

from mercure import durable
from mercure.clock import Clock
from mercure.config.problems import ConfigError
from mercure.locks import locked
from mercure.model import ConfigProblem, Record

T = TypeVar("T", bound=BaseModel)
MAX_FILE_BYTES = 16 * 1024 * 1024
HAND_EDIT: Final = "edited by hand"
"""The author of a revision that was made of what a person wrote into the file; it is unknown since when it was in
force."""


class StaleRevisionError(Exception):
    """The configuration was changed by another writer since it was read."""


class Revision(Record):
    """One saved state of a configuration file."""

    revision: int
    time: AwareDatetime
    author: str
    comment: str = ""
    content: dict[str, Any]


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """A configuration and what it was read from.

    Parameters
    ----------
    value : T
        The typed content.
    revision : int
        Number of the revision; 0 when none was ever saved.
    by_hand : bool
        The file was edited since that revision, without the router.
    """

    value: T
    revision: int
    by_hand: bool = False


class RevisionedFile(Generic[T]):
    """A JSON file of a given model, with every saved state kept beside it in ``revisions/``.

    A revision is written as ``pending.json``, then the file is replaced, then the revision gets its number. So a crash
    or a full disk in between leaves no revision that never was in force, and no file whose author is not known.

    Parameters
    ----------
    path : Path
        The file.
    parse : callable
        Turns the decoded JSON into the model, or raises `ConfigError`.
    """

    def __init__(self, path: Path, parse: Callable[[dict[str, Any]], T]) -> None:
        self.path = path
        self._parse = parse
        self._folder = path.parent / "revisions" / path.stem

    def load(self) -> Loaded[T]:
        """Read and check the file.

        Raises
        ------
        ConfigError
            It is missing, no JSON, or wrong; every problem is listed.
        """
        content, newest = self._read_with_revision()
        value = self._parse(content)
        return Loaded(value, newest.revision, content != newest.content) if newest else Loaded(value, 0, by_hand=True)

    def _read_with_revision(self) -> tuple[dict[str, Any], Revision | None]:
        """Read the file and its revision, consistently even during a save.

        Read one after the other they could be of two saves: an old content under a new number, from which the next save
        would undo the one in between. A lock would let a reader wait for a disk that hangs.
        """
        newest = self._newest()
        while True:
            content = self._read()
            before, newest = newest, self._newest()
            if (before and before.revision) == (newest and newest.revision):
                return content, newest

    def signature(self) -> tuple[int, ...]:
        """Return what changes whenever the file does: inode, modification time, size; empty without a file."""
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def last_good(self) -> Loaded[T] | None:
        """Return the newest saved revision that can be used, for when the file is broken."""
        for number in reversed(self.revisions()):
            with contextlib.suppress(ConfigError):
                return Loaded(self._parse(self.revision(number).content), number, by_hand=True)
        return None

    def revisions(self) -> list[int]:
        """List the numbers of the saved revisions, in order, with the one that a crash kept from its name."""
        pending = self._read_pending()
        return sorted({*self._numbers(), *([pending.revision] if pending else [])})

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("[0-9]*.json") if path.stem.isdigit()]

    def revision(self, number: int) -> Revision:
        """Read one saved revision.

        Raises
        ------
        ConfigError
            There is none of this number, or it cannot be read.
        """
        try:
            return Revision.model_validate_json(self._numbered(number).read_bytes())
        except (OSError, ValueError) as error:
            pending = self._read_pending()
            if pending is not None and pending.revision == number:
                return pending
            place = f"revision {number}"
            raise ConfigError(self.path.name, [ConfigProblem(place, f"cannot be read: {error}")]) from error

    def save(
        self,
        value: T,
        *,
        author: str,
        comment: str,
        edited_from: int,
        by_hand: bool = False,
        clock: Clock | None = None,
    ) -> int:
        """Save a new revision and make it the configuration.

        Parameters
        ----------
        value : T
            The new content; it is checked once more as the file would be.
        author, comment : str
            Who and why.
        edited_from : int
            The revision that the change was made from.
        by_hand : bool
            The change was made from an edit of the file since that revision (`Loaded.by_hand`).

        Returns
        -------
        int
            The number of the new revision.

        Raises
        ------
        StaleRevisionError
            Somebody saved, or edited the file by hand, since `edited_from`.
        ConfigError
            The new content would be refused when read.
        OSError
            The disk refused; the old configuration stands, or the new one when only its last sync failed.
        """
        content = value.model_dump(mode="json", exclude_defaults=True)
        content = {"version": 1, **content}
        self._parse(content)
        clock = clock or Clock()
        with locked(self.path.parent):
            self._settle()
            adopted = self._adopt_hand_edit(clock)
            newest = self._newest()
            current = newest.revision if newest else 0
            if current != edited_from + (adopted and by_hand):
                who = f", by {newest.author}" if newest else ""
                raise StaleRevisionError(
                    f"{self.path.name} is at revision {current}{who}; this change was made from revision "
                    f"{edited_from}. Load it again and repeat the change."
                )
            return self._store(
                Revision(revision=current + 1, time=clock.now(), author=author, comment=comment, content=content)
            )

    def _store(self, revision: Revision) -> int:
        for folder in (self._folder.parent, self._folder):
            durable.make_directory(folder)
        durable.write_file(self._pending, revision.model_dump_json(indent=1).encode())
        durable.write_file(self.path, json.dumps(revision.content, indent=1, ensure_ascii=False).encode() + b"\n")
        durable.rename(self._pending, self._numbered(revision.revision))
        return revision.revision

    def _settle(self) -> None:
        """Finish or forget what a crash left of a save."""
        pending = self._read_pending()
        if pending is not None:
            durable.rename(self._pending, self._numbered(pending.revision))
        else:
            durable.unlink(self._pending)

    def _read_pending(self) -> Revision | None:
        """Return the revision that a save has put into force without giving it its number yet."""
        try:
            pending = Revision.model_validate_json(self._pending.read_bytes())
            return pending if pending.content == self._read() else None
        except (OSError, ValueError, ConfigError):
            return None

    def _adopt_hand_edit(self, clock: Clock) -> bool:
        """Keep what a person wrote into the file as a revision too, to roll back to; tell whether there was such."""
        newest = self._newest()
        try:
            content = self._read()
            self._parse(content)
        except ConfigError:
            return False  # broken or absent: nothing worth keeping, and the file is about to be replaced
        if newest is not None and content == newest.content:
            return False
        number = newest.revision + 1 if newest else 1
        revision = Revision(
            revision=number, time=clock.now(), author=HAND_EDIT, comment=who_edited(self.path), content=content
        )
        self._store(revision)
        return True

    @property
    def _pending(self) -> Path:
        return self._folder / "pending.json"

    def _numbered(self, number: int) -> Path:
        return self._folder / f"{number:06d}.json"

    def _newest(self) -> Revision | None:
        pending = self._read_pending()
        if pending is not None:
            return pending
        for number in sorted(self._numbers(), reverse=True):
            with contextlib.suppress(ConfigError):
                return self.revision(number)
        return None

    def _read(self) -> dict[str, Any]:
        name = self.path.name
        try:
            if self.path.stat().st_size > MAX_FILE_BYTES:
                raise ConfigError(name, [ConfigProblem("file", f"larger than {MAX_FILE_BYTES} bytes")])
            return read_content(self.path.read_bytes(), name)
        except OSError as error:
            problem = ConfigProblem(
                "file", f"cannot be read: {error.strerror}", "`mercure init` writes a default configuration"
            )
            raise ConfigError(name, [problem]) from error


def who_edited(path: Path) -> str:
    """Say who wrote a file that the router did not write.

    An editor that puts a new file in the place of the old one leaves it to the person who called it: then its owner is
    another one than the folder's. An editor that writes into the file leaves no trace.
    """
    try:
        owner, usual = path.stat().st_uid, path.parent.stat().st_uid
    except OSError:
        return "nobody can tell by whom: the file is not there any more"
    if owner == usual:
        return f"nobody can tell by whom: the file belongs to {_user(usual)}, as the router writes it"
    return f"by {_user(owner)}, to whom the file belongs since"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def read_content(data: bytes, name: str) -> dict[str, Any]:
    """Read the text of a configuration file: one JSON object, in which no key stands twice.

    Raises
    ------
    ConfigError
        It is not; with the place where one can be told.
    """
    try:
        content = json.loads(data, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(name, [ConfigProblem(place, f"not JSON: {error.msg}")]) from error
    except _TwiceError as error:
        raise ConfigError(name, [ConfigProblem(error.key, "stands there twice", "remove one of the two")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(name, [ConfigProblem("file", f"not JSON: {error}")]) from error
    if not isinstance(content, dict):
        raise ConfigError(name, [ConfigProblem("file", "not a JSON object")])
    return content


class _TwiceError(ValueError):
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object; one with a key twice is refused, because a rule would vanish without a word."""
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return content
