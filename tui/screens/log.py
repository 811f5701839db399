"""The log of a service: narrowed by level and by a text, followed, and the exam that a line is about."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, get_args

from textual import on

from appliance.control.rpc.client import ControlError, api
from mercure.printable import printable
from tui.actions import bindings_of
from tui.messages import Streamed
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.screens.timeline import timeline_lines
from tui.styles import Line, Span
from tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

LEVELS: Final[tuple[api.services.LogLevel, ...]] = get_args(api.services.LogLevel)
_TONES: Final = {"error": "bad", "critical": "bad", "warning": "warn", "debug": "dim"}
_KEPT: Final = 5000
_SEARCH_LIMIT: Final = 200
"""Letters of a text that the router looks for."""
_DAY: Final = len("2026-11-21")


@dataclass(frozen=True)
class LogRow:
    """A line, with its place since the log was opened."""

    number: int
    line: api.services.LogLine

    @property
    def text(self) -> str:
        """What it says, with what it is about."""
        return printable("  ".join(part for part in (self.line.message, self.line.more) if part))

    @property
    def tone(self) -> str:
        """The style of its level; a line without one (a traceback, say) is as usual."""
        return _TONES.get(self.line.level.casefold(), "")

    def is_of(self, level: api.services.LogLevel) -> bool:
        """Return whether it is of a level or worse, as the router says it."""
        mine = self.line.level.casefold()
        return mine not in LEVELS or LEVELS.index(mine) >= LEVELS.index(level)

    def time(self, *, dated: bool) -> Span:
        """Return when it was written."""
        date, _, time = self.line.time.partition("T")
        return (f"{date} " if dated and len(date) == _DAY else "") + time[:8], "dim"


def _level(row: LogRow) -> Span:
    return printable(row.line.level.casefold()), row.tone or "dim"


class LogPage(TablePage[LogRow]):
    """The end of a log, and each line that comes.

    Parameters
    ----------
    name : str
        A process or a service.
    """

    NAME: ClassVar[str] = "log"
    belongs_to = "services"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("log")]
    WORDS: ClassVar[tuple[str, str]] = ("line", "lines")
    EMPTY: ClassVar[str] = "no line of this level"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._log_of = name
        self._end = threading.Event()
        self._rows: deque[LogRow] = deque(maxlen=_KEPT)
        self._count = 0
        self._level: api.services.LogLevel = LEVELS[0]
        self._searched = ""
        self._exams: dict[str, str] = {}

    def columns(self) -> Sequence[Column[LogRow]]:
        """Return the columns; which process wrote a line is told where there is more than one, or much room."""
        is_process = self._log_of[-2:].isdigit()
        return (
            Column("time", lambda row: row.time(dated=False), 8, to_width=119),
            Column("time", lambda row: row.time(dated=True), 19, from_width=120),
            Column("process", lambda row: (printable(row.line.process), "title"), 14,
                   from_width=120 if is_process else 0),
            Column("level", _level, 7),
            Column("message", lambda row: (row.text, row.tone)),
        )  # fmt: skip

    def key_of(self, row: LogRow) -> object:
        """Return its place."""
        return row.number

    def text_of(self, row: LogRow) -> str:
        """Return process, message, and what it is about, as the router looks into it."""
        return f"{row.line.process} {row.line.message} {row.line.more}"

    def values(self, row: LogRow) -> Iterable[tuple[str, str]]:
        """Return the line, and the task and series that it is about."""
        yield "line", f"{row.line.time} {row.line.level} {row.text}"
        yield "task", row.line.task
        yield "series UID", row.line.series

    def about(self) -> str:
        """Return what is shown of the log, and whether its end is followed."""
        parts = [printable(self._log_of)]
        if self._level != LEVELS[0]:
            parts.append(f"{self._level} and worse")
        parts.append("following" if self._at_end else "G follows")
        return " · ".join(parts)

    def below(self, row: LogRow) -> Iterable[Line]:
        """Return the whole line, and whose exam it is about by its accession number alone."""
        columns, line = self.below_columns, row.line
        yield from pair("message", line.message, columns, row.tone)
        yield from pair("about", line.more, columns, "dim")
        yield from pair("accession", self._exams.get(line.task, ""), columns)

    def beside(self, row: LogRow) -> Iterable[Line]:
        """Return where and when it was written, too."""
        yield from pair("written", f"{row.time(dated=True)[0]} by {row.line.process} ({row.line.logger})",
                        self.below_columns)  # fmt: skip
        yield from self.below(row)

    @property
    def _at_end(self) -> bool:
        """Whether the cursor is on the last line: who is there stays there when more lines come."""
        shown = self.table.shown
        return not shown or self.table.current is shown[-1]

    # What is shown.

    def on_mount(self) -> None:
        """Read the end of it, then follow."""
        super().on_mount()
        threading.Thread(target=self._follow, name="log", daemon=True).start()

    def on_unmount(self) -> None:
        """Let the stream end."""
        self._end.set()

    def refresh_data(self) -> None:
        """Read the end of it anew: of all that the router keeps, what is wanted."""
        if self.router.connected:
            self._searched = self._wanted
            request = api.services.ReadLog(
                name=self._log_of, lines=_KEPT, level=self._level, search=self._wanted[:_SEARCH_LIMIT]
            )
            self.ask(api.services.LOG, request, self._fill, failed=self.fail)

    @property
    def _wanted(self) -> str:
        """The text of the filter; what is not to be in a line is left out here alone."""
        text = self.table.filter
        return "" if text.startswith("!") else text

    @on(Grid.Rearranged)
    def _rearranged(self) -> None:
        """Ask the router to look through all of the log for another text."""
        self.show_note()
        if self._wanted != self._searched:
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, log: api.services.Log) -> None:
        follow = self._at_end
        self._rows.clear()
        self._add(log.lines, follow=follow)

    def _add(self, lines: Iterable[api.services.LogLine], *, follow: bool) -> None:
        for line in lines:
            self._count += 1
            row = LogRow(self._count, line)
            if row.is_of(self._level):
                self._rows.append(row)
        self.fill([*self._rows])
        if follow:
            self.table.action_jump(end=True)
            self.show_note()

    def _follow(self) -> None:
        source = self.mercure.source
        request = api.streams.Subscribe(topics=("logs",), logs=(self._log_of,))
        while not self._end.is_set():
            try:
                with source.stream(request) as items:
                    for item in items:
                        if self._end.is_set():
                            return
                        if isinstance(item, api.streams.LogItem):
                            self._post(Streamed(item))
            except ControlError:
                pass  # the banner says that there is no connection; here it is only tried again
            self._end.wait(1.0)

    @on(Streamed)
    def _more(self, event: Streamed) -> None:
        event.stop()
        if isinstance(event.item, api.streams.LogItem):
            self._add(event.item.lines, follow=self._at_end)

    # The exam that a line is about.

    @on(Grid.Moved)
    def _moved(self) -> None:
        self.show_note()

    @property
    def asks_more(self) -> bool:
        """Whether the exam is asked for: on every terminal."""
        return True

    def ask_more(self, row: LogRow) -> None:
        """Ask for the exam of the line's task."""
        if row.line.task and row.line.task not in self._exams:
            request = api.history.OneTaskStory(task=row.line.task)
            self.ask(api.history.TASK, request, self._know_exam, failed=lambda _: None)

    def _know_exam(self, story: api.history.TaskStory) -> None:
        self._exams[story.task.id] = story.task.accession or ""
        self.show_below()

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"level": self._next_level, "timeline": self.with_row(self._timeline)}

    def _next_level(self) -> None:
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self.say(f"level: {self._level} and worse" if self._level != LEVELS[0] else "level: all lines")
        self.refresh_data()

    def _timeline(self, row: LogRow) -> None:
        line = row.line
        if not line.task and not line.series:
            self.say("this line is about no task and no series", "warning")
            return
        request = api.history.OneStory(task=line.task or None, series=None if line.task else line.series)
        title = f"task {line.task}" if line.task else f"series {line.series}"
        self.ask(api.history.TIMELINE, request, lambda story: self._show(title, story))

    def _show(self, title: str, story: api.history.Story) -> None:
        self.app.push_screen(TextPage("services", title, lambda columns: timeline_lines(story, columns)))
