"""Archive of a backup: a tar of plain files, and at its end the manifest with a digest of each.

The manifest comes last because digests are known last; so a file without one was cut short.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Literal

from pydantic import AwareDatetime, ValidationError

from appliance.backup_encryption import SUFFIX, EncryptionError, decrypted
from mercure.model import Model

MANIFEST: Final = "manifest.json"
MOST_MANIFEST_BYTES: Final = 512 * 1024 * 1024
_FOLDERS: Final = frozenset({"config", "history", "spool"})
_CHUNK: Final = 1024 * 1024

OnBytes = Callable[[int], None]


class ArchiveError(Exception):
    """A backup cannot be read, or is not as it was written; the text says where."""


class ArchivePart(Model):
    """A file in a backup; ``sha256`` in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class Manifest(Model):
    """What a backup holds.

    ``root`` is where it was made; ``history`` the form in which the history is in it, null when it is not;
    ``left_out`` says in words what should be in it and is not.
    """

    version: Literal[1] = 1
    node: str
    root: str
    time: AwareDatetime
    by: str
    program: str
    revision: int
    images: bool
    history: Literal["sqlite", "postgresql"] | None
    left_out: tuple[str, ...] = ()
    parts: tuple[ArchivePart, ...] = ()


class _Digesting:
    """Reader of one file, limited to the requested size, that makes its digest on the way."""

    def __init__(self, file: BinaryIO, on_bytes: OnBytes) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self.digest = hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(count)
        self.digest.update(data)
        self._on_bytes(len(data))
        return data


class Writer:
    """Writes a backup.

    Parameters
    ----------
    file : binary file
        Where to.
    on_bytes : callable
        Called with the bytes of each piece that was added.
    """

    def __init__(self, file: BinaryIO, on_bytes: OnBytes = lambda count: None) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_CHUNK)  # noqa: SIM115 - `end` closes it
        self._on_bytes = on_bytes
        self._parts: list[ArchivePart] = []

    def add(self, name: str, file: BinaryIO) -> None:
        """Add an open file, as long as it is now: one that grows meanwhile is cut there.

        Raises
        ------
        OSError
            It cannot be read, or became shorter meanwhile.
        """
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            return
        reading = _Digesting(file, self._on_bytes)
        self._tar.addfile(_member(name, state.st_size, state.st_mtime), reading)
        self._parts.append(ArchivePart(name=name, bytes=state.st_size, sha256=reading.digest.hexdigest()))

    def end(self, manifest: Manifest) -> Manifest:
        """Write the manifest and the end of the tar; return it with its parts."""
        whole = manifest.model_copy(update={"parts": tuple(self._parts)})
        data = whole.model_dump_json(indent=1).encode()
        member = _member(MANIFEST, len(data), whole.time.timestamp())
        self._tar.addfile(member, _Bytes(data))
        self._tar.close()
        return whole


class _Bytes:
    """Bytes that are read like a file."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def read(self, count: int = -1) -> bytes:
        count = len(self._rest) if count < 0 else count
        data, self._rest = bytes(self._rest[:count]), self._rest[count:]
        return data


def _member(name: str, size: int, modified: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, modified, 0o640
    return member


Take = Callable[[str, Iterator[bytes]], None]


def _pass_over(name: str, pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass


def read(
    path: Path, take: Take = _pass_over, on_bytes: OnBytes = lambda count: None, identity: Path | None = None
) -> Manifest:
    """Read a backup from its beginning to its end, and compare every file with its digest.

    Parameters
    ----------
    path : Path
        The file.
    take : callable
        Takes the name of each file and its content, piece by piece, before the digest is known to be right.
    on_bytes : callable
        Called with the bytes of each piece that was read.
    identity : Path, optional
        The private key, of one that is encrypted.

    Raises
    ------
    ArchiveError
        It is no backup, cannot be decrypted, was cut short, or a file is not as it was written.
    OSError
        It cannot be read, or `take` failed.
    """
    found: dict[str, ArchivePart] = {}
    manifest: Manifest | None = None
    try:
        with _opened(path, identity) as file, tarfile.open(fileobj=file, mode="r|", bufsize=_CHUNK) as tar:
            for member in tar:
                if manifest is not None:
                    raise ArchiveError(f"{path}: {member.name!r} comes after the manifest")
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise ArchiveError(f"{path}: {member.name!r} is no plain file")
                if member.name == MANIFEST:
                    manifest = _manifest(path, content.read(MOST_MANIFEST_BYTES))
                    continue
                reading = _Digesting(content, on_bytes)  # type: ignore[arg-type] # it reads
                take(_checked(path, member.name, found), _pieces(reading))
                digest = reading.digest.hexdigest()
                found[member.name] = ArchivePart(name=member.name, bytes=member.size, sha256=digest)
    except EncryptionError as error:
        raise ArchiveError(f"{path} cannot be decrypted: {error}") from error
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"{path} is no backup, or was cut short: {error}") from error
    if manifest is None:
        raise ArchiveError(f"{path} has no manifest: it was cut short, or is no backup")
    _compare(path, manifest, found)
    return manifest


@contextlib.contextmanager
def _opened(path: Path, identity: Path | None) -> Iterator[BinaryIO]:
    if path.suffix != SUFFIX:
        with path.open("rb") as plain:
            yield plain
        return
    if identity is None:
        raise ArchiveError(f"{path} is encrypted: its private key is needed (`--identity FILE`)")
    with decrypted(path, identity) as file:
        yield file


def _pieces(reading: _Digesting) -> Iterator[bytes]:
    while data := reading.read(_CHUNK):
        yield data


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ArchiveError(f"{path}: its manifest cannot be read: {first['msg']}") from error


def _checked(path: Path, name: str, found: dict[str, ArchivePart]) -> str:
    """Refuse a name that leads elsewhere: a backup may have been through strange hands."""
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and not {"..", "/"} & set(parts) and "\0" not in name
    if not plain or len(parts) < 2 or parts[0] not in _FOLDERS:  # noqa: PLR2004 - folder and name
        raise ArchiveError(f"{path}: {name!r} is no name that a backup has")
    if name in found:
        raise ArchiveError(f"{path}: {name!r} is there twice")
    return name


def _compare(path: Path, manifest: Manifest, found: dict[str, ArchivePart]) -> None:
    wanted = {part.name: part for part in manifest.parts}
    for name in wanted.keys() | found.keys():
        if name not in found:
            raise ArchiveError(f"{path}: {name!r} is missing")
        if name not in wanted:
            raise ArchiveError(f"{path}: {name!r} is not in the manifest")
        if wanted[name] != found[name]:
            raise ArchiveError(f"{path}: {name!r} is not as it was written")


def file_name(node: str, instant: datetime) -> str:
    """Return the name of a new backup."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in node)
    return f"mercure-{plain}-{instant:%Y%m%dT%H%M%S%fZ}.tar"
