"""Bad states of router and surroundings, each with the alert that tells of it: a table for the manual and the tests.

It is made of the very tables by which alerts are derived; a test provokes every row, and fails for a state without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from appliance.control.alerts.conditions import DISK_WORDS, GRAVE, PROCESS_WORDS
from appliance.control.api.status import AlertKind, Severity
from mercure.config.alerts import AlertSettings
from mercure.spool.layout import Stage
from mercure.spool.notices import NoticeKind

Area = Literal["spool", "services", "targets", "senders", "host"]


@dataclass(frozen=True)
class BadState:
    """One row.

    Parameters
    ----------
    area : str
        What it is a state of.
    name : str
        By which it is known, in its area.
    text : str
        What is so, for people.
    kind : str
        The alert.
    severity : str
        Of the alert.
    """

    area: Area
    name: str
    text: str
    kind: AlertKind
    severity: Severity


NOTICES: Final[dict[NoticeKind, tuple[Area, str]]] = {
    "refused": ("senders", "a sender was not let in, or an image of it was refused"),
    "rule": ("senders", "a rule does not fire any more for a sender for which it used to"),
    "unrouted": ("senders", "no rule wants series of a sender, and that is not usual for it"),
    "mixed": ("senders", "images of several senders, studies or patients came as one series, or one UID in two series"),
    "truncated": ("senders", "images came with pixel data that is not whole, and were kept and delivered as they came"),
    "loop": ("senders", "images come back again and again that were sent on before"),
    "name": ("host", "another router writes into the history under the same name, or with a copy of the spool"),
    "backup": ("host", "a backup could not be made, or lacks something"),
    "audit": ("host", "the audit repository cannot be reached, or messages for it were left out"),
}
"""What happened and left nothing to see."""

PASSING: Final = frozenset({"starting", "running", "stopping"})
"""States of a process that no person has to look at."""

_FIXED: Final[tuple[BadState, ...]] = (
    BadState("spool", "failed", "a task is in `error/`", "failed", "critical"),
    BadState("spool", "quarantine", "something could not be read", "quarantine", "warning"),
    BadState("spool", "quarantine-full", "the quarantine is nearly full, or full", "quarantine", "warning"),
    BadState("spool", "kept-near", "nearly all is taken that may be kept beyond the retention", "disk", "warning"),
    BadState("spool", "kept-beyond", "more is to be kept beyond the retention than may be", "disk", "warning"),
    BadState("spool", "kept-unreadable", "a keep cannot be read: nothing is removed for its age", "disk", "warning"),
    BadState("spool", "altered", "an image that is still to be delivered is altered or lost", "altered", "critical"),
    BadState("spool", "altered-delivered", "a kept image is altered, and was delivered before", "altered", "warning"),
    BadState("spool", "place", "the spool is not where the configuration says", "spool", "critical"),
    BadState("spool", "lost", "the proof of the night found an image that is not accounted for", "verify", "critical"),
    BadState("spool", "unproven", "the proof of the night could not check everything", "verify", "warning"),
    BadState("spool", "overdue", "there was no proof for too long", "verify", "warning"),
    BadState("spool", "filling", "the disk fills so fast that images will be refused within hours", "disk", "warning"),
    BadState("spool", "scrub-overdue", "kept images were not all read for too long", "verify", "warning"),
    BadState("spool", "unwanted-part", "no rule wants a part of a series, and others are wanted", "failed", "critical"),
    BadState("spool", "undecided-part", "a part of a series cannot be decided", "failed", "critical"),
    BadState("services", "not-running", "the router does not run", "not-running", "critical"),
    BadState("services", "failed", "a process was given up", "crash-loop", "critical"),
    BadState("services", "looping", "a process crashes again and again", "crash-loop", "critical"),
    BadState("services", "none", "a service is configured to have no process", "service", "warning"),
    BadState("services", "nginx", "the web server in front of the status page is away", "service", "warning"),
    BadState("services", "page", "the status page that systemd runs does not answer", "service", "warning"),
    BadState("targets", "unreachable", "a target cannot be reached", "outage", "critical"),
    BadState("targets", "rejected", "a target rejects the association", "outage", "critical"),
    BadState("targets", "timeout", "a target does not answer in time", "outage", "critical"),
    BadState("targets", "busy", "a target has no room for an association for long", "outage", "critical"),
    BadState("targets", "unable", "a target says that it can take nothing, out of resources say", "outage", "critical"),
    BadState("targets", "aborted", "a target ends the association in the middle of every image", "outage", "critical"),
    BadState("targets", "refused", "a target refuses images until they are given up", "failed", "critical"),
    BadState("targets", "local", "a task cannot be sent from here", "failed", "critical"),
    BadState("targets", "altered", "an image is not what was received, and is not sent", "failed", "critical"),
    BadState("targets", "unsupported", "a target takes no such object in any form", "failed", "critical"),
    BadState("targets", "module", "a processing module cannot be run", "module", "critical"),
    BadState("senders", "silence", "a sender is silent for longer than is its habit", "silence", "warning"),
    BadState("host", "configuration", "the configuration file cannot be used", "configuration", "critical"),
    BadState("host", "history-away", "the history cannot be asked", "history", "warning"),
    BadState("host", "history-behind", "the history is behind", "history", "warning"),
    BadState("host", "outbox", "more events wait in the outbox than usual", "history", "warning"),
    BadState("host", "history-size", "the history is larger than its bound", "history", "warning"),
    BadState("host", "clock-doubted", "the clock is doubted for long: nothing is retired", "clock", "warning"),
    BadState("host", "clock-free", "nothing keeps the clock in time", "clock", "warning"),
    BadState("host", "clock-off", "the clock may be wrong", "clock", "warning"),
    BadState(
        "host",
        "certificate-list",
        "a list of revoked certificates has expired, or soon",
        "certificate",
        "critical",
    ),
    BadState("host", "certificate-unreadable", "a certificate cannot be read", "certificate", "critical"),
    BadState("host", "channel", "a channel takes no messages", "notification", "warning"),
    BadState("host", "backup-overdue", "there was no backup for too long", "backup", "warning"),
    BadState("host", "given-up", "a message was given up", "notification", "warning"),
)


def bad_states() -> tuple[BadState, ...]:
    """Return all rows, by area."""
    found = [*_FIXED, *_disks(), *_stuck(), *_processes(), *_notices(), *_certificates()]
    areas: tuple[Area, ...] = ("spool", "services", "targets", "senders", "host")
    return tuple(sorted(found, key=lambda row: areas.index(row.area)))


def _disks() -> Iterator[BadState]:
    for state, (severity, text, _) in DISK_WORDS.items():
        yield BadState("spool", state, f"the disk {text}", "disk", severity)


def _stuck() -> Iterator[BadState]:
    """Yield the stages that have a limit by default."""
    for stage in Stage:
        if getattr(AlertSettings().stuck, f"{stage.value}_seconds", 0.0) > 0:
            text = f"the oldest task in `{stage.value}/` waits for too long, held or not"
            yield BadState("spool", f"stuck-{stage.value}", text, "stuck", "warning")


def _processes() -> Iterator[BadState]:
    for state, (severity, text, _) in PROCESS_WORDS.items():
        yield BadState("services", state, f"a process {text}", "service", severity)


def _certificates() -> Iterator[BadState]:
    rule = AlertSettings().certificate
    whose: dict[Area, str] = {
        "host": "a certificate",
        "targets": "the certificate of a target",
        "senders": "the certificate of a sender",
    }
    for area, name in whose.items():
        soon = f"{name} ends within {rule.warn_days} days, told again at {rule.remind_days}"
        yield BadState(area, "certificate-soon", soon, "certificate", "warning")
        over = f"{name} has ended, or ends within {rule.critical_days} days"
        yield BadState(area, "certificate-over", over, "certificate", "critical")


def _notices() -> Iterator[BadState]:
    for kind, (area, text) in NOTICES.items():
        yield BadState(area, kind, text, kind, "critical" if kind in GRAVE else "warning")
