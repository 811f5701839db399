"""The services and their processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on

from appliance.control.client import Nothing, api
from appliance.wording import plural
from tui.actions import bindings_of
from tui.format import printable, since
from tui.looks import PROCESS, Line, Look, Span, other
from tui.screens.log import LogPage
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

_MOST: Final = 32
_MEANING: Final = {
    "receiver": "No images are taken from scanners then: they report an error.",
    "router": "Images are still received and wait to be routed.",
    "processor": "What is to be processed waits.",
    "dispatcher": "Nothing is delivered to any target; it waits.",
    "cleaner": "Nothing is removed; the disk fills up.",
    "notifier": "Nobody is told by mail or webhook; the messages wait.",
    "bookkeeper": "The history stands still and catches up later.",
    "page": "The status page does not answer, and monitors hear nothing.",
    "control": "This screen loses its connection; `mercure service start control` brings it back.",
}
"""What it means for people that a service does not run."""


@dataclass(frozen=True)
class Row:
    """A process, or a service that has none."""

    service: api.services.ServiceState
    process: api.services.ProcessState | None

    @property
    def key(self) -> str:
        """What it is called."""
        return self.process.name if self.process else self.service.name

    @property
    def look(self) -> Look:
        """How it looks."""
        if self.process is None:
            return PROCESS["stopped"]
        return PROCESS.get(self.process.state) or other(self.process.state)


def _wanted(row: Row) -> Span:
    running, wanted = row.service.running, row.service.configured
    return (f"{running}/{wanted}", "good" if running >= wanted else "bad")


def _problem(row: Row) -> Span:
    return (printable(row.process.problem) if row.process else "", "warn")


class ServicesPage(TablePage[Row]):
    """Each process on a line."""

    NAME: ClassVar[str] = "services"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("services")]
    WORDS: ClassVar[tuple[str, str]] = ("process", "processes")

    def __init__(self) -> None:
        super().__init__()
        self._revision = 0

    def columns(self) -> Sequence[Column[Row]]:
        """Return the columns."""
        return (
            Column[Row]("process", lambda row: (printable(row.key), "bold"), 16, lambda row: row.key),
            Column[Row]("state", lambda row: row.look.span(), 11, lambda row: row.look.rank),
            Column[Row]("run", _wanted, 5, right=True),
            Column[Row]("pid", lambda row: (str(row.process.pid or "") if row.process else "", "dim"), 8, right=True),
            Column[Row]("since", self._since, 7, right=True),
            Column[Row]("problem", _problem),
        )

    def key_of(self, row: Row) -> object:
        """Return the name of the process."""
        return row.key

    def text_of(self, row: Row) -> str:
        """Return name and state."""
        return f"{row.key} {row.look.word}"

    def below(self, row: Row) -> Iterable[Line]:
        """Return what is wrong with it, and what it means for people when it does not run."""
        columns = self.app.size.width - 2
        process = row.process
        if process is not None:
            yield from pair("problem", process.problem, columns, "warn")
            if process.crashes:
                often = f"{plural(process.crashes, 'time')} within five minutes"
                yield from pair("crashed", often, columns, "bad" if process.is_looping else "warn")
        yield from pair("without it", _MEANING.get(row.service.name, ""), columns, "dim")

    def _since(self, row: Row) -> Span:
        return (since(row.process.since, self.board.heard) if row.process else "", "")

    def refresh_data(self) -> None:
        """Ask for all services."""
        if self.board.connected:
            self.ask(api.services.LIST, Nothing(), self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when a service began or ended."""
        if event.type.startswith(("service.", "config.")):
            self.mercure.soon(self, self.refresh_data)

    def board_changed(self) -> None:
        """Look with each status: a process that died tells nothing."""
        self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.services.Services) -> None:
        self._revision = answer.revision
        rows = [Row(service, process) for service in answer.services for process in service.processes or (None,)]
        self.fill(rows)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "log": self._log,
            "start": self._start,
            "restart": self._restart,
            "stop": self._stop,
            "more": lambda: self._scale(1),
            "fewer": lambda: self._scale(-1),
            "try": lambda: self.mercure.open_page("selftest"),
        }

    @property
    def _service(self) -> api.services.ServiceState | None:
        row = self.table.current
        return row.service if row else None

    @on(Grid.Chosen)
    def _log(self) -> None:
        row = self.table.current
        if row is not None:
            self.app.push_screen(LogPage(row.key))

    def _start(self) -> None:
        if self._service is not None:
            self.ask(api.services.START, api.services.OneService(name=self._service.name), self._changed)

    def _restart(self) -> None:
        service = self._service
        if service is None:
            return
        name = service.name

        def sure(reason: str | None) -> None:
            if reason is not None:
                self.say(f"{name}: stops in order and starts again …")
                self.ask(api.services.RESTART, api.services.OneService(name=name), self._changed)

        texts = [
            f"{name}: {plural(service.running, 'process', 'processes')}",
            "What is under way is ended in order first.",
        ]
        self.app.push_screen(Confirm(f"Restart {name}?", texts, "Restart"), sure)

    def _stop(self) -> None:
        service = self._service
        if service is None:
            return
        name = service.name

        def sure(reason: str | None) -> None:
            if reason is not None:
                self.say(f"{name}: stops in order …")
                self.ask(api.services.STOP, api.services.OneService(name=name), self._changed)

        texts = [f"{name}: {plural(service.running, 'process', 'processes')}", _MEANING.get(name, "")]
        self.app.push_screen(Confirm(f"Stop {name}?", texts, "Stop", type_name=name), sure)

    def _changed(self, answer: api.services.ServiceChanged) -> None:
        states = ", ".join(f"{process.name} {process.state}" for process in answer.processes)
        self.say(f"{answer.verb} {answer.name}: {states}")
        self.refresh_data()

    def _scale(self, by: int) -> None:
        service = self._service
        if service is None:
            return
        after = service.configured + by
        if not 0 <= after <= _MOST:
            self.say(f"{service.name} can have 0 to {_MOST} processes", "warning")
            return
        name, revision = service.name, self._revision

        def sure(reason: str | None) -> None:
            if reason is not None:
                request = api.services.ScaleService(name=name, instances=after, edited_from=revision)
                self.ask(api.services.SCALE, request, self._scaled)

        texts = [f"{name}: from {service.configured} to {plural(after, 'process', 'processes')}.",
                 "Nothing else is restarted. " + ("" if after else _MEANING.get(name, ""))]  # fmt: skip
        self.app.push_screen(Confirm(f"Scale {name}?", texts, f"{after} of them"), sure)

    def _scaled(self, answer: api.services.Scaled) -> None:
        applied = "" if answer.applied else "; it counts from the next start"
        self.say(f"{answer.name}: {answer.before} → {answer.after}{applied}")
        self.refresh_data()
