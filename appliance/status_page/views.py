"""Views: what the pages about the router show, made of a snapshot; plain data for the templates, redacted, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

from appliance.control.rpc.client import api
from appliance.presentation.figures import size
from appliance.presentation.phrases import count
from appliance.status_page import labels
from appliance.status_page.chart import Bar, calendar, sparkline, svg
from appliance.status_page.labels import Sign
from appliance.status_page.language import Moment, Words
from appliance.status_page.redaction import Masking
from appliance.status_page.source import Flow, PageSnapshot

_OF_INTEREST: Final = ("incoming", "routing", "studies", "processing", "outgoing", "error", "quarantine")
_CALM_WHEN_EMPTY: Final = ("error", "quarantine")
_PROOF: Final = {0: "proof.0", 1: "proof.1"}
_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Audience:
    """For whom a view is made: when, in which language, and how much is shown."""

    now: datetime
    words: Words
    masking: Masking

    def moment(self, instant: datetime | None) -> Moment | None:
        """Say when something was."""
        return self.words.moment(instant, self.now)


@dataclass(frozen=True)
class AlertView:
    """Something that a person should look at: in plain words, what is known of it, and the technical text."""

    sign: Sign
    text: str
    known: str
    since: Moment | None
    technical: str


@dataclass(frozen=True)
class Tile:
    """One figure, large."""

    label: str
    value: str
    note: str = ""
    tone: labels.Tone = "calm"


@dataclass(frozen=True)
class StageView:
    """What stands in one stage."""

    label: str
    count: str
    oldest: str
    tone: labels.Tone


@dataclass(frozen=True)
class SenderView:
    """Who sends images."""

    title: str
    address: str
    last: Moment | None
    silent: bool
    hour: str
    images: str
    size: str
    picture: Markup | str
    pace: str = ""


@dataclass(frozen=True)
class TargetView:
    """Where images go."""

    name: str
    kind: str
    sign: Sign
    since: Moment | None
    waiting: str
    failed: str


@dataclass(frozen=True)
class ChartView:
    """The last hours: a picture and its numbers."""

    picture: Markup
    rows: tuple[tuple[str, str, str], ...]
    hours: int
    received: str
    delivered: str


@dataclass(frozen=True)
class DaysView:
    """The last days: a bar for each, and those with an outage in a table."""

    picture: Markup
    summary: str
    rows: tuple[tuple[str, str], ...]
    days: int


@dataclass(frozen=True)
class Overview:
    """The router at a glance."""

    sign: Sign
    headline: str
    summary: str
    alerts: tuple[AlertView, ...]
    tiles: tuple[Tile, ...]
    stages: tuple[StageView, ...]
    chart: ChartView | None
    days: DaysView | None
    senders: tuple[SenderView, ...]
    targets: tuple[TargetView, ...]
    history_problem: str


def overview(seen: PageSnapshot, audience: Audience) -> Overview:
    """Say how the router is."""
    words = audience.words
    state = seen.health if seen.status.running else "stopped"
    return Overview(
        sign=labels.sign(words, "health", seen.health if seen.status.running else "bad"),
        headline=words(f"health.{state}"),
        summary=" ".join(filter(None, (_summary(seen.flow, audience), _verified(seen.status.verify, audience)))),
        alerts=alerts(seen, audience),
        tiles=tuple(_tiles(seen, words)),
        stages=tuple(_stages(seen, words)),
        chart=chart(seen.flow, words) if seen.flow else None,
        days=last_days(seen.days, words) if seen.days else None,
        senders=senders(seen, audience),
        targets=targets(seen, audience),
        history_problem="" if seen.flow else words("history.away"),
    )


def _summary(flow: Flow | None, audience: Audience) -> str:
    if flow is None:
        return ""
    hour = sum(sender.images_hour for sender in flow.senders.senders)
    when = audience.moment(max((sender.last_image for sender in flow.senders.senders), default=None))
    words = audience.words
    return words("summary.none") if when is None else words("summary", images=words.plural(hour, "image"), ago=when.ago)


def _verified(verify: api.status.VerifyState, audience: Audience) -> str:
    when = audience.moment(verify.finished)
    return "" if when is None else audience.words(_PROOF.get(verify.exit_code, "proof.2"), ago=when.ago)


def alerts(seen: PageSnapshot, audience: Audience) -> tuple[AlertView, ...]:
    """List what a person should look at, in words for people who do not know the router."""
    return tuple(
        AlertView(
            sign=labels.sign(audience.words, "severity", alert.severity),
            text=_plainly(alert, seen, audience),
            known=_known(alert, audience),
            since=audience.moment(alert.since),
            technical=audience.masking.text(f"{alert.text}: {alert.advice}" if alert.advice else alert.text),
        )
        for alert in seen.alerts
    )


def _plainly(alert: api.status.Alert, seen: PageSnapshot, audience: Audience) -> str:
    words = audience.words
    key = f"alert.{alert.kind}"
    if alert.severity == "critical":
        key = words.key(f"{key}.critical", key)
    since = audience.moment(alert.since)
    about, _, address = alert.object.partition("@")
    if not audience.masking.on and address:
        about = alert.object
    text = words(words.key(key, "alert.other"), object=about, since=since.clock if since else "?")
    return f"{text} {_waiting(alert, seen, words)}" if alert.kind == "outage" else text


def _waiting(alert: api.status.Alert, seen: PageSnapshot, words: Words) -> str:
    waiting = sum(target.waiting for target in seen.targets if target.name == alert.object)
    return words.plural(waiting, "alert.outage.waiting") if waiting else words("alert.outage.none")


def _known(alert: api.status.Alert, audience: Audience) -> str:
    """Say whether somebody takes care of an alert."""
    words, acknowledged = audience.words, alert.acknowledged
    if alert.over is not None:
        return words("alert.over")
    if acknowledged is not None:
        return words("alert.knows", time=words.clock(acknowledged.at, audience.now), name=acknowledged.by)
    return words("alert.watched" if alert.severity == "watch" else "alert.unknown")


def _tiles(seen: PageSnapshot, words: Words) -> Iterable[Tile]:
    counts = {stage.stage.value: stage.count for stage in seen.status.stages}
    if seen.flow is not None:
        received = sum(sender.images_hour for sender in seen.flow.senders.senders)
        yield Tile(words("tile.arrived"), count(received), words("tile.arrived.note"))
    failed = counts.get("error", 0)
    yield Tile(words("tile.waiting"), count(counts.get("outgoing", 0)), words("tile.waiting.note"))
    yield Tile(words("tile.failed"), count(failed), words("tile.failed.note"), "bad" if failed else "calm")
    down = sum(target.outage is not None for target in seen.targets)
    note = words.plural(len(seen.targets), "of_targets")
    yield Tile(words("tile.down"), count(down), note, "bad" if down else "calm")
    yield Tile(words("tile.connected"), count(seen.status.associations), words("tile.connected.note"))
    disk = seen.status.disk
    tone: labels.Tone = {"ok": "calm", "low": "warn", "refusing": "bad"}[disk.state]  # type: ignore[assignment]
    share = 100 * disk.free_bytes / max(1, disk.total_bytes)
    yield Tile(words("tile.room"), size(disk.free_bytes), words("tile.room.note", share=f"{share:.0f}"), tone)


def _stages(seen: PageSnapshot, words: Words) -> Iterable[StageView]:
    for stage in seen.status.stages:
        name = stage.stage.value
        if name not in _OF_INTEREST or (name in _CALM_WHEN_EMPTY and not stage.count):
            continue
        age = stage.oldest_seconds
        oldest = "" if age is None else words("stage.oldest", time=words.duration(age))
        tone: labels.Tone = "bad" if name == "error" else "warn" if name == "quarantine" else "calm"
        yield StageView(words(f"stage.{name}"), count(stage.count), oldest, tone)


def chart(flow: Flow, words: Words) -> ChartView:
    """Draw the last hours."""
    bars = [Bar(point.begin, point.received, point.delivered) for point in flow.rates.points]
    hours, received = flow.senders.hours, count(sum(bar.received for bar in bars))
    delivered = count(sum(bar.delivered for bar in bars))
    title = words("chart.title", hours=hours, received=received, delivered=delivered)
    rows = [(_hour(bar.begin, words), count(bar.received), count(bar.delivered)) for bar in reversed(bars)]
    return ChartView(svg(bars, title, words.weekday, words.zone), tuple(rows), hours, received, delivered)


def _hour(begin: datetime, words: Words) -> str:
    return f"{words.weekday(begin)} {words.local(begin):%H:%M}"


def last_days(days: api.traffic.Days, words: Words) -> DaysView:
    """Draw a bar for each of the last days."""
    known = [day for day in days.days if day.bad_seconds is not None]
    bad = [(words.day(day.begin), day.bad_seconds) for day in known if day.bad_seconds]
    marks = [(words.day(day.begin), _day_state(day.bad_seconds)) for day in days.days]
    summary = words("days.summary", well=len(known) - len(bad), known=len(known))
    titled = [(f"{date}: {words(f'days.{state}')}", state) for date, state in marks]
    rows = tuple((date, words.duration(seconds)) for date, seconds in reversed(bad))
    return DaysView(calendar(titled, summary), summary, rows, len(days.days))


def _day_state(bad_seconds: float | None) -> str:
    if bad_seconds is None:
        return "unknown"
    return "bad" if bad_seconds >= _HOUR else "short" if bad_seconds else "well"


def senders(seen: PageSnapshot, audience: Audience) -> tuple[SenderView, ...]:
    """List who sends, the one with the last image first."""
    if seen.flow is None:
        return ()
    words, hours = audience.words, seen.flow.senders.hours
    silent = {alert.object for alert in seen.alerts if alert.kind == "silence"}
    return tuple(
        SenderView(
            title=sender.calling_aet,
            address=audience.masking.address(sender.address),
            last=audience.moment(sender.last_image),
            silent=not silent.isdisjoint((sender.name, f"{sender.calling_aet}@{sender.address}")),
            hour=count(sender.images_hour),
            images=count(sender.images),
            size=size(sender.bytes),
            picture=_by_hour(sender.hourly, hours, words),
            pace=words("senders.slow", seconds=f"{sender.release_seconds:g}") if sender.release_seconds else "",
        )
        for sender in seen.flow.senders.senders
    )


def _by_hour(hourly: tuple[int, ...], hours: int, words: Words) -> Markup | str:
    if not hourly:
        return ""
    return sparkline(hourly, words("senders.hourly", hours=hours, most=count(max(hourly))))


def targets(seen: PageSnapshot, audience: Audience) -> tuple[TargetView, ...]:
    """List where images go."""
    return tuple(
        TargetView(
            name=target.name,
            kind=target.kind,
            sign=labels.sign(audience.words, "target", _target_state(target)),
            since=audience.moment(target.outage.since) if target.outage else None,
            waiting=count(target.waiting),
            failed=count(target.failed) if target.failed else "",
        )
        for target in seen.targets
    )


def _target_state(target: api.targets.TargetState) -> str:
    return "disabled" if target.disabled else "up" if target.outage is None else "down"
