"""Finished: what was delivered and discarded and is still on the disk, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import api
from appliance.presentation.figures import duration, moment
from appliance.presentation.states import QUEUE, other
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.desk_page import DeskPage, Subject
from tui.screens.flow import exam_of
from tui.screens.queue import exam_values, search_text, subject_of
from tui.screens.tags import TagsPage, source_of
from tui.screens.task import TaskPage, pair, whose_lines
from tui.styles import Line
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Entry = api.queue.QueueEntry
WINDOW: Final = 1000
"""So many tasks are asked for at most, those that came last."""

_VIEWS: Final = {
    "delivered and discarded": ("success", "discard"),
    "discarded": ("discard",),
    "delivered": ("success",),
}


def _kept(entry: Entry) -> str:
    left = duration(entry.seconds_left) if entry.seconds_left is not None else ""
    return f"{left}, kept" if entry.kept_until else left


class FinishedPage(DeskPage[Entry]):
    """Those that came last first."""

    NAME: ClassVar[str] = "finished"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("finished")]
    WORDS: ClassVar[tuple[str, str]] = ("task", "tasks")
    EMPTY: ClassVar[str] = "nothing was delivered or discarded that is still on the disk"

    def __init__(self) -> None:
        super().__init__()
        self._queue = api.queue.Queue(total=0, entries=())
        self._view = next(iter(_VIEWS))

    def columns(self) -> Sequence[Column[Entry]]:
        """Return the columns."""
        return (
            Column("state", lambda row: (QUEUE.get(row.state) or other(row.state)).span(), 12, lambda row: row.state),
            Column("age", lambda row: (duration(row.age_seconds), ""), 6, lambda row: row.age_seconds, right=True),
            Column("target", lambda row: (printable(row.target or row.module or ""), ""), 11,
                   lambda row: row.target or ""),
            Column("images", lambda row: (str(row.images), ""), 6, lambda row: row.images, right=True),
            Column("exam", lambda row: (exam_of(row), ""), 19,
                   lambda row: (row.identity.PatientID, row.identity.StudyDescription)),
            Column("removed in", lambda row: (_kept(row), "notice" if row.kept_until else "dim"), 12,
                   lambda row: row.seconds_left or 0.0, right=True),
            Column("by", lambda row: (printable(row.why), "dim"), 0, lambda row: row.why),
        )  # fmt: skip

    def key_of(self, row: Entry) -> object:
        """Return the id of the task."""
        return row.id

    def text_of(self, row: Entry) -> str:
        """Return all by which one looks."""
        return f"{search_text(row)} {row.why}"

    def values(self, row: Entry) -> Iterable[tuple[str, str]]:
        """Return task and exam."""
        return (("task", row.id), *exam_values(row))

    def below(self, row: Entry) -> Iterable[Line]:
        """Return what does not fit into the line."""
        columns = self.below_columns
        yield from pair("by", row.why, columns)
        yield from pair("kept until", moment(row.kept_until), columns, "notice")
        yield from pair("study UID", row.identity.StudyInstanceUID, columns, "dim")

    def beside(self, row: Entry) -> Iterable[Line]:
        """Return it in full."""
        yield from self.below(row)
        yield ()
        yield from whose_lines(row, self.below_columns)

    def about(self) -> str:
        """Return which are shown, and how many are marked."""
        queue = self._queue
        more = f"the last {len(queue.entries)} of {queue.total}" if queue.total > len(queue.entries) else ""
        return " · ".join(filter(None, (self._view, more, self.marked_text())))

    def refresh_data(self) -> None:
        """Ask for what is there."""
        if self.router.connected:
            wanted = {"stages": _VIEWS[self._view], "sort": "age", "backwards": True, "limit": WINDOW}
            self.ask(api.queue.LIST, api.queue.ListQueue.model_validate(wanted), self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when a task came or went."""
        if event.type.startswith(("task.", "keep.")):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, queue: api.queue.Queue) -> None:
        self._queue = queue
        self.fill(queue.entries)

    def subject(self, row: Entry) -> Subject:
        """Say what a row is about."""
        return subject_of(row)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            **self.mark_handlers(),
            **self.desk_handlers(),
            "inspect": self.with_row(self._inspect),
            "tags": self.with_row(self._tags),
            "undo": lambda: self.ask_undo(self.table.chosen),
            "view": self._next_view,
        }

    def _inspect(self, row: Entry) -> None:
        self.app.push_screen(TaskPage(row, of=self.NAME))

    def _tags(self, row: Entry) -> None:
        self.app.push_screen(TagsPage(self.NAME, source_of(row)))

    def _next_view(self) -> None:
        views = list(_VIEWS)
        self._view = views[(views.index(self._view) + 1) % len(views)]
        self.refresh_data()
