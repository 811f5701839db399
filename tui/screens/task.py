"""A task in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from appliance.control.client import ControlError, api
from tui.actions import bindings_of
from tui.format import duration, moment, plural, printable, size, wrap
from tui.looks import OUTCOME, QUEUE, Line, other
from tui.screens.page import Page
from tui.widgets.lines import Pager

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_INDENT = 15


class TaskPage(Page):
    """What it is, where it came from, what was tried.

    Parameters
    ----------
    entry : QueueEntry
        As the queue knows it.
    """

    NAME: ClassVar[str] = "task"
    belongs_to = "queue"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("task")]

    def __init__(self, entry: api.queue.QueueEntry) -> None:
        super().__init__()
        self._entry = entry
        self._detail: api.queue.TaskDetail | None = None
        self._problem = ""

    def body(self) -> ComposeResult:
        """One text."""
        yield Pager(id="task")

    def on_mount(self) -> None:
        """Show what is known already."""
        super().on_mount()
        self._show()

    def refresh_data(self) -> None:
        """Ask for all of it; of a series that still arrives the queue knows all there is."""
        if self.board.connected and self._entry.state != "arriving":
            self.ask(api.queue.SHOW, api.queue.OneTask(task=self._entry.id), self._fill, failed=self._gone)

    def told(self, event: api.streams.EventItem) -> None:
        """Something happened to it."""
        if event.task == self._entry.id:
            self.mercure.soon(self, self.refresh_data)

    def on_resize(self) -> None:
        """Break the lines anew."""
        super().on_resize()
        self._show()

    def _fill(self, detail: api.queue.TaskDetail) -> None:
        self._detail, self._problem = detail, ""
        self._show()

    def _gone(self, error: ControlError) -> None:
        self._problem = f"{error.text}. {error.advice}"
        self._show()

    def _show(self) -> None:
        columns = self.app.size.width - 2
        self.query_one(Pager).show(_lines(self._entry, self._detail, self._problem, columns))


def _lines(
    entry: api.queue.QueueEntry, detail: api.queue.TaskDetail | None, problem: str, columns: int
) -> Iterator[Line]:
    now = detail.entry if detail is not None and detail.entry is not None else entry
    look = QUEUE.get(now.state) or other(now.state)
    yield ()
    yield ((" " + printable(now.id), "title"), ("   ", ""), look.span(), (f"   {duration(now.age_seconds)} old", ""))
    if problem:
        yield from pair("", problem, columns, "notice")
    yield ()
    yield from pair("error", now.error, columns, "bad")
    if detail is not None and detail.task is not None and detail.task.failure:
        yield from pair("do next", detail.task.failure.advice, columns, "notice")
    yield from pair("next try", moment(now.next_attempt), columns)
    yield from pair("held by", now.held_by or "", columns, "warn")
    yield from pair("waits for", now.waits_for or "", columns)
    yield from _whose(now, columns)
    if detail is not None:
        yield from _deeper(detail, columns)


def _whose(entry: api.queue.QueueEntry, columns: int) -> Iterator[Line]:
    who = entry.identity
    yield from pair("target", entry.target or "", columns)
    yield from pair("module", entry.module or "", columns)
    yield from pair("priority", entry.priority, columns)
    yield from pair("images", f"{entry.images}, {size(entry.bytes)}", columns)
    yield ()
    yield from pair("patient", f"{who.PatientID}  {who.PatientName}", columns)
    yield from pair("accession", who.AccessionNumber, columns)
    yield from pair("study", f"{who.StudyDate} {who.StudyDescription}", columns)
    yield from pair("series", f"{who.Modality} {who.SeriesDescription}", columns)
    yield from pair("study UID", who.StudyInstanceUID, columns)
    yield from pair("series UID", who.SeriesInstanceUID, columns)


def _deeper(detail: api.queue.TaskDetail, columns: int) -> Iterator[Line]:
    yield from pair("folder", detail.directory, columns)
    yield from pair("problem", detail.problem, columns, "bad")
    task = detail.task
    if task is None:
        return
    origin = task.origin
    if origin.calling_aet or origin.address:
        yield from pair("sent by", f"{origin.calling_aet} at {origin.address}, called {origin.called_aet}", columns)
    yield from pair("received", moment(origin.first_received), columns)
    for rule in task.rules:
        yield from pair("by rule", f"{rule.rule}: {rule.why}" if rule.why else rule.rule, columns)
    yield from pair("confirmed", f"{detail.confirmed} of {plural(task.images, 'image')}", columns)
    if not task.attempts:
        return
    yield ()
    yield ((f" {plural(task.attempts_made, 'attempt')}, the last first", "title"),)
    for attempt in reversed(task.attempts):
        look = OUTCOME[attempt.outcome]
        counts = f"  {attempt.confirmed} of {attempt.sent} confirmed in {duration(attempt.seconds)}"
        yield ((f" {moment(attempt.started)}  ", ""), look.span(), (counts, "dim"))
        yield from pair("", attempt.error or "", columns, "warn")


def pair(name: str, value: str, columns: int, style: str = "") -> Iterator[Line]:
    """Write a name and its value, in as many lines as it needs; nothing when it is empty."""
    if not value.strip():
        return
    for number, text in enumerate(wrap(printable(value.strip()), columns - _INDENT)):
        label = name if number == 0 else ""
        yield ((f" {label:{_INDENT - 1}}", "dim"), (text, style))
