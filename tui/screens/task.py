"""A task in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import ControlError, api
from appliance.presentation.causes import with_cause
from appliance.presentation.figures import duration, moment, size
from appliance.presentation.phrases import conversions_in_words, plural
from appliance.presentation.states import OUTCOME, QUEUE, other
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import printable_lines
from tui.screens.page import Page
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.lines import Pager

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_INDENT = 15
_ROOMY: Final = 62
"""From so many columns on there is room for two things on a line."""
_STEPS: Final = {
    "running": ("▶", "busy"),
    "well": ("•", "good"),
    "failed": ("‼", "bad"),
    "interrupted": ("▲", "warn"),
}


class TaskPage(Page):
    """What it is, where it came from, what was tried.

    Parameters
    ----------
    entry : QueueEntry
        As the queue knows it.
    of : str
        The page it belongs to.
    """

    NAME: ClassVar[str] = "task"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("task")]

    def __init__(self, entry: api.queue.QueueEntry, *, of: str = "queue") -> None:
        super().__init__()
        self.belongs_to = of
        self._entry = entry
        self._detail: api.queue.TaskDetail | None = None
        self._steps: api.modules.Steps | None = None
        self._problem = ""

    def body(self) -> ComposeResult:
        """One text."""
        yield Pager(id="task", classes="pane")

    def on_mount(self) -> None:
        """Show what is known already."""
        super().on_mount()
        self._show()

    def refresh_data(self) -> None:
        """Ask for all of it; of a series that still arrives the queue knows all there is."""
        if self.router.connected and self._entry.state != "arriving":
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
        if detail.task is not None and detail.task.action == "process":
            request = api.modules.OneTask(task=self._entry.id)
            self.ask(api.modules.STEPS, request, self._know_steps, failed=lambda _: None)
        self._show()

    def _know_steps(self, steps: api.modules.Steps) -> None:
        self._steps = steps
        self._show()

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"log": self._log, "tags": self._tags}

    def _tags(self) -> None:
        from tui.screens.tags import TagsPage, source_of  # noqa: PLC0415 - it writes its rows as this page does

        self.app.push_screen(TagsPage(self.belongs_to, source_of(self._entry)))

    def _log(self) -> None:
        request = api.modules.ReadLog(task=self._entry.id)
        self.ask(api.modules.LOG, request, self._show_log, failed=lambda error: self.say(error.text, "warning"))

    def _show_log(self, log: api.modules.StepLog) -> None:
        lines = log.text.splitlines() or ["it printed nothing"]
        page = TextPage(self.belongs_to, f"log of {self._entry.id}", lambda columns: log_lines(lines, columns))
        self.app.push_screen(page)

    def _gone(self, error: ControlError) -> None:
        self._problem = f"{error.text}. {error.advice}"
        self._show()

    def _show(self) -> None:
        columns = self.app.size.width - 4
        self.query_one(Pager).show(task_lines(self._entry, self._detail, self._problem, columns, self._steps))


def task_lines(
    entry: api.queue.QueueEntry,
    detail: api.queue.TaskDetail | None,
    problem: str,
    columns: int,
    steps: api.modules.Steps | None = None,
) -> Iterator[Line]:
    """Write a task in full: what it is, what keeps it, whose images it holds, what was tried."""
    now = detail.entry if detail is not None and detail.entry is not None else entry
    look = QUEUE.get(now.state) or other(now.state)
    yield ()
    state: Line = (("  " if columns >= _ROOMY else " ", ""), look.span(), (f"   {duration(now.age_seconds)} old", ""))
    title = (f" {printable(now.id)}", "title")
    yield from ((title, *state),) if columns >= _ROOMY else ((title,), state)
    if problem:
        yield from pair("", problem, columns, "notice")
    yield ()
    yield from pair("error", with_cause(now.cause, now.error), columns, "bad")
    if detail is not None and detail.task is not None and detail.task.failure:
        yield from pair("do next", detail.task.failure.advice, columns, "notice")
    yield from pair("next try", moment(now.next_attempt), columns)
    yield from pair("held by", now.held_by or "", columns, "warn")
    yield from pair("waits for", now.waits_for or "", columns)
    yield from whose_lines(now, columns)
    if steps is not None:
        yield from _of_modules(steps, columns)
    if detail is not None:
        yield from _deeper(detail, columns)


def _of_modules(steps: api.modules.Steps, columns: int) -> Iterator[Line]:
    """Write what its modules did, what comes next, and what that may use."""
    yield ()
    yield ((" modules", "title"),)
    for step in steps.steps:
        glyph, style = _STEPS.get(step.state, ("•", ""))
        counts = f"  run {step.number}, {duration(step.seconds)}, {plural(step.images, 'image')}"
        yield (
            (f" {step.step:>3} ", "dim"),
            (f"{glyph} {step.state}", style),
            (f"  {printable(step.module)}", "bold"),
            (counts, "dim"),
        )
        yield from pair("", step.text, columns, "warn")
        if step.result is not None:
            yield from pair("result", json.dumps(step.result, ensure_ascii=False), columns)
        if step.left_out:
            yield from pair("left out", ", ".join(step.left_out), columns)
    yield from pair("to come", ", ".join(steps.to_come), columns)
    limits = [
        f"{name.removesuffix('_seconds').removesuffix('_bytes')} {_limit(name, value)}"
        for name, value in steps.limits.items()
    ]
    yield from pair("limits", ", ".join(limits), columns)


def _limit(name: str, value: object) -> str:
    if name.endswith("_bytes") and isinstance(value, int):
        return size(value)
    if name.endswith("_seconds") and isinstance(value, (int, float)):
        return duration(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def log_lines(lines: Sequence[str], columns: int) -> Iterator[Line]:
    """Write a log, in as many lines as it needs."""
    for line in lines:
        for text in printable_lines(line, columns - 1) or [""]:
            yield ((f" {text}", ""),)


def whose_lines(entry: api.queue.QueueEntry, columns: int) -> Iterator[Line]:
    """Write where an entry goes, and whose images it holds."""
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
        counts = f"{attempt.confirmed} of {attempt.sent} confirmed in {duration(attempt.seconds)}"
        roomy = columns >= _ROOMY
        yield ((f" {moment(attempt.started)}  ", ""), look.span(), (f"  {counts}" if roomy else "", "dim"))
        yield from pair("", "" if roomy else counts, columns, "dim")
        yield from pair("", attempt.error or "", columns, "warn")
        yield from pair("", conversions_in_words(attempt.confirmed, attempt.converted), columns)


def pair(name: str, value: str, columns: int, style: str = "") -> Iterator[Line]:
    """Write a name and its value, in as many lines as it needs; nothing when it is empty."""
    if not value.strip():
        return
    for number, text in enumerate(printable_lines(value.strip(), columns - _INDENT)):
        label = name if number == 0 else ""
        yield ((f" {label:{_INDENT - 1}}", "dim"), (text, style))
