"""Data sets are drawn as whole trees and converted there and back; pydicom and DCMTK say what is in them."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.values import convert_SQ

from tests.support.encoded import (
    ENCODINGS,
    EXPLICIT,
    IMPLICIT,
    LONG_VRS,
    WIDTHS_OF_NUMBERS,
    Element,
    Item,
    encode,
    without_group_lengths,
)
from tests.support.pictures import all_converted, file_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pydicom import Dataset

CHARACTER_SET, PIXEL_REPRESENTATION = 0x00080005, 0x00280103
LONGEST_OF_SHORT_VRS: Final = 0xFFFE

SEVERAL_VRS: Final = {"OB or OW": "OW", "US or SS or OW": "OW", "US or OW": "OW"}
"""What of several VRs in PS3.6 comes back; US or SS follow the PixelRepresentation."""

NO_VR_ANY_MORE: Final = {0x00080202, 0x00180061, 0x00189445, 0x00280020, 0x04000315, 0x300A0782}
"""Retired elements of which PS3.6 tells nothing (`test_round_trips`)."""

PUBLIC: Final = {
    tag: entry[0]
    for tag, entry in sorted(DicomDictionary.items())
    if 0x0008 <= tag >> 16 < 0xFFF0
    and entry[0] not in ("", "NONE")
    and tag not in {CHARACTER_SET, PIXEL_REPRESENTATION}
} | {0x50020010: "US", 0x60040010: "US", 0x60023000: "OB or OW"}
PLAIN: Final = sorted(tag for tag, vr in PUBLIC.items() if vr != "SQ" and tag not in NO_VR_ANY_MORE)
SEQUENCES: Final = sorted(tag for tag, vr in PUBLIC.items() if vr == "SQ")
OPEN: Final = sorted(tag for tag, vr in PUBLIC.items() if " or " in vr)

PRIVATE: Final[Mapping[tuple[str, int], Mapping[int, str]]] = {
    ("SIEMENS CSA HEADER", 0x0029): {0x08: "CS", 0x09: "LO", 0x10: "OB"},
    ("GEMS_IDEN_01", 0x0009): {0x01: "LO", 0x1A: "US", 0x27: "SL", 0xE7: "UL"},
    ("Philips Imaging DD 001", 0x2001): {0x01: "FL", 0x08: "IS", 0x0F: "SS", 0x58: "UL", 0x5F: "SQ"},
    ("FDMS 1.0", 0x0027): {0x10: "SQ", 0x20: "SQ"},
    ("Nobody's elements", 0x0029): {},
}
"""Blocks of creators with some of their elements; of the last one no dictionary knows any."""

ANY_VR: Final = tuple("AE AT CS DS FD FL LO OB OV OW PN SL SS ST SV UC UI UL UN UR US UT UV".split())  # noqa: SIM905 - to be read
CHARACTER_SETS: Final = (
    b"",
    b"ISO_IR 100",
    b"ISO_IR 192",
    b"\\ISO 2022 IR 87 ",
    b"GB18030 ",
    b"ISO_IR 13 ",
    b"nonsense",
)


def even(value: bytes) -> bytes:
    """Pad a value."""
    return value + b" " * (len(value) % 2)


def values(vr: str) -> st.SearchStrategy[bytes]:
    """Draw a value: whole numbers of its width; of a text any bytes, whatever the character set says."""
    width = WIDTHS_OF_NUMBERS.get(vr, 0)
    if width:
        return st.binary(max_size=4 * width).map(lambda value: value[: len(value) - len(value) % width])
    text = st.binary(max_size=24) | st.sampled_from(
        [b"Doe^Jane", b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", b"\x83\x5c\\\x81\x5c"]
    )
    return text.map(even)


def plain(tag: int) -> st.SearchStrategy[Element]:
    """Draw an element of PS3.6 in one of its VRs, or as UN."""
    vrs = PUBLIC[tag].split(" or ")
    return st.sampled_from([*vrs, *vrs, "UN"]).flatmap(lambda vr: values(vr).map(lambda value: Element(tag, vr, value)))


def any_vr(tag: int) -> st.SearchStrategy[Element]:
    """Draw an element of which no dictionary knows."""
    return st.sampled_from(ANY_VR).flatmap(lambda vr: values(vr).map(lambda value: Element(tag, vr, value)))


GROUP_LENGTHS: Final = st.sampled_from([0x0008, 0x0009, 0x0010, 0x0020, 0x0029, 0x0040, 0x5400]).map(
    lambda group: Element(group << 16, "UL", b"\x11\x22\0\0")
)
HEADS: Final = st.builds(
    lambda text, signed: [
        Element(CHARACTER_SET, "CS", text),
        *([] if signed is None else [Element(PIXEL_REPRESENTATION, "US", bytes([signed, 0]))]),
    ],
    st.sampled_from(CHARACTER_SETS),
    st.sampled_from([None, 0, 1]),
)
LONG_TAGS: Final = (0x00081030, 0x00102160, 0x0040A160, 0x00291099)
LONG_VALUE: Final = b"long" * 17_000

UNKNOWN: Final = st.sampled_from([0x00080002, 0x00110301, 0x00291099, 0x2001FF01, 0x7FDF0012]).flatmap(any_vr)
LEAVES: Final = st.sampled_from(PLAIN).flatmap(plain) | st.sampled_from(OPEN).flatmap(plain) | UNKNOWN | GROUP_LENGTHS

Items = st.SearchStrategy[tuple[Item, ...]]


def sequences(items: Items) -> st.SearchStrategy[Element]:
    """Draw a sequence: of PS3.6, or unknown, or hidden in an UN of undefined length; also an empty UN."""
    known = st.builds(
        lambda tag, inside, known: Element(tag, "SQ", items=inside, known_length=known),
        st.sampled_from(SEQUENCES) | st.sampled_from([0x00291098, 0x00110310]), items, st.booleans(),
    )  # fmt: skip
    hidden = st.builds(
        lambda tag, inside: Element(tag, "UN", items=inside, known_length=False),
        st.sampled_from([*SEQUENCES[:40], 0x00291097, 0x00110311]), items,
    )  # fmt: skip
    bare = st.sampled_from(SEQUENCES).map(lambda tag: Element(tag, "UN"))
    return known | known | hidden | bare


def blocks(items: Items) -> st.SearchStrategy[list[Element]]:
    """Draw a block of private elements with its creator."""

    def elements(chosen: tuple[str, int], block: int) -> st.SearchStrategy[list[Element]]:
        creator, group = chosen
        reserved = Element(group << 16 | block, "LO", even(creator.encode()))

        def one(number: int, vr: str) -> st.SearchStrategy[Element]:
            tag = group << 16 | block << 8 | number
            if vr != "SQ":
                return (values(vr) | values("UN")).map(lambda value: Element(tag, vr, value[: len(value) & ~7]))
            return st.builds(
                lambda inside, known: Element(tag, "SQ", items=inside, known_length=known), items, st.booleans()
            )

        inside = [one(number, vr) for number, vr in PRIVATE[chosen].items()]
        unknown = any_vr(group << 16 | block << 8 | 0xF0)
        return st.lists(st.one_of(*inside, unknown), max_size=3).map(lambda made: [reserved, *made])

    places = st.tuples(st.sampled_from(sorted(PRIVATE)), st.sampled_from([0x10, 0x11, 0x42, 0xFF]))
    return places.flatmap(lambda drawn: elements(*drawn))


def in_order(*parts: list[Element]) -> tuple[Element, ...]:
    """Bring elements into the order of their tags; of several with one tag the last stays."""
    return tuple(made for _, made in sorted({element.tag: element for part in parts for element in part}.items()))


def level(items: Items) -> st.SearchStrategy[tuple[Element, ...]]:
    """Draw what stands in a data set or an item."""
    signed = HEADS.map(lambda head: head[1:])
    return st.builds(
        in_order,
        st.lists(LEAVES, max_size=4),
        st.lists(sequences(items), max_size=2),
        blocks(items) | st.just([]),
        signed,
    )


NO_ITEMS: Final[Items] = st.lists(st.builds(Item, st.just(()), st.booleans()), max_size=2).map(tuple)
TREES: Final = st.recursive(
    level(NO_ITEMS),
    lambda inner: level(st.lists(st.builds(Item, inner | st.just(()), st.booleans()), max_size=2).map(tuple)),
    max_leaves=4,
)
DATA_SETS: Final = st.builds(in_order, HEADS, TREES.map(list))


@dataclass(frozen=True)
class Level:
    """What a reader of Implicit VR knows at a place: the creators of this level, and the sign of what is around it."""

    signed: bool = False
    signed_before: bool = False
    """Of elements of an item that come before its PixelRepresentation: those have the sign of what is around it."""
    creators: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, elements: tuple[Element, ...], outer: bool | None) -> Level:
        """Read both of a level."""
        said = [bool(element.value[0]) for element in elements if element.tag == PIXEL_REPRESENTATION]
        creators = {
            (element.tag >> 16, element.tag & 0xFF): element.value.decode("latin-1").rstrip()
            for element in elements
            if element.tag >> 16 & 1 and 0x10 <= element.tag & 0xFFFF <= 0xFF
        }
        signed = said[-1] if said else bool(outer)
        return cls(signed, signed if outer is None else outer, creators)

    def vr_of(self, tag: int) -> str:
        """Return the VR that PS3.6, or the dictionary of the creator, has for an element."""
        group, number = tag >> 16, tag & 0xFFFF
        if tag in (CHARACTER_SET, PIXEL_REPRESENTATION):
            return "CS" if tag == CHARACTER_SET else "US"
        if group & 1:
            if 0x10 <= number <= 0xFF:
                return "LO"
            creator = self.creators.get((group, number >> 8), "")
            return PRIVATE.get((creator, group), {}).get(number & 0xFF, "UN")
        vr = PUBLIC.get(tag, "UN")
        signed = self.signed if tag > PIXEL_REPRESENTATION else self.signed_before
        return ("SS" if signed else "US") if vr == "US or SS" else SEVERAL_VRS.get(vr, vr)


def again(elements: tuple[Element, ...], outer: bool | None = None) -> tuple[Element, ...]:
    """Say what a data set must be after Implicit VR: it is what it was, in the VRs that a reader can know.

    Another VR gets, by PS3.5 section 6.2.2: what was UN; what has several VRs in PS3.6; a private element of a creator
    that is not known; a value too long for its VR. A sequence that nobody knows stays one where its length is
    undefined, and else becomes UN with the bytes of Implicit VR; a sequence in UN comes out of it.
    """
    here = Level.of(elements, outer)
    return tuple(_again(element, here) for element in without_group_lengths(elements))


def _again(element: Element, here: Level) -> Element:
    vr = here.vr_of(element.tag)
    if element.items or element.vr == "SQ" or not element.known_length:
        if vr == "UN" and element.known_length:
            return Element(element.tag, "UN", encode((replace(element, vr="SQ"),), ENCODINGS[IMPLICIT])[8:])
        items = tuple(Item(again(item.elements, here.signed), item.known_length) for item in element.items)
        return Element(element.tag, "SQ", items=items, known_length=element.known_length)
    if vr == "SQ":
        return Element(element.tag, "UN" if element.value else "SQ", element.value)
    too_long = vr not in LONG_VRS and len(element.value) > LONGEST_OF_SHORT_VRS
    return Element(element.tag, "UN" if too_long else vr, element.value)


Leaves = dict[tuple[int, ...], bytes]


def wanted_leaves(elements: tuple[Element, ...], path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Yield the value of each element by its path, and of each sequence how many items it has."""
    for element in elements:
        here = (*path, element.tag)
        if element.vr != "SQ" and element.known_length:
            yield here, element.value
            continue
        yield here, b"%d items" % len(element.items)
        for number, item in enumerate(element.items):
            yield from wanted_leaves(item.elements, (*here, number))


