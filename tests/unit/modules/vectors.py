"""Images in which each attribute of the profile's table holds a value that gives itself away."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from modules.deidentify.profile import Entry, entries
from modules.deidentify.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY = "a key for tests only"
TELLTALE = "TELLTALE"
TELLTALE_UID = "1.2.3.4.5.6.7.8"
TELLTALE_DATE = "20010203"

VALUES: dict[str, object] = {
    "AE": TELLTALE,
    "AS": "042Y",
    "CS": TELLTALE,
    "DA": TELLTALE_DATE,
    "DS": "42.125",
    "DT": f"{TELLTALE_DATE}112233",
    "FD": 42.125,
    "FL": 42.125,
    "IS": "42125",
    "LO": TELLTALE,
    "LT": TELLTALE,
    "OB": TELLTALE.encode(),
    "OW": TELLTALE.encode(),
    "PN": TELLTALE,
    "SH": TELLTALE,
    "SL": 42125,
    "SS": 4212,
    "ST": TELLTALE,
    "TM": "112233",
    "UC": TELLTALE,
    "UI": TELLTALE_UID,
    "UL": 42125,
    "UN": TELLTALE.encode(),
    "UR": f"urn:{TELLTALE}",
    "US": 4212,
    "UT": TELLTALE,
}

# Read or rebuilt by themselves: command and file meta elements do not stand in a data set.
APART = ("0000", "0002", "0004")


def settings(*options: str, **given: object) -> Settings:
    """Return settings with the key of the tests."""
    return read_settings({"key": KEY, "options": list(options), **given})


def named(option: str | None = None) -> list[Entry]:
    """List the rows of the table that can stand in a data set, all or those for which an option says something."""
    return [
        entry
        for entry in entries()
        if "x" not in entry.place
        and not entry.place.startswith(APART)
        and dictionary_has_tag(int(entry.place, 16))
        and (option is None or option in entry.options)
    ]


def representation(entry: Entry) -> str:
    """Return the VR of a row's attribute; of several the first."""
    return dictionary_VR(int(entry.place, 16)).split(" or ")[0]


def telling(entry: Entry) -> DataElement:
    """Return the attribute of a row with a value that gives itself away."""
    vr = representation(entry)
    if vr != "SQ":
        return DataElement(int(entry.place, 16), vr, VALUES[vr])
    item = Dataset()
    item.PatientComments = TELLTALE
    item.StudyInstanceUID = TELLTALE_UID
    item.TextValue = TELLTALE
    return DataElement(int(entry.place, 16), "SQ", Sequence([item]))


def image(rows: Iterable[Entry] = ()) -> Dataset:
    """Return an image with these rows filled."""
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID = TELLTALE_UID
    made.PatientID = TELLTALE
    for entry in rows:
        made[int(entry.place, 16)] = telling(entry)
    return made


def written(dataset: Dataset) -> bytes:
    """Return the bytes of a data set as they would go out."""
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, implicit_vr=False, little_endian=True)
    return stream.getvalue()
