"""Data sets are written in another uncompressed transfer syntax without a change of any value."""

from __future__ import annotations

import resource
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.binaries import tool
from tests.support.encoded import (
    BIG_ENDIAN,
    DEFLATED,
    ENCODINGS,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Element,
    Item,
    encode,
    swapped,
)
from tests.support.pictures import converted

if TYPE_CHECKING:
    from pathlib import Path

GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"

KNOWN = {
    0x00080060: "CS",
    0x00081030: "LO",
    0x00100010: "PN",
    0x00180050: "DS",
    0x00189306: "FD",
    0x00200013: "IS",
    0x00280009: "AT",
    0x00283006: "OW",
    0x00409225: "FD",
    0x00720026: "AT",
    0x7FE00010: "OW",
}
"""Elements that PS3.6 knows, and one VR for each: the dictionary gives it back."""

SEQUENCES = (0x00081140, 0x00400275, 0x00089215, 0x52009229)


values = st.builds(lambda value: value + b" " * (len(value) % 8 and 8 - len(value) % 8), st.binary(max_size=40))
plain = st.sampled_from(sorted(KNOWN)).flatmap(lambda tag: values.map(lambda value: Element(tag, KNOWN[tag], value)))
unknown = st.tuples(st.sampled_from([0x00090010 + 0x1000, 0x0029FF01, 0x00080002]), values).map(
    lambda made: Element(made[0], "UN", made[1])
)
data_sets = st.recursive(
    st.lists(plain | unknown, max_size=5).map(tuple),
    lambda inner: st.tuples(
        st.lists(plain, max_size=3),
        st.lists(
            st.builds(
                lambda tag, items, known: Element(tag, "SQ", items=tuple(items), known_length=known),
                st.sampled_from(SEQUENCES),
                st.lists(st.builds(Item, inner, st.booleans()), max_size=3),
                st.booleans(),
            ),
            max_size=2,
        ),
    ).map(lambda made: (*made[0], *made[1])),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(elements=data_sets)
def test_every_pair_of_syntaxes_gives_what_an_independent_writer_gives(
    elements: tuple[Element, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("convert")
    elements = (Element(0x00080005, "CS", b"ISO_IR 192"), *elements)
    written = {syntax: encode(elements, encoding) for syntax, encoding in ENCODINGS.items()}
    for source, data in written.items():
        for target in (EXPLICIT, IMPLICIT):
            assert converted(data, source, folder, target) == written[target], (source, target)
    packer = zlib.compressobj(wbits=-15)
    deflated = packer.compress(written[EXPLICIT]) + packer.flush()
    assert converted(deflated, DEFLATED, folder, IMPLICIT) == written[IMPLICIT]


def test_groups_that_belong_into_no_data_set_are_left_out(tmp_path: Path) -> None:
    smuggled = Element(0x00020010, "UI", b"1.2.840.10008.1.2.4.70")
    command = Element(0x00000100, "US", b"\1\0")
    name = Element(0x00081155, "UI", b"1.2.3.4\0")
    modality = Element(0x00080060, "CS", b"CT")
    with_them = (command, smuggled, modality, Element(0x00081140, "SQ", items=(Item((smuggled, name)),)), smuggled)
    without = (modality, Element(0x00081140, "SQ", items=(Item((name,)),)))
    data = encode(with_them, ENCODINGS[EXPLICIT])
    assert converted(data, EXPLICIT, tmp_path, IMPLICIT) == encode(without, ENCODINGS[IMPLICIT])


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, GE_BIG_ENDIAN_PIXELS])
@pytest.mark.parametrize("group", ["0000", "0002", "0004", "0006", "a command", "a file"])
def test_they_are_left_out_wherever_they_stand_in_every_syntax(tmp_path: Path, group: str, syntax: str) -> None:
    """Also of a deflated data set, which the receiver stores as it came."""
    if group in ("a command", "a file") and syntax == BIG_ENDIAN:
        pytest.skip("there nothing tells which order the bytes of group 0000 have")
    encoding = ENCODINGS.get(syntax, ENCODINGS[EXPLICIT if syntax == DEFLATED else IMPLICIT])
    modality, name = Element(0x00080060, "CS", b"CT"), Element(0x00100010, "PN", b"Doe^Jane")
    foreign = b""
    if len(group) == 4:
        tag = int(group, 16) << 16 | 0x0100
        inside = Item((Element(0x00080018, "UI", b"6.6.6\0"),), known_length=False)
        foreign = encode(
            (Element(tag, "UI", b"1.2.3.4\0"), Element(tag + 1, "SQ", items=(inside,), known_length=False)), encoding
        )
    elif group == "a command":
        foreign = struct.pack("<HHIH", 0, 0x0100, 2, 1)
    else:
        foreign = bytes(128) + b"DICM" + encode((Element(0x00020010, "UI", b"1.2.3.4\0"),), ENCODINGS[EXPLICIT])
    wanted = encode((modality, name), ENCODINGS[IMPLICIT])
    first, second = encode((modality,), encoding), encode((name,), encoding)
    places = [foreign + first + second]
    if len(group) == 4:
        places += [first + foreign + second, first + second + foreign]
    for data in places:
        packer = zlib.compressobj(wbits=-15)
        written = packer.compress(data) + packer.flush() if syntax == DEFLATED else data
        assert converted(written, syntax, tmp_path, IMPLICIT) == wanted


def test_group_lengths_are_left_out(tmp_path: Path) -> None:
    lengths = Element(0x00080000, "UL", struct.pack("<I", 4711))
    name = Element(0x00100010, "PN", b"Doe^Jane")
    item = Item((Element(0x00280000, "UL", bytes(4)), name))
    data = encode((lengths, name, Element(0x00081140, "SQ", items=(item,))), ENCODINGS[EXPLICIT])
    bare = encode((name, Element(0x00081140, "SQ", items=(Item((name,)),))), ENCODINGS[IMPLICIT])
    assert converted(data, EXPLICIT, tmp_path, IMPLICIT) == bare


@pytest.mark.parametrize(("representation", "vr"), [(0, "US"), (1, "SS")])
def test_us_or_ss_follows_the_pixel_representation_also_within_items(
    tmp_path: Path, representation: int, vr: str
) -> None:
    """PS3.5 annex A.1: PixelRepresentation (0028,0103) of the same or an outer level decides."""
    smallest = Element(0x00280106, vr, b"\xff\xff")
    before = Element(0x00189810, vr, b"\1\0")  # its group comes before 0028
    elements = (
        before,
        Element(0x00280103, "US", struct.pack("<H", representation)),
        smallest,
        Element(0x00409096, "SQ", items=(Item((Element(0x00409211, vr, b"\xff\x0f"),)),)),
    )
    data = encode(elements, ENCODINGS[IMPLICIT])
    expected = tuple(elements)
    assert converted(data, IMPLICIT, tmp_path, EXPLICIT) == encode(expected, ENCODINGS[EXPLICIT])


def test_private_elements_have_the_vr_of_their_creator_in_their_own_level(tmp_path: Path) -> None:
    siemens = (Element(0x00290010, "LO", b"SIEMENS CSA HEADER"), Element(0x00291008, "CS", b"IMAGE NUM 4 "))
    moved = (Element(0x00290012, "LO", b"SIEMENS CSA HEADER"), Element(0x00291208, "CS", b"IMAGE NUM 4 "))
    nobody = (Element(0x00291008, "UN", b"IMAGE NUM 4 "),)
    elements = (*siemens, Element(0x00081140, "SQ", items=(Item(nobody), Item(moved))))
    data = encode(elements, ENCODINGS[IMPLICIT])
    assert converted(data, IMPLICIT, tmp_path, EXPLICIT) == encode(elements, ENCODINGS[EXPLICIT])


def test_a_value_that_a_short_vr_cannot_hold_becomes_un(tmp_path: Path) -> None:
    """PS3.5 section 6.2.2, note 5; and back it is byte for byte what it was."""
    data = encode(
        (Element(0x0040A160, "UT", b"x" * 70_000), Element(0x00081030, "LO", b"y" * 70_000)), ENCODINGS[IMPLICIT]
    )
    explicit = converted(data, IMPLICIT, tmp_path, EXPLICIT)
    assert b"\x08\x00\x30\x10UN\0\0" + struct.pack("<I", 70_000) in explicit
    assert converted(explicit, EXPLICIT, tmp_path, IMPLICIT) == data


def test_un_of_undefined_length_holds_implicit_elements_in_either_syntax(tmp_path: Path) -> None:
    inside = encode((Element(0x00100020, "LO", b"4711"),), ENCODINGS[IMPLICIT])
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    explicit = struct.pack("<HH2sxxI", 0x0009, 0x1001, b"UN", UNDEFINED) + item + end
    implicit = struct.pack("<HHI", 0x0009, 0x1001, UNDEFINED) + item + end
    assert converted(explicit, EXPLICIT, tmp_path, IMPLICIT) == implicit
    assert converted(explicit, EXPLICIT, tmp_path, EXPLICIT) == explicit
    # Implicit VR does not say that it was UN; a sequence is all that an undefined length can mean there.
    back = converted(implicit, IMPLICIT, tmp_path, EXPLICIT)
    assert back.startswith(struct.pack("<HH2sxxI", 0x0009, 0x1001, b"SQ", UNDEFINED))
    assert converted(back, EXPLICIT, tmp_path, IMPLICIT) == implicit


@pytest.mark.parametrize(("bits", "width"), [(8, 1), (16, 2)])
def test_only_the_pixels_of_ges_private_syntax_are_turned_around(tmp_path: Path, bits: int, width: int) -> None:
    allocated = Element(0x00280100, "US", struct.pack("<H", bits))
    pixels = bytes(range(16))
    data = encode((allocated, Element(0x7FE00010, "OW", pixels)), ENCODINGS[IMPLICIT])
    wanted = encode((allocated, Element(0x7FE00010, "OW", swapped(pixels, width))), ENCODINGS[EXPLICIT])
    assert converted(data, GE_BIG_ENDIAN_PIXELS, tmp_path, EXPLICIT) == wanted


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encode((Element(0x00100020, "LO", b"4711"),), ENCODINGS[EXPLICIT])[:-2], "ends in the middle"),
        (
            struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OB", UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, 0),
            "7fe0,0010",
        ),
        (struct.pack("<HH2sxxI4s", 0x0008, 0x1140, b"SQ", 4, b"none"), "0008,1140"),
    ],
    ids=["truncated", "compressed", "damaged sequence"],
)
def test_what_cannot_be_converted_whole_is_refused_with_its_place(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        converted(data, EXPLICIT, tmp_path, IMPLICIT)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN, IMPLICIT])
def test_deep_nesting_is_refused_and_ends_no_program(tmp_path: Path, syntax: str) -> None:
    elements: tuple[Element, ...] = ()
    for _ in range(100):
        elements = (Element(0x00081140, "SQ", items=(Item(elements, known_length=False),), known_length=False),)
    assert converted(encode(elements, ENCODINGS[syntax]), syntax, tmp_path, IMPLICIT)
    encoding = ENCODINGS[syntax]
    opening = encode((Element(0x00081140, "SQ", known_length=False),), encoding)[:-8]
    opening += struct.pack(f"{encoding.order}HHI", 0xFFFE, 0xE000, UNDEFINED)
    with pytest.raises(ValueError, match="deep"):
        converted(opening * 10_000, syntax, tmp_path, IMPLICIT)


def test_memory_stays_small_whatever_the_size_of_a_value(tmp_path: Path) -> None:
    pixels = tmp_path / "large"
    with open(pixels, "wb") as file:
        file.write(struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OW", 300_000_000))
        file.truncate(300_000_012)
    command = [str(tool("tests/convert_data_set")), EXPLICIT, IMPLICIT, str(pixels), str(tmp_path / "out")]
    limit = 64 * 1024 * 1024
    done = subprocess.run(
        command, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    )
    assert done.returncode == 0
    assert (tmp_path / "out").stat().st_size == 300_000_008
