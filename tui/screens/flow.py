"""What stands in the panes of the Overview: senders, stages, targets, tasks on their way, what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from appliance.control.rpc.client import api
from appliance.presentation.events import sentence
from appliance.presentation.figures import clock, duration, rate, since
from appliance.presentation.phrases import count, plural
from appliance.presentation.states import QUEUE, STAGE, TARGET, Look
from mercure.printable import printable
from tui.format import number, progress_bar, spark
from tui.styles import Span, age_style
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from tui.state import RouterState

_TROUBLE: Final = frozenset({"error", "quarantine"})
"""Stages that should be empty."""
AT_REST: Final = frozenset({"success", "discard"})
"""Stages whose age means nothing: they are kept for the retention time."""
WIDE: Final = 100
VERY_WIDE: Final = 160
"""From so many columns of the terminal on there is room for more."""
_BAR: Final = 12
"""Columns of a progress bar where there is little room."""


@dataclass(frozen=True)
class SenderRow:
    """A scanner: how many images per second it sends, and when it sent the last one."""

    name: str
    values: tuple[float, ...]
    rate: float
    last: datetime | None
    today: int
    now: datetime | None

    @property
    def said(self) -> Span:
        """Its rate, or how long ago its last image came."""
        if self.rate:
            return f"{rate(self.rate)}/s", "bold"
        return (since(self.last, self.now), "dim") if self.last else ("·", "dim")


def _spark(row: SenderRow | TargetRow, columns: int) -> Span:
    return spark(row.values, columns), "busy"


SENDERS: Final[Sequence[Column[SenderRow]]] = (
    Column("sender", lambda row: (printable(row.name), "" if row.rate else "dim"), 0),
    Column("", lambda row: _spark(row, 8), 8, from_width=WIDE, to_width=VERY_WIDE - 1),
    Column("", lambda row: _spark(row, 20), 20, from_width=VERY_WIDE),
    Column("now", lambda row: row.said, 7, right=True),
    Column("today", lambda row: number(row.today, "dim"), 8, right=True, from_width=VERY_WIDE),
)


def sender_rows(router: RouterState, known: api.traffic.Senders | None) -> list[SenderRow]:
    """Return who sends now, the busiest first, then who sent before, the last first."""
    last: dict[str, datetime] = {}
    today: dict[str, int] = {}
    for sender in known.senders if known else ():
        name = sender.calling_aet
        last[name] = max(last.get(name, sender.last_image), sender.last_image)
        today[name] = today.get(name, 0) + sender.images
    rates = router.received
    names = dict.fromkeys((*rates.names, *last))
    return [
        SenderRow(name, tuple(rates.values(name)), rates.now(name), last.get(name), today.get(name, 0), router.heard)
        for name in names
    ]


@dataclass(frozen=True)
class StageRow:
    """A stage of the spool and what is in it."""

    name: str
    entries: int
    oldest: float | None

    @property
    def is_trouble(self) -> bool:
        """Whether it should be empty, and is not."""
        return self.name in _TROUBLE and self.entries > 0

    def label(self, *, long: bool) -> Span:
        """Return what it is called, with what is counted where there is room."""
        words = STAGE[self.name]
        text = words.counted if long else words.short
        return (f"‼ {text}", "bad") if self.is_trouble else (text, "" if self.entries else "dim")


def _oldest(row: StageRow) -> Span:
    return ("", "") if row.oldest is None else (duration(row.oldest), age_style(row.oldest))


STAGES: Final[Sequence[Column[StageRow]]] = (
    Column("stage", lambda row: row.label(long=False), 0, to_width=WIDE - 1),
    Column("stage", lambda row: row.label(long=True), 0, from_width=WIDE),
    Column("entries", lambda row: number(row.entries, "bad" if row.is_trouble else "bold"), 5, right=True),
    Column("oldest", _oldest, 6, right=True),
)


def stage_rows(status: api.status.Status) -> list[StageRow]:
    """Return the stages in which something waits or is under way, in the order of a task's life."""
    known = {str(stage.stage): stage for stage in status.stages}
    return [
        StageRow(name, known[name].count, known[name].oldest_seconds)
        for name in STAGE
        if name in known and name not in AT_REST
    ]


@dataclass(frozen=True)
class TargetRow:
    """A target, what goes to it, and what waits for it."""

    name: str
    state: str
    values: tuple[float, ...]
    rate: float
    target: api.targets.TargetState
    now: datetime | None

    @property
    def look(self) -> Look:
        """Its glyph, word and tone."""
        return TARGET[self.state]

    @property
    def done_in(self) -> float | None:
        """In how many seconds nothing waits any more, if it goes on so; None: that cannot be said."""
        waiting = self.target.waiting_images
        return waiting / self.rate if waiting and self.rate and self.state != "down" else None

    def said(self, *, long: bool) -> Span:
        """Say what a glance should tell: down, or rate and backlog."""
        waits = f"{count(self.target.waiting)} wait"
        if self.state == "down":
            return f"down, {waits}", self.look.tone
        texts = [f"{rate(self.rate)}/s"] if self.rate else []
        if self.target.waiting:
            texts.append(waits + (f", {count(self.target.waiting_images)} images" if long else ""))
        if long and self.done_in is not None:
            texts.append(f"done in about {duration(self.done_in)}")
        return (" ".join(texts) if not long else " · ".join(texts)) or "·", "" if texts else "dim"


TARGETS: Final[Sequence[Column[TargetRow]]] = (
    Column("target", lambda row: (f"{row.look.glyph} {printable(row.name)}", row.look.tone), 0),
    Column("", lambda row: _spark(row, 8), 8, from_width=WIDE),
    Column("now", lambda row: row.said(long=False), 13, right=True, to_width=VERY_WIDE - 1),
    Column("now", lambda row: row.said(long=True), 36, right=True, from_width=VERY_WIDE),
)


