"""Tag access of a rule: keywords that the dictionary knows, and those that only the image has."""

from __future__ import annotations

from typing import Final

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame
from mercure.rules.keywords import canonical, is_numbered, nearest, vr_of
from mercure.rules.record import ImageRecords, TagView
from mercure.rules.unknown import Unknown

_NEVER_READ: Final = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData", "SpectroscopyData"})
"""From group 7FE0 on nothing is read (``docs/reference/tag-record.md``)."""

_MISSING: Final = object()


def spelled(keyword: str) -> str:
    """Return a keyword in the dictionary's spelling, or as it is when the dictionary does not know it."""
    return canonical(keyword) or keyword


def is_known(keyword: str) -> bool:
    """Return whether a keyword in its exact spelling is in the dictionary, or is a tag's number."""
    return bool(vr_of(keyword)) or is_numbered(keyword)


def is_never_read(keyword: str) -> bool:
    """Return whether a keyword is one of those whose values are never read."""
    return keyword in _NEVER_READ


def unknown(keyword: str) -> Fault:
    """Make the fault of a keyword that neither the dictionary nor the image knows."""
    near = nearest(keyword)
    return Fault("unknown-keyword", f'there is no DICOM keyword "{keyword}"', f"did you mean {near}?" if near else "")


def charge_raw(frame: Frame, raw: object) -> None:
    """Count what it takes to make texts of a tag with several values."""
    if isinstance(raw, str) and len(raw) > FREE:
        frame.work(len(raw) * 40)  # to compose its letters
        frame.room(len(raw) * 4)
    if isinstance(raw, list):
        frame.work(len(raw) * 150)
        frame.room(sum(8 + len(part) * 4 for part in raw if isinstance(part, str)))


def raw_of(view: TagView, keyword: str) -> object:
    """Return the value of a keyword: of a known one that is missing an empty text.

    Raises
    ------
    Fault
        Neither the dictionary nor the image knows the keyword.
    """
    if keyword in view.record:
        return view.record[keyword]
    if is_known(keyword):
        return view.raw(keyword)
    key = view.find(keyword)
    if key is None:
        raise unknown(keyword)
    return view.record[key]


def is_present(view: TagView, keyword: str) -> bool:
    """Return whether the image has a tag, with a value or without.

    Raises
    ------
    Fault
        Neither the dictionary nor the image knows the keyword.
    """
    if keyword in view.record or is_known(keyword):
        raw = view.record.get(keyword, _MISSING)
        if isinstance(raw, Unknown) and not raw.present:
            raw.fail(keyword)
        return raw is not _MISSING
    if view.find(keyword) is None:
        raise unknown(keyword)
    return True


def has_value(view: TagView, keyword: str) -> bool:
    """Return whether the image has a tag with a value."""
    raw = raw_of(view, keyword)
    if isinstance(raw, Unknown) and not raw.present:
        raw.fail(keyword)
    return raw is not None and raw not in ("", [], ())


def column_key(images: ImageRecords, keyword: str) -> str:
    """Return the key under which the images have a keyword.

    Raises
    ------
    Fault
        Neither the dictionary nor one of the images knows the keyword.
    """
    if is_known(keyword):
        return keyword
    key = next((found for found in (view.find(keyword) for view in images) if found is not None), None)
    if key is None:
        raise unknown(keyword)
    return key
