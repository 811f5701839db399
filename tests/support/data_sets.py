"""Small data sets as bytes, built by hand so that a test knows each of them: explicit VR, little endian."""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONG_VRS = {b"OB", b"OW", b"SQ", b"UN", b"UT"}


def uid() -> str:
    """Make a new UID (PS3.5 annex B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def element(tag: int, vr: bytes, data: bytes) -> bytes:
    """Encode one element; the value is taken as it is, odd lengths too."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in _LONG_VRS:
        return head + struct.pack("<xxI", len(data)) + data
    return head + struct.pack("<H", len(data)) + data


def text(tag: int, vr: bytes, content: str) -> bytes:
    """Encode an element of text, padded to an even length."""
    data = content.encode()
    return element(tag, vr, data + (b"\0" if vr == b"UI" else b" ") * (len(data) % 2))


def ct_image(
    sop_instance: str | None,
    series: str | None,
    *,
    study: str = "1.2.3",
    sop_class: str | None = "1.2.840.10008.5.1.4.1.1.2",
    pixels: bytes = b"\1\2" * 2048,
    patient: str = "PATIENT-1",
) -> bytes:
    """Encode a CT image; a UID that is None is left out."""
    data = b""
    if sop_class is not None:
        data += text(0x00080016, b"UI", sop_class)
    if sop_instance is not None:
        data += text(0x00080018, b"UI", sop_instance)
    data += text(0x00080050, b"SH", "ACC-1")
    data += text(0x00080060, b"CS", "CT")
    data += text(0x00100010, b"PN", "Secret^Name")
    data += text(0x00100020, b"LO", patient)
    data += text(0x0020000D, b"UI", study)
    if series is not None:
        data += text(0x0020000E, b"UI", series)
    return data + element(0x7FE00010, b"OW", pixels)


_TAGS: dict[str, tuple[int, bytes]] = {
    "SOPClassUID": (0x00080016, b"UI"),
    "SOPInstanceUID": (0x00080018, b"UI"),
    "AccessionNumber": (0x00080050, b"SH"),
    "Modality": (0x00080060, b"CS"),
    "InstitutionName": (0x00080080, b"LO"),
    "StudyDescription": (0x00081030, b"LO"),
    "SeriesDescription": (0x0008103E, b"LO"),
    "PatientName": (0x00100010, b"PN"),
    "PatientID": (0x00100020, b"LO"),
    "IssuerOfPatientID": (0x00100021, b"LO"),
    "BodyPartExamined": (0x00180015, b"CS"),
    "StudyInstanceUID": (0x0020000D, b"UI"),
    "SeriesInstanceUID": (0x0020000E, b"UI"),
    "InstanceNumber": (0x00200013, b"IS"),
    "ImagesInAcquisition": (0x00201002, b"IS"),
}


def tagged_image(tags: Mapping[str, str], pixels: bytes) -> bytes:
    """Encode an image from its tags by keyword; a CT image where they do not name another class."""
    whole = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", **tags}
    parts = sorted((*_TAGS[keyword], value) for keyword, value in whole.items())
    return b"".join(text(*part) for part in parts) + element(0x7FE00010, b"OW", pixels)


def instance_of(data: bytes) -> str:
    """Return the SOPInstanceUID of a data set that was made here; empty when it has none."""
    _, found, rest = data.partition(b"\x08\x00\x18\x00UI")
    if not found:
        return ""
    (length,) = struct.unpack("<H", rest[:2])
    return rest[2 : 2 + length].decode("ascii", "replace").rstrip("\0")


def nested_sequences(depth: int) -> bytes:
    """Encode sequences of undefined length within each other: a stack overflow for a recursive reader."""
    opening = struct.pack("<HH2sxxI", 0x0008, 0x1140, b"SQ", 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return opening * depth + closing * depth


def data_set_of(file: bytes) -> bytes:
    """Cut preamble and meta header off a DICOM file that has both, the group length included."""
    if len(file) < 144 or file[128:132] != b"DICM" or file[132:138] != b"\2\0\0\0UL":
        raise ValueError("no DICOM file with a group length at its start")
    (length,) = struct.unpack("<I", file[140:144])
    if len(file) < 144 + length:
        raise ValueError("no DICOM file with the whole of its meta header")
    return file[144 + length :]
