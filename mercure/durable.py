"""Durable writes: the only code that writes, syncs, renames, links and removes what must survive a crash.

Every call is a numbered step. ``MERCURE_STEP_LOG`` writes the steps down, ``MERCURE_FAULT`` ends the process or
fails a step at a number (``docs/reference/spool.md``, "Durable steps and faults"); the crash tests rest on both. The
C++ twin is ``getdcmtags/src/durable.h``.

All functions raise `OSError` as the system gives it: ENOSPC and EIO are the caller's to report, never to hide.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

EXIT_AT_FAULT: Final = 86
_COPY_CHUNK: Final = 8 * 1024 * 1024
_ERRORS: Final = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS}
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_ACTIONS: Final = {"exit", "kill", "stop", *_ERRORS}


@dataclass(frozen=True)
class _Fault:
    """What is to happen at one step, or from one step on."""

    action: str
    number: int
    onward: bool

    def applies(self, number: int) -> bool:
        return number >= self.number if self.onward else number == self.number

    @classmethod
    def parse(cls, text: str) -> _Fault:
        action, _, place = text.strip().partition("@")
        digits = place.removesuffix("+")
        if action not in _ACTIONS or not digits.isdigit():
            raise ValueError(
                f"MERCURE_FAULT: {text!r} is not ACTION@N or ACTION@N+ with an action of {sorted(_ACTIONS)}"
            )
        return cls(action, int(digits), place.endswith("+"))


@dataclass
class _Steps:
    """The count of this process, shared by its threads."""

    faults: list[_Fault] | None = None
    log: str = ""
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, operation: str, path: object) -> None:
        with self.lock:
            if self.faults is None:
                texts = os.environ.get("MERCURE_FAULT", "")
                self.faults = [_Fault.parse(text) for text in texts.split(",") if text.strip()]
                self.log = os.environ.get("MERCURE_STEP_LOG", "")
            self.count += 1
            number = self.count
            if self.log:
                with open(self.log, "a", encoding="utf-8") as log:
                    log.write(f"{os.getpid()} {number} {operation} {path}\n")
        for fault in self.faults:
            if fault.applies(number):
                _strike(fault.action, path)


_steps = _Steps()


def _strike(action: str, path: object) -> None:
    if action == "exit":
        os._exit(EXIT_AT_FAULT)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "stop":
        # To this very thread: sent to the process, another could meet it, and this one would go on a little.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return
    number = _ERRORS[action]
    raise OSError(number, f"{os.strerror(number)} (MERCURE_FAULT)", str(path))


def step(operation: str, path: object) -> None:
    """Count one step that another library carries out (a database commit, say), and apply faults meant for it."""
    _steps.take(operation, path)


def reload_faults() -> None:
    """Forget the count and read the environment again at the next step (for tests within one process)."""
    _steps.faults = None
    _steps.count = 0


def sync_directory(path: Path) -> None:
    """Make the entries of a directory durable: what was created, renamed or removed in it."""
    step("fsyncdir", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        # XFS that has shut itself down (an error of the disk does it) answers the sync of a directory with success. It
        # answers this with EIO.
        os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes, path: Path) -> None:
    step("write", path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _temporary(path: Path, owner: str | None) -> Path:
    """Return a free name beside `path`; an owner's has what its last try left there removed."""
    temporary = path.with_name(f".{path.name}.{owner or secrets.token_hex(4)}.tmp")
    if owner is not None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return temporary


@contextlib.contextmanager
def _replacement(path: Path, mode: int, *, sync: bool, replace: bool = True, owner: str | None = None) -> Iterator[int]:
    """Open a temporary file beside `path`; when the block ends well, sync it and give it that name."""
    temporary = _temporary(path, owner)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        yield descriptor
        if sync:
            step("fsync", path)
            os.fsync(descriptor)
        step("rename", path)
        if replace:
            os.rename(temporary, path)
        else:
            _rename_to_new(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    if sync:
        sync_directory(path.parent)


def _rename_to_new(source: Path, destination: Path) -> None:
    """Rename, unless the name is taken: then FileExistsError.

    Python has no ``renameat2``. A hard link does it in one step too; a file system without them (FAT, some network
    shares) leaves a moment between the look and the rename.
    """
    try:
        os.link(source, destination)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(destination):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(destination)) from None
        os.rename(source, destination)
    else:
        os.unlink(source)


