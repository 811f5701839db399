"""Queue: tasks that wait or failed, their age by target, and actions on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on

from appliance.control.rpc.client import api
from appliance.presentation.causes import CAUSE, with_cause
from appliance.presentation.figures import clock, duration
from appliance.presentation.phrases import count, plural
from appliance.presentation.states import QUEUE, other
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit, width
from tui.screens.bulk_page import names
from tui.screens.desk_page import UNDO_HINT, DeskPage, Subject
from tui.screens.flow import exam_of, progress_text
from tui.screens.tags import TagsPage, source_of
from tui.screens.task import TaskPage, pair, task_lines, whose_lines
from tui.styles import Line, Span, age_style
from tui.widgets.dialogs import Choose, Confirm
from tui.widgets.grid import WIDE_TABLE, Column, Grid
from tui.widgets.lines import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


AGES: Final = tuple(zip(api.queue.SHAPE_SECONDS, ("< 1 min", "5 min", "20 min", "1 h", "6 h", "1 d"), strict=True))
OLDER: Final = "older"
_SHAPE_TITLE: Final = 14
_SHAPE_COLUMN: Final = 8
_SHAPE_WIDE: Final = _SHAPE_TITLE + 8 * _SHAPE_COLUMN + 4
_CAUSE_WIDE: Final = 24
_STUCK: Final = 3600
_LATE: Final = 300

Entry = api.queue.QueueEntry
_SHAPE_ROWS: Final = 4
WINDOW: Final = 1000
"""So many tasks are asked for at most: the router filters and sorts, and nobody reads further down."""

_ORDERS: Final[Mapping[str, api.queue.Order]] = {
    "state": "state",
    "age": "age",
    "target": "target",
    "images": "images",
    "exam": "exam",
    "prio": "priority",
    "tries": "attempts",
    "error": "error",
}
"""What the router calls the orders of the columns."""

_TALL: Final = 40
_ERROR_LINES: Final = 3
_TEXT_LIMIT: Final = 200
"""Letters of a filter that the router takes."""


def _state(entry: Entry) -> Span:
    return (QUEUE.get(entry.state) or other(entry.state)).span()


def _rank(entry: Entry) -> tuple[int, float]:
    return (QUEUE.get(entry.state) or other(entry.state)).rank, -entry.age_seconds


def _what(entry: Entry) -> Span:
    return exam_of(entry), ""


def _why(entry: Entry) -> Span:
    """Say how far it is, or what keeps it: whose problem it is and what to do first, and the error itself last."""
    if entry.confirmed is not None:
        return progress_text(entry, 0.0), "busy"
    why = with_cause(entry.cause, entry.error)
    if entry.held_by:
        return printable(" · ".join(filter(None, (f"held by {entry.held_by}", why)))), "warn" if why else "dim"
    if why:
        return printable(why), "bad" if entry.state == "failed" else "warn"
    return printable(f"after {entry.waits_for}" if entry.waits_for else ""), "dim"


COLUMNS: Final[Sequence[Column[Entry]]] = (
    Column("state", _state, 11, _rank),
    Column("age", lambda entry: (duration(entry.age_seconds), age_style(entry.age_seconds)), 6,
           lambda entry: entry.age_seconds, right=True),
    Column("target", lambda entry: (printable(entry.target or entry.module or ""), ""), 10,
           lambda entry: entry.target or "", wide=16),
    Column("images", lambda entry: (count(entry.images), ""), 6, lambda entry: entry.images, right=True),
    Column("exam", _what, 15, lambda entry: (entry.identity.PatientID, entry.identity.StudyDescription), wide=30),
    Column("prio", lambda entry: (entry.priority, "notice" if entry.priority == "urgent" else "dim"), 7,
           lambda entry: entry.priority, from_width=WIDE_TABLE),
    Column("tries", lambda entry: (str(entry.attempts), ""), 5, lambda entry: entry.attempts, right=True,
           from_width=WIDE_TABLE),
    Column("error", _why, 0, lambda entry: entry.error),
)  # fmt: skip


def exam_values(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Return what can be copied of an exam."""
    who = entry.identity
    return (
        ("accession", who.AccessionNumber),
        ("patient", who.PatientID),
        ("study UID", who.StudyInstanceUID),
        ("series UID", who.SeriesInstanceUID),
    )


