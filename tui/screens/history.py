"""History: exams with their series beneath, where each one went, and all that happened to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual import on

from appliance.control.rpc.client import ControlError, api
from appliance.presentation.causes import CAUSE, with_cause
from appliance.presentation.figures import moment, short_moment, size
from appliance.presentation.phrases import count, plural
from appliance.presentation.states import PLACE, TASK, other
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import number, printable_lines
from tui.screens.desk_page import DeskPage, Subject
from tui.screens.tags import TagSource, TagsPage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.screens.timeline import timeline_lines
from tui.styles import Line, Span
from tui.widgets.dialogs import Choose, Type
from tui.widgets.grid import WIDE_TABLE, Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

WINDOW: Final = 500
"""So many exams are asked for at most: the router filters and sorts, and nobody reads further down."""

_ALWAYS: Final = "all time"
_OTHER_DAYS: Final = "other days"
_MOST_LETTERS: Final = 200
"""Of what is looked for: more the router does not take."""
_MINUTES: Final = 11
"""So many letters of a moment in a table are month, day and minute."""
_WHOLE: Final = 100
_ERROR_LINES: Final = 3
_LAST_RANK: Final = len(PLACE)

_ORDERS: Final[Mapping[str, api.exams.Order]] = {
    "received": "received",
    "ser": "series",
    "patient": "patient",
    "accession": "accession",
    "exam": "exam",
    "images": "images",
    "from": "from",
    "delivered to": "delivered",
}
"""What the router calls the orders of the columns."""


class Period(NamedTuple):
    """From an instant on, and before another one; None: without a bound."""

    since: datetime | None = None
    until: datetime | None = None


_A_DAY: Final = timedelta(days=1)
PERIODS: Final[dict[str, tuple[int, int] | None]] = {
    "today": (0, 1),
    "yesterday": (1, 0),
    "last 7 days": (6, 1),
    "last 30 days": (29, 1),
    "all time": None,
}
"""Each from so many days ago, until so many days after the beginning of this one; None: without a bound."""


def period_of(text: str, now: datetime | None) -> Period | None:
    """Read a time in words.

    Parameters
    ----------
    text : str
        One of `PERIODS`, a day (``2026-11-21``), or the first and the last of some days, with a space between them.
    now : datetime or None
        The time; without it nothing has a bound.

    Returns
    -------
    Period or None
        By the clock on the wall here; None: it is no time.
    """
    text = text.strip()
    try:
        return _named(text, now) if text in PERIODS else _of_days(*map(date.fromisoformat, text.split()))
    except (ValueError, TypeError, OverflowError):
        return None


def _named(text: str, now: datetime | None) -> Period:
    days = PERIODS[text]
    if days is None or now is None:
        return Period()
    today = now.astimezone().date()
    return Period(_begin(today - days[0] * _A_DAY), _begin(today + days[1] * _A_DAY))


def _of_days(first: date, last: date | None = None) -> Period | None:
    last = last or first
    return Period(_begin(first), _begin(last + _A_DAY)) if first <= last else None


def _begin(day: date) -> datetime:
    return datetime.combine(day, time()).astimezone()


Exam = api.exams.ExamEntry
ExamKey = tuple[str, str]


@dataclass(frozen=True)
class ExamRow:
    """An exam, or one of its series below it.

    Parameters
    ----------
    exam : ExamEntry
        Which.
    series : SeriesOfExam, optional
        Which one of it; absent: the exam itself.
    is_open : bool
        Its series are shown below it.
    """

    exam: Exam
    series: api.exams.SeriesOfExam | None = None
    is_open: bool = False

    @property
    def key(self) -> ExamKey:
        """What stays the same of the exam."""
        return self.exam.node, self.exam.exam

    @property
    def places(self) -> Sequence[api.exams.ExamPlace]:
        """Where it was to go; the modules that are done with it only where it went nowhere else."""
        places = self.exam.places if self.series is None else self.series.places
        return [place for place in places if place.to != "module" or place.state != "delivered"] or places

    @property
    def series_uid(self) -> str:
        """The UID of the series; of an exam that of the one received last."""
        if self.series is not None:
            return self.series.series.series_uid or ""
        return self.exam.series[0] if self.exam.series else ""


def _of_exam(text: Callable[[Exam], str], style: str = "") -> Callable[[ExamRow], Span]:
    """Make a cell that a series below its exam does not repeat."""
    return lambda row: (printable(text(row.exam)) if row.series is None else "", style)


def _fold(row: ExamRow) -> Span:
    if row.series is not None:
        return "", ""
    number_of = len(row.exam.series)
    mark = "▼" if row.is_open else "►" if number_of > 1 else " "
    return f"{mark}{number_of or 1:3}", "" if number_of > 1 else "dim"


def _received(row: ExamRow) -> Span:
    if row.series is None:
        return short_moment(row.exam.last_received)[:_MINUTES], ""
    return short_moment(row.series.series.last_received)[:_MINUTES], "dim"


def _what(row: ExamRow) -> Span:
    """Say what was examined: modality, unless the description begins with it, and description."""
    if row.series is not None:
        series = row.series.series
        text = series.series_description or series.series_uid or series.folder
        return printable(f"└ {series.modality or ''} {text}"), "dim"
    modality, text = " ".join(row.exam.modalities), row.exam.study_description
    named = text.casefold().startswith(modality.casefold())
    return printable(text if named and text else f"{modality} {text}".strip()), ""


def _images(row: ExamRow) -> Span:
    return number(row.exam.images if row.series is None else row.series.series.images)


def place_text(place: api.exams.ExamPlace) -> str:
    """Name a place with how far the images are there: ``✓ pacs``, ``… cloud 67 %``."""
    name = place.name if place.to in ("target", "module") else {"study": "study", "router": "router"}.get(place.to, "")
    share = f"{_WHOLE * place.done // place.images} %" if 0 < place.done < place.images else ""
    return " ".join(filter(None, (PLACE[place.state].glyph, name or PLACE[place.state].word, share)))


def _went(row: ExamRow) -> Span:
    """Name all places, the worst first, and then whose problem it is that something does not go on."""
    places = row.places
    if not places:
        return "·", "dim"
    causes = dict.fromkeys(CAUSE[place.cause].what for place in places if place.cause is not None)
    text = " · ".join(["  ".join(map(place_text, places)), *causes])
    return printable(text), PLACE[places[0].state].tone


def _how_far(row: ExamRow) -> int:
    """Return by what exams are sorted: series stay below their exam."""
    places = row.exam.places
    return PLACE[places[0].state].rank if places else _LAST_RANK


COLUMNS: Final[Sequence[Column[ExamRow]]] = (
    Column("ser", _fold, 4, lambda row: len(row.exam.series), right=True),
    Column("received", _received, _MINUTES, lambda row: str(row.exam.last_received)),
    Column("patient", _of_exam(lambda exam: exam.patient_id, "bold"), 9, lambda row: row.exam.patient_id, wide=14),
    Column("accession", _of_exam(lambda exam: exam.accession), 10, lambda row: row.exam.accession, wide=16),
    Column("exam", _what, 0, lambda row: row.exam.study_description),
    Column("from", _of_exam(lambda exam: exam.calling_aet, "dim"), 12, lambda row: row.exam.calling_aet,
           from_width=WIDE_TABLE),
    Column("images", _images, 6, lambda row: row.exam.images, right=True),
    Column("delivered to", _went, 17, _how_far, wide=34),
)  # fmt: skip


class HistoryPage(DeskPage[ExamRow]):
    """The exams of a time, or those that were looked for; below each, when it is opened, its series."""

    NAME: ClassVar[str] = "history"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("history")]
    WORDS: ClassVar[tuple[str, str]] = ("exam", "exams")

    def __init__(self) -> None:
        super().__init__()
        self._beginning = ""
        self._period = "last 7 days"
        self._found = api.exams.ExamList(total=0)
        self._text = ""
        self._all = 0
        self._open: dict[ExamKey, api.exams.ExamInFull] = {}
        self._detail: api.exams.ExamInFull | None = None
        self._lacks_time = False

    def columns(self) -> Sequence[Column[ExamRow]]:
        """Return the columns."""
        return COLUMNS

    def key_of(self, row: ExamRow) -> object:
        """Return node and study, of a series also its folder."""
        return row.key if row.series is None else (*row.key, row.series.series.folder)

    def text_of(self, row: ExamRow) -> str:
        """Return all by which one looks; a series is shown where its exam is."""
        exam = row.exam
        places = (" ".join((place.name, *place.states)) for place in exam.places if place.to == "target")
        return " ".join((
            exam.patient_id, exam.patient_name, exam.accession, *exam.modalities, exam.calling_aet,
            exam.study_description, *exam.descriptions, exam.study_uid, *exam.series, *places,
        ))  # fmt: skip

    def values(self, row: ExamRow) -> Iterable[tuple[str, str]]:
        """Return exam and series."""
        yield "accession", row.exam.accession
        yield "patient", row.exam.patient_id
        yield "study UID", row.exam.study_uid
        yield "series UID", row.series_uid
        if row.series is not None:
            yield "folder", row.series.series.folder

    def below(self, row: ExamRow) -> Iterable[Line]:
        """Return what does not fit into the line: what keeps it first."""
        columns, exam = self.below_columns, row.exam
        yield from _kept_lines(row.places, columns)
        yield from pair("patient", f"{exam.patient_id} {exam.patient_name}", columns)
        yield from pair("study", f"{exam.study_date} {exam.study_description}  {size(exam.bytes)}", columns)
        if row.series is None:
            yield from pair("study UID", exam.study_uid, columns, "dim")
        else:
            yield from pair("series UID", row.series_uid or row.series.series.folder, columns, "dim")
        yield from _tag_lines(row, columns)

    def beside(self, row: ExamRow) -> Iterable[Line]:
        """Return it in full, with its series and their tasks as soon as they are known."""
        columns = self.below_columns
        yield from _exam_lines(row.exam, columns)
        yield from _tag_lines(row, columns)
        detail = self._detail
        if detail is None or (detail.exam.node, detail.exam.exam) != row.key:
            return
        yield from _task_lines(detail.together, columns)
        for series in [row.series] if row.series is not None else detail.series:
            yield from _series_lines(series, columns)

    def ask_more(self, row: ExamRow) -> None:
        """Ask for its series and their tasks."""
        self._ask_exam(row.exam, self._know_detail)

    def _ask_exam(self, exam: Exam, then: Callable[[api.exams.ExamInFull], None]) -> None:
        wanted = api.exams.OneExam(node=exam.node, exam=exam.exam)
        self.ask(api.exams.SHOW, wanted, then, failed=_not_now, each=True)

    def _know_detail(self, detail: api.exams.ExamInFull) -> None:
        self._detail = detail
        self.show_below()

    # What is asked for.

    def on_mount(self) -> None:
        """Show the last first."""
        super().on_mount()
        self.table.sort_by("received", backwards=True)

    def refresh_data(self) -> None:
        """Ask for the exams that filter, time and order bring to the top."""
        if self.router.connected:
            wanted = self._wanted()
            self.ask(api.exams.LIST, wanted, lambda found: self._know(wanted, found), failed=self.fail)

    def _wanted(self) -> api.exams.ListExams:
        table = self.table
        period = Period() if self._beginning else period_of(self._period, self.router.heard) or Period()
        self._lacks_time = not self._beginning and self.router.heard is None
        return api.exams.ListExams(
            text=table.filter[:_MOST_LETTERS],
            beginning=self._beginning,
            since=period.since,
            until=period.until,
            sort=_ORDERS.get(table.sorted_by or "", "received"),
            backwards=table.backwards if table.sorted_by else True,
            limit=WINDOW,
        )

    @on(Grid.Rearranged)
    def _rearranged(self) -> None:
        """Ask again where the exams that are here are not all."""
        self.show_note()
        if self._text or self._found.total > len(self._found.exams):
            self.mercure.soon(self, self.refresh_data)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when something moved."""
        if event.type.startswith(("task.", "study.")):
            self.mercure.soon(self, self.refresh_data)

    def router_changed(self) -> None:
        """Ask again if it was not known yet what time it is."""
        if self._lacks_time and self.router.heard is not None:
            self.refresh_data()

    def narrow(self, text: str) -> None:
        """Show only what contains a text, of all time: who comes from a sender wants its last exam."""
        self._period, self._beginning = _ALWAYS, ""
        super().narrow(text)
        self.refresh_data()

    def _know(self, wanted: api.exams.ListExams, found: api.exams.ExamList) -> None:
        before = {(exam.node, exam.exam): exam for exam in self._found.exams}
        self._found, self._text = found, wanted.text
        if not wanted.text:
            self._all = found.total
        for exam in found.exams:
            key = exam.node, exam.exam
            if key in self._open and exam != before.get(key):
                self._ask_exam(exam, self._know_series)
        self._show_rows()

    def _know_series(self, detail: api.exams.ExamInFull) -> None:
        self._open[detail.exam.node, detail.exam.exam] = detail
        self._show_rows()

    def _show_rows(self) -> None:
        rows: list[ExamRow] = []
        for exam in self._found.exams:
            detail = self._open.get((exam.node, exam.exam))
            rows.append(ExamRow(exam, is_open=detail is not None))
            rows += [ExamRow(exam, series) for series in detail.series] if detail else []
        when = f"found for {printable(self._beginning)!r}" if self._beginning else f"received: {self._period}"
        self.table.say_when_empty("No match." if self.table.filter else f"No exam {when} (v: another time)")
        self.table.fill(rows)
        self.show_note()
        self.show_below()

    def show_note(self) -> None:
        """Show how many exams there are, of which time, and which part of them is shown."""
        found, table = self._found, self.table
        is_part = found.total > len(found.exams)
        shown = found.total if is_part else sum(row.series is None for row in table.shown)
        text = plural(max(self._all, found.total), "exam")
        if table.filter:
            text = f"{count(shown)} of {text}, filter: {printable(table.filter)}"
        if is_part:
            text += f", the first {len(found.exams)} listed"
        when = f"found for {printable(self._beginning)!r} (f, then nothing: all)" if self._beginning else self._period
        text = " · ".join(filter(None, (text, when, self.marked_text())))
        self.headline((text, "notice" if table.filter or table.marked else "dim"))

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "find": self._find,
            "period": self._choose_period,
            "timeline": self.with_row(self._story),
            "tags": self.with_row(self._tags),
            "unfold": self.with_row(self._unfold),
            "fold": self.with_row(self._close),
            "refused": lambda: self.mercure.open_page("refusals"),
            **self.mark_handlers(),
            **self.desk_handlers(),
        }

    def subject(self, row: ExamRow) -> Subject:
        """Say what a row is about; an exam by its study, and what came without one by its series."""
        exam = row.exam
        listed = exam.study_uid if row.series is None else ""
        return Subject(
            f"{exam.patient_id} {_what(row)[0].removeprefix('└ ')}",
            listed or row.series_uid,
            study=exam.study_uid,
            patient=exam.patient_id,
            accession=exam.accession,
        )

    def _unfold(self, row: ExamRow) -> None:
        if row.series is None and not row.is_open:
            self._ask_exam(row.exam, self._know_series)

    def _close(self, row: ExamRow) -> None:
        """Hide the series of an exam; the cursor goes to the exam."""
        if self._open.pop(row.key, None) is not None:
            self.table.go_to(row.key)
            self._show_rows()

    def _tags(self, row: ExamRow) -> None:
        if row.series_uid:
            title = f"{row.exam.patient_id} {_what(row)[0].removeprefix('└ ')}"
            self.app.push_screen(TagsPage(self.NAME, TagSource(title, series=row.series_uid)))
        else:
            self.say("this series came without a UID; its tasks are in the queue", "warning")

    def _find(self) -> None:
        def wanted(text: str) -> None:
            self._beginning = text.strip()[:_MOST_LETTERS]
            self.refresh_data()

        texts = [
            "The beginning of a patient id or name, an accession number, or a UID. Empty: the last received.",
            "Also by tags that the history keeps: Modality=CT ContrastBolusAgent=* SliceThickness<2",
        ]
        self.when_answered(Type("Find an exam", texts, self._beginning), wanted)

    def _choose_period(self) -> None:
        days = [*((name, "") for name in PERIODS), (_OTHER_DAYS, "one day, or from one to another")]
        self.when_answered(Choose("Received when?", [f"Now: {self._period}"], days), self._take_period)

    def _take_period(self, text: str) -> None:
        if text == _OTHER_DAYS:
            texts = ["A day, 2026-11-21, or the first and the last one, 2026-11-01 2026-11-21."]
            self.when_answered(Type("Received on which days?", texts), self._take_period)
        elif period_of(text, self.router.heard) is None:
            self.say(f"{printable(text)!r} is no day: write it like 2026-11-21", "warning")
        else:
            self._period, self._beginning = text.strip(), ""
            self.refresh_data()

    def _story(self, row: ExamRow) -> None:
        exam = row.exam
        if row.series is None and exam.study_uid:
            request = api.history.OneStory(study=exam.study_uid)
        elif row.series_uid:
            request = api.history.OneStory(series=row.series_uid)
        else:
            self.say("this series came without a UID; its tasks are in the queue", "warning")
            return
        title = f"{exam.patient_id} {exam.accession} {_what(row)[0].removeprefix('└ ')}"
        self.ask(api.history.TIMELINE, request, lambda story: self._show(title, story))

    def _show(self, title: str, story: api.history.Story) -> None:
        self.app.push_screen(TextPage("history", title, lambda columns: timeline_lines(story, columns)))


