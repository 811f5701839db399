"""Relocation of a spool: a crash at any step loses nothing, and the same command goes on.

What is in force is what ``spool-place.json`` says, and it changes by one atomic step. On one file system the folder
is renamed; else all is copied beside, synced, read again and compared, and only then the place is changed; what is left
of the old one is removed last. No service runs meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from mercure import durable
from mercure.spool import Spool
from mercure.spool.identity import ensure_identity, identity_file, read_identity
from mercure.spool.place import (
    SpoolPlace,
    holds,
    in_force,
    is_there,
    nested_in,
    place_of,
    read_place,
    record,
    unmounted,
    write_place,
)

_CHUNK: Final = 1024 * 1024
Progress = Callable[[int, int], None]


class MoveError(Exception):
    """A spool cannot be moved there; the text says why, and what to do."""


def settle(root: Path, wanted: Path) -> Path:
    """Return where the spool is, and write it down. The caller knows that no service runs.

    A place in which no image is left is moved to the one that is wanted, with its state and the events that wait there.
    """
    found = in_force(root, wanted)
    if unmounted(root, found) is not None:
        return found  # the services wait for its disk
    if found != wanted and found.is_dir() and not holds(Spool(found), events=False):
        record(root, found)
        with contextlib.suppress(MoveError):  # it stays where it is, which the report says
            move_spool(root, wanted)
            return wanted
    record(root, found)
    return found


def move_spool(root: Path, new: Path, progress: Progress = lambda done, total: None) -> Path:
    """Move the spool in force to a new place, or go on with a move that was cut off.

    The caller holds the root, so that no service runs.

    Parameters
    ----------
    root : Path
        The root.
    new : Path
        Where to: absolute, and not there, empty, or what a move that was cut off left.
    progress : callable
        Called with the bytes copied so far, and of how many.

    Returns
    -------
    Path
        Where it was.

    Raises
    ------
    MoveError
        It cannot be moved there.
    OSError
        I/O failed; give the same command again.
    """
    place = read_place(root)
    if place is None:
        raise MoveError("the spool was not in use yet: set `spool` in the configuration")
    if root / place.path == new:
        old = new if place.left is None else Path(place.left)
        _finish(root, place)
        return old
    old = root / place.path
    if place.moving is not None and Path(place.moving) != new:
        _give_up(root, place, old)
    if not is_there(root, old) and read_identity(Spool(new)) == place.spool and place.spool:
        # It was renamed, and the crash came before that was written down.
        write_place(root, place_of(root, new))
        return old
    _check(root, place, old, new)
    spool = place.spool or ensure_identity(Spool(old))
    write_place(root, place.model_copy(update={"spool": spool, "moving": str(new)}))
    _move(root, old, new, progress)
    return old


def _move(root: Path, old: Path, new: Path, progress: Progress) -> None:
    for missing in reversed([path for path in new.parents if not path.exists()]):
        durable.make_directory(missing)
    if os.stat(old).st_dev == os.stat(_existing(new)).st_dev and not _is_mount(new):
        _rename(old, new)
        write_place(root, place_of(root, new))
        return
    _copy(old, new, progress)
    _compare(old, new)
    _identify(old, new)
    moved = place_of(root, new).model_copy(update={"left": str(old)})
    write_place(root, moved)
    _finish(root, moved)


def _finish(root: Path, place: SpoolPlace) -> None:
    """Remove what a move has left, and forget it."""
    if place.left is not None:
        left = Path(place.left)
        if left.is_dir() and left != root / place.path:
            _empty(left)
        write_place(root, place.model_copy(update={"left": None, "moving": None}))
    elif place.moving is not None:
        write_place(root, place.model_copy(update={"moving": None}))


def _give_up(root: Path, place: SpoolPlace, old: Path) -> None:
    """Remove what a move to elsewhere had copied; the spool in force is untouched."""
    beside = Path(place.moving or "")
    ours = beside.is_dir() and read_identity(Spool(beside)) in ("", place.spool)
    if ours and beside != old and is_there(root, old):
        _empty(beside)


def _check(root: Path, place: SpoolPlace, old: Path, new: Path) -> None:
    if not new.is_absolute() or ".." in new.parts:
        raise MoveError(f"{new} is not an absolute path without '..'")
    if not is_there(root, old):
        raise MoveError(f"the spool {old} is not there: mount it, or set `spool` back")
    inside = nested_in(root, old, new)
    if inside is not None:
        raise MoveError(f"{new} and {inside} lie in each other: give the spool a folder of its own")
    if new.exists() and not new.is_dir():
        raise MoveError(f"{new} is no folder")
    ours = place.moving == str(new)
    if new.is_dir() and not ours and any(name != "lost+found" for name in os.listdir(new)):
        raise MoveError(f"{new} is not empty: give a folder that is new or empty")
    if read_identity(Spool(new)) not in ("", place.spool):
        raise MoveError(f"{new} holds another spool: give a folder that is new or empty")


def _existing(path: Path) -> Path:
    return path if path.exists() else path.parent


def _is_mount(path: Path) -> bool:
    """Return whether a folder is where a disk is mounted: nothing can be renamed over it."""
    return path.is_dir() and os.stat(path).st_dev != os.stat(path.parent).st_dev


def _rename(old: Path, new: Path) -> None:
    if new.is_dir():
        _empty(new)
        durable.step("rmdir", new)
        os.rmdir(new)
    durable.rename(old, new)


def _empty(folder: Path) -> None:
    """Remove what is in a folder; the folder stays, it may be where a disk is mounted."""
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if name == "lost+found":
            continue
        durable.step("unlink", path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    durable.sync_directory(folder)


def _copy(old: Path, new: Path, progress: Progress) -> None:
    """Copy a tree but for the spool's id, with its hard links and times; what an earlier try copied whole stays."""
    durable.make_directory(new)
    if identity_file(Spool(new)).exists():
        durable.unlink(identity_file(Spool(new)))
    files = [path for path in _walk(old) if not path.is_dir()]
    total, done = sum(path.lstat().st_size for path in files), 0
    _remove_strangers(old, new)
    first: dict[tuple[int, int], Path] = {}
    for source in _walk(old):
        state, there = source.lstat(), new / source.relative_to(old)
        if stat.S_ISDIR(state.st_mode):
            durable.make_directory(there)
            continue
        if not stat.S_ISREG(state.st_mode):
            continue  # nothing of ours: sockets and links are not made in a spool
        inode = (state.st_dev, state.st_ino)
        if inode in first:
            _link(first[inode], there)
        elif source != identity_file(Spool(old)):
            first[inode] = there
            _copy_file(source, there, state)
        done += state.st_size
        progress(done, total)
    _settle_folders(old, new)


