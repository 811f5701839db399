"""Views: what each page shows, made of a snapshot; plain data for the templates, redacted, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

from appliance.control.rpc.client import api
from appliance.presentation.figures import duration, size
from appliance.presentation.phrases import count, plural
from appliance.presentation.states import HEALTH, SEVERITY, STAGE, TARGET, TASK
from appliance.status_page import labels
from appliance.status_page.chart import Bar, svg
from appliance.status_page.labels import Moment, Sign
from appliance.status_page.redaction import Masking
from appliance.status_page.source import Flow, PageSnapshot

_OF_INTEREST: Final = ("incoming", "routing", "studies", "processing", "outgoing", "error", "quarantine")
_CALM_WHEN_EMPTY: Final = ("error", "quarantine")


@dataclass(frozen=True)
class AlertView:
    """Something that a person should look at."""

    sign: Sign
    text: str
    since: Moment | None


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
    hour: str
    images: str
    size: str
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
class Overview:
    """The router at a glance."""

    sign: Sign
    headline: str
    summary: str
    alerts: tuple[AlertView, ...]
    tiles: tuple[Tile, ...]
    stages: tuple[StageView, ...]
    chart: ChartView | None
    senders: tuple[SenderView, ...]
    targets: tuple[TargetView, ...]
    history_problem: str


def overview(seen: PageSnapshot, now: datetime, masking: Masking) -> Overview:
    """Say how the router is."""
    sign, headline = _headline(seen)
    return Overview(
        sign=sign,
        headline=headline,
        summary=_summary(seen.flow, now) + _verified(seen.status.verify, now),
        alerts=alerts(seen, now, masking),
        tiles=tuple(_tiles(seen)),
        stages=tuple(_stages(seen)),
        chart=chart(seen.flow) if seen.flow else None,
        senders=senders(seen, now, masking),
        targets=targets(seen, now),
        history_problem=""
        if seen.flow
        else "Figures of the past cannot be shown: the history does not answer. "
        "Images are received and delivered all the same.",
    )


def _headline(seen: PageSnapshot) -> tuple[Sign, str]:
    if not seen.status.running:
        return labels.BAD, "The router does not run"
    return labels.sign(HEALTH[seen.health]), labels.HEADLINE[seen.health]


def _summary(flow: Flow | None, now: datetime) -> str:
    if flow is None:
        return ""
    hour = sum(sender.images_hour for sender in flow.senders.senders)
    last = max((sender.last_image for sender in flow.senders.senders), default=None)
    when = labels.moment(last, now)
    if when is None:
        return "No image has come yet."
    return f"{plural(hour, 'image')} in the last hour, the last one {when.ago}."


def _verified(verify: api.status.VerifyState, now: datetime) -> str:
    when = labels.moment(verify.finished, now)
    if when is None:
        return ""
    found = {0: "every image was accounted for", 1: "not every image is accounted for"}
    return f" Proof of the night, {when.ago}: {found.get(verify.exit_code, 'not everything could be checked')}."


def alerts(seen: PageSnapshot, now: datetime, masking: Masking) -> tuple[AlertView, ...]:
    """List what a person should look at."""
    return tuple(
        AlertView(
            sign=labels.sign(SEVERITY.get(alert.severity), alert.severity),
            text=masking.text(alert.text),
            since=labels.moment(alert.since, now),
        )
        for alert in seen.alerts
    )


def _tiles(seen: PageSnapshot) -> Iterable[Tile]:
    counts = {stage.stage.value: stage.count for stage in seen.status.stages}
    if seen.flow is not None:
        received = sum(sender.images_hour for sender in seen.flow.senders.senders)
        yield Tile("Arrived", count(received), "images in the last hour")
    failed = counts.get("error", 0)
    waiting = counts.get("outgoing", 0)
    yield Tile("To be delivered", count(waiting), "series or studies on the way")
    yield Tile("Failed", count(failed), "wait for a person", "bad" if failed else "calm")
    down = sum(target.outage is not None for target in seen.targets)
    note = f"of {plural(len(seen.targets), 'target')}"
    yield Tile("Down", count(down), note, "bad" if down else "calm")
    yield Tile("Connected", count(seen.status.associations), "senders, at this moment")
    disk = seen.status.disk
    tone: labels.Tone = {"ok": "calm", "low": "warn", "refusing": "bad"}[disk.state]  # type: ignore[assignment]
    share = 100 * disk.free_bytes / max(1, disk.total_bytes)
    yield Tile("Room", size(disk.free_bytes), f"free, {share:.0f} % of the disk", tone)


def _stages(seen: PageSnapshot) -> Iterable[StageView]:
    for stage in seen.status.stages:
        name = stage.stage.value
        if name not in _OF_INTEREST or (name in _CALM_WHEN_EMPTY and not stage.count):
            continue
        age = stage.oldest_seconds
        oldest = "" if age is None else f"oldest {duration(age)}"
        tone: labels.Tone = "bad" if name == "error" else "warn" if name == "quarantine" else "calm"
        yield StageView(STAGE[name].said, count(stage.count), oldest, tone)


def chart(flow: Flow) -> ChartView:
    """Draw the last hours."""
    bars = [Bar(point.begin, point.received, point.delivered) for point in flow.rates.points]
    hours, received = flow.senders.hours, sum(bar.received for bar in bars)
    delivered = sum(bar.delivered for bar in bars)
    title = (
        f"Images in each of the last {hours} hours: {count(received)} received, {count(delivered)} "
        "delivered in all; the numbers are in the table below"
    )
    rows = [(f"{bar.begin.astimezone():%a %H:%M}", count(bar.received), count(bar.delivered)) for bar in reversed(bars)]
    return ChartView(svg(bars, title), tuple(rows), hours, count(received), count(delivered))


def senders(seen: PageSnapshot, now: datetime, masking: Masking) -> tuple[SenderView, ...]:
    """List who sends, the one with the last image first."""
    if seen.flow is None:
        return ()
    return tuple(
        SenderView(
            title=sender.calling_aet,
            address=masking.address(sender.address),
            last=labels.moment(sender.last_image, now),
            hour=count(sender.images_hour),
            images=count(sender.images),
            size=size(sender.bytes),
            pace=f"sends slowly: complete {sender.release_seconds:g} s after it ends" if sender.release_seconds else "",
        )
        for sender in seen.flow.senders.senders
    )


def targets(seen: PageSnapshot, now: datetime) -> tuple[TargetView, ...]:
    """List where images go."""
    return tuple(
        TargetView(
            name=target.name,
            kind=target.kind,
            sign=_target_sign(target),
            since=labels.moment(target.outage.since, now) if target.outage else None,
            waiting=count(target.waiting),
            failed=count(target.failed) if target.failed else "",
        )
        for target in seen.targets
    )


def _target_sign(target: api.targets.TargetState) -> Sign:
    state = "disabled" if target.disabled else "up" if target.outage is None else "down"
    return labels.sign(TARGET[state])


@dataclass(frozen=True)
class StepView:
    """Where something goes, and whether it is there."""

    place: str
    sign: Sign
    images: str
    at: Moment | None
    next: Moment | None


@dataclass(frozen=True)
class SeriesView:
    """One series."""

    title: str
    images: str
    first: Moment | None
    last: Moment | None
    steps: tuple[StepView, ...]


@dataclass(frozen=True)
class ExamView:
    """One exam."""

    shown: str
    found: bool
    sign: Sign
    headline: str
    series: tuple[SeriesView, ...]
    together: tuple[StepView, ...]
    cut: bool


def exam(accession: str, found: api.traffic.ExamFound, now: datetime, masking: Masking) -> ExamView:
    """Say where an exam is."""
    sign, headline = _exam_headline(found)
    return ExamView(
        shown=masking.accession(accession),
        found=bool(found.series),
        sign=sign,
        headline=headline,
        series=tuple(_series(number, series, now, masking) for number, series in enumerate(found.series, 1)),
        together=_steps(found.together, now),
        cut=found.cut,
    )


def _exam_headline(found: api.traffic.ExamFound) -> tuple[Sign, str]:
    if not found.series:
        return Sign("?", "unknown", "calm"), "No image of this exam has arrived here"
    images = plural(sum(series.images for series in found.series), "image")
    count = f"{plural(len(found.series), 'series', 'series')}, {images}"
    steps = [*found.together, *(step for series in found.series for step in series.steps)]
    states = {step.state for step in steps}
    if "failed" in states:
        return labels.BAD, f"{count}: not all could be delivered, a person must look"
    undecided = any(not series.steps for series in found.series) and not found.together
    if undecided or states - {"delivered", "processed", "discarded"}:
        return Sign("⋯", "on its way", "calm"), f"{count}: on the way"
    if "delivered" not in states:
        return labels.WARN, f"{count}: arrived, and sent nowhere"
    return labels.GOOD, f"{count}: delivered"


def _series(number: int, series: api.traffic.ExamSeries, now: datetime, masking: Masking) -> SeriesView:
    description = masking.description(series.description)
    parts = [f"Series {number}", series.modality, description]
    return SeriesView(
        title=" · ".join(part for part in parts if part),
        images=plural(series.images, "image"),
        first=labels.moment(series.first_received, now),
        last=labels.moment(series.last_received, now),
        steps=_steps(series.steps, now),
    )


def _steps(steps: Iterable[api.traffic.ExamStep], now: datetime) -> tuple[StepView, ...]:
    return tuple(
        StepView(
            place=labels.PLACE[step.to].format(name=step.name or "?"),
            sign=labels.sign(TASK.get(step.state), step.state),
            images=plural(step.images, "image"),
            at=labels.moment(step.at, now),
            next=labels.moment(step.next_attempt, now),
        )
        for step in steps
    )
