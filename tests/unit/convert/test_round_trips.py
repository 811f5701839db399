"""There and back again: what Implicit VR does not say comes out of PS3.6, and nothing else changes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from tests.support.encoded import ENCODINGS, EXPLICIT, IMPLICIT, LONG_VRS, Element, Item, encode, without_group_lengths
from tests.support.pictures import converted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

NOT_IN_DATA_SETS = (0x0000, 0x0002, 0x0004, 0x0006, 0xFFFE)
AMBIGUOUS = {"OB or OW": "OW", "US or SS or OW": "OW", "US or OW": "OW", "US or SS": "US"}
"""What an element of several VRs in PS3.6 becomes. Without a PixelRepresentation (0028,0103) numbers have no sign; with
one, its own (`test_uncompressed`)."""

WITHOUT_A_NAME = {0x00080202, 0x00180061, 0x00189445, 0x00280020, 0x04000315, 0x300A0782}
"""Retired elements of which PS3.6 tells nothing any more, not even a keyword: they become UN."""


def vrs(data: bytes) -> Iterator[tuple[int, str]]:
    """Read the VR of each element of a flat data set in explicit VR."""
    at = 0
    while at < len(data):
        group, number, name = struct.unpack("<HH2s", data[at : at + 6])
        is_long = name.decode() in LONG_VRS
        (length,) = struct.unpack(
            "<I" if is_long else "<H", data[at + 8 : at + 12] if is_long else data[at + 6 : at + 8]
        )
        yield group << 16 | number, name.decode()
        at += (12 if is_long else 8) + length


def test_every_element_of_ps3_6_has_its_vr_again(tmp_path: Path) -> None:
    listed = {
        tag: entry[0]
        for tag, entry in sorted(DicomDictionary.items())
        if tag >> 16 not in NOT_IN_DATA_SETS and entry[0] not in ("", "NONE")
    }
    elements = tuple(Element(tag, vr.partition(" ")[0], b"" if vr == "SQ" else bytes(8)) for tag, vr in listed.items())
    implicit = converted(encode(elements, ENCODINGS[EXPLICIT]), EXPLICIT, tmp_path, IMPLICIT)
    assert implicit == encode(elements, ENCODINGS[IMPLICIT]), "every value is what it was"
    explicit = converted(implicit, IMPLICIT, tmp_path)
    assert converted(explicit, EXPLICIT, tmp_path, IMPLICIT) == implicit
    expected = {tag: "UN" if tag in WITHOUT_A_NAME else AMBIGUOUS.get(vr, vr) for tag, vr in listed.items()}
    assert dict(vrs(explicit)) == expected
    assert len(expected) > 4_000


WHATEVER = st.binary(max_size=30).map(lambda value: value + b"\0" * (len(value) % 2))
TAGS = st.integers(0x0008, 0x7FFF).flatmap(
    lambda group: st.integers(0, 0xFFFF).map(lambda number: group << 16 | number)
)
"""Any element: known, private with and without its creator, a group length."""
SEQUENCES = st.sampled_from([tag for tag, entry in sorted(DicomDictionary.items()) if entry[0] == "SQ"]) | st.integers(
    0x1000, 0xFFFF
).map(lambda number: 0x00090000 | number)
DATA_SETS = st.recursive(
    st.dictionaries(TAGS | st.sampled_from(sorted(DicomDictionary)[100:4000]), WHATEVER, max_size=6),
    lambda inner: st.dictionaries(
        SEQUENCES, st.lists(st.tuples(inner, st.booleans()), min_size=1, max_size=3), max_size=2
    ),
    max_leaves=6,
)


def tree(made: dict[int, object]) -> tuple[Element, ...]:
    """Make elements of what was drawn, in the order of their tags."""
    elements = []
    for tag, value in sorted(made.items()):
        if isinstance(value, bytes):
            elements.append(Element(tag, "UN", value))
        else:
            items = tuple(Item(tree(item), known) for item, known in value)  # type: ignore[attr-defined]  # a list
            elements.append(Element(tag, "SQ", items=items, known_length=False))
    return tuple(elements)


@settings(deadline=None, max_examples=40)
@given(made=DATA_SETS)
def test_implicit_explicit_implicit_changes_nothing_but_group_lengths(
    made: dict[int, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("there-and-back")
    elements = (Element(0x00080005, "CS", b"ISO_IR 192"), *(part for part in tree(made) if part.tag > 0x00080005))
    explicit = converted(encode(elements, ENCODINGS[IMPLICIT]), IMPLICIT, folder)
    assert converted(explicit, EXPLICIT, folder, IMPLICIT) == encode(
        without_group_lengths(elements), ENCODINGS[IMPLICIT]
    )