def target_rows(router: RouterState, targets: Sequence[api.targets.TargetState]) -> list[TargetRow]:
    """Return the targets, the worst first, then those for which most waits."""
    down = {outage.target for outage in router.status.outages} if router.status else set()
    rates, running = router.delivered, router.pace.by_target
    rows = [
        TargetRow(
            target.name, target_state(target, down), tuple(rates.values(target.name)),
            running.get(target.name, 0.0) or rates.now(target.name), target, router.heard,
        )
        for target in targets
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row.look.rank, -row.target.waiting, row.name))


def target_state(target: api.targets.TargetState, down: set[str] | frozenset[str] = frozenset()) -> str:
    """Return the state of a target: ``down``, ``failed`` (it has failed tasks), ``disabled``, ``unused`` or ``up``."""
    if target.disabled:
        return "disabled"
    if target.outage is not None or target.name in down:
        return "down"
    if target.failed:
        return "failed"
    return "unused" if target.taken is None else "up"


def backlog_text(target: api.targets.TargetState, per_second: float) -> str:
    """Say what waits for a target, and when nothing will, if it goes on so."""
    texts = [f"{plural(target.waiting, 'task')}, {plural(target.waiting_images, 'image')}"]
    if per_second > 0:
        texts.append(f"{rate(per_second)}/s, done in about {duration(target.waiting_images / per_second)}")
    return " · ".join(texts)


@dataclass(frozen=True)
class MovingRow:
    """A task on its way: how far it is, and how fast it goes."""

    entry: api.queue.QueueEntry
    per_second: float

    @property
    def share(self) -> float:
        """How much of it is confirmed."""
        return (self.entry.confirmed or 0) / max(1, self.entry.images)

    @property
    def left(self) -> float | None:
        """How many seconds it still takes, if it goes on so; None: that cannot be said."""
        rest = self.entry.images - (self.entry.confirmed or 0)
        return rest / self.per_second if self.per_second > 0 else None


def progress_text(entry: api.queue.QueueEntry, per_second: float) -> str:
    """Say how far a task is: ``812/3 000 · 45/s · 48 s left``."""
    if entry.confirmed is None:
        return ""
    row = MovingRow(entry, per_second)
    texts = [f"{count(entry.confirmed)}/{count(entry.images)}"]
    if per_second > 0:
        texts += [f"{rate(per_second)}/s", f"{duration(row.left or 0)} left"]
    return " · ".join(texts)


def exam_of(entry: api.queue.QueueEntry) -> str:
    """Return patient, modality and descriptions of an entry, or its id where nothing is known."""
    who = entry.identity
    parts = (who.PatientID, who.Modality, who.StudyDescription, who.SeriesDescription)
    return printable(" ".join(part for part in parts if part)) or printable(entry.id)


def _bar(row: MovingRow, columns: int) -> Span:
    if row.entry.confirmed is None:
        since = duration(row.entry.age_seconds)
        return f"running for {since}" if columns > _BAR else f"for {since}", "dim"
    done, rest = progress_bar(row.share, columns)
    return done + rest.replace(" ", "·"), "busy"


MOVING: Final[Sequence[Column[MovingRow]]] = (
    Column("", lambda row: (QUEUE["running"].glyph, QUEUE["running"].tone), 1),
    Column("exam", lambda row: (exam_of(row.entry), ""), 0),
    Column("accession", lambda row: (printable(row.entry.identity.AccessionNumber), "dim"), 14, from_width=WIDE),
    Column("to", lambda row: (f"→ {printable(row.entry.target or row.entry.module or '')}", ""), 12),
    Column("", lambda row: _bar(row, _BAR), _BAR, to_width=WIDE - 1),
    Column("", lambda row: _bar(row, 20), 20, from_width=WIDE, to_width=VERY_WIDE - 1),
    Column("", lambda row: _bar(row, 50), 50, from_width=VERY_WIDE),
    Column("progress", lambda row: (progress_text(row.entry, row.per_second), ""), 28),
)


@dataclass(frozen=True)
class HappenedRow:
    """An event worth a line."""

    id: str
    time: datetime
    type: str
    task: str | None
    details: Mapping[str, object]


TOLD: Final = (
    "task.delivered", "task.failed", "task.held", "task.released", "task.rerouted", "task.discarded", "task.retried",
    "target.down", "target.up", "module.down", "module.up", "config.saved", "service.started", "service.stopped",
    "study.completed", "alert.raised", "alert.cleared",
)  # fmt: skip
"""The events that the feed shows."""

HAPPENED: Final[Sequence[Column[HappenedRow]]] = (
    Column("time", lambda row: (clock(row.time), "dim"), 8),
    Column("what", lambda row: _said(row, word=True), 11),
    Column("", lambda row: _said(row, word=False), 0),
)


def _said(row: HappenedRow, *, word: bool) -> Span:
    said = sentence(row.type, row.details)
    return (said.word, said.tone) if word else (printable(said.text), "")


def labels(points: Sequence[api.traffic.RatePoint], columns: int) -> Iterator[str]:
    """Yield the times below a graph: of its beginning, its middle and its end."""
    times = [clock(points[at].begin)[:5] for at in (0, len(points) // 2, -1)] if points else ["", "", ""]
    room = max(0, columns - sum(len(text) for text in times))
    yield f"{times[0]}{' ' * (room // 2)}{times[1]}{' ' * (room - room // 2)}{times[2]}"
