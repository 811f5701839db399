"""Folder target: each image becomes a file of its own, copied, whole under its name and synced."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import field_validator

from mercure import durable
from mercure.config import TargetSettings
from mercure.dicom.copies import AlteredImageError, check_image, copy_image, same_image
from mercure.dicom.records import records_of
from mercure.event_details import FailureKind
from mercure.names import safe_name
from mercure.spool import TagRecord
from mercure.spool.images import image_files, text
from mercure.spool.task import COUNTED_KINDS, IMAGE_SUFFIX
from mercure.spool.versions import number_of, stem_of
from mercure.targets.base import Check, DeliveryJob, ImageResult, Trouble

Layout = Literal["study/series", "series", "flat"]
_LAYOUTS: dict[Layout, tuple[str, ...]] = {
    "study/series": ("StudyInstanceUID", "SeriesInstanceUID"),
    "series": ("SeriesInstanceUID",),
    "flat": (),
}


_CHUNK: Final = 1024 * 1024
_LOOKED_BACK: Final = 16
"""Versions in the folder that are compared with a new one, at most."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

_OF_ONE_IMAGE: Final = {
    errno.EACCES,
    errno.EEXIST,
    errno.EFBIG,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
}
"""Errors of one file or sub-folder while the folder itself is well; others (no space, say) concern everything."""


class FolderSettings(TargetSettings):
    """A folder; images are copied into it."""

    kind: Literal["folder"]
    path: Path
    """The folder; it must exist. It is not made: an empty mount point would else fill the wrong disk."""
    layout: Layout = "study/series"
    """Folders below it, named by UIDs."""
    existing: Literal["keep-both", "replace"] = "keep-both"
    """What to do with a file of the same name and other content."""

    def destination(self) -> str:
        """Say which folder this is, behind all symbolic links; the layout only says where in it."""
        return f"folder:{os.path.realpath(self.path)}"

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError("the path of a folder target is absolute")
        return value

    def folder(self) -> Path:
        """Return the folder."""
        return self.path


