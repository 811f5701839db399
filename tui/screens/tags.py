"""Tags of a received image, as rules see them: filtered, copied as ``tags.Keyword``, beside those of another image."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from appliance.control.rpc.client import api
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line, Span
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

_KEYWORD: Final = 30


@dataclass(frozen=True)
class TagSource:
    """Whose tags are read.

    Parameters
    ----------
    title : str
        In words.
    task, series, entry : str
        A task, a series, or an object in quarantine; one of them.
    """

    title: str
    task: str = ""
    series: str = ""
    entry: str = ""


def source_of(entry: api.queue.QueueEntry) -> TagSource:
    """Return whose tags belong to a row of the queue; a series that still arrives is no task yet."""
    who = entry.identity
    title = " ".join(filter(None, (who.PatientID, who.Modality, who.SeriesDescription or who.StudyDescription)))
    if entry.state == "arriving":
        return TagSource(title or entry.id, series=who.SeriesInstanceUID)
    return TagSource(title or entry.id, task=entry.id)


class TagRow(NamedTuple):
    """A tag, its value, and its value in the other image; None: there is no such tag, or no other image."""

    keyword: str
    value: str | None
    other: str | None
    differs: bool = False

    @property
    def rule_name(self) -> str:
        """What a rule calls it."""
        if self.keyword.isidentifier():
            return f"tags.{self.keyword}"
        return f"tags[{json.dumps(self.keyword, ensure_ascii=False)}]"


def value_text(value: Any) -> str:  # noqa: ANN401 - a value of JSON
    r"""Write a value: several ones as DICOM does (``ORIGINAL\PRIMARY``), a sequence as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "\\".join(value)
    return json.dumps(value, ensure_ascii=False)


def tag_rows(tags: Mapping[str, Any], other: Mapping[str, Any] | None) -> list[TagRow]:
    """Put the tags of an image beside those of another one, in the order of the image, then of the other."""
    rows = []
    for name in dict.fromkeys((*tags, *(other or ()))):
        value = value_text(tags[name]) if name in tags else None
        beside = value_text(other[name]) if other is not None and name in other else None
        rows.append(TagRow(name, value, beside, other is not None and value != beside))
    return rows


def _span(value: str | None, *, differs: bool) -> Span:
    return ("·", "dim") if value is None else (printable(value), "warn" if differs else "")


def columns_of(*, beside: bool) -> Sequence[Column[TagRow]]:
    """Return the columns, with or without those of another image."""
    keyword = Column[TagRow]("tag", lambda row: (printable(row.keyword), "title"), _KEYWORD, lambda row: row.keyword,
                             wide=45)  # fmt: skip
    value = Column[TagRow]("value", lambda row: _span(row.value, differs=row.differs), 0, lambda row: row.value or "")
    other = Column[TagRow]("image beside", lambda row: _span(row.other, differs=row.differs), 23,
                           lambda row: row.other or "", wide=40)  # fmt: skip
    return (keyword, value, other) if beside else (keyword, value)


class TagsPage(TablePage[TagRow]):
    """The tags of an image, over the page that it was opened from.

    Parameters
    ----------
    of : str
        The page it belongs to.
    source : TagSource
        Whose tags.
    """

    NAME: ClassVar[str] = "tags"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("tags")]
    WORDS: ClassVar[tuple[str, str]] = ("tag", "tags")

    def __init__(self, of: str, source: TagSource) -> None:
        super().__init__()
        self.belongs_to = of
        self._source = source
        self._wanted = 0
        self._found: api.queue.ImageTags | None = None
        self._only_differences = False

    def columns(self) -> Sequence[Column[TagRow]]:
        """Return the columns."""
        return columns_of(beside=self.mercure.image_beside is not None)

    def key_of(self, row: TagRow) -> object:
        """Return the keyword."""
        return row.keyword

    def text_of(self, row: TagRow) -> str:
        """Return keyword and values."""
        return f"{row.keyword} {row.value or ''} {row.other or ''}"

    def below(self, row: TagRow) -> Iterable[Line]:
        """Return the whole value, and how rules name it."""
        columns = self.below_columns
        yield from pair("in a rule", row.rule_name, columns, "title")
        yield from pair("value", row.value or "", columns)
        yield from pair("image beside", row.other or "", columns, "warn" if row.differs else "")

    def about(self) -> str:
        """Return which image it is, and which is beside it."""
        found, beside = self._found, self.mercure.image_beside
        if found is None:
            return printable(self._source.title)
        which = f"image {found.number + 1} of {found.images}"
        kept = f"beside {beside.image or beside.task}" if beside is not None else ""
        what = "differences only" if self._only_differences else ""
        return " · ".join(filter(None, (printable(self._source.title), which, printable(kept), what)))

    def refresh_data(self) -> None:
        """Ask for the tags of the image."""
        source = self._source
        if not self.router.connected:
            return
        if source.entry:
            wanted = api.quarantine.OneObject(entry=source.entry)
            self.ask(api.quarantine.SHOW, wanted, self._know_object, failed=self.fail)
        else:
            request = api.queue.ReadTags(task=source.task, series=source.series, image=self._wanted)
            self.ask(api.queue.TAGS, request, self._know, failed=self.fail)

    def _know_object(self, found: api.quarantine.QuarantineDetail) -> None:
        self._know(api.queue.ImageTags(task=found.object.entry, image=found.object.sop, tags=found.tags))

    def _know(self, found: api.queue.ImageTags) -> None:
        self._found, self._wanted = found, found.number
        self._show_tags()

    def _show_tags(self) -> None:
        found, beside = self._found, self.mercure.image_beside
        if found is None:
            return
        self._only_differences = self._only_differences and beside is not None
        rows = tag_rows(found.tags, beside.tags if beside is not None else None)
        self.fill([row for row in rows if row.differs or not self._only_differences])

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "next": lambda: self._go(1),
            "previous": lambda: self._go(-1),
            "beside": self._keep_beside,
            "differences": self._differences,
            "copy-value": self.with_row(lambda row: self.copied("value", row.value or row.other or "")),
        }

    def copy(self) -> None:
        """Copy the name of the tag as a rule writes it."""
        row = self.table.current
        if row is None:
            self.say("copy: there is no row", "warning")
        else:
            self.copied("name in a rule", row.rule_name)

    def _go(self, by: int) -> None:
        images = self._found.images if self._found else 0
        at = self._wanted + by
        if 0 <= at < images:
            self._wanted = at
            self.refresh_data()
        else:
            self.say(f"this is the {'last' if by > 0 else 'first'} of {images}", "warning")

    def _keep_beside(self) -> None:
        """Keep this image beside those that are shown next; once more: none."""
        app = self.mercure
        app.image_beside = self._found if app.image_beside is None else None
        self.table.show_columns(self.columns())
        self._show_tags()
        if app.image_beside is not None:
            self.say("kept beside the images shown next: n and p, or T on another exam; b ends it")

    def _differences(self) -> None:
        if self.mercure.image_beside is None:
            self.say("no image is kept beside this one: b keeps one", "warning")
            return
        self._only_differences = not self._only_differences
        self._show_tags()
