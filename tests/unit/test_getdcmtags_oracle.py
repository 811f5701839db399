"""Every file that pydicom reads gives the same record from getdcmtags: pydicom is the independent witness."""

from __future__ import annotations

import base64
import struct
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from tests.support.dicom_files import pydicom_files
from tests.support.getdcmtags import getdcmtags, record_of

BULK = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}
LONGEST_BULK = 1024
PADDING = " \0"
FLOATS = {"FL", "FD"}
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
CUT_SHORT = {"rtplan_truncated.dcm": "ends in the middle of the header"}
# The last item is longer than its sequence, which pydicom does not check.
DAMAGED = {"DICOMDIR-nooffset": "DirectoryRecordSequence.InstanceNumber: damaged; the rest of the sequence is left out"}


def key_of(element: DataElement, dataset: Dataset) -> str:
    tag = element.tag
    number = f"{tag.group:04x},{tag.element:04x}"
    if tag.is_private:
        creator = dataset.get((tag.group, tag.element >> 8)) if tag.element > 0xFFF else None
        return f"{number}[{str(creator.value).strip() if creator else ''}]"
    return keyword_for_tag(tag) or number


def text_of(value: Any, vr: str) -> str:
    if value is None:
        return ""
    if vr == "AT":
        tag = BaseTag(value)
        return f"{tag.group:04x},{tag.element:04x}"
    if vr == "PN":
        return str(value).rstrip("=")
    return str(getattr(value, "original_string", value)).strip(PADDING)


def number_of(text: Any, vr: str) -> float | None:
    """Return a binary number, in the precision of its VR."""
    if text in ("", None):
        return None
    return struct.unpack("<f", struct.pack("<f", float(text)))[0] if vr == "FL" else float(text)


def agree(ours: Any, element: DataElement) -> bool:
    """Tell whether a value of the record says the same as pydicom."""
    value, vr = element.value, element.VR
    if vr in BULK:
        raw = bytes(value or b"")
        if not raw:
            return bool(ours == "")
        return ours == {"base64": base64.b64encode(raw).decode()} or (vr == "UN" and is_same_text(ours, raw))
    theirs = list(value) if isinstance(value, MultiValue | list) else [value]
    if isinstance(ours, dict):
        return element.tag.is_private and numbers_in(ours, vr) == theirs
    values = ours if isinstance(ours, list) else [ours]
    if vr in FLOATS:
        return [number_of(v, vr) for v in values] == [number_of(v, vr) for v in theirs]
    if vr == "PN":
        values = [v.rstrip("=") for v in values]
    return [v.strip(PADDING) for v in values] == [text_of(v, vr) for v in theirs]


def numbers_in(bulk: dict[str, str], vr: str) -> list[float]:
    """Read a UN as what it is by the private dictionary of pydicom, which is larger than that of DCMTK."""
    return [number for (number,) in struct.iter_unpack(f"<{NUMBERS[vr]}", base64.b64decode(bulk["base64"]))]


def is_same_text(ours: Any, raw: bytes) -> bool:
    values = ours if isinstance(ours, list) else [ours]
    if not all(isinstance(value, str) for value in values):
        return False
    theirs = raw.decode("latin-1").split("\\")
    return [value.strip(PADDING) for value in values] == [value.strip(PADDING) for value in theirs]


def is_read(element: DataElement) -> bool:
    return element.tag.group < 0x7FE0 and element.tag.element != 0 and element.tag != 0x00020001


def is_shown(element: DataElement) -> bool:
    return is_read(element) and (element.VR not in BULK or len(element.value or b"") <= LONGEST_BULK)


def left_out(dataset: Dataset, *outside: str) -> set[tuple[str, ...]]:
    """Return the keys of what is too long, after those of the sequences that it is in."""
    found = set()
    for element in filter(is_read, dataset):
        path = (*outside, key_of(element, dataset))
        if element.VR == "SQ":
            found |= {name for each in element.value for name in left_out(each, *path)}
        elif not is_shown(element):
            found.add(path)
    return found


def differences(record: dict[str, Any], dataset: Dataset) -> list[str]:
    found = []
    expected = {key_of(element, dataset): element for element in dataset if is_shown(element)}
    for key, element in expected.items():
        if key not in record:
            found.append(f"{key} is missing: {element}")
        elif element.VR == "SQ":
            found += differences_in_items(key, record[key], element.value)
        elif not agree(record[key], element):
            found.append(f"{key}: {record[key]!r} instead of {element.value!r}")
    extra = set(record) - set(expected) - {"FileName", "FileSize", "DecodingProblems", "LeftOut"}
    return found + [f"{key} is not in the file" for key in extra]


def differences_in_items(key: str, ours: list[dict[str, Any]], theirs: Sequence) -> list[str]:
    if len(ours) != len(theirs):
        return [f"{key}: {len(ours)} items instead of {len(theirs)}"]
    pairs = enumerate(zip(ours, theirs, strict=True))
    return [f"{key}[{i}].{text}" for i, (record, dataset) in pairs for text in differences(record, dataset)]


def read(path: Path) -> tuple[Dataset, Dataset]:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    dataset.decode()
    return dataset.file_meta, dataset


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_record_says_what_pydicom_says(path: Path) -> None:
    if path.name in CUT_SHORT:
        result = getdcmtags([path])
        assert result.code == 21
        assert CUT_SHORT[path.name] in result.errors[0]
        return
    record = record_of(path)
    if path.name in DAMAGED:
        assert record["DecodingProblems"] == [DAMAGED[path.name]]
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broken values are why some of these files exist
        meta, dataset = read(path)
        of_meta = {key: record.pop(key) for key in [key_of(e, meta) for e in meta if is_shown(e)] if key in record}
        named = {tuple(each) if isinstance(each, list) else (each,) for each in record.get("LeftOut", [])}
        found = differences(of_meta, meta) + differences(record, dataset)
        expected = left_out(dataset)
    assert not found, "\n".join(found)
    assert named == expected
    assert record["FileName"] == path.name
    assert record["FileSize"] == path.stat().st_size


def test_witness_would_notice() -> None:
    dataset = Dataset()
    dataset.PatientID = "A"
    dataset.SOPInstanceUID = UID("1.2.3")
    assert differences({"PatientID": "B", "SOPInstanceUID": "1.2.3"}, dataset) == ["PatientID: 'B' instead of 'A'"]
    assert differences({"PatientID": "A"}, dataset)
    assert differences({"PatientID": "A", "SOPInstanceUID": "1.2.3", "StudyID": "x"}, dataset)
