"""Synthetic series: valid images of any size and number, made fast, and the same for the same seed.

One image is encoded by pydicom; the others are copies of its bytes in which the few values that differ, all of a
fixed length, are replaced. A thousand images take about as long as writing them.
"""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UID_LENGTH = 44
BITS = 16
# The value of Instance Number in the encoded model; IS has room for 12 characters.
NUMBER_LENGTH = 6
_NUMBER = b"\x20\x00\x13\x00IS" + NUMBER_LENGTH.to_bytes(2, "little")

DEFAULTS: dict[str, object] = {
    "PatientID": "SYNTH-1",
    "PatientName": "Synthetic^Series",
    "PatientBirthDate": "19700101",
    "PatientSex": "O",
    "AccessionNumber": "A0001",
    "StudyDate": "20260102",
    "StudyTime": "030405",
    "StudyID": "1",
    "StudyDescription": "Synthetic study",
    "SeriesDescription": "Synthetic series",
    "SeriesNumber": 1,
    "Modality": "CT",
    "Manufacturer": "mercure tests",
    "SpecificCharacterSet": "ISO_IR 192",
}


def seeded_uid(*parts: object) -> str:
    """Return a UID that is always the same for the same parts: 44 characters under the root 2.25.

    PS3.5 Annex B.2 gives the root to UUIDs as decimal numbers; 39 digits, the first not zero, always fit.
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    number = int.from_bytes(digest, "big") % (10**38)
    return f"2.25.{10**38 + number}"


@dataclass(frozen=True)
class _Model:
    """The bytes of one encoded image, and what is replaced in them."""

    data: bytes
    uid: bytes
    number: bytes
    pixels: int


def _model(rows: int, columns: int, tags: Mapping[str, object]) -> _Model:
    """Encode one image with placeholders for SOP Instance UID and Instance Number."""
    placeholder = UID(seeded_uid("placeholder"))
    number = "9" * NUMBER_LENGTH
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = placeholder
    dataset.InstanceNumber = number
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = BITS
    dataset.HighBit = BITS - 1
    dataset.PixelRepresentation = 0
    # Noise, because a file system or a link that compresses would make zeros look fast.
    dataset.PixelData = random.Random(rows * 65_537 + columns).randbytes(rows * columns * BITS // 8)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    data = buffer.getvalue()
    return _Model(data, str(placeholder).encode(), number.encode(), len(data) - len(dataset.PixelData))


def synthetic_images(
    count: int, rows: int = 64, columns: int = 64, *, seed: int | str = 0, **tags: object
) -> list[tuple[str, bytes]]:
    """Make the images of one series in memory.

    Parameters
    ----------
    count
        How many, 1 to 999,999.
    rows, columns
        The size of each, in pixels of 16 bits.
    seed
        The same seed gives the same bytes. Study and series UIDs come from it, unless ``tags`` name them.
    tags
        Values by DICOM keyword that replace the defaults.

    Returns
    -------
    list of (str, bytes)
        SOP Instance UID and the bytes of the DICOM file, in the order of Instance Number.
    """
    assert 0 < count < 10**NUMBER_LENGTH
    merged = {
        **DEFAULTS,
        "StudyInstanceUID": seeded_uid("study", seed),
        "SeriesInstanceUID": seeded_uid("series", seed),
        "FrameOfReferenceUID": seeded_uid("frame", seed),
        **tags,
    }
    model = _model(rows, columns, merged)
    header, pixels = model.data[: model.pixels], model.data[model.pixels :]
    images = []
    for index in range(1, count + 1):
        uid = seeded_uid("image", seed, merged["SeriesInstanceUID"], index)
        # By its tag, because a UID may well hold the digits of the placeholder.
        own = header.replace(_NUMBER + model.number, _NUMBER + b"%0*d" % (NUMBER_LENGTH, index))
        own = own.replace(model.uid, uid.encode())
        images.append((uid, own + index.to_bytes(4, "little") + pixels[4:]))
    return images


def synthetic_series(
    folder: Path, count: int, rows: int = 64, columns: int = 64, *, seed: int | str = 0, **tags: object
) -> list[Path]:
    """Write a synthetic series as ``NNNNNN.dcm`` into a folder, and return the files in order.

    The arguments are those of :func:`synthetic_images`; the folder is made when it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, (_uid, data) in enumerate(synthetic_images(count, rows, columns, seed=seed, **tags), start=1):
        path = folder / f"{index:06d}.dcm"
        path.write_bytes(data)
        files.append(path)
    return files
