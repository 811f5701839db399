"""Write the table of public data elements (PS3.6) that the tag library is compiled with.

The facts come from pydicom, so that the keywords in a tag record are exactly those that the rule language knows,
whatever dictionary the DCMTK of the machine brings. Run it after an update of pydicom; a test fails until then.

    python getdcmtags/tools/make_public_dictionary.py > getdcmtags/src/tags/public_dictionary.inc
"""

import sys
from collections.abc import Iterator

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

AMBIGUOUS = {
    "US or SS": "US_OR_SS",  # decided by PixelRepresentation
    "OB or OW": "OW",  # implicit VR, the only encoding that leaves it open, means OW
    "US or OW": "OW",
    "US or SS or OW": "OW",
}


def entries() -> Iterator[tuple[int, str, str]]:
    """Yield tag, VR and keyword; of the repeating groups 50xx and 60xx the first one."""
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if keyword and vr != "NONE" and tag >> 16 != 0:
            yield tag, vr, keyword
    for pattern, (vr, _, _, _, keyword) in RepeatersDictionary.items():
        if pattern.startswith(("50xx", "60xx")):
            yield int(pattern.replace("x", "0"), 16), vr, keyword


def main() -> None:
    """Print the table in the order of the tags."""
    out = sys.stdout.write
    out("// Made by tools/make_public_dictionary.py from the data dictionary of the standard (PS3.6). Do not edit.\n")
    for tag, vr, keyword in sorted(entries()):
        out(f'{{0x{tag:08X}, Vr::{AMBIGUOUS.get(vr, vr)}, "{keyword}"}},\n')


if __name__ == "__main__":
    main()