class FolderTarget:
    """Delivers into a folder.

    Copies, never hard links: who edits a delivered file must not change the image in the spool.

    Parameters
    ----------
    settings : FolderSettings
        Where and how.
    """

    def __init__(self, settings: FolderSettings) -> None:
        self._settings = settings

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        """Copy each image; an image is confirmed when file and directory entry are on stable storage."""
        problem = self._problem()
        if problem:
            return Trouble("unreachable", problem)
        tags = records_of(job.directory)
        end = time.monotonic() + job.seconds
        failed: list[Trouble] = []
        for name in job.files:
            if job.stopping():
                break
            if time.monotonic() > end:
                return Trouble("timeout", f"the folder {self._settings.path} took longer than {job.seconds:.0f} s")
            record = tags.get(name, {})
            sop = text(record, "SOPInstanceUID")
            try:
                self._store(job, name, self._folder(record), text(record, "DataSetDigest"))
            except AlteredImageError as error:
                job.report(ImageResult(file=name, sop=sop, outcome="failed", kind="altered", comment=error.what))
            except OSError as error:
                trouble = self._trouble(job.directory / name, error)
                if trouble.kind not in COUNTED_KINDS:
                    return trouble
                failed.append(trouble)
                kind = "local" if trouble.kind == "local" else None
                job.report(ImageResult(file=name, sop=sop, outcome="failed", kind=kind, comment=trouble.text))
            else:
                job.report(ImageResult(file=name, sop=sop, status="0x0000", outcome="confirmed"))
        return failed[0] if failed else None

    def _trouble(self, source: Path, error: OSError) -> Trouble:
        """Tell what an error says: of the folder as a whole, of one image, or of our own disk."""
        problem = self._problem()
        if problem:
            return Trouble("unreachable", problem)
        unreadable = _read_error(source)
        if unreadable is not None:
            return Trouble("local", f"{source.name} cannot be read from the spool: {unreadable.strerror}")
        if error.errno in _OF_ONE_IMAGE:
            return Trouble("refused", f"{error.filename}: {error.strerror}: mend what is in the way there")
        advice = "make room there, or mend the mount; the rest is sent later"
        kind: FailureKind = "unable" if error.errno in _FULL else "unreachable"
        return Trouble(kind, f"{self._settings.path}: {error.strerror}: {advice}")

    def check(self) -> Check:
        """Look whether the folder is there and can be written to."""
        start = time.monotonic()
        problem = self._problem()
        return Check(not problem, problem or f"{self._settings.path} is there", time.monotonic() - start)

    def _problem(self) -> str:
        path = self._settings.path
        if not path.is_dir():
            return f"the folder {path} is not there; mount it or make it"
        if not os.access(path, os.W_OK | os.X_OK):
            return f"the folder {path} cannot be written to; give the router's user the right to"
        return ""

    def _folder(self, record: TagRecord) -> Path:
        folder = self._settings.path
        for keyword in _LAYOUTS[self._settings.layout]:
            uid = text(record, keyword)
            folder = folder / (safe_name(uid) if uid else f"no-{keyword}")
            durable.make_directory(folder)
        return folder

    def _store(self, job: DeliveryJob, image: str, folder: Path, digest: str) -> None:
        source = job.directory / image
        if self._settings.existing == "replace":
            image = _first_of_versions(job.directory, image)
            copy_image(source, folder / image, expected=digest, owner=job.task.id)
            return
        there: list[Path] = []
        for destination in (folder / name for name in _names(image)):
            if os.path.lexists(destination):
                there.append(destination)
                continue
            if _is_last(source, there[-_LOOKED_BACK:]):
                check_image(source, expected=digest)
                durable.sync_directory(folder)  # an attempt that crashed may have left the copy unsynced
                return
            # Another delivery may bring the same name in this moment: then the next name is tried.
            with contextlib.suppress(FileExistsError):
                copy_image(source, destination, expected=digest, replace=False, owner=job.task.id)
                return
            there.append(destination)


def _is_last(source: Path, there: Sequence[Path]) -> bool:
    """Return whether an image is the last version that lies in a folder, but for newer ones of its own task.

    An older version that comes again after a correction is not: it is to be the last again.
    """
    newer: list[Path] = []
    for last in reversed(there):
        if not last.is_file():
            return False
        if same_image(source, last):
            own = _newer_of_task(source)[: len(newer)] if newer else []
            return len(own) == len(newer) and all(map(same_image, own, reversed(newer)))
        newer.append(last)
    return False


def _newer_of_task(source: Path) -> list[Path]:
    """Return the newer versions of an image that its task holds, in their order."""
    stem, number = stem_of(source.name), number_of(source.name)
    names = [image.name for image in image_files(source.parent) if stem_of(image.name) == stem]
    return [source.with_name(name) for name in sorted(names, key=number_of) if number_of(name) > number]


def _first_of_versions(directory: Path, image: str) -> str:
    """Return the name under which an image replaces the older versions of it that its task holds too."""
    stem, mark, number = image.removesuffix(IMAGE_SUFFIX).rpartition("~")
    first = f"{stem}{IMAGE_SUFFIX}"
    return first if mark and number.isdigit() and (directory / first).exists() else image


def _read_error(path: Path) -> OSError | None:
    """Read a file to its end, and return what kept us from it."""
    try:
        with open(path, "rb", buffering=0) as file:
            while file.read(_CHUNK):
                pass
    except OSError as error:
        return error
    return None


def _names(name: str) -> Iterator[str]:
    """Yield the names under which an image may be kept: that of its UID, then with ``~2``, ``~3`` and so on."""
    stem = stem_of(name)
    yield f"{stem}{IMAGE_SUFFIX}"
    number = 2
    while True:
        yield f"{stem}~{number}{IMAGE_SUFFIX}"
        number += 1
