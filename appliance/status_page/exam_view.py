"""Exam view: the answer to a search, in words and without any person's name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from appliance.control.rpc.client import api
from appliance.presentation.phrases import plural
from appliance.presentation.states import TASK
from appliance.status_page import labels
from appliance.status_page.labels import Moment, Sign
from appliance.status_page.redaction import Masking


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
    sign, headline = _headline(found)
    return ExamView(
        shown=masking.accession(accession),
        found=bool(found.series),
        sign=sign,
        headline=headline,
        series=tuple(_series(number, series, now, masking) for number, series in enumerate(found.series, 1)),
        together=_steps(found.together, now),
        cut=found.cut,
    )


def _headline(found: api.traffic.ExamFound) -> tuple[Sign, str]:
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
