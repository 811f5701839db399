"""Which images are under a folder, by the bytes of their data sets."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.oracle.record import Arrival, digest
from tests.support.data_sets import data_set_of, instance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["arrivals", "digest", "digests", "held"]

Read = Callable[[bytes], bytes]
"""Gives the data set of a DICOM file; ValueError where the file is not whole."""

NOT_HELD = ("receiving", "quarantine")
"""Stages whose objects were never acknowledged."""

_NUMBERED = re.compile(r"(.*?)(?:~(\d+))?", re.DOTALL)
WORK = (".", "run-", "failed-")
"""How names of folders begin that hold nothing that counts: what is being built, and what a module is writing."""

STOCK = "CT."
"""How names begin that stock ``storescp`` gives. It writes under them from the first byte on."""


def held(folder: Path, read: Read = data_set_of) -> Iterator[bytes]:
    """Walk the data sets under a folder that have names at which readers look: not hidden, and not being received.

    Names as the router gives them, and those of stock ``storescp``. Images that move on while this looks are passed
    over, and so are those of stock ``storescp`` that have no whole header yet: what the router names is whole, or it
    is an error. That a data set is cut can only be told by comparing it.
    """
    yield from (data for _, data in _files(folder, read))


def _files(folder: Path, read: Read) -> Iterator[tuple[Path, bytes]]:
    for where, folders, names in os.walk(folder, onerror=_unless_gone):
        folders[:] = [name for name in folders if not name.startswith(WORK) and name not in NOT_HELD]
        for name in names:
            stock = name.startswith(STOCK)
            if stock or (name.endswith(".dcm") and not name.startswith(".")):
                with suppress(FileNotFoundError, NotADirectoryError, *[ValueError] * stock):
                    path = Path(where, name)
                    yield path, read(path.read_bytes())


def _unless_gone(error: OSError) -> None:
    """Let a disk that cannot be read be no reason to say that it holds nothing."""
    if not isinstance(error, FileNotFoundError):
        raise error


def digests(*folders: Path, read: Read = data_set_of) -> set[str]:
    """Return the digests of all data sets under some folders."""
    return {digest(data) for folder in folders for data in held(folder, read)}


def arrivals(*folders: Path, read: Read = data_set_of) -> list[Arrival]:
    """Return what came into some folders; of several files of one instance the later one stands later.

    Where images may come converted without loss, `read` is `tests.oracle.lossless.as_explicit`.

    The router numbers them. Stock ``storescp`` does not, but writes its files at the moment at which they come.
    """
    found = sorted((_place(path), path, data) for folder in folders for path, data in _files(folder, read))
    return [Arrival(instance_of(data), digest(data), _moment(path)) for _, path, data in found]


def _moment(path: Path) -> float | None:
    """Return when stock ``storescp`` had written a file, on the monotonic clock; None for files of others."""
    if not path.name.startswith(STOCK):
        return None
    with suppress(FileNotFoundError):
        return time.monotonic() - (time.time() - path.stat().st_mtime)
    return None


def _place(path: Path) -> tuple[str, float]:
    """Sort ``name.dcm`` before ``name~2.dcm``, and that before ``name~10.dcm``; files of stock ``storescp`` by time."""
    moment = _moment(path)
    if moment is not None:
        return ("", moment)
    stem, number = _NUMBERED.fullmatch(path.stem).groups()  # type: ignore[union-attr]  # it fits every name
    return (str(path.parent / stem), float(number or 1))
