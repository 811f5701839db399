"""The services and their processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import Nothing, Verb, api
from appliance.presentation.figures import process_figures, since
from appliance.presentation.phrases import plural, taken_in_words
from appliance.presentation.states import PROCESS, Look, other
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import number
from tui.screens.log import LogPage
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line, Span
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

_Order = Verb[api.services.OneService, api.services.ServiceChanged]
_MOST: Final = 32
_WIDE: Final = 100
_FIGURES: Final = ("cpu", "memory", "files")
"""What each process takes: columns where there is room, else below the table."""
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
class ServiceRow:
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


def _how_many(service: api.services.ServiceState) -> str:
    return f"{service.name}: {plural(service.running, 'process', 'processes')}"


def _wanted(row: ServiceRow) -> Span:
    running, wanted = row.service.running, row.service.configured
    return (f"{running}/{wanted}", "good" if running >= wanted else "bad")


def _figure(number: int, head: str) -> Column[ServiceRow]:
    def shown(row: ServiceRow) -> Span:
        return process_figures(row.process.figures if row.process else None)[number], ""

    return Column(head, shown, 8, lambda row: _taken(row)[number], right=True, from_width=_WIDE)


def _taken(row: ServiceRow) -> tuple[float, float, float]:
    found = row.process.figures if row.process else None
    return (found.processor or 0.0, found.memory_bytes, found.open_files or 0) if found else (0.0, 0, 0)


def _restarts(row: ServiceRow) -> Span:
    return number(row.process.restarts if row.process else 0, "warn")


def _problem(row: ServiceRow) -> Span:
    return (printable(row.process.problem) if row.process else "", "warn")


class ServicesPage(TablePage[ServiceRow]):
    """Each process on a line."""

    NAME: ClassVar[str] = "services"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("services")]
    WORDS: ClassVar[tuple[str, str]] = ("process", "processes")

    def __init__(self) -> None:
        super().__init__()
        self._revision = 0

    def columns(self) -> Sequence[Column[ServiceRow]]:
        """Return the columns."""
        return (
            Column[ServiceRow]("process", lambda row: (printable(row.key), "bold"), 16, lambda row: row.key),
            Column[ServiceRow]("state", lambda row: row.look.span(), 11, lambda row: row.look.rank),
            Column[ServiceRow]("run", _wanted, 5, right=True),
            Column[ServiceRow](
                "pid", lambda row: (str(row.process.pid or "") if row.process else "", "dim"), 8, right=True
            ),
            Column[ServiceRow]("since", self._since, 7, right=True),
            *(_figure(*figure) for figure in enumerate(_FIGURES)),
            Column[ServiceRow]("restarts", _restarts, 8, right=True, from_width=_WIDE),
            Column[ServiceRow]("problem", _problem),
        )

    def key_of(self, row: ServiceRow) -> object:
        """Return the name of the process."""
        return row.key

    def text_of(self, row: ServiceRow) -> str:
        """Return name and state."""
        return f"{row.key} {row.look.word}"

    def below(self, row: ServiceRow) -> Iterable[Line]:
        """Return what is wrong with it, and what it means for people when it does not run."""
        columns = self.below_columns
        process = row.process
        if process is not None:
            yield from pair("problem", process.problem, columns, "warn")
            if process.crashes:
                often = f"{plural(process.crashes, 'time')} within five minutes"
                yield from pair("crashed", often, columns, "bad" if process.is_looping else "warn")
            if process.figures is not None and self.app.size.width < _WIDE:
                yield from pair("takes", taken_in_words(process), columns)
        yield from pair("without it", _MEANING.get(row.service.name, ""), columns, "dim")

    def _since(self, row: ServiceRow) -> Span:
        return (since(row.process.since, self.router.heard) if row.process else "", "")

    def refresh_data(self) -> None:
        """Ask for all services."""
        if self.router.connected:
            self.ask(api.services.LIST, Nothing(), self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when a service began or ended."""
        if event.type.startswith(("service.", "config.")):
            self.mercure.soon(self, self.refresh_data)

    def router_changed(self) -> None:
        """Look with each status: a process that died tells nothing."""
        self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.services.Services) -> None:
        self._revision = answer.revision
        rows = [ServiceRow(service, process) for service in answer.services for process in service.processes or (None,)]
        self.fill(rows)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "log": self.with_row(self._log),
            "start": self.with_row(self._start),
            "restart": self.with_row(self._restart),
            "stop": self.with_row(self._stop),
            "more": self.with_row(lambda row: self._scale(row, 1)),
            "fewer": self.with_row(lambda row: self._scale(row, -1)),
            "try": lambda: self.mercure.open_page("selftest"),
        }

    def _log(self, row: ServiceRow) -> None:
        self.app.push_screen(LogPage(row.key))

    def _start(self, row: ServiceRow) -> None:
        self._order(api.services.START, row.service.name)

    def _restart(self, row: ServiceRow) -> None:
        texts = [_how_many(row.service), "What is under way is ended in order first."]
        dialog = Confirm(f"Restart {row.service.name}?", texts, "Restart")
        self._order_when_sure(dialog, api.services.RESTART, row.service.name, "stops in order and starts again …")

    def _stop(self, row: ServiceRow) -> None:
        name = row.service.name
        dialog = Confirm(f"Stop {name}?", [_how_many(row.service), _MEANING.get(name, "")], "Stop", type_name=name)
        self._order_when_sure(dialog, api.services.STOP, name, "stops in order …")

    def _order(self, verb: _Order, name: str) -> None:
        self.ask(verb, api.services.OneService(name=name), self._changed)

    def _order_when_sure(self, dialog: Confirm, verb: _Order, name: str, text: str) -> None:
        def sure(_reason: str) -> None:
            self.say(f"{name}: {text}")
            self._order(verb, name)

        self.when_answered(dialog, sure)

    def _changed(self, answer: api.services.ServiceChanged) -> None:
        states = ", ".join(f"{process.name} {process.state}" for process in answer.processes)
        self.say(f"{answer.verb} {answer.name}: {states}")
        self.refresh_data()

    def _scale(self, row: ServiceRow, by: int) -> None:
        service = row.service
        after = service.configured + by
        if not 0 <= after <= _MOST:
            self.say(f"{service.name} can have 0 to {_MOST} processes", "warning")
            return
        name, revision = service.name, self._revision

        def sure(_reason: str) -> None:
            request = api.services.ScaleService(name=name, instances=after, edited_from=revision)
            self.ask(api.services.SCALE, request, self._scaled)

        texts = [f"{name}: from {service.configured} to {plural(after, 'process', 'processes')}.",
                 "Nothing else is restarted. " + ("" if after else _MEANING.get(name, ""))]  # fmt: skip
        self.when_answered(Confirm(f"Scale {name}?", texts, f"Scale to {after}"), sure)

    def _scaled(self, answer: api.services.Scaled) -> None:
        applied = "" if answer.applied else "; it counts from the next start"
        self.say(f"{answer.name}: {answer.before} → {answer.after}{applied}")
        self.refresh_data()