def _not_now(_error: ControlError) -> None:
    """Leave what is shown: an exam may be gone by now."""


def _kept_lines(places: Iterable[api.exams.ExamPlace], columns: int) -> Iterator[Line]:
    for place in places:
        if place.cause is not None:
            yield from pair(place.name or place.to, with_cause(place.cause, ""), columns, PLACE[place.state].tone)


def _exam_lines(exam: Exam, columns: int) -> Iterator[Line]:
    """Write where an exam went, and whose it is."""
    for place in exam.places:
        look = PLACE[place.state]
        done = f"{count(place.done)} of {plural(place.images, 'image')}"
        name = place.name if place.to in ("target", "module") else ""
        yield ((f" {look.glyph} {printable(name) or look.word}", look.tone), (f"  {done}", "dim"))
        yield from pair("", with_cause(place.cause, "") if place.cause else "", columns, look.tone)
    yield ()
    yield from pair("patient", f"{exam.patient_id}  {exam.patient_name}", columns)
    yield from pair("accession", exam.accession, columns)
    yield from pair("study", f"{exam.study_date} {exam.study_description}", columns)
    repeated = f", {count(exam.repetitions)} came again" if exam.repetitions else ""
    yield from pair("images", f"{count(exam.images)}, {size(exam.bytes)}{repeated}", columns)
    yield from pair("from", f"{exam.calling_aet} at {exam.address}" if exam.calling_aet else "", columns)
    yield from pair("received", moment(exam.first_received), columns)
    yield from pair("until", moment(exam.last_received), columns)
    yield from pair("study UID", exam.study_uid, columns, "dim")


