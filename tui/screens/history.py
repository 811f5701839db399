"""History: find an exam, and its timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import api
from appliance.presentation.events import sentence
from appliance.presentation.figures import moment, short_moment, size
from appliance.presentation.phrases import plural
from appliance.presentation.states import TASK
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit, printable_lines
from tui.screens.desk_page import DeskPage, Subject
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.dialogs import Type
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

_INDENT: Final = 43

Series = Any
"""`SeriesRecord`, by what the API hands out."""
_LIMIT: Final = 500
_MOST_LETTERS: Final = 200
"""Of what is looked for: more the router does not take."""


class HistoryPage(DeskPage[Series]):
    """The series received last, or those that were looked for."""

    NAME: ClassVar[str] = "history"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("history")]
    WORDS: ClassVar[tuple[str, str]] = ("series", "series")
    EMPTY: ClassVar[str] = "nothing was received yet"

    def __init__(self) -> None:
        super().__init__()
        self._wanted = ""

    def columns(self) -> Sequence[Column[Series]]:
        """Return the columns."""
        return (
            Column("received", lambda row: (short_moment(row.last_received), ""), 14, lambda row: row.last_received),
            Column("patient", lambda row: (printable(row.patient_id or ""), "bold"), 12,
                   lambda row: row.patient_id or ""),
            Column("accession", lambda row: (printable(row.accession or ""), ""), 12, lambda row: row.accession or ""),
            Column("mod", lambda row: (printable(row.modality or ""), ""), 3, lambda row: row.modality or ""),
            Column("images", lambda row: (str(row.images), ""), 6, lambda row: row.images, right=True),
            Column("from", lambda row: (printable(row.calling_aet or ""), ""), 12, lambda row: row.calling_aet or ""),
            Column("series", lambda row: (printable(row.series_description or row.study_description or ""), "")),
        )  # fmt: skip

    def key_of(self, row: Series) -> object:
        """Return node and folder."""
        return row.node, row.folder

    def text_of(self, row: Series) -> str:
        """Return all by which one looks."""
        return (
            f"{row.patient_id} {row.patient_name} {row.accession} {row.modality} {row.calling_aet} "
            f"{row.study_description} {row.series_description} {row.series_uid} {row.study_uid}"
        )

    def values(self, row: Series) -> Iterable[tuple[str, str]]:
        """Return exam and folder."""
        yield "accession", row.accession or ""
        yield "patient", row.patient_id or ""
        yield "study UID", row.study_uid or ""
        yield "series UID", row.series_uid or ""
        yield "folder", row.folder

    def about(self) -> str:
        """Return what was looked for."""
        found = f"found for {printable(self._wanted)!r} (f, then nothing: all)" if self._wanted else "the last received"
        return " · ".join(filter(None, (found, self.marked_text())))

    def below(self, row: Series) -> Iterable[Line]:
        """Return what does not fit into the line."""
        columns = self.below_columns
        yield from pair("patient", f"{row.patient_name or ''}", columns)
        yield from pair("study", f"{row.study_date or ''} {row.study_description or ''}  {size(row.bytes)}", columns)
        yield from pair("series UID", row.series_uid or row.folder, columns, "dim")
        if row.tags:
            said = "; ".join(f"{keyword} {', '.join(values)}" for keyword, values in row.tags.items())
            yield from pair("tags", said, columns)

    def refresh_data(self) -> None:
        """Ask for the last series, or look again."""
        if not self.router.connected:
            return
        if self._wanted:
            found = api.history.FindText(text=self._wanted, limit=_LIMIT)
            self.ask(api.history.FIND, found, lambda answer: self.fill(answer.series), failed=self.fail)
        else:
            last = api.history.ByExam(limit=_LIMIT)
            self.ask(api.history.SERIES, last, lambda answer: self.fill(answer.series), failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when something moved."""
        if event.type.startswith("task.") and not self._wanted:
            self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "find": self._find,
            "timeline": self.with_row(self._story),
            "refused": lambda: self.mercure.open_page("refusals"),
            **self.mark_handlers(),
            **self.desk_handlers(),
        }

    def subject(self, row: Series) -> Subject:
        """Say what a row is about."""
        words = f"{row.patient_id or ''} {row.modality or ''} {row.series_description or row.study_description or ''}"
        return Subject(
            words,
            row.series_uid or "",
            study=row.study_uid or "",
            patient=row.patient_id or "",
            accession=row.accession or "",
        )

    def _find(self) -> None:
        def wanted(text: str) -> None:
            self._wanted = text.strip()[:_MOST_LETTERS]
            self.refresh_data()

        texts = [
            "The beginning of a patient id or name, an accession number, or a UID. Empty: the last received.",
            "Also by tags that the history keeps: Modality=CT ContrastBolusAgent=* SliceThickness<2",
        ]
        self.when_answered(Type("Find an exam", texts, self._wanted), wanted)

    def _story(self, row: Series) -> None:
        if not row.series_uid:
            self.say("this series came without a UID; its tasks are in the queue", "warning")
            return
        title = f"{row.patient_id or ''} {row.accession or ''} {row.series_description or ''}"
        request = api.history.OneStory(series=row.series_uid)
        self.ask(api.history.TIMELINE, request, lambda story: self._show(title, story))

    def _show(self, title: str, story: api.history.Story) -> None:
        self.app.push_screen(TextPage("history", title, lambda columns: timeline_lines(story, columns)))


def timeline_lines(story: api.history.Story, columns: int) -> Iterator[Line]:
    """Write the tasks of a series with their state, then every event."""
    if story.tasks:
        yield ()
        yield ((" Result", "title"),)
    for task in story.tasks:
        look = TASK.get(task.state or "")
        state = look.span() if look else (task.state or "", "good" if task.delivered else "")
        target = task.target or task.module or task.action or ""
        last = f"  {task.last_error}" if task.last_error and not task.delivered else ""
        yield (
            (" ", ""),
            (fit(printable(target), 18), "bold"),
            (fit(printable(state[0]), 14), state[1]),
            (printable(f"{plural(task.images or 0, 'image')}{last}"), ""),
        )
    yield ()
    yield ((" Timeline", "title"),)
    for event in story.events:
        yield from _event(event.time, event.service, event.type, event.details, columns)
    if not story.events:
        yield ((" nothing is recorded", "dim"),)


def _event(time: Any, service: str, type: str, details: Mapping[str, Any], columns: int) -> Iterator[Line]:  # noqa: ANN401
    said = sentence(type, details)
    pieces = printable_lines(said.text, max(20, columns - _INDENT))
    head = f" {moment(time)} {fit(service, 10)} "
    for number, piece in enumerate(pieces or [""]):
        if number == 0:
            yield ((head, "dim"), (fit(said.word, 11), said.tone), (" ", ""), (piece, ""))
        else:
            yield ((" " * (_INDENT + 1), ""), (piece, ""))
