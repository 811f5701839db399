"""What a person should look at now: a pure function of the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from appliance.control.api.services import ProcessState
from appliance.control.api.status import Alert, Alerts, Severity, Status
from mercure.spool.layout import Stage

LATE_SECONDS: Final = 60.0
"""A history that is behind by more is a matter for a person."""

STUCK_SECONDS: Final[dict[Stage, float]] = {
    Stage.ROUTING: 300.0,
    Stage.PROCESSING: 4 * 3600.0,
    Stage.OUTGOING: 3600.0,
}
"""What is older in one of these stages is stuck. In ``incoming`` and ``studies`` a long wait can be wanted."""

_SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning")
_PROCESS: Final[dict[str, tuple[Severity, str, str]]] = {
    "failed": ("critical", "crashes again and again", "read its log; it is tried again every few minutes"),
    "retrying": ("critical", "ended as soon as it was started, and is tried again", "read its log"),
    "ended": ("warning", "ended unasked", "read its log; restart the service"),
    "stopped": ("warning", "was stopped", "start the service when its work is to go on"),
}
"""What each state of a process means to a person; the others are passing."""


def alerts_of(found: Status) -> Alerts:
    """Derive all alerts from a status, the worst first."""
    alerts = [alert for derive in _SOURCES for alert in derive(found)]
    return Alerts(alerts=tuple(sorted(alerts, key=lambda alert: _SEVERITIES.index(alert.severity))))


def _services(found: Status) -> Iterator[Alert]:
    if not found.running:
        text = "the router does not run: no image is taken or delivered"
        yield Alert(
            key="not-running", kind="not-running", severity="critical", object="router", text=text, advice="start it"
        )
        return
    for service in found.services:
        if not service.configured:
            text = f"{service.name} is configured to have no process"
            advice = f"give it processes: `mercure service scale {service.name} 1`"
            yield _service(service.name, "warning", text, advice, None)
        for process in service.processes:
            if process.state in _PROCESS:
                severity, text, advice = _PROCESS[process.state]
                why = f": {process.problem}" if process.problem else ""
                yield _service(process.name, severity, f"{process.name} {text}{why}", advice, process)
            elif process.is_looping:
                text = f"{process.name} crashes again and again: {process.crashes} times within five minutes"
                yield _service(process.name, "critical", text, "read its log", process)


def _service(name: str, severity: Severity, text: str, advice: str, process: ProcessState | None) -> Alert:
    since = process.since if process else None
    return Alert(
        key=f"service:{name}", kind="service", severity=severity, object=name, text=text, advice=advice, since=since
    )


def _outages(found: Status) -> Iterator[Alert]:
    for item in found.outages:
        yield Alert(
            key=f"outage:{item.target}",
            kind="outage",
            severity="critical",
            object=item.target,
            text=f"target {item.target!r} takes nothing: {item.outage.error}",
            advice="its tasks wait and go out when it is back; ask it with an echo",
            since=item.outage.since,
        )


def _stages(found: Status) -> Iterator[Alert]:
    for stage in found.stages:
        age = stage.oldest_seconds
        since = found.time - timedelta(seconds=age) if age is not None else None
        name = stage.stage.value
        if stage.stage is Stage.ERROR and stage.count:
            text, advice = f"{stage.count} tasks have failed", "look at each: retry, reroute or discard it"
            yield Alert(
                key="failed", kind="failed", severity="critical", object=name, text=text, advice=advice, since=since
            )
        elif stage.stage is Stage.QUARANTINE and stage.count:
            text = f"{stage.count} objects could not be read, and their senders were told so"
            advice = "see reason.json beside each in spool/quarantine"
            yield Alert(
                key="quarantine",
                kind="quarantine",
                severity="warning",
                object=name,
                text=text,
                advice=advice,
                since=since,
            )
        elif age is not None and age > STUCK_SECONDS.get(stage.stage, float("inf")):
            text = f"the oldest task in {name}/ waits for {age / 60:.0f} minutes"
            advice = "see the queue; a target may be down, a service stopped, a task held"
            yield Alert(
                key=f"stuck:{name}",
                kind="stuck",
                severity="warning",
                object=name,
                text=text,
                advice=advice,
                since=since,
            )


def _disk(found: Status) -> Iterator[Alert]:
    disk = found.disk
    words: dict[str, tuple[Severity, str, str]] = {
        "refusing": ("critical", "is nearly full: new images are refused", "make room, or bring the targets back"),
        "low": ("warning", "is getting full: finished tasks are removed before their time", "see what waits so long"),
    }
    if disk.state in words:
        severity, text, advice = words[disk.state]
        text = f"the disk of {disk.path} {text}"
        yield Alert(key="disk", kind="disk", severity=severity, object=disk.path, text=text, advice=advice)


def _history(found: Status) -> Iterator[Alert]:
    history, text = found.history, ""
    if history.problem:
        text = f"{history.problem}; events wait in the outbox, routing goes on"
    elif (history.lag_seconds or 0.0) > LATE_SECONDS:
        text = f"the history is {history.lag_seconds:.0f} s behind"
    if text:
        advice = "see the log of the bookkeeper"
        yield Alert(key="history", kind="history", severity="warning", object="history", text=text, advice=advice)


def _configuration(found: Status) -> Iterator[Alert]:
    if found.config.problems:
        first = found.config.problems[0]
        text = f"the configuration file cannot be used, revision {found.config.revision} goes on: {first}"
        advice = "correct it, or roll back"
        key: Final = "configuration"
        yield Alert(key=key, kind=key, severity="critical", object="configuration", text=text, advice=advice)


_SOURCES: Final[tuple[Callable[[Status], Iterator[Alert]], ...]] = (
    _services,
    _disk,
    _outages,
    _stages,
    _configuration,
    _history,
)