def leaves_by_pydicom(data_set: Dataset, wanted: Leaves, explicit: bool, path: tuple[int, ...] = ()) -> Leaves:
    """Read the same by pydicom; it is told where sequences are, which it cannot know of private ones."""
    found: Leaves = {}
    for tag in data_set.keys():  # noqa: SIM118 - of a Dataset, whose iteration converts
        here = (*path, int(tag))
        element: Any = data_set._dict[tag]
        if tag in (CHARACTER_SET, PIXEL_REPRESENTATION):
            found |= {here: wanted[here]} if here in wanted else {}  # it looks at them as soon as they come
            continue
        if not wanted.get(here, b"").endswith(b" items"):
            found[here] = bytes(element.value or b"")
            continue
        items = element.value or ()
        if isinstance(element, RawDataElement):
            as_explicit = explicit and element.VR != "UN"
            items = convert_SQ(element.value or b"", not as_explicit, True, None, 0)
        found[here] = b"%d items" % len(items)
        for number, item in enumerate(items):
            found |= leaves_by_pydicom(item, wanted, explicit and not item.is_implicit_VR, (*here, number))
    return found


def read_by_pydicom(syntax: str, data: bytes, wanted: Leaves) -> Leaves:
    """Read a data set by pydicom, without group lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # character sets, and values that are none
        found = leaves_by_pydicom(dcmread(BytesIO(file_of(syntax, data))), wanted, syntax == EXPLICIT)
    return {path: value for path, value in found.items() if path[-1] & 0xFFFF}


UNKNOWN_TO_DCMTK: Final = ("UN", "??")
LINE: Final = re.compile(r"^( *)\(([0-9a-f]{4},[0-9a-f]{4})\) (\S\S) (.*?) +# +(\d+|u/l), *\S+ .*$")


@dataclass(frozen=True)
class Line:
    """A line of dcmdump."""

    depth: int
    tag: str
    vr: str
    value: str
    length: str


def by_dcmtk(files: list[bytes], folder: Path) -> list[list[Line]]:
    """Read files by dcmdump, without the meta headers."""
    paths = [folder / f"{number}.dcm" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    command = ["dcmdump", "-q", "-dc", "+L", "+Qo", "-Un", *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    dumps = done.stdout.decode("latin-1").split("# Dicom-File-Format\n")[1:]
    assert len(dumps) == len(files)
    read = [[line for text in dump.splitlines() if (line := _line(text))] for dump in dumps]
    return [[line for line in lines if not line.tag.startswith("0002,")] for lines in read]


def _line(text: str) -> Line | None:
    found = LINE.match(text)
    return Line(len(found[1]), *found.groups()[1:]) if found else None


def differences(implicit: list[Line], explicit: list[Line]) -> list[tuple[Line, Line]]:
    """Compare what DCMTK takes an implicit data set for, by its own dictionary, with what we wrote.

    A sequence that its dictionary does not know yet is one value there.
    """
    at, different = 0, []
    for line in implicit:
        ours = explicit[at]
        at += 1
        if not _same_line(line, ours):
            different.append((line, ours))
        if line.vr in UNKNOWN_TO_DCMTK and ours.vr == "SQ":
            while at < len(explicit) and (explicit[at].depth > ours.depth or explicit[at].tag.startswith("fffe,")):
                at += 1
    assert at == len(explicit)
    return different


def _same_line(implicit: Line, explicit: Line) -> bool:
    if (implicit.depth, implicit.tag) != (explicit.depth, explicit.tag):
        return False
    if explicit.vr in ("SQ", "na"):
        return implicit.vr in (explicit.vr, *UNKNOWN_TO_DCMTK)  # their lengths differ
    if implicit.vr == explicit.vr:
        return (implicit.value, implicit.length) == (explicit.value, explicit.length)
    is_open = {implicit.vr, explicit.vr} <= {"US", "SS", "OB", "OW", "xs", "ox", "lt"}
    is_unknown = implicit.vr in UNKNOWN_TO_DCMTK
    is_long = explicit.vr == "UN" and int(explicit.length) > LONGEST_OF_SHORT_VRS
    return implicit.length == explicit.length and (is_open or is_unknown or is_long)


@settings(deadline=None, max_examples=25)
@given(trees=st.lists(DATA_SETS, min_size=1, max_size=6), long=st.sampled_from([*LONG_TAGS, None, None]))
def test_there_and_back_every_value_is_what_it_was(
    trees: list[tuple[Element, ...]], long: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trees")
    if long is not None:
        trees = [in_order([*trees[0], Element(long, "UN", LONG_VALUE)]), *trees[1:]]
    bare = [without_group_lengths(tree) for tree in trees]
    returned = [again(tree) for tree in trees]
    explicit = [encode(tree, ENCODINGS[EXPLICIT]) for tree in trees]
    # Within a sequence that nobody knows for one nothing can be left out.
    outer = [[element for element in tree if not element.tag & 0xFFFF] for tree in trees]
    implicit = [encode(in_order(*pair), ENCODINGS[IMPLICIT]) for pair in zip(outer, map(list, bare), strict=True)]
    wanted_implicit = [encode(tree, ENCODINGS[IMPLICIT]) for tree in bare]
    wanted_explicit = [encode(tree, ENCODINGS[EXPLICIT]) for tree in returned]
    assert all_converted(explicit, EXPLICIT, folder, IMPLICIT) == wanted_implicit, "explicit to implicit"
    assert all_converted(implicit, IMPLICIT, folder, EXPLICIT) == wanted_explicit, "implicit to explicit"
    assert all_converted(wanted_implicit, IMPLICIT, folder, EXPLICIT) == wanted_explicit, "and there again"
    assert all_converted(wanted_explicit, EXPLICIT, folder, IMPLICIT) == wanted_implicit, "and back"
    for tree, *forms in zip(trees, explicit, wanted_implicit, wanted_explicit, strict=True):
        leaves = dict(wanted_leaves(without_group_lengths(tree)))
        for syntax, data in zip((EXPLICIT, IMPLICIT, EXPLICIT), forms, strict=True):
            assert read_by_pydicom(syntax, data, leaves) == leaves, syntax
    files = [file_of(IMPLICIT, data) for data in wanted_implicit] + [
        file_of(EXPLICIT, data) for data in wanted_explicit
    ]
    lines = by_dcmtk(files, folder)
    for ours, theirs in zip(lines[: len(trees)], lines[len(trees) :], strict=True):
        assert differences(ours, theirs) == []
