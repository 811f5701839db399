"""Prometheus exposition and health probe: ``/metrics`` and ``/healthz``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.control.rpc.client import api
from appliance.status_page.metrics import FAMILIES, Family, Sample
from appliance.status_page.sanitize import clean
from appliance.status_page.source import Snapshot

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUESTS: Final = Family(
    "mercure_page_requests", "counter", ("code",), "Requests that the page answered since it was started, by status.",
    lambda seen: ()
)  # fmt: skip
_MOST_LABEL_CHARACTERS: Final = 120
_OTHER: Final = "other"


@dataclass(eq=False)
class _Given(Collector):
    """Some metrics in a registry of our own, so that nothing of the process itself is exposed."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def metrics(snapshot: Snapshot) -> bytes:
    """Write the metrics of a snapshot in Prometheus' text format."""
    return _text(_families(snapshot))


def requests(answered: Counter[str]) -> bytes:
    """Write how many requests the page answered, by status; it changes with each request."""
    return _text([_metric(REQUESTS, [((code,), float(count)) for code, count in sorted(answered.items())])])


def _text(samples: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(samples)))
    return generate_latest(registry)


def _families(snapshot: Snapshot) -> Iterator[Metric]:
    seen, settings = snapshot.seen, snapshot.settings
    masked, most = (settings.masked, settings.metric_labels) if settings is not None else (True, 1)
    for family in FAMILIES:
        if seen is not None:
            samples = _bounded(family, _cleaned(family, family.samples(seen), masked), most)
        else:
            samples = [((), 0.0)] if family.name == "mercure_up" else []
        yield _metric(family, samples)


def _metric(family: Family, samples: Iterable[Sample]) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.text, labels=family.labels)
    for labels, value in samples:
        metric.add_metric(labels, value)
    return metric


def _cleaned(family: Family, samples: Iterable[Sample], masked: bool) -> list[Sample]:
    """Clean the labels, and hide the addresses of senders; what is the same then is added up (or the greatest)."""
    sender = family.labels.index("sender") if "sender" in family.labels else None
    found: dict[tuple[str, ...], float] = {}
    for labels, value in samples:
        texts = [
            text.rpartition("@")[0] or text if masked and place == sender else text for place, text in enumerate(labels)
        ]
        key = tuple(clean(text, _MOST_LABEL_CHARACTERS) for text in texts)
        found[key] = _together(family, found.get(key), value)
    return list(found.items())


def _together(family: Family, before: float | None, value: float) -> float:
    if before is None:
        return value
    return before + value if family.kind == "counter" else max(before, value)


def _bounded(family: Family, samples: list[Sample], most: int) -> list[Sample]:
    """Keep so many values of the first label, and tell the rest as one: a bound also where the history sets none."""
    if not family.labels:
        return samples
    kept = set(list(dict.fromkeys(labels[0] for labels, _ in samples if labels[0] != _OTHER))[:most])
    found: dict[tuple[str, ...], float] = {}
    for labels, value in samples:
        key = labels if labels[0] in kept else (_OTHER, *labels[1:])
        found[key] = _together(family, found.get(key), value)
    return list(found.items())


def health(snapshot: Snapshot) -> tuple[api.status.Health, list[str]]:
    """Tell how the router is, and why it is not well; a control service that is away is bad."""
    if snapshot.seen is None:
        return "bad", [snapshot.problem or "the control service has not answered yet"]
    state, alerts = snapshot.seen.health, snapshot.seen.alerts
    return state, [alert.text for alert in alerts if state == "watch" or alert.severity == "critical"]