def write_file(path: Path, data: bytes, *, mode: int = 0o640, sync: bool = True) -> None:
    """Replace a file whole: a reader sees the old content or the new one, also after a power cut.

    Parameters
    ----------
    path : Path
        The file; its directory exists.
    data : bytes
        The whole content.
    mode : int
        Permissions of a new file, before the umask.
    sync : bool
        False for hints that may be lost with the power (the replacement is atomic all the same).
    """
    with _replacement(path, mode, sync=sync) as descriptor:
        _write_all(descriptor, data, path)


@contextlib.contextmanager
def replacing(
    path: Path, *, mode: int = 0o640, replace: bool = True, owner: str | None = None, sync: bool = True
) -> Iterator[BinaryIO]:
    """Give a file to be written piece by piece; whole and durable under its name when the block ends well, else gone.

    For what is too large for `write_file`.

    Parameters
    ----------
    path : Path
        The file; its directory exists.
    mode : int
        Permissions, before the umask.
    replace, owner
        As for `copy_file`.
    sync : bool
        False for what may be lost with the power.

    Raises
    ------
    FileExistsError
        The name is taken, and `replace` is False.
    """
    opened = _replacement(path, mode, sync=sync, replace=replace, owner=owner)
    with opened as descriptor, open(descriptor, "wb", closefd=False) as writing:
        step("write", path)
        yield writing


def copy_file(
    source: Path | int, destination: Path, *, mode: int = 0o640, replace: bool = True, owner: str | None = None
) -> int:
    """Copy a file to another file system or owner, durable and whole under its name, and return its bytes.

    Parameters
    ----------
    source : Path or int
        The file, or a descriptor of it that is at its beginning; that is closed.
    destination : Path
        Where to.
    mode : int
        Permissions, before the umask.
    replace : bool
        False: a file that is there already stays.
    owner : str, optional
        The name of the copying process, if no other copies under it at the same time: the next try then removes what a
        crash left of the last one.

    Raises
    ------
    FileExistsError
        The name is taken, and `replace` is False.
    OSError
        Also when fewer bytes arrived than `source` holds (EIO).
    """
    with open(source, "rb") as reading:
        size = os.fstat(reading.fileno()).st_size
        with _replacement(destination, mode, sync=True, replace=replace, owner=owner) as descriptor:
            step("write", destination)
            done = 0
            while count := os.sendfile(descriptor, reading.fileno(), done, _COPY_CHUNK):
                done += count
            if done != size:
                raise OSError(errno.EIO, f"copied {done} of {size} bytes", str(destination))
    return size


def append(descriptor: int, data: bytes, path: Path, *, sync: bool) -> None:
    """Append to an open file, all of `data` or an error.

    Parameters
    ----------
    descriptor : int
        Opened with ``O_APPEND``.
    path : Path
        What it is, for the step log.
    sync : bool
        True: on return it is on stable storage.
    """
    step("append", path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    if sync:
        step("fdatasync", path)
        os.fdatasync(descriptor)


def append_to(path: Path, data: bytes, *, mode: int = 0o640) -> None:
    """Append to a file (made when missing) and sync it and its directory entry."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
    try:
        fresh = os.fstat(descriptor).st_size == 0
        append(descriptor, data, path, sync=True)
    finally:
        os.close(descriptor)
    if fresh:
        sync_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o750, sync: bool = True) -> bool:
    """Make one directory; tell whether it is new."""
    step("mkdir", path)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return False
    if sync:
        sync_directory(path.parent)
    return True


def rename(source: Path, destination: Path) -> None:
    """Move a file or directory within one file system, and make it durable on both sides."""
    step("rename", destination)
    os.rename(source, destination)
    sync_directory(destination.parent)
    if source.parent != destination.parent:
        sync_directory(source.parent)


def link(source: Path, destination: Path) -> None:
    """Give a file one more name; the caller syncs the directory when all its links are there."""
    step("link", destination)
    os.link(source, destination)


def unlink(path: Path) -> None:
    """Remove one name; a name that is not there is no error."""
    step("unlink", path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_tree(path: Path) -> None:
    """Remove a directory and what is in it; symbolic links are removed, not followed.

    It is renamed out of sight first, so no reader meets a half-removed task.
    """
    if not path.name.startswith("."):
        hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.removed")
        step("rename", hidden)
        try:
            os.rename(path, hidden)
        except FileNotFoundError:
            return
        path = hidden
    with contextlib.suppress(FileNotFoundError):
        _remove(path)
        sync_directory(path.parent)


def _remove(path: Path) -> None:
    with os.scandir(path) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                _remove(Path(entry.path))
            else:
                unlink(Path(entry.path))
    step("rmdir", path)
    os.rmdir(path)
