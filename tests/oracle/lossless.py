"""What was converted without loss is what was sent: read by another library than the router's, and written anew."""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.decoders.base import get_decoder


def as_explicit(file: bytes) -> bytes:
    """Return the data set of a DICOM file in Explicit VR Little Endian, its frames without compression.

    Raises
    ------
    ValueError
        It is no whole DICOM file.
    """
    try:
        data_set = dcmread(BytesIO(file))
        syntax = data_set.file_meta.TransferSyntaxUID
        if syntax.is_compressed and "PixelData" in data_set:
            _decode(data_set)
        written = DicomBytesIO()
        written.is_little_endian, written.is_implicit_VR = True, False
        write_dataset(written, data_set)
    except (InvalidDicomError, AttributeError, EOFError, OSError, RuntimeError, LookupError) as error:
        raise ValueError(f"no whole DICOM file: {error}") from error
    return written.getvalue()


def _decode(data_set: Dataset) -> None:
    frames, _ = get_decoder(data_set.file_meta.TransferSyntaxUID).as_buffer(data_set)
    is_wide = data_set.BitsAllocated > 8
    data_set["PixelData"].VR = "OW" if is_wide else "OB"
    data_set["PixelData"].is_undefined_length = False
    data_set.PixelData = bytes(frames) + b"\0" * (len(frames) % 2)