def subject_of(entry: Entry) -> Subject:
    """Say what an action on a task is about."""
    who = entry.identity
    return Subject(
        f"{entry.target or entry.state}: {_what(entry)[0]}",
        entry.id,
        entry.id,
        who.StudyInstanceUID,
        who.PatientID,
        who.AccessionNumber,
    )


def search_text(entry: Entry) -> str:
    """Return in what the filter looks."""
    who = entry.identity
    return (
        f"{entry.id} {entry.state} {entry.target or ''} {entry.module or ''} {entry.priority} {entry.error} "
        f"{who.PatientID} {who.PatientName} {who.AccessionNumber} {who.Modality} {who.StudyDescription} "
        f"{who.SeriesDescription} {who.StudyInstanceUID} {who.SeriesInstanceUID}"
    ).casefold()


class QueuePage(DeskPage[Entry]):
    """Age by target, and below it each task."""

    NAME: ClassVar[str] = "queue"
    WORDS: ClassVar[tuple[str, str]] = ("task", "tasks")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("queue")]

    def __init__(self) -> None:
        super().__init__()
        self._queue = api.queue.Queue(total=0, entries=())
        self._last: list[Entry] = []
        self._detail: api.queue.TaskDetail | None = None

    def columns(self) -> Sequence[Column[Entry]]:
        """Return the columns."""
        return COLUMNS

    def key_of(self, row: Entry) -> object:
        """Return the id of the task."""
        return row.id

    def text_of(self, row: Entry) -> str:
        """Return all by which one looks."""
        return search_text(row)

    def values(self, row: Entry) -> Iterable[tuple[str, str]]:
        """Return task, exam and error."""
        return (("task", row.id), *exam_values(row), ("error", row.error))

    def below(self, row: Entry) -> Iterable[Line]:
        """Return how far the task is, or in full what keeps it."""
        columns = self.below_columns
        yield from pair("progress", progress_text(row, self.router.pace.per_second(row.id)), columns, "busy")
        yield from _kept_by(row, columns)

    def beside(self, row: Entry) -> Iterable[Line]:
        """Return it in full, with its attempts as soon as they are known."""
        if self._detail is not None and self._detail.id == row.id:
            yield from task_lines(row, self._detail, "", self.below_columns)
        else:
            yield from self.below(row)
            yield ()
            yield from whose_lines(row, self.below_columns)

    def ask_more(self, row: Entry) -> None:
        """Ask for its attempts; of a series that still arrives the queue knows all there is."""
        if row.state != "arriving":
            self.ask(api.queue.SHOW, api.queue.OneTask(task=row.id), self._know_detail, failed=lambda _: None)

    def _know_detail(self, detail: api.queue.TaskDetail) -> None:
        self._detail = detail
        self.show_below()

    def body(self) -> ComposeResult:
        """Lay out the shape above the list."""
        yield Static(id="shape", classes="pane")
        yield from super().body()

    def on_mount(self) -> None:
        """Show the worst first."""
        super().on_mount()
        self.table.sort_by("state")

    def refresh_data(self) -> None:
        """Ask for the tasks that the filter and the order bring to the top."""
        if self.router.connected:
            self.ask(api.queue.LIST, self._wanted(), self._fill, failed=self.fail)

    def _wanted(self) -> api.queue.ListQueue:
        table = self.table
        order = _ORDERS.get(table.sorted_by or "", "age")
        # The router's order by age has the oldest first, the column's upwards the youngest.
        backwards = table.backwards != (table.sorted_by == "age")
        text = table.filter[:_TEXT_LIMIT]
        return api.queue.ListQueue(text=text, sort=order, backwards=backwards, limit=WINDOW, shape=True, progress=True)

    @on(Grid.Rearranged)
    def _rearranged(self) -> None:
        """Ask again where the rows that are here are not all."""
        self.show_note()
        if max(self._queue.in_queue, self._queue.total) > len(self._queue.entries):
            self.mercure.soon(self, self.refresh_data)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when a task came, went or changed."""
        if event.type.startswith(("task.", "study.")):
            self.mercure.soon(self, self.refresh_data)

    def router_changed(self) -> None:
        """Look again with each status: the age of what waits grows also when nothing happens."""
        self.mercure.soon(self, self.refresh_data)

    def _fill(self, queue: api.queue.Queue) -> None:
        self._queue = queue
        self.router.pace.look(queue.entries)
        self.table.say_when_empty("No match." if self.table.filter or queue.total else "Nothing waits.")
        self.table.fill(queue.entries)
        self.show_note()
        self.show_below()

    def on_resize(self) -> None:
        """Give the shape more room on a tall terminal."""
        super().on_resize()
        self.show_note()

    def show_note(self) -> None:
        """Show the shape of all, and how many are shown of how many."""
        rows = _SHAPE_ROWS if self.app.size.height < _TALL else _SHAPE_ROWS * 3
        queue, table = self._queue, self.table
        lines = [*shape_lines(queue.shape, rows)] if queue.shape else []
        if self.app.size.width >= WIDE_TABLE and queue.causes:
            lines = beside_each_other(lines, _SHAPE_WIDE, cause_lines(queue.causes, rows))
        self.query_one("#shape", Static).show(lines)
        is_part = queue.total > len(queue.entries)
        text = f" {plural(max(queue.in_queue, queue.total), 'task')}"
        if table.filter:
            found = queue.total if is_part else len(table.shown)
            text = f" {found:,} of{text}, filter: {printable(table.filter)}"
        if is_part:
            text += f", the first {len(queue.entries):,} listed"
        if table.marked:
            text += f"   {self.marked_text()}"
        self.headline((text.strip(), "notice" if table.filter or table.marked else "dim"))

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            **{verb.name: partial(self._do, verb) for verb in api.queue.TASK_VERBS.values()},
            "inspect": self.with_row(self._inspect),
            "tags": self.with_row(self._tags),
            "reroute": self._reroute,
            "undo": self._undo,
            "complete": self._complete,
            "past": lambda: self.mercure.open_page("finished"),
            **self.mark_handlers(),
            **self.desk_handlers(),
        }

    def _inspect(self, entry: Entry) -> None:
        self.app.push_screen(TaskPage(entry))

    def _tags(self, entry: Entry) -> None:
        self.app.push_screen(TagsPage(self.NAME, source_of(entry)))

    def _change(self, verb: Any, done: str, rows: Sequence[Entry], reason: str = "", target: str = "") -> None:  # noqa: ANN401
        """Do the same to tasks: those that were chosen when it was asked, not those at the cursor by now."""
        more = {"target": target} if target else {}
        is_undone = verb.name.removeprefix("queue.") in api.queue.UNDONE_AS

        def then(rows: Sequence[Entry]) -> None:
            self._last = [*rows] if is_undone else []

        undo = UNDO_HINT if is_undone else ""
        self.each(
            verb,
            lambda row: verb.request(task=row.id, reason=reason, **more),
            done,
            undo=undo,
            rows=rows,
            then=then,
        )

    def subject(self, row: Entry) -> Subject:
        """Say what a row is about."""
        return subject_of(row)

    def _undo(self) -> None:
        """Undo what was done to the marked tasks, else the last change on this page, else to the task here."""

        def forget() -> None:
            self._last = []

        rows = self.table.chosen if self.table.marked else self._last or self.table.chosen
        self.ask_undo(rows, forget)

    def _reroute(self) -> None:
        rows = self.table.chosen
        if rows:
            self.ask(api.targets.LIST, api.base.Nothing(), lambda targets: self._choose_new_target(rows, targets))

    def _choose_new_target(self, rows: Sequence[Entry], targets: api.targets.Targets) -> None:
        names = [(target.name, "disabled" if target.disabled else target.kind) for target in targets.targets]

        def chosen(name: str) -> None:
            self._change(api.queue.REROUTE, f"rerouted to {name}", rows, target=name)

        what = plural(len(rows), "task")
        texts = [f"{what}: {_names(rows)}", api.queue.TASK_VERBS["reroute"].warning]
        self.when_answered(Choose("Reroute to which target?", texts, names), chosen)

    def _do(self, verb: api.queue.TaskVerb) -> None:
        """Do a verb to all chosen tasks, after a question where the verb wants one."""
        entries, change = self.table.chosen, api.queue.CHANGES[verb.name]
        if not verb.confirm:
            self._change(change, verb.done, entries)
            return
        if not entries:
            self.say(f"there is no task to {verb.name}", "warning")
            return

        def sure(reason: str) -> None:
            self._change(change, verb.done, entries, reason=reason)

        word = verb.name.capitalize()
        texts = [_names(entries), verb.warning_of(len(entries))]
        self.when_answered(Confirm(f"{word} {plural(len(entries), 'task')}?", texts, word, reason=True), sure)

    def _complete(self) -> None:
        entry = self.table.current
        if entry is None or entry.state != "collecting":
            self.say("only a series that waits for its study (collecting) has a study to complete", "warning")
            return
        study = entry.identity.StudyInstanceUID

        def sure(reason: str) -> None:
            self.ask(api.queue.FORCE_STUDY, api.queue.ForceStudy(study=study, reason=reason), self._completed)

        texts = [f"study {study}", _names([entry]), "Series that still come are treated as late arrivals."]
        self.when_answered(Confirm("Complete this study now?", texts, "Complete", reason=True), sure)

    def _completed(self, answer: api.queue.ForcedStudies) -> None:
        self.say(f"completed: {plural(len(answer.tasks), 'task')}")
        self.refresh_data()


def _kept_by(entry: Entry, columns: int) -> Iterator[Line]:
    yield from islice(pair("error", with_cause(entry.cause, entry.error), columns, "bad"), _ERROR_LINES)
    yield from pair("next try", clock(entry.next_attempt), columns)
    yield from pair("held by", entry.held_by or "", columns, "warn")
    yield from pair("waits for", entry.waits_for or "", columns)


def _names(entries: Sequence[Entry]) -> str:
    return names([subject_of(entry).words for entry in entries])


def shape_lines(shape: Sequence[api.queue.ShapeRow], rows: int) -> Iterator[Line]:
    """Write the table: a head, and at most so many targets, those with the oldest tasks first."""
    counts = {row.name: Counter(dict(enumerate(row.counts))) for row in shape}
    oldest = {row.name: row.oldest_seconds for row in shape}
    heads = [*(title for _, title in AGES), OLDER, "all"]
    yield (
        (fit(" age by target", _SHAPE_TITLE), "head"),
        *((fit(head, _SHAPE_COLUMN, right=True), "head") for head in heads),
    )
    names = sorted(counts, key=lambda name: (-oldest[name], name))
    shown = names if len(names) <= rows else names[: rows - 1]
    for name in shown:
        yield _shape_row(name, counts[name])
    if len(shown) < len(names):
        rest = sum((counts[name] for name in names[len(shown) :]), Counter[int]())
        yield _shape_row(f"{len(names) - len(shown)} others", rest)


def cause_lines(causes: Sequence[api.queue.CauseCount], rows: int) -> Iterator[Line]:
    """Write what does not go on by its cause, the most frequent first, and what to do about it."""
    yield ((fit("what keeps tasks", _CAUSE_WIDE), "head"), (fit("tasks", _SHAPE_COLUMN, right=True), "head"),
           ("  ", ""), (fit("where", _SHAPE_TITLE), "head"), ("  what to do", "head"))  # fmt: skip
    for item in causes[:rows]:
        words = CAUSE[item.cause]
        yield (
            (fit(words.what, _CAUSE_WIDE), "bad"),
            (fit(count(item.count), _SHAPE_COLUMN, right=True), "bold"),
            ("  ", ""),
            (fit(printable(item.name), _SHAPE_TITLE), "bold"),
            (f"  {words.to_do}", "notice"),
        )


def beside_each_other(left: Sequence[Line], wide: int, right: Iterable[Line]) -> list[Line]:
    """Put lines beside others that are so many columns wide."""
    pairs = zip_longest(left, right, fillvalue=())
    return [(*one, (" " * max(0, wide - sum(width(text) for text, _ in one)), ""), *other) for one, other in pairs]


def _shape_row(name: str, counts: Counter[int]) -> Line:
    cells: list[Span] = [(fit(" " + printable(name), _SHAPE_TITLE), "bold")]
    begin = 0
    for number, end in enumerate([*(end for end, _ in AGES), 0]):
        count = counts[number]
        style = "dim" if not count else "stuck" if begin >= _STUCK else "warn" if begin >= _LATE else ""
        cells.append((fit(str(count) if count else "∙", _SHAPE_COLUMN, right=True), style))
        begin = end
    cells.append((fit(str(counts.total()), _SHAPE_COLUMN, right=True), "bold"))
    return tuple(cells)
