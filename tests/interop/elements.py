"""What a data set says besides its pixels, so that it can be compared across transfer syntaxes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from pydicom.dataelem import DataElement

from tests.support.encoded import WIDTHS, swapped

if TYPE_CHECKING:
    from pydicom import Dataset

OF_PIXELS: Final = frozenset([0x00280004, 0x00280006, 0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00010])
"""What decoding changes: the photometric interpretation, the planar configuration, offset tables, the pixels."""

OF_LOSS: Final = frozenset([0x00282110, 0x00282112, 0x00282114])
"""What a conversion says of a loss that was before it."""

PADDING: Final = 0xFFFCFFFC
"""Behind everything, and without a meaning: nodes that write a data set anew leave it out."""

UNTOLD: Final = "UN"
OF_WORDS: Final = frozenset(["OW", "OB"])


def said(data_set: Dataset, *, big_endian: bool = False) -> dict[str, tuple[str, object]]:
    """Return VR and value by the path of each element, but for group lengths and what decoding changes."""
    found: dict[str, tuple[str, object]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom reads values as they are asked for, and finds fault with some
        _add(found, "", data_set, big_endian=big_endian)
    return found


def _add(found: dict[str, tuple[str, object]], path: str, data_set: Dataset, *, big_endian: bool) -> None:
    for tag in sorted(data_set.keys()):
        if tag.element == 0 or int(tag) in OF_PIXELS or int(tag) == PADDING:
            continue
        element = data_set[tag]
        name = f"{path}{tag}"
        if element.VR == "SQ":
            found[name] = ("SQ", len(element.value or ()))
            for place, item in enumerate(element.value or ()):
                _add(found, f"{name}[{place}]", item, big_endian=big_endian)
        else:
            found[name] = (str(element.VR), _value(element, big_endian=big_endian))


def _value(element: DataElement, *, big_endian: bool) -> object:
    value: Any = element.value
    if isinstance(value, bytes):
        width = WIDTHS.get(str(element.VR), 1)
        return swapped(value, width) if big_endian else value
    return str(value)


def without_loss(elements: dict[str, tuple[str, object]]) -> dict[str, tuple[str, object]]:
    """Leave out what a conversion may add to what was compressed with loss."""
    names = {f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in OF_LOSS}
    return {path: said for path, said in elements.items() if path not in names}


def differences(source: dict[str, tuple[str, object]], arrived: dict[str, tuple[str, object]]) -> list[str]:
    """Say what is not as it was. A VR that one of the two cannot tell hides its value, and sequences in it."""
    hidden = {path for each in (source, arrived) for path, (vr, _) in each.items() if vr == UNTOLD}
    hidden |= {path for path in source.keys() & arrived.keys() if _is_guessed(path, source[path][0], arrived[path][0])}

    def is_open(path: str) -> bool:
        return not any(path.startswith(each) for each in hidden)

    lost = [f"{path} is lost" for path in source.keys() - arrived.keys() if is_open(path)]
    more = [f"{path} was added" for path in arrived.keys() - source.keys() if is_open(path)]
    changed = [
        f"{path}: {source[path]} became {arrived[path]}"
        for path in source.keys() & arrived.keys()
        if is_open(path) and not _equal(source[path], arrived[path])
    ]
    return [*lost, *more, *changed]


def _is_guessed(path: str, one: str, other: str) -> bool:
    """Tell whether the VR of a private element was lost in an implicit syntax, and a reader had to guess."""
    group = path.rpartition("(")[2].partition(",")[0]
    return int(group, 16) % 2 == 1 and one != other


def _equal(one: tuple[str, object], other: tuple[str, object]) -> bool:
    same_vr = one[0] == other[0] or {one[0], other[0]} <= OF_WORDS
    return same_vr and one[1] == other[1]
