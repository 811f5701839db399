"""Looking through what a module wrote, without following anything out of it.

Whatever may be in ``out/`` was made by a program that is not trusted: every folder and file is opened relative to the
one above it, links are not followed, and only plain files are opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mercure.printable import cleaned
from mercure.processing.result import ResultError

MAX_FILES: Final = 200_000
MAX_DEPTH: Final = 32
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PREAMBLE: Final = 128
_MAGIC: Final = b"DICM"


@dataclass(frozen=True)
class Found:
    """A plain file in ``out/``.

    Parameters
    ----------
    path : str
        Relative to ``out/``.
    bytes : int
        Its size.
    image : bool
        It says that it is a DICOM file, by its name or its beginning.
    """

    path: str
    bytes: int
    image: bool


def survey(out: Path, limit: int) -> list[Found]:
    """List the plain files of a result.

    Raises
    ------
    ResultError
        There is something else than files and folders, or too much.
    OSError
        It cannot be read.
    """
    found: list[Found] = []
    total = 0
    root = os.open(out, _FOLDER)
    try:
        for file in _walk(root, "", 0):
            found.append(file)
            total += file.bytes
            if len(found) > MAX_FILES:
                raise ResultError(f"it wrote more than {MAX_FILES} files")
            if total > limit:
                raise ResultError(f"it wrote more than its output limit of {limit} bytes")
    finally:
        os.close(root)
    return sorted(found, key=lambda file: file.path)


def _walk(folder: int, path: str, depth: int) -> Iterator[Found]:
    if depth > MAX_DEPTH:
        raise ResultError(f"it made folders more than {MAX_DEPTH} deep")
    for name in sorted(os.listdir(folder)):
        place = f"{path}{name}"
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            inner = _open(name, _FOLDER, folder, place)
            try:
                yield from _walk(inner, f"{place}/", depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(status.st_mode):
            yield Found(place, status.st_size, _is_image(folder, name, place))
        else:
            raise ResultError(f"it made {_shown(place)}, which is {_kind(status.st_mode)} and no file")


def _is_image(folder: int, name: str, place: str) -> bool:
    if name.lower().endswith(".dcm"):
        return True
    descriptor = _open(name, _FILE, folder, place)
    try:
        return os.pread(descriptor, len(_MAGIC), _PREAMBLE) == _MAGIC
    finally:
        os.close(descriptor)


@contextmanager
def opened(out: Path, file: str) -> Iterator[int]:
    """Open a file of a result for reading; the path is from `survey`.

    Raises
    ------
    ResultError
        It is no plain file any more.
    """
    *folders, name = file.split("/")
    current = os.open(out, _FOLDER)
    try:
        for folder in folders:
            inner = _open(folder, _FOLDER, current, file)
            os.close(current)
            current = inner
        descriptor = _open(name, _FILE, current, file)
    finally:
        os.close(current)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ResultError(f"{_shown(file)} is no file")
        yield descriptor
    finally:
        os.close(descriptor)


def used_bytes(out: Path) -> int:
    """Add up the sizes of the files below a folder while they are being written."""
    total = 0
    for folder, _, names in os.walk(out, onerror=None, followlinks=False):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
            except OSError:
                continue
    return total


def _open(name: str, flags: int, folder: int, place: str) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise ResultError(f"{_shown(place)} is no plain file or folder") from error
        if error.errno == errno.EACCES:
            raise ResultError(f"{_shown(place)} may not be read by the router") from error
        raise


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _shown(place: str) -> str:
    """Return a path that a module chose, fit for a message."""
    text = cleaned(place, lambda _: "?")
    return repr(text if len(text) <= 120 else f"{text[:117]}...")  # noqa: PLR2004 - short enough to read
