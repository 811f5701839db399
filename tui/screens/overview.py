"""The flow at a glance: senders, stages, targets; what is on its way; received and delivered; disk and alerts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from textual.containers import Horizontal, Vertical

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.figures import duration, percent, rate, seconds, size
from appliance.presentation.phrases import count, disk_in_words, network_in_words, plural
from appliance.presentation.states import DISK, SEVERITY
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import area, fit, progress_bar, width
from tui.screens.alerts import page_of
from tui.screens.flow import (
    HAPPENED,
    MOVING,
    SENDERS,
    STAGES,
    TARGETS,
    TOLD,
    VERY_WIDE,
    HappenedRow,
    MovingRow,
    SenderRow,
    StageRow,
    TargetRow,
    labels,
    sender_rows,
    stage_rows,
    target_rows,
)
from tui.screens.page import Page
from tui.screens.task import TaskPage
from tui.styles import Line, Span
from tui.widgets.grid import Column, Grid
from tui.widgets.lines import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.state import LiveRates, RouterState

_RUNNING: Final = 20
_HAPPENED: Final = 100
_SCALE: Final = 6
"""Columns of the scale beside a graph."""
_WORDS: Final = 40
"""From so many columns of a pane on there is room for whole words."""
_CORNERS: Final = 4
"""So many columns of a pane its title leaves free."""
_MUCH_LOAD: Final = 2
_MUCH_MEMORY: Final = 0.9
"""What is worth a colour: programs that wait, for each processor; the share of the memory that is used."""
_EVERY_STATUS: Final = 15
"""With each so many-th status (every half minute) what changes slowly is asked for."""


class _Heights(NamedTuple):
    """How many lines each row of panes has, borders included; the lowest has the rest, and so has its box with 0."""

    least: int
    flow: int
    moving: int
    alerts: int
    box: int


_LAYOUTS: Final = (_Heights(54, 14, 12, 7, 10), _Heights(36, 11, 8, 5, 7), _Heights(0, 9, 4, 3, 0))
"""By the lines of the terminal: the first that has so many at least."""


class OverviewPage(Page):
    """Flow from senders to targets."""

    NAME: ClassVar[str] = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("overview")]

    def __init__(self) -> None:
        super().__init__()
        self._targets: tuple[api.targets.TargetState, ...] = ()
        self._senders: api.traffic.Senders | None = None
        self._hour: api.traffic.Rates | None = None
        self._day: api.traffic.Rates | None = None
        self._delays: api.traffic.Delays | None = None
        self._disk: api.traffic.DiskUse | None = None
        self._moving: tuple[api.queue.QueueEntry, ...] = ()
        self._happened: deque[HappenedRow] = deque(maxlen=_HAPPENED)
        self._statuses = 0
        self._pane: Grid[Any] | None = None

    def body(self) -> ComposeResult:
        """Lay out the flow from left to right, and below it what it does over time."""
        with Horizontal(id="flow"):
            yield _grid("senders", SENDERS, lambda row: row.name, "no sender connected")
            yield _grid("stages", STAGES, lambda row: row.name, "")
            yield _grid("targets", TARGETS, lambda row: row.name, "no target is configured")
        yield _grid("moving", MOVING, lambda row: row.entry.id, "nothing is on its way")
        yield _grid("alerts", _ALERTS, lambda row: row.key, "• all is well")
        with Horizontal(id="lower"):
            with Vertical(id="graphs"):
                yield Static(id="hour", classes="pane")
                yield Static(id="day", classes="pane")
            with Vertical(id="side"):
                yield Static(id="box", classes="pane")
                yield _grid("happened", HAPPENED, lambda row: row.id, "nothing has happened yet")

    @property
    def grid(self) -> Grid[object] | None:
        """The table that has the keys, or had them before the command line."""
        if isinstance(self.focused, Grid):
            self._pane = self.focused
        return self._pane or next(iter(self.query(Grid)), None)

    def on_mount(self) -> None:
        """Give the keys to the senders."""
        super().on_mount()
        self._lay_out()
        self.set_focus(self.query_one("#senders"))

    def on_resize(self) -> None:
        """Lay the panes out for the new size."""
        if self.is_laid_out:
            self._lay_out()
            super().on_resize()

    def _lay_out(self) -> None:
        lines = self.app.size.height
        heights = next(heights for heights in _LAYOUTS if lines >= heights.least)
        for name, high in (("flow", heights.flow), ("moving", heights.moving), ("alerts", heights.alerts)):
            self.query_one(f"#{name}").styles.height = high
        self.query_one("#day").display = lines >= _LAYOUTS[0].least
        tall = lines >= _LAYOUTS[1].least
        self.query_one("#happened").display = tall
        self.query_one("#box").styles.height = heights.box or "1fr"

    # What is asked for.

    def refresh_data(self) -> None:
        """Ask for what the stream does not bring."""
        if not self.router.connected:
            return
        self._ask_often()
        self.ask(api.traffic.SENDERS, api.traffic.ListSenders(limit=50), self._know_senders, failed=_not_now)
        self.ask(api.history.EVENTS, api.history.FindEvents(limit=_HAPPENED), self._know_events, failed=_not_now)
        self._ask_rates()

    def _ask_often(self) -> None:
        self.ask(api.targets.LIST, Nothing(), self._know_targets, failed=_not_now)
        running = api.queue.ListQueue(states=("running",), limit=_RUNNING, progress=True)
        self.ask(api.queue.LIST, running, self._know_running, failed=_not_now)

    def _ask_rates(self) -> None:
        def got_hour(answer: api.traffic.Rates) -> None:
            self._hour = answer
            self._show_graphs()
            if self.query_one("#day").display:
                day = api.traffic.RateOver(hours=24, step=15)
                self.ask(api.traffic.RATES, day, got_day, failed=_not_now)

        def got_day(answer: api.traffic.Rates) -> None:
            self._day = answer
            self._show_graphs()

        self.ask(api.traffic.RATES, api.traffic.RateOver(hours=1, step=1), got_hour, failed=_not_now)
        self.ask(api.traffic.DELAYS, api.traffic.DelaysOver(hours=1), self._know_delays, failed=_not_now)
        self.ask(api.traffic.DISK, Nothing(), self._know_disk, failed=_not_now)

    def _know_delays(self, answer: api.traffic.Delays) -> None:
        self._delays = answer
        self._show_graphs()

    def _know_disk(self, answer: api.traffic.DiskUse) -> None:
        self._disk = answer
        self._show_box()

    def _know_targets(self, answer: api.targets.Targets) -> None:
        self._targets = answer.targets
        self._show_flow()

    def _know_senders(self, answer: api.traffic.Senders) -> None:
        self._senders = answer
        self._show_flow()

    def _know_running(self, answer: api.queue.Queue) -> None:
        self._moving = answer.entries
        self.router.pace.look(answer.entries)
        self._show_moving()

    def _know_events(self, answer: api.history.EventsFound) -> None:
        known = {row.id for row in self._happened}
        older = [event for event in answer.events if event.type in TOLD and event.id not in known]
        self._happened.extend(_happened(event) for event in older)
        self._show_happened()

    def told(self, event: api.streams.EventItem) -> None:
        """Tasks came or went: what waits for the targets is another number."""
        if event.type in TOLD:
            self._happened.appendleft(_happened(event))
            self._show_happened()
        self.mercure.soon(self, self._ask_often)

    def status_came(self) -> None:
        """Ask how far the running tasks are, and now and then for what changes slowly."""
        self._statuses += 1
        if self._moving or any(stage.entries for stage in self._stages()):
            self.mercure.soon(self, self._ask_often)
        if self._statuses % _EVERY_STATUS == 0 and self.router.connected:
            self._ask_rates()
            self.ask(api.traffic.SENDERS, api.traffic.ListSenders(limit=50), self._know_senders, failed=_not_now)

    # How it is shown.

    def router_changed(self) -> None:
        """Draw."""
        self._show_flow()
        self._show_moving()
        self._show_alerts()
        self._show_box()
        self._show_graphs()

    def _stages(self) -> list[StageRow]:
        return stage_rows(self.router.status) if self.router.status else []

    def _show_flow(self) -> None:
        router = self.router
        associations = router.status.associations if router.status else 0
        said = (plural(associations, "association"), "busy" if associations else "dim")
        about = [said] if self.app.size.width >= VERY_WIDE else []
        self._fill("senders", sender_rows(router, self._senders), "Senders", _total(router.received), *about)
        self._fill("stages", self._stages(), "In the router")
        self._fill("targets", target_rows(router, self._targets), "Targets", _total(router.delivered))

    def _show_moving(self) -> None:
        rows = [MovingRow(entry, self.router.pace.per_second(entry.id)) for entry in self._moving]
        self._fill("moving", rows, "On its way", (plural(len(rows), "task"), "dim") if rows else ("", ""))

    def _show_alerts(self) -> None:
        alerts = self.router.alerts.alerts if self.router.alerts else ()
        self._fill("alerts", alerts, "Alerts", (str(len(alerts)), "bad") if alerts else ("", ""))

    def _show_happened(self) -> None:
        self._fill("happened", [*self._happened], "What happened")

    def _fill(self, name: str, rows: Iterable[object], title: str, *about: Span) -> None:
        grid = self.query_one(f"#{name}", Grid)
        grid.fill([*rows])
        named: list[Span] = [(title, "title")]
        for part in about:
            named += [(" · ", "line"), part] if part[0] else []
        if grid.filter:
            found = (f"{len(grid.shown)} of {len(grid.rows)}, filter: {printable(grid.filter)}", "notice")
            named = [found] if grid.size.width < _WORDS else [named[0], (" · ", "line"), found]
        grid.entitle(*named)

    def _show_box(self) -> None:
        box = self.query_one("#box", Static)
        if self.router.status is not None:
            box.show(_box_lines(self.router, self.router.status, self._disk, box.size.width))
        machine = self.router.status.machine if self.router.status else None
        box.entitle(("Disk and services", "title"), *([(" · ", "line"), _load(machine)] if machine else []))

    def _show_graphs(self) -> None:
        for name, title, rates in (("hour", "Last hour", self._hour), ("day", "Last day", self._day)):
            pane = self.query_one(f"#{name}", Static)
            if rates is None or not pane.display:
                continue
            pane.entitle(*graph_title(title, self._delays if name == "hour" else None, pane.size.width))
            pane.show(graph_lines(rates, *pane.size))

    def show_note(self) -> None:
        """Say which part of a pane is shown."""
        self.router_changed()

    # What can be entered.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"enter": self._enter, "pane": self._next_pane}

    def _next_pane(self) -> None:
        self.focus_next()

    def _enter(self) -> None:
        row = self.grid.current if self.grid else None
        if isinstance(row, SenderRow):
            self.mercure.open_filtered("history", row.name)
        elif isinstance(row, StageRow):
            self.mercure.open_filtered("queue", _FILTER.get(row.name, ""))
        elif isinstance(row, TargetRow):
            self.mercure.open_page("targets", at=row.name)
        elif isinstance(row, MovingRow):
            self.app.push_screen(TaskPage(row.entry))
        elif isinstance(row, HappenedRow):
            self.mercure.open_page("audit" if row.type.startswith("config.") else "queue", at=row.task)
        elif isinstance(row, api.status.Alert):
            self.mercure.open_page(page_of(row), at=row.object)


_FILTER: Final = {"incoming": "arriving", "routing": "deciding", "studies": "collecting", "error": "failed"}
"""What the queue is filtered by for a stage: the state of what is in it."""

_ALERTS: Final = (
    Column[api.status.Alert]("severity", lambda row: SEVERITY[row.severity].span(), 10),
    Column[api.status.Alert]("text", lambda row: (printable(row.text), "dim" if row.acknowledged else "")),
)


def _grid(name: str, columns: Iterable[Column[Any]], key: Callable[[Any], Hashable], empty: str) -> Grid[Any]:
    return Grid([*columns], key, lambda row: str(row).casefold(), empty=empty, heads=False, id=name, classes="pane")


def _not_now(_error: object) -> None:
    """Leave what is shown: the banner, or an alert, says what does not work."""


def _happened(event: Any) -> HappenedRow:  # noqa: ANN401 - `EventItem` or `EventRecord`
    return HappenedRow(event.id, event.time, event.type, event.task, event.details)


def _total(rates: LiveRates) -> Span:
    values = rates.total()
    return (f"{rate(sum(values[-3:]) / 3)}/s", "bold") if any(values[-3:]) else ("", "")


def graph_lines(rates: api.traffic.Rates, columns: int, lines: int) -> Iterator[Line]:
    """Draw what was received above a line of time, and what was delivered below it, on one scale."""
    received = [point.received for point in rates.points]
    delivered = [point.delivered for point in rates.points]
    top = max([*received, *delivered, 0])
    if not top:
        yield ((" nothing received, nothing delivered", "dim"),)
        return
    rows, room = max(1, (lines - 1) // 2), max(1, columns - _SCALE - 1)
    up = area(received, room, rows, top)
    down = area(delivered, room, rows, top, down=True)
    scale = fit(count(top), _SCALE, right=True)
    unit = fit("/min" if rates.step == 1 else f"/{rates.step} m", _SCALE, right=True)
    for number, text in enumerate(up):
        yield ((scale if number == 0 else " " * _SCALE, "dim"), (" ", ""), (text, "good"))
    for time in labels(rates.points, room):
        yield ((unit, "dim"), (" ", ""), (time, "dim"))
    for number, text in enumerate(down):
        yield ((scale if number == rows - 1 else " " * _SCALE, "dim"), (" ", ""), (text, "busy"))


def graph_title(title: str, delays: api.traffic.Delays | None, columns: int) -> Line:
    """Write what a graph shows, and how long deliveries took: as much as a pane of so many columns has room for."""
    last: Line = ()
    for said in _delays_said(delays):
        for received, delivered in (("received", "delivered"), ("in", "out")):
            legend = ((title, "title"), (" · ", "line"), (f"▀ {received}", "good"), (f"  ▄ {delivered}", "busy"))
            last = (*legend, *said)
            if sum(width(text) for text, _ in last) <= columns - _CORNERS:
                return last
    return last


def _delays_said(delays: api.traffic.Delays | None) -> Iterator[Line]:
    """Yield how long deliveries of the last hour took, from the last image on: in full, and shorter and shorter."""
    if delays is not None and delays.all is not None:
        whole = delays.all.whole
        both: Line = ((" · ", "line"), (f"p50 {seconds(whole.p50)}  p95 {seconds(whole.p95)}", ""))
        if len(delays.targets) > 1:
            yield (*both, (f"  slowest: {printable(delays.targets[0].name)}", "dim"))
        yield both
        yield ((" · ", "line"), (f"p95 {seconds(whole.p95)}", ""))
    yield ()


def _box_lines(
    router: RouterState, status: api.status.Status, use: api.traffic.DiskUse | None, columns: int
) -> Iterator[Line]:
    """Say how disk, services and machine are: what matters most first, as a low pane shows only the beginning."""
    yield _disk_line(status.disk, columns)
    yield ((" services ", "dim"), _services(status), *_lag(status))
    yield _kept_line(status, use, columns)
    if use is not None:
        yield _held_line(use)
    if status.machine is not None:
        yield from _machine_lines(status.machine)
    in_out = f"{size(_sum(router.received_bytes))}/s in, {size(_sum(router.delivered_bytes))}/s out"
    yield ((" images   ", "dim"), (in_out, ""))
    yield ((" config   ", "dim"), (f"revision {status.config.revision}", ""))


def _kept_line(status: api.status.Status, use: api.traffic.DiskUse | None, columns: int) -> Line:
    """Say how many tasks are kept after their end, and how much they hold if there is room for that of both."""
    kept = {str(stage.stage): stage.count for stage in status.stages}
    bytes_ = {"success": use.delivered, "discard": use.discarded} if use else {}
    words = (("success", "delivered"), ("discard", "discarded"))
    counts = {stage: f"{count(kept.get(stage, 0))} {word}" for stage, word in words}
    label = " kept     "
    whole = ", ".join(text + (f" {size(bytes_[stage])}" if bytes_.get(stage) else "") for stage, text in counts.items())
    fits = len(label) + len(whole) <= columns
    return ((label, "dim"), (whole if fits else ", ".join(counts.values()), ""))


def _held_line(use: api.traffic.DiskUse) -> Line:
    """Say how much waits, and how much waits for a person."""
    line: list[Span] = [(" held     ", "dim"), (f"{size(use.waiting)} waiting", "")]
    for word, bytes_ in (("failed", use.failed), ("in quarantine", use.quarantine)):
        if bytes_:
            line += [(f", {size(bytes_)} {word}", "warn")]
    return tuple(line)


def _disk_line(disk: api.status.DiskState, columns: int) -> Line:
    left = disk.full_in_seconds
    look = DISK["filling" if disk.state == "ok" and left is not None else disk.state]
    full, free = progress_bar(1 - disk.free_bytes / max(1, disk.total_bytes), max(4, min(20, columns - 40)))
    total = f" of {size(disk.total_bytes)}" if columns >= _WORDS else ""
    said = f"full in {duration(left)}, " if left is not None else ""
    return (
        (" disk     ", "dim"), look.span(), (f" {said}", "warn"), (full, look.tone), (free.replace(" ", "·"), "dim"),
        (f" {size(disk.free_bytes)} free{total}", ""),
    )  # fmt: skip


def _load(machine: api.status.MachineState) -> Span:
    load = machine.load[0]
    return f"load {load:g}", "warn" if load > _MUCH_LOAD * machine.processors else "dim"


def _machine_lines(machine: api.status.MachineState) -> Iterator[Line]:
    used = 1 - machine.memory_available_bytes / max(1, machine.memory_bytes)
    memory = (f"memory {percent(used)} used, ", "warn" if used > _MUCH_MEMORY else "")
    yield ((" machine  ", "dim"), memory, (plural(machine.processors, "processor"), ""))
    network = max(
        machine.networks, key=lambda it: (it.received_per_second or 0) + (it.sent_per_second or 0), default=None
    )
    for label, text in (
        ("network", network_in_words(network) if network else ""),
        ("device", disk_in_words(machine.disk)),
    ):
        if text:
            yield ((f" {label:8} ", "dim"), (printable(text), ""))


def _services(status: api.status.Status) -> Span:
    running = sum(service.running for service in status.services)
    wanted = sum(service.configured for service in status.services)
    if not status.running:
        return "‼ they do not run", "bad"
    return f"{running} of {wanted} processes run", "good" if running >= wanted else "bad"


def _lag(status: api.status.Status) -> Line:
    if status.history.problem:
        return ((", ‼ the history cannot be asked", "bad"),)
    return ((f", history {duration(status.history.lag_seconds or 0)} behind", "dim"),)


def _sum(rates: LiveRates) -> float:
    return sum(rates.now(name) for name in rates.names)