def _copy_file(source: Path, there: Path, state: os.stat_result) -> None:
    if there.exists():
        copied = there.stat()
        if (copied.st_size, copied.st_mtime_ns) == (state.st_size, state.st_mtime_ns):
            return  # whole: the time is set last; what is in it is compared in the end
        durable.unlink(there)
    durable.copy_file(source, there, mode=stat.S_IMODE(state.st_mode), owner="spool-move")
    os.utime(there, ns=(state.st_atime_ns, state.st_mtime_ns))


def _link(first: Path, there: Path) -> None:
    if there.exists():
        if os.path.samestat(first.stat(), there.stat()):
            return
        durable.unlink(there)
    durable.link(first, there)


def _settle_folders(old: Path, new: Path) -> None:
    """Sync every folder, the deepest first, and give it the time that it had."""
    folders = [path for path in _walk(old) if path.is_dir() and not path.is_symlink()]
    for source in (*reversed(folders), old):
        state, there = source.stat(), new / source.relative_to(old)
        durable.sync_directory(there)
        os.chmod(there, stat.S_IMODE(state.st_mode))
        os.utime(there, ns=(state.st_atime_ns, state.st_mtime_ns))


def _remove_strangers(old: Path, new: Path) -> None:
    """Remove what an earlier try has copied and what is not there any more."""
    for there in reversed(list(_walk(new))):
        source = old / there.relative_to(new)
        if there.name == "lost+found" or (os.path.lexists(source) and source.is_dir() == there.is_dir()):
            continue
        if there.is_dir():
            shutil.rmtree(there)
        else:
            durable.unlink(there)


def _compare(old: Path, new: Path) -> None:
    """Read both places past the page cache, and compare each file.

    Raises
    ------
    OSError
        They differ: the disk did not keep what was written.
    """
    seen: set[tuple[int, int]] = set()
    for source in _walk(old):
        state = source.lstat()
        if not stat.S_ISREG(state.st_mode) or (state.st_dev, state.st_ino) in seen:
            continue
        if source == identity_file(Spool(old)):
            continue
        seen.add((state.st_dev, state.st_ino))
        there = new / source.relative_to(old)
        if _digest(source) != _digest(there):
            durable.unlink(there)
            raise OSError(5, "the copy is not as the original: give the same command again", str(there))


def _identify(old: Path, new: Path) -> None:
    """Give a copy the id of the spool now that it is whole: with it, it would be taken for the spool before."""
    source, there = identity_file(Spool(old)), identity_file(Spool(new))
    _copy_file(source, there, source.lstat())
    state = source.parent.stat()
    os.utime(there.parent, ns=(state.st_atime_ns, state.st_mtime_ns))


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as reading:
        os.posix_fadvise(reading.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while data := reading.read(_CHUNK):
            digest.update(data)
    return digest.digest()


def _walk(folder: Path) -> Iterator[Path]:
    """Walk all that is below a folder, each folder before what is in it, in the order of the names."""
    for name in sorted(os.listdir(folder)):
        path = folder / name
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
