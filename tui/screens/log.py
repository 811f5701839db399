"""The log of a process or a service, followed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on

from appliance.control.rpc.client import ControlError, api
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit, wrap
from tui.messages import Streamed
from tui.screens.page import Page
from tui.styles import Line
from tui.widgets.lines import Pager, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_LEVELS: Final = {"ERROR": "bad", "CRITICAL": "bad", "WARNING": "warn", "DEBUG": "dim"}
_FIRST: Final = 300
_INDENT: Final = 9


class LogPage(Page):
    """The end of a log, and each line that comes.

    Parameters
    ----------
    name : str
        A process or a service.
    """

    NAME: ClassVar[str] = "log"
    belongs_to = "services"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("log")]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._log_of = name
        self._end = threading.Event()
        self._seen: set[tuple[str, str, str]] = set()

    def body(self) -> ComposeResult:
        """Lay out a head and the lines."""
        yield Static(id="note")
        yield Pager(id="log")

    def on_mount(self) -> None:
        """Read the end of it, then follow."""
        super().on_mount()
        head = f" log of {printable(self._log_of)}, following (G jumps to the end)"
        self.query_one("#note", Static).show([((head, "dim"),)])
        self.set_focus(self.query_one(Pager))
        threading.Thread(target=self._follow, name="log", daemon=True).start()

    def on_unmount(self) -> None:
        """Let the stream end."""
        self._end.set()

    def refresh_data(self) -> None:
        """Read the end of it anew."""
        if self.router.connected:
            request = api.services.ReadLog(name=self._log_of, lines=_FIRST)
            self.ask(api.services.LOG, request, self._fill)

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
            self.query_one(Pager).append(self._lines(event.item.lines))

    def _fill(self, log: api.services.Log) -> None:
        self.query_one(Pager).show(self._lines(log.lines), to_end=True)

    def _lines(self, lines: Iterable[api.services.LogLine]) -> Iterator[Line]:
        return log_lines(lines, self.app.size.width - 1)


def log_lines(lines: Iterable[api.services.LogLine], columns: int) -> Iterator[Line]:
    """Write lines of a log: time, process, level, message; what does not fit goes on below."""
    for line in lines:
        style = _LEVELS.get(line.level.upper(), "")
        time = line.time[11:19] if len(line.time) >= len("2026-11-21T02:06:12") else ""
        head = f"{time:8} "
        text = printable(" ".join(part for part in (line.message, line.more) if part))
        level = f"{line.level.lower()}: " if style in {"bad", "warn"} else ""
        name = fit(printable(line.process), 14)
        for number, piece in enumerate(wrap(level + text, columns - _INDENT - 15)):
            yield ((head if number == 0 else " " * _INDENT, "dim"), (f"{name if number == 0 else ' ' * 14} ", "title"),
                   (piece, style))  # fmt: skip
