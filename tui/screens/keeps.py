"""Keeps: what is kept beyond its retention, by whom, why and until when; and the end of a keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.figures import duration, moment, size
from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.bulk_page import BulkPage, names
from tui.screens.task import pair
from tui.styles import Line
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Keep = api.keep.KeepState


def _what(row: Keep) -> str:
    named = ((kind, getattr(row, kind)) for kind in ("task", "study", "patient"))
    return next((f"{kind} {value}" for kind, value in named if value), "cannot be read")


class KeepsPage(BulkPage[Keep]):
    """The newest first."""

    NAME: ClassVar[str] = "keeps"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("keeps")]
    WORDS: ClassVar[tuple[str, str]] = ("keep", "keeps")
    EMPTY: ClassVar[str] = "nothing is kept beyond its retention: K on History or Finished does it"

    def __init__(self) -> None:
        super().__init__()
        self._found = api.keep.Keeping()

    def columns(self) -> Sequence[Column[Keep]]:
        """Return the columns."""
        return (
            Column("ends in", lambda row: (duration(row.seconds_left), ""), 8, lambda row: row.seconds_left,
                   right=True),
            Column("tasks", lambda row: (str(row.tasks), "warn" if row.beyond else ""), 6, lambda row: row.tasks,
                   right=True),
            Column("size", lambda row: (size(row.bytes), ""), 8, lambda row: row.bytes, right=True),
            Column("by", lambda row: (printable(row.by), ""), 10, lambda row: row.by),
            Column("what", lambda row: (printable(_what(row)), "bold"), 0, _what),
        )  # fmt: skip

    def key_of(self, row: Keep) -> object:
        """Return its id."""
        return row.id

    def text_of(self, row: Keep) -> str:
        """Return all of it."""
        return f"{row.id} {_what(row)} {row.by} {row.reason}"

    def below(self, row: Keep) -> Iterable[Line]:
        """Return it in full."""
        columns = self.below_columns
        yield from pair("what", _what(row), columns)
        yield from pair("reason", row.reason, columns)
        yield from pair("until", f"{moment(row.until)}, by {row.by} since {moment(row.at)}", columns)
        beyond = f"{plural(row.beyond, 'task')} beyond the ceiling: removed as if not kept" if row.beyond else ""
        yield from pair("not kept", beyond, columns, "warn")

    def about(self) -> str:
        """Return how much of the ceiling is used."""
        found = self._found
        full = f"{size(found.bytes)} of {size(found.most_bytes)}" if found.entries else ""
        return " · ".join(filter(None, (full, self.marked_text())))

    def refresh_data(self) -> None:
        """Ask for the keeps."""
        if self.router.connected:
            self.ask(api.keep.LIST, Nothing(), self._fill, failed=self.fail)

    def _fill(self, found: api.keep.Keeping) -> None:
        self._found = found
        self.fill(found.entries)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"end": self._end, **self.mark_handlers()}

    def _end(self) -> None:
        rows = self.table.chosen
        if not rows:
            self.say("there is no keep to end", "warning")
            return

        def sure(reason: str) -> None:
            self.each(api.keep.REMOVE, lambda row: api.keep.RemoveKeep(keep=row.id, reason=reason), "ended", rows=rows)

        texts = [names([_what(row) for row in rows]), "The retention holds again: what is older is removed soon."]
        self.when_answered(Confirm(f"End {plural(len(rows), 'keep')}?", texts, "End", reason=True), sure)