def _tag_lines(row: ExamRow, columns: int) -> Iterator[Line]:
    """Write the tags that the history keeps."""
    tags = row.exam.tags if row.series is None else row.series.series.tags
    yield from pair("tags", "; ".join(f"{keyword} {', '.join(values)}" for keyword, values in tags.items()), columns)


def _series_lines(found: api.exams.SeriesOfExam, columns: int) -> Iterator[Line]:
    """Write a series, and what became of its tasks."""
    series = found.series
    yield ()
    title = f" {series.modality or ''} {series.series_description or series.series_uid or series.folder}"
    yield ((printable(title), "bold"), (f"  {plural(series.images, 'image')}", "dim"))
    yield from _task_lines(found.tasks, columns, series.images)


def _task_lines(tasks: Iterable[api.exams.TaskOfExam], columns: int, images: int = 0) -> Iterator[Line]:
    """Write tasks; their images where it is not all of so many."""
    for task in tasks:
        look = TASK.get(task.state) or other(task.state)
        some = f"  {plural(task.images, 'image')}" if task.images != images else ""
        when = f"{short_moment(task.at)[:_MINUTES]}{some}"
        yield ((f"  {printable(task.name or task.to)} ", ""), look.span(), (f"  {when}", "dim"))
        why = printable_lines(with_cause(task.cause, task.error), columns - 4) if task.cause or task.error else []
        yield from (((f"    {text}", look.tone),) for text in why[:_ERROR_LINES])
