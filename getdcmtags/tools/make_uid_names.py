"""Write the names of transfer syntaxes and SOP classes (PS3.6 annex A) that the programs are compiled with.

They are those of `mercure.dicom.uids`, so that every program, in C++ and in Python, calls one thing by one name,
whatever the DCMTK of the machine calls it. Run it after an update of pydicom; a test fails until then.

    python getdcmtags/tools/make_uid_names.py > getdcmtags/src/uid_names.inc
"""

import sys

from mercure.dicom.uids import registry

NAMED = ("Transfer Syntax", "SOP Class", "Meta SOP Class")


def main() -> None:
    """Print the table in the order of the UIDs as texts, by which it is searched."""
    out = sys.stdout.write
    out("// Made by tools/make_uid_names.py from the registry of the standard (PS3.6 annex A). Do not edit.\n")
    for uid, entry in sorted(registry().items()):
        if entry.kind in NAMED:
            out(f'{{"{uid}", "{entry.name}"}},\n')


if __name__ == "__main__":
    main()
