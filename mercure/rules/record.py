"""Image records as a rule sees them: tag records as ``docs/reference/tag-record.md`` has them.

Values come from the network and are taken as they are; nothing here trusts their length, their type or their content.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import normalize

from mercure.rules.errors import Fault
from mercure.rules.keywords import BACKSLASH_IS_TEXT, canonical, vr_of
from mercure.rules.unknown import CutRecord, Unknown, with_unknowns

TagRecord = Mapping[str, Any]
"""A tag record: keys are DICOM keywords, values are texts, lists of texts, or lists of such records."""

_BINARY: Final = "base64"
_MAX_DIGITS: Final = 4000
_MISSING: Final = object()


def as_text(keyword: str, raw: object) -> str:
    """Return what a rule sees of a tag's value: one text.

    Letters with marks are composed, as in the rule itself: however a sender writes an umlaut, it is the same text.
    Several values are joined by a backslash, as DICOM sends them; so rules written for other mercure installations,
    whose tag reader did the same, mean the same here (``docs/decisions/0021``).

    Raises
    ------
    Fault
        The tag holds a sequence or binary data, which are no text.
    """
    if isinstance(raw, str):
        return raw if raw.isascii() else normalize("NFC", raw)
    if raw is None:
        return ""
    if isinstance(raw, Unknown):
        raw.fail(keyword)
    if isinstance(raw, Mapping):
        if _BINARY in raw:
            raise Fault("type", f"{keyword} holds binary data", f'whether it is there tells has("{keyword}")')
        raise _no_text(keyword)
    if isinstance(raw, list | tuple):
        if not raw and vr_of(keyword) == "SQ":
            raise _no_text(keyword)
        if any(isinstance(part, Mapping | list | tuple) for part in raw):
            raise _no_text(keyword)
        return "\\".join(as_text(keyword, part) for part in raw)
    if isinstance(raw, int) and raw.bit_length() > _MAX_DIGITS:
        raise Fault("value", f"{keyword} is a number of more than {_MAX_DIGITS} bits")
    return str(raw)


def _no_text(keyword: str) -> Fault:
    return Fault("type", f"{keyword} is a sequence", f'write sequence("{keyword}")')


def as_values(keyword: str, raw: object) -> tuple[str, ...]:
    """Return the values of a tag one by one; none when it is empty.

    Raises
    ------
    Fault
        The tag holds a sequence or binary data.
    """
    if isinstance(raw, list | tuple):
        return tuple(as_text(keyword, part) for part in raw)
    whole = as_text(keyword, raw)
    if not whole:
        return ()
    # Records from elsewhere join values by a backslash; in ours, one within a text is text.
    return (whole,) if vr_of(keyword) in BACKSLASH_IS_TEXT else tuple(whole.split("\\"))


def as_items(keyword: str, raw: object) -> tuple[TagRecord, ...]:
    """Return the items of a sequence; none when it is missing.

    Raises
    ------
    Fault
        The tag is no sequence.
    """
    if raw is None or raw == "":
        return ()
    if isinstance(raw, Unknown):
        raw.fail(keyword)
    if isinstance(raw, list | tuple) and all(isinstance(item, Mapping) for item in raw):
        return tuple(raw)
    raise Fault("type", f"{keyword} is not a sequence", f"write tags.{keyword}")


class TagView:
    """The tags of one image, or of one item of a sequence.

    Parameters
    ----------
    record : TagRecord
        Not copied and never changed.
    """

    __slots__ = ("record",)

    def __init__(self, record: TagRecord) -> None:
        self.record = record

    def raw(self, keyword: str) -> object:
        """Return the value of a keyword as the record has it, an empty text when it is missing, or `Unknown`."""
        return self.record.get(keyword, "")

    def find(self, keyword: str) -> str | None:
        """Return the key of a keyword that the dictionary does not know: exactly, else whatever the case."""
        if keyword in self.record:
            return keyword
        lowered = keyword.lower()
        return next((key for key in self.record if key.lower() == lowered), None)

    def text(self, keyword: str) -> str:
        """Return a tag as one text, empty when the image does not have it."""
        return as_text(keyword, self.raw(keyword))

    def private(self, group: str, element: str, creator: str) -> object:
        """Return the value of a private tag in whichever block its creator has reserved (PS3.5 section 7.8.1).

        Parameters
        ----------
        group : str
            Four hexadecimal digits, lower case.
        element : str
            The last two digits of the element; the first two are the block, which differs between files.
        creator : str
            The private creator, exactly.
        """
        opening, closing = f"{group},", f"{element}[{creator}]"
        for key, raw in self.record.items():
            if key.startswith(opening) and key.endswith(closing) and len(key) == len(opening) + 2 + len(closing):
                return raw
        return self.record.rest if isinstance(self.record, CutRecord) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """The items of a sequence."""

    records: tuple[TagRecord, ...]

    @property
    def count(self) -> int:
        """Number of items."""
        return len(self.records)

    def __bool__(self) -> bool:
        return bool(self.records)


class ImageRecords(Sequence[TagView]):
    """The images of a series (or of a study), in the order received; `tags` in a rule are those of the first.

    Parameters
    ----------
    records : iterable of TagRecord
        One for each image; never changed. Make one object for all rules: it remembers columns.

    Attributes
    ----------
    views : tuple of TagView
        The images.
    first : TagView
        The first of them; without tags when there is none.
    """

    __slots__ = ("_columns", "_instances", "_representatives", "first", "views")

    def __init__(self, records: Iterable[TagRecord]) -> None:
        self.views = tuple(TagView(with_unknowns(record)) for record in records)
        self.first = self.views[0] if self.views else TagView({})
        self._columns: dict[str, tuple[str, ...]] = {}
        self._instances: int | None = None
        self._representatives: dict[tuple[str, ...], tuple[int, ...]] = {}

    @classmethod
    def respelled(cls, records: Iterable[TagRecord]) -> ImageRecords:
        """Make images of records that people wrote: keys may differ from the dictionary in case."""
        return cls({canonical(key) or key: raw for key, raw in record.items()} for record in records)

    @classmethod
    def of(cls, images: ImageRecords | TagRecord | Iterable[TagRecord]) -> ImageRecords:
        """Make images of whatever is at hand: one record, several, or images already."""
        if isinstance(images, ImageRecords):
            return images
        return cls([images] if isinstance(images, Mapping) else images)

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - of Sequence, whose index is a number or a slice
        return self.views[index]

    def __iter__(self) -> Iterator[TagView]:
        return iter(self.views)

    @property
    def instances(self) -> int:
        """How many SOP instances there are: two files with one UID are one; without a UID each file is one."""
        if self._instances is None:
            uids = [view.record.get("SOPInstanceUID") for view in self.views]
            known = [uid for uid in uids if isinstance(uid, str) and uid]
            self._instances = len(set(known)) + len(uids) - len(known)
        return self._instances

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return a tag of every image, in the order received; an empty text where it is missing."""
        column = self._columns.get(keyword)
        if column is None:
            column = self._columns[keyword] = tuple(view.text(keyword) for view in self.views)
        return column

    def distinct(self, keyword: str) -> tuple[str, ...]:
        """Return the different values of a tag over all images, in the order in which they first came."""
        return tuple(dict.fromkeys(self.texts(keyword)))

    def representatives(self, keywords: Iterable[str]) -> tuple[int, ...]:
        """Return the numbers of the first image for each combination of values that some keywords have.

        A question about these keywords has the same answer for all images with the same combination, so it need be
        evaluated only once: a series of 500 images mostly has one.
        """
        key = tuple(sorted(keywords))
        found = self._representatives.get(key)
        if found is None:
            first: dict[Hashable, int] = {}
            for number, view in enumerate(self.views):
                first.setdefault(tuple(_comparable(view.record.get(keyword, _MISSING)) for keyword in key), number)
            found = self._representatives[key] = tuple(first.values())
        return found


def _comparable(raw: object) -> Hashable:
    """Return something that is equal for equal values of a tag, and for no others."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, list) and all(isinstance(part, str) for part in raw):
        return tuple(raw)
    return id(raw)
