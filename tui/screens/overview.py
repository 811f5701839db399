"""The flow at a glance: senders, stages, targets; disk, history, alerts."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.figures import duration, rate, size
from appliance.presentation.phrases import plural
from appliance.presentation.states import DISK, SEVERITY, STAGE, TARGET
from mercure.printable import printable
from tui.format import fit, spark
from tui.screens.page import Page
from tui.styles import Line, Span, age_style
from tui.widgets.lines import Pager

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.app import ComposeResult

    from tui.state import LiveRates, RouterState

_SPARK: Final = 20
_ROWS: Final = 7
_COUNTED: Final = 17
"""Columns from which there is room to say what is counted."""
_TROUBLE: Final = frozenset({"error", "quarantine"})
"""Stages that should be empty."""
_AT_REST: Final = frozenset({"success", "discard"})
"""Stages whose age means nothing: they are kept for the retention time."""


class OverviewPage(Page):
    """Flow from senders to targets."""

    NAME: ClassVar[str] = "overview"

    def __init__(self) -> None:
        super().__init__()
        self._targets: tuple[api.targets.TargetState, ...] = ()

    def body(self) -> ComposeResult:
        """One text."""
        yield Pager(id="flow")

    def refresh_data(self) -> None:
        """Ask for the targets; all else comes by the stream."""
        if self.router.connected:
            self.ask(api.targets.LIST, Nothing(), self._show_targets, failed=lambda _: None)

    def _show_targets(self, answer: api.targets.Targets) -> None:
        self._targets = answer.targets
        self.router_changed()

    def told(self, event: api.streams.EventItem) -> None:
        """Tasks came or went: what waits for the targets is another number."""
        self.mercure.soon(self, self.refresh_data)

    def router_changed(self) -> None:
        """Draw."""
        self.query_one(Pager).show(overview_lines(self.router, self._targets, self.app.size.width))


def overview_lines(router: RouterState, targets: Sequence[api.targets.TargetState], columns: int) -> list[Line]:
    """Write the page."""
    if router.status is None:
        return [(), ((" Waiting for the first word of the router …", "dim"),)]
    third = (columns - 4) // 3
    stages = list(_stages(router.status, third))
    blocks = (
        [_title("senders", router.received, third), *_senders(router, third)],
        [((fit("stages", third), "title"),), *(_fitted(line, third) for line in stages)],
        [_title("targets", router.delivered, third), *_targets(router, targets, third)],
    )
    lines: list[Line] = [()]
    lines += [_across(parts, third) for parts in zip_longest(*blocks, fillvalue=())]
    lines += [(), *_box(router), (), *_alerts(router, columns)]
    return lines


def _title(name: str, rates: LiveRates, wide: int) -> Line:
    values = rates.total()
    now = f"{rate(sum(values[-3:]) / 3)}/s" if values else "0/s"
    room = max(0, wide - len(name) - len(now) - 2)
    return (
        (f"{name} ", "title"),
        (fit(spark(values, min(room, _SPARK)), room, right=True), "busy"),
        (f" {now}", "bold"),
    )


def _across(parts: Sequence[Line], wide: int) -> Line:
    line: list[Span] = [(" ", "")]
    for part in parts:
        line += [*_fitted(part, wide), (" ", "")]
    return tuple(line)


def _fitted(line: Line, wide: int) -> Line:
    from tui.format import width  # noqa: PLC0415 - one name for a parameter and a function

    used = sum(width(text) for text, _ in line)
    return (*line, (" " * max(0, wide - used), ""))


def _rated(name: str, rates: LiveRates, wide: int, end: Span) -> Line:
    """Return name, little bars and rate of somebody, in so many columns."""
    now = fit(rate(rates.now(name)), 4, right=True)
    label = 10 if wide < _SPARK * 2 else 16
    room = wide - label - 1 - len(now) - len(end[0])
    return ((fit(printable(name), label), ""), (" ", ""), (spark(rates.values(name), room), "busy"), (now, "bold"), end)


def _senders(router: RouterState, wide: int) -> Iterator[Line]:
    names = router.received.names
    for name in names[:_ROWS]:
        yield _rated(name, router.received, wide, ("", ""))
    if len(names) > _ROWS:
        yield ((fit(f"and {len(names) - _ROWS} more", wide), "dim"),)
    if not names:
        yield ((fit("no sender connected", wide), "dim"),)
    associations = router.status.associations if router.status else 0
    yield ((fit(plural(associations, "association"), wide), "busy" if associations else "dim"),)


def _stages(status: api.status.Status, wide: int) -> Iterator[Line]:
    room = wide - 15  # for glyph, count and age
    known = {str(stage.stage): stage for stage in status.stages}
    for name, words in STAGE.items():
        stage = known.get(name)
        if stage is None:
            continue
        trouble = name in _TROUBLE and stage.count > 0
        count = (fit(str(stage.count), 6, right=True), "bad" if trouble else "bold" if stage.count else "dim")
        glyph = ("‼ " if trouble else "  ", "bad")
        yield (
            glyph,
            (fit(words.counted if room >= _COUNTED else words.short, room), "bad" if trouble else ""),
            count,
            (" ", ""),
            _oldest(stage, name),
        )


def _oldest(stage: api.status.StageState, name: str) -> Span:
    if stage.oldest_seconds is None or name in _AT_REST:
        return (" " * 6, "")
    return (fit(duration(stage.oldest_seconds), 6, right=True), age_style(stage.oldest_seconds))


def _targets(router: RouterState, targets: Sequence[api.targets.TargetState], wide: int) -> Iterator[Line]:
    down = {outage.target for outage in router.status.outages} if router.status else set()
    looks = [(target, TARGET[target_state(target, down)]) for target in targets]
    looks.sort(key=lambda pair: (pair[1].rank, -pair[0].waiting, pair[0].name))
    for target, look in looks[:_ROWS]:
        glyph = (f"{look.glyph} ", look.tone)
        if look.word == "down":
            end = (f" down, {target.waiting} wait", look.tone)
            yield (glyph, (fit(printable(target.name), wide - 2 - len(end[0])), look.tone), end)
        else:
            end = (fit(f"{target.waiting} wait", 8, right=True) if target.waiting else "", "warn")
            yield (glyph, *_rated(target.name, router.delivered, wide - 2, end))
    if len(looks) > _ROWS:
        yield ((fit(f"and {len(looks) - _ROWS} more", wide), "dim"),)


def target_state(target: api.targets.TargetState, down: set[str] | frozenset[str] = frozenset()) -> str:
    """Return the state of a target: ``down``, ``failed`` (it has failed tasks), ``disabled``, ``unused`` or ``up``."""
    if target.disabled:
        return "disabled"
    if target.outage is not None or target.name in down:
        return "down"
    if target.failed:
        return "failed"
    return "unused" if target.taken is None else "up"


def _box(router: RouterState) -> Iterator[Line]:
    status = router.status
    if status is None:
        return
    disk, left = status.disk, status.disk.full_in_seconds
    look = DISK["filling" if disk.state == "ok" and left is not None else disk.state]
    forecast = f", full in {duration(left)}" if left is not None else ""
    yield ((" disk      ", "dim"), look.span(), (f", {size(disk.free_bytes)} free of {size(disk.total_bytes)}", ""),
           (forecast, "warn"))  # fmt: skip
    in_out = f"{size(_sum(router.received_bytes))}/s in, {size(_sum(router.delivered_bytes))}/s out"
    yield ((" traffic   ", "dim"), (in_out, ""))
    running = sum(service.running for service in status.services)
    wanted = sum(service.configured for service in status.services)
    services: Span = (f"{running} of {wanted} processes run", "good" if running >= wanted else "bad")
    if not status.running:
        services = ("‼ they do not run", "bad")
    history = status.history
    lag: Span = (f", history {duration(history.lag_seconds or 0)} behind", "")
    if history.problem:
        lag = (", ‼ the history cannot be asked", "bad")
    yield ((" services  ", "dim"), services, lag, (f", configuration revision {status.config.revision}", ""))


def _sum(rates: LiveRates) -> float:
    return sum(rates.now(name) for name in rates.names)


def _alerts(router: RouterState, columns: int) -> Iterator[Line]:
    alerts = router.alerts.alerts if router.alerts else ()
    if not alerts:
        yield ((" • all is well", "good"),)
    for alert in alerts:
        look = SEVERITY[alert.severity]
        yield ((f" {look.glyph} {look.word:9}", look.tone), (fit(printable(alert.text), columns - 13), ""))
