"""Exams: where one is, in one line for each target, and why it is not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.control.rpc.client import api
from appliance.status_page import labels
from appliance.status_page.labels import Sign
from appliance.status_page.language import Moment
from appliance.status_page.source import PageSnapshot
from appliance.status_page.views import Audience

_UNDER_WAY: Final = ("waiting", "planned", "deciding")
_ENDED: Final = {"delivered", "processed", "discarded"}
_WORST_FIRST: Final = ("failed", "held", "waiting", "planned", "deciding", "discarded", "processed", "delivered")


@dataclass(frozen=True)
class StepView:
    """Where something goes, whether it is there, and why not."""

    place: str
    sign: Sign
    images: str
    at: Moment | None
    why: str


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
    """One exam: its targets with a line each, and its series."""

    shown: str
    found: bool
    sign: Sign
    headline: str
    targets: tuple[StepView, ...]
    series: tuple[SeriesView, ...]
    together: tuple[StepView, ...]
    cut: bool


def exam(accession: str, found: api.traffic.ExamFound, seen: PageSnapshot, audience: Audience) -> ExamView:
    """Say where an exam is."""
    sign, headline = _headline(found, audience)
    reasons = _Reasons(seen, audience)
    return ExamView(
        shown=audience.masking.accession(accession),
        found=bool(found.series),
        sign=sign,
        headline=headline,
        targets=tuple(_targets(found, reasons)),
        series=tuple(_series(number, series, reasons) for number, series in enumerate(found.series, 1)),
        together=_steps(found.together, reasons),
        cut=found.cut,
    )


def _headline(found: api.traffic.ExamFound, audience: Audience) -> tuple[Sign, str]:
    words = audience.words
    if not found.series:
        return labels.unknown(words), words("exam.none")
    images = words.plural(sum(series.images for series in found.series), "image")
    counts = words("exam.counts", series=words.plural(len(found.series), "series"), images=images)
    states = {step.state for step in _all_steps(found)}
    if "failed" in states:
        return labels.sign(words, "health", "bad"), words("exam.failed", counts=counts)
    undecided = any(not series.steps for series in found.series) and not found.together
    if undecided or states - _ENDED:
        return labels.on_its_way(words), words("exam.way", counts=counts)
    if "delivered" not in states:
        return labels.sign(words, "health", "watch"), words("exam.nowhere", counts=counts)
    return labels.sign(words, "health", "well"), words("exam.delivered", counts=counts)


def _all_steps(found: api.traffic.ExamFound) -> list[api.traffic.ExamStep]:
    return [*found.together, *(step for series in found.series for step in series.steps)]


@dataclass(frozen=True)
class _Reasons:
    """Why something is not delivered yet, as far as the router as a whole tells."""

    seen: PageSnapshot
    audience: Audience

    def of(self, step: api.traffic.ExamStep) -> str:
        words = self.audience.words
        if step.state == "failed":
            return self._with_it(words("why.failed"), ("failed",))
        if step.state == "held":
            return words("why.held")
        if step.state not in _UNDER_WAY or step.to not in ("target", "module"):
            return ""
        return self._of_target(step) or self._of_task(step)

    def _of_target(self, step: api.traffic.ExamStep) -> str:
        """Say what is the matter with the target of a step; empty when it takes images."""
        words = self.audience.words
        target = next((item for item in self.seen.targets if step.to == "target" and item.name == step.name), None)
        if target is None:
            return ""
        if target.disabled:
            return words("why.disabled", name=target.name)
        if target.outage is None:
            return ""
        since = words.clock(target.outage.since, self.audience.now)
        return self._with_it(words("why.down", name=target.name, since=since), ("outage",), target.name)

    def _of_task(self, step: api.traffic.ExamStep) -> str:
        words, audience = self.audience.words, self.audience
        if step.next_attempt is not None and step.next_attempt > audience.now:
            when = audience.moment(step.next_attempt)
            return words("why.next", when=when.ago if when else "")
        return words("why.turn") if step.attempts == 0 else ""

    def _with_it(self, text: str, kinds: tuple[str, ...], about: str = "") -> str:
        """Add that IT knows, where somebody has acknowledged the alert."""
        for alert in self.seen.alerts:
            known = alert.acknowledged
            if known is not None and alert.kind in kinds and about in ("", alert.object):
                words = self.audience.words
                known_since = words("why.it_knows", time=words.clock(known.at, self.audience.now))
                return f"{text}; {known_since}"
        return text


def _targets(found: api.traffic.ExamFound, reasons: _Reasons) -> Iterator[StepView]:
    """Yield a line for each target: how much of the exam it has, and why not the rest."""
    audience = reasons.audience
    steps = [step for step in _all_steps(found) if step.to == "target"]
    for part in found.targets:
        own = [step for step in steps if step.name == part.name]
        if not own:
            continue
        worst = _worst(own)
        whole = audience.words.plural(part.images, "image")
        delivered = audience.words("exam.part", delivered=part.delivered, images=whole)
        at = max((step.at for step in own if step.state == "delivered" and step.at), default=None)
        yield StepView(
            place=part.name,
            sign=labels.sign(audience.words, "task", worst.state),
            images=delivered,
            at=audience.moment(at),
            why=reasons.of(worst),
        )


def _worst(steps: Iterable[api.traffic.ExamStep]) -> api.traffic.ExamStep:
    def rank(step: api.traffic.ExamStep) -> int:
        return _WORST_FIRST.index(step.state) if step.state in _WORST_FIRST else 0

    return min(steps, key=rank)


def _series(number: int, series: api.traffic.ExamSeries, reasons: _Reasons) -> SeriesView:
    audience = reasons.audience
    description = audience.masking.description(series.description)
    parts = [audience.words("exam.series", number=number), series.modality, description]
    return SeriesView(
        title=" · ".join(part for part in parts if part),
        images=audience.words.plural(series.images, "image"),
        first=audience.moment(series.first_received),
        last=audience.moment(series.last_received),
        steps=_steps(series.steps, reasons),
    )


def _steps(steps: Iterable[api.traffic.ExamStep], reasons: _Reasons) -> tuple[StepView, ...]:
    """Return a line for each place: with several tasks for it, that of the one that is worst off."""
    audience = reasons.audience
    places: dict[tuple[str, str], list[api.traffic.ExamStep]] = {}
    for step in steps:
        places.setdefault((step.to, step.name), []).append(step)
    return tuple(
        StepView(
            place=audience.words(f"place.{step.to}", name=step.name or "?"),
            sign=labels.sign(audience.words, "task", step.state),
            images=audience.words.plural(step.images, "image"),
            at=audience.moment(step.at),
            why=reasons.of(step),
        )
        for step in map(_worst, places.values())
    )
