"""The DICOM files that come with the pydicom and pynetdicom packages: real ones, old ones, broken ones."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import pydicom
import pynetdicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

PREAMBLE = 128
MAGIC = b"DICM"


@cache
def pydicom_files() -> tuple[Path, ...]:
    """Return every file of both packages that begins as a DICOM file does, sorted by path.

    Among them: DICOMDIRs, files cut short, deflated, big-endian, compressed, without pixels, of every character
    set that DICOM knows.
    """
    found = []
    for package in (pydicom, pynetdicom):
        for path in Path(str(package.__file__)).parent.rglob("*"):
            if path.is_file() and _has_magic(path):
                found.append(path)
    assert len(found) > 150, "the test files of pydicom and pynetdicom are not where they were"
    return tuple(sorted(found))


def _has_magic(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(PREAMBLE)
        return file.read(len(MAGIC)) == MAGIC


@cache
def storable_files() -> tuple[Path, ...]:
    """Return those that can be sent by C-STORE: they name their SOP class and instance, and are no DICOMDIR.

    Where several files hold one SOP Instance UID, all of them are here.
    """
    return tuple(path for path in pydicom_files() if _is_storable(path))


def _is_storable(path: Path) -> bool:
    with warnings.catch_warnings():
        # Broken values are why these files exist.
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True)
        except (InvalidDicomError, EOFError, OSError):
            return False
        sop_class = dataset.get("SOPClassUID")
        return bool(sop_class and dataset.get("SOPInstanceUID") and sop_class != MediaStorageDirectoryStorage)
