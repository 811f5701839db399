"""What a person should look at now: a pure function of the status, of some signals, and of the thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.control.alerts.inputs import Signals
from appliance.control.api.services import ProcessState
from appliance.control.api.status import Alert, AlertKind, Alerts, OutageState, Severity, Status
from appliance.control.api.tls import CertificateUse, KnownCertificate
from appliance.presentation.phrases import plural
from mercure.config.alerts import AlertRule, Incident
from mercure.config.alerts import AlertSettings as Rules
from mercure.spool.layout import Stage

RULE_OF: Final[dict[AlertKind, str]] = {
    "not-running": "service",
    "service": "service",
    "crash-loop": "crash_loop",
    "outage": "target_down",
    "module": "module_down",
    "quarantine": "quarantine",
    "failed": "failed",
    "altered": "altered",
    "disk": "disk",
    "history": "history",
    "configuration": "configuration",
    "stuck": "stuck",
    "silence": "silence",
    "certificate": "certificate",
    "clock": "clock",
    "notification": "notification",
    "refused": "refused",
    "rule": "rule",
    "unrouted": "unrouted",
    "loop": "loop",
    "spool": "spool",
    "name": "name",
    "backup": "backup",
    "audit": "audit",
    "mixed": "mixed",
    "truncated": "truncated",
    "verify": "verify",
}
"""The rule of the configuration for each kind of alert."""

_SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "watch")
PROCESS_WORDS: Final[dict[str, tuple[Severity, str, str]]] = {
    "retrying": ("critical", "ended as soon as it was started, and is tried again", "read its log"),
    "ended": ("warning", "ended unasked", "read its log; restart the service"),
    "stopped": ("warning", "was stopped", "start the service when its work is to go on"),
    "unknown": ("warning", "is in a state that supervisor does not know", "restart the service"),
}
"""What each state of a process means to a person; the others are passing."""

DISK_WORDS: Final[dict[str, tuple[Severity, str, str]]] = {
    "read-only": (
        "critical",
        "is read-only: nothing is taken, and nothing goes on",
        "see `dmesg` for an error of the disk; stop the router, check the file system (`fsck`, `xfs_repair`), mount it "
        "again and start the router: it goes on where it was",
    ),
    "unreadable": (
        "critical",
        "cannot be read: nothing is taken, and nothing goes on",
        "see `dmesg` for an error of the disk; stop the router, check the disk and its file system (`xfs_repair`, "
        "`fsck`), mount it again and start the router: it goes on where it was",
    ),
    "no-inodes": (
        "critical",
        "has no inodes left: new images are refused",
        "move away what is made of many small files; the router goes on by itself",
    ),
    "refusing": ("critical", "is nearly full: new images are refused", "make room, or bring the targets back"),
    "low": ("warning", "is getting full: finished tasks are removed before their time", "see what waits so long"),
}
"""The same for the states of the disk; in any other there is room."""

_ONE_ONLY: Final = frozenset(
    {"not-running", "quarantine", "failed", "altered", "disk", "history", "configuration", "clock", "spool", "verify"}
)
"""Kinds of which there is one alert in all, and not one for each thing that it may be about."""

USUAL_AT_FIRST: Final = frozenset({"clock"})
"""Kinds that are not even watched before they are due: a clock needs its time after each boot."""

GRAVE: Final = frozenset({"loop", "name"})
"""Notices that cannot wait."""

_WITHOUT: Final[Mapping[CertificateUse, str]] = {
    "target": "its images wait from then on",
    "sender": "it is not let in from then on",
}
"""What comes of a certificate of a peer that has ended."""

_RENEWAL: Final[Mapping[CertificateUse, str]] = {
    "own": "`mercure tls request` and `mercure tls install` renew it; it is read again within a minute",
    "authority": "put the new certificate of the authority into the file; take the old one out when nobody needs it",
    "revoked": "get the next list from the authority: with one that has expired nobody is believed",
    "watched": "replace the file; it is read again within a minute",
}

_QUARANTINE_ADVICE: Final = "`mercure quarantine list` shows them: look, read again, forward or discard"
_NAMED_SENDERS: Final = 3
_MARGIN: Final = 1.05
_DEFAULTS: Final = Rules()
_NOTHING: Final = Signals()


@dataclass(frozen=True)
class Seen:
    """What alerts are derived from."""

    status: Status
    signals: Signals
    rules: Rules
    raised: frozenset[str] = frozenset()


def alerts_of(
    status: Status, signals: Signals = _NOTHING, rules: Rules = _DEFAULTS, raised: frozenset[str] = frozenset()
) -> Alerts:
    """Derive all alerts, the worst first; also those that have not lasted as long as their rule wants (`is_due`).

    Parameters
    ----------
    status : Status
        How the router is.
    signals : Signals
        What else is to be known.
    rules : Rules
        Thresholds and switches.
    raised : frozenset of str
        Keys of the alerts that are raised: to be over, some must get better than their threshold.
    """
    seen = Seen(status, signals, rules, raised)
    alerts = [alert for derive in _SOURCES for alert in derive(seen) if rule_of(alert.kind, rules).enabled]
    return Alerts(alerts=worst_first(alerts))


def worst_first(alerts: list[Alert]) -> tuple[Alert, ...]:
    """Order alerts."""
    return tuple(sorted(alerts, key=lambda alert: _SEVERITIES.index(alert.severity)))


def rule_of(kind: AlertKind, rules: Rules) -> AlertRule:
    """Return the rule for a kind of alert."""
    rule: AlertRule = getattr(rules, RULE_OF[kind])
    return rule


def is_due(alert: Alert, rules: Rules, first_seen: datetime, now: datetime) -> bool:
    """Tell whether an alert has lasted for as long as its rule wants.

    What is known to have begun earlier than it was seen counts from its beginning.
    """
    begun = first_seen if alert.since is None else min(first_seen, alert.since)
    return (now - begun).total_seconds() >= rule_of(alert.kind, rules).after_seconds


def as_watched(alert: Alert, first_seen: datetime) -> Alert:
    """Return an alert that is not due yet as it is shown meanwhile."""
    return alert.model_copy(update={"severity": "watch", "since": alert.since or first_seen})


def _alert(
    kind: AlertKind,
    about: str,
    text: str,
    advice: str,
    *,
    severity: Severity = "warning",
    since: datetime | None = None,
    key: str = "",
) -> Alert:
    """Make an alert about something; there is one at a time of its kind and what it is about."""
    return Alert(
        key=key or (kind if kind in _ONE_ONLY else f"{kind}:{about}"),
        kind=kind,
        severity=severity,
        object=about,
        text=text,
        advice=advice,
        since=since,
    )


def _services(seen: Seen) -> Iterator[Alert]:
    found = seen.status
    if not found.running:
        text = "the router does not run: no image is taken or delivered"
        yield _alert("not-running", "router", text, f"start it: `mercure run --root {found.root}`", severity="critical")
        return
    if found.unseen:
        text = f"the services cannot be seen: {found.unseen}"
        yield _alert("service", "supervisor", text, "see log/supervisord.log", severity="critical")
    for service in found.services:
        if not service.configured:
            advice = f"give it processes: `mercure service scale {service.name} 1`"
            yield _alert("service", service.name, f"{service.name} is configured to have no process", advice)
        for process in service.processes:
            if process.is_looping or process.state == "failed":
                yield _crash_loop(process)
            elif process.state in PROCESS_WORDS:
                severity, text, advice = PROCESS_WORDS[process.state]
                text = f"{process.name} {text}" + (f": {process.problem}" if process.problem else "")
                yield _alert("service", process.name, text, advice, severity=severity, since=process.since)


def _crash_loop(process: ProcessState) -> Alert:
    often = f": {process.crashes} times within five minutes" if process.is_looping else ""
    why = f" ({process.problem})" if process.problem else ""
    text = f"{process.name} crashes again and again{often}{why}"
    advice = "read its log; a process that was given up is tried again every few minutes"
    return _alert("crash-loop", process.name, text, advice, severity="critical")


def _page(seen: Seen) -> Iterator[Alert]:
    """Tell of a page that systemd runs; one under supervisor is among the services."""
    if seen.signals.page:
        again = "`systemctl restart mercure-page.socket mercure-page`"
        advice = f"`journalctl --unit mercure-page` tells why; {again} begins it anew"
        yield _alert("service", "page", f"the status page {seen.signals.page}", advice)
    if seen.signals.front:
        advice = "`systemctl restart nginx`; `journalctl --unit nginx` tells why, and `mercure doctor` looks closer"
        yield _alert("service", "nginx", f"the web server of the status page {seen.signals.front}", advice)


def _outages(seen: Seen) -> Iterator[Alert]:
    for item in seen.status.outages:
        waits = _waits(item, seen.status.time)
        text = f"target {item.target!r} is not accepting images: {item.outage.error} ({waits})"
        advice = "its tasks wait and go out when it is back; ask it with an echo"
        yield _alert("outage", item.target, text, advice, severity="critical", since=item.outage.since)


def _waits(item: OutageState, now: datetime) -> str:
    """Say for how long a target is away, what waits for it, and when it is asked."""
    parts = [f"for {_long(max(0.0, (now - item.outage.since).total_seconds()))}"]
    if item.waiting is not None:
        parts.append(f"{plural(item.waiting, 'task waits', 'tasks wait')}")
    if item.asked_seconds is not None:
        asks = "given one image" if item.outage.by_image else "asked"
        parts.append(f"it is {asks} every {item.asked_seconds:g} s")
    return "; ".join(parts)


def _modules(seen: Seen) -> Iterator[Alert]:
    for item in seen.status.module_outages:
        text = f"module {item.module!r} cannot be run: {item.outage.error}"
        advice = "its tasks wait, and it is tried again by itself; `mercure modules check` asks at once"
        yield _alert("module", item.module, text, advice, severity="critical", since=item.outage.since)


def _stages(seen: Seen) -> Iterator[Alert]:
    for stage in seen.status.stages:
        age, name = stage.oldest_seconds, stage.stage.value
        since = seen.status.time - timedelta(seconds=age) if age is not None else None
        if stage.stage is Stage.ERROR and stage.count:
            text = plural(stage.count, "task has failed", "tasks have failed")
            advice = f"look at {'it' if stage.count == 1 else 'each'}: retry, reroute or discard it"
            yield _alert("failed", name, text, advice, severity="critical", since=since)
        elif stage.stage is Stage.QUARANTINE and stage.count:
            few = "object could not be read, and its sender was told so"
            text = plural(stage.count, few, "objects could not be read, and their senders were told so")
            yield _alert("quarantine", name, text, _QUARANTINE_ADVICE, since=since)
        elif age is not None and _is_stuck(seen.rules, stage.stage, age):
            text = f"the oldest task in {name}/ waits for {_long(age)}"
            advice = "see the queue; a target may be down, a service stopped, a task held"
            yield _alert("stuck", name, text, advice, since=since)


def _quarantine(seen: Seen) -> Iterator[Alert]:
    """Tell that the quarantine is nearly full, or full: what cannot be read is then refused and not kept."""
    held, key = seen.status.quarantine, "quarantine:ceiling"
    percent = int(held.share * 100)
    if percent < seen.rules.quarantine.percent:
        return
    taken = (
        f"{held.objects:,} of {held.most_objects:,} objects, {held.bytes / 1e9:.1f} of {held.most_bytes / 1e9:.1f} GB"
    )
    text = f"the quarantine is {percent} % full ({taken})"
    advice = "`mercure quarantine list` shows who fills it; discard what nobody needs, or raise its limits"
    yield _alert(
        "quarantine", Stage.QUARANTINE.value, f"{text}: beyond, what cannot be read is not kept", advice, key=key
    )


def _kept(seen: Seen) -> Iterator[Alert]:
    """Tell that what people have kept is nearly all that may be, or more, or that a keep cannot be read."""
    kept = seen.status.kept
    percent = int(kept.share * 100)
    taken = f"{kept.bytes / 1e9:.1f} of {kept.most_bytes / 1e9:.1f} GB"
    advice = "`mercure keep list` shows who keeps what; remove what nobody needs, or raise retention.keep_percent"
    if kept.unreadable:
        text = f"{plural(len(kept.unreadable), 'keep')} cannot be read: nothing is removed for its age"
        undo = f"`mercure keep remove {kept.unreadable[0]}` forgets it; then keep anew what is needed"
        yield _alert("disk", "keeps", text, undo, key="disk:keeps")
    if kept.beyond:
        text = f"more is to be kept than may be ({taken}): {plural(kept.beyond, 'task')} will be removed in time"
        yield _alert("disk", "keeps", text, advice, key="disk:kept")
    elif kept.keeps and percent >= seen.rules.disk.kept_percent:
        text = f"{percent} % of what may be kept beyond the retention is taken ({taken})"
        yield _alert("disk", "keeps", text, advice, key="disk:kept")


def _copies(seen: Seen) -> Iterator[Alert]:
    """Tell of copies that are bad, the worst first: one that was to be delivered still has no whole copy here."""
    copies = seen.status.copies
    if not (copies.altered or copies.unreadable):
        return
    found = [
        plural(count, f"image is {what}", f"images are {what}")
        for count, what in ((copies.altered, "altered on our disk"), (copies.unreadable, "lost on our disk"))
        if count
    ]
    text = " and ".join(found)
    if copies.waiting:
        asked = f" {', '.join(copies.senders[:_NAMED_SENDERS])}" if copies.senders else ""
        text += f": ask{asked} for a resend"
        advice = f"`mercure verify` names {'it' if copies.waiting == 1 else 'them'}; have the scanner send again, then "
        advice += "discard what failed; `smartctl -a` tells how the disk is"
        yield _alert("altered", "spool", text, advice, severity="critical", since=copies.since)
    else:
        text += "; what was delivered before was checked as it left"
        advice = "`smartctl -a` tells how the disk is, `mercure verify --deep` what else it holds"
        yield _alert("altered", "spool", text, advice, since=copies.since)


def _is_stuck(rules: Rules, stage: Stage, age: float) -> bool:
    limit: float = getattr(rules.stuck, f"{stage.value}_seconds", 0.0)
    return 0 < limit < age


def _disk(seen: Seen) -> Iterator[Alert]:
    disk = seen.status.disk
    state: str = disk.fault or disk.state
    if state in ("low", "ok"):
        below = seen.rules.disk.free_bytes
        limit = disk.clean_below_bytes if below is None else below
        # The cleaner makes room up to the threshold and no more, so without a margin it would come and go.
        state = "low" if disk.free_bytes < limit * (_MARGIN if "disk" in seen.raised else 1.0) else "ok"
    if state in DISK_WORDS:
        severity, text, advice = DISK_WORDS[state]
        yield _alert("disk", disk.path, f"the disk of {disk.path} {text}", advice, severity=severity)
    elif disk.full_in_seconds is not None and disk.full_in_seconds < seen.rules.disk.forecast_seconds:
        text = f"the disk of {disk.path} refuses images in {_long(disk.full_in_seconds)}, if it fills on like this"
        yield _alert("disk", disk.path, text, "see what comes and what waits; make room", key="disk:forecast")


def _history(seen: Seen) -> Iterator[Alert]:
    history, text = seen.status.history, ""
    if history.problem:
        text = f"{history.problem}; events wait in the outbox, routing goes on"
    elif (history.lag_seconds or 0.0) > seen.rules.history.lag_seconds:
        text = f"the history is {history.lag_seconds:.0f} s behind"
    if text:
        yield _alert("history", "history", text, "see the log of the bookkeeper")
    if history.outbox_bytes > seen.rules.history.outbox_bytes:
        text = f"{history.outbox_bytes / 1e9:.1f} GB of events wait in the outbox"
        advice = "see that the history can be written: nothing of this is ever dropped"
        yield _alert("history", "outbox", text, advice, key="history:outbox")
    if (history.size_bytes or 0) > seen.rules.history.size_bytes:
        text = f"the history takes {(history.size_bytes or 0) / 1e9:.1f} GB"
        advice = "let it forget earlier (`history.keep_days`), or raise the bound"
        yield _alert("history", "size", text, advice, key="history:size")


def _verified(seen: Seen) -> Iterator[Alert]:
    verify, text = seen.status.verify, ""
    severity: Severity = "warning"
    if not verify.enabled or verify.finished is None:
        return
    if verify.exit_code == 1:
        severity = "critical"
        text = plural(verify.findings, "image is", "images are") + " not accounted for, says the proof of the night"
    elif verify.exit_code:
        text = f"the proof of the night could not check {'; '.join(verify.unchecked)}"
    elif (verify.age_seconds or 0.0) > seen.rules.verify.overdue_hours * 3600:
        text = f"the last proof that nothing is lost was made {_long(verify.age_seconds or 0.0)} ago"
    if text:
        advice = "`mercure verify` names what it is" if verify.exit_code else "see the log of the cleaner"
        since = verify.finished if verify.exit_code == 1 else None
        yield _alert("verify", "verify", text, advice, severity=severity, since=since)


def _configuration(seen: Seen) -> Iterator[Alert]:
    config = seen.status.config
    if config.problems:
        text = f"the configuration file cannot be used, revision {config.revision} goes on: {config.problems[0]}"
        yield _alert("configuration", "configuration", text, "correct it, or roll back", severity="critical")


def _spool(seen: Seen) -> Iterator[Alert]:
    for problem in seen.status.spool[:1]:
        yield _alert("spool", "spool", problem.text, problem.advice, severity="critical")


def _silences(seen: Seen) -> Iterator[Alert]:
    for silence in seen.signals.silences:
        hours = (seen.status.time - silence.last).total_seconds()
        text = f"{silence.sender} has sent nothing for {_long(hours)}, {silence.reason}"
        ask = f", or ask {silence.contact}" if silence.contact else ""
        advice = f"see whether the scanner runs{ask}; `silence` of its entry in `senders` changes or switches this off"
        yield _alert("silence", silence.sender, text, advice, since=silence.last)


def _certificates(seen: Seen) -> Iterator[Alert]:
    """Tell of certificates that end soon: of each file and of each peer the one that ends first."""
    first: dict[tuple[str, str], KnownCertificate] = {}
    for found in seen.signals.certificates:
        place = ("", found.file) if found.file else (found.use, found.about)
        first[place] = min(first.get(place, found), found, key=_end)
    for found in first.values():
        object, key, name, advice = _named(found)
        passed = _passed(found, seen)
        if found.problem:
            text = f"{name} cannot be read: {found.problem}"
            yield _alert("certificate", object, text, "replace the file; it is read again within a minute",
                         severity="critical", key=key)  # fmt: skip
        elif passed is not None and found.ends is not None:
            severity: Severity = "critical" if passed <= seen.rules.certificate.critical_days else "warning"
            ended = "has expired" if passed == 0 else "expires"
            alert = _alert(
                "certificate", object, f"{name} {ended} on {found.ends:%Y-%m-%d}", advice, severity=severity, key=key
            )
            yield alert.model_copy(update={"days": passed})


def _end(found: KnownCertificate) -> float:
    """Return when it ends, for an order: what cannot be read comes first, what never ends last."""
    if found.problem:
        return 0.0
    return math.inf if found.ends is None else found.ends.timestamp()


def _named(found: KnownCertificate) -> tuple[str, str, str, str]:
    """Return what the alert is about, its key, how the certificate is called, and what to do."""
    whose = f" ({found.subject})" if found.subject else ""
    if not found.file:
        advice = f"have it renewed there: {_WITHOUT[found.use]}"
        return (
            found.about,
            f"certificate:{found.use}:{found.about}",
            f"the certificate of {found.use} {found.about}{whose}",
            advice,
        )
    where = f" for {found.about}" if found.about else ""
    if found.use == "revoked":
        whose = f" of {found.issuer}" if found.issuer else ""
        name = f"the list of revoked certificates {found.file}{whose}{where}"
    else:
        name = f"the certificate {found.file}{whose}{where}"
    return found.file, f"certificate:{found.file}", name, _RENEWAL[found.use]


def _passed(found: KnownCertificate, seen: Seen) -> int | None:
    """Return the last threshold that a certificate has passed, in days before its end; 0: it has ended."""
    rule = seen.rules.certificate
    if found.ends is None:
        return None
    if found.use == "revoked":
        return _passed_by_list(found, seen)
    days = (found.ends - seen.status.time).total_seconds() / 86400
    return min((it for it in (rule.warn_days, rule.remind_days, rule.critical_days, 0) if days <= it), default=None)


def _passed_by_list(found: KnownCertificate, seen: Seen) -> int | None:
    """Do so for a list of revoked certificates: the next one comes late when a tenth of its time is left."""
    now, critical = seen.status.time, timedelta(days=seen.rules.certificate.critical_days)
    if found.ends is None or found.begins is None:
        return None
    left = found.ends - now
    if left <= timedelta(0):
        return 0
    return seen.rules.certificate.critical_days if left <= min(critical, (found.ends - found.begins) / 10) else None


def _clock(seen: Seen) -> Iterator[Alert]:
    clock = seen.signals.clock
    if clock is None:
        return
    text = ""
    if not clock.synchronised:
        text = "the time of this machine is not synchronised"
    elif clock.error_seconds > seen.rules.clock.max_error_seconds:
        text = f"the machine's clock may be wrong by {clock.error_seconds:.1f} s"
    if text:
        yield _alert("clock", "clock", text, "see that chrony runs and reaches its servers: `chronyc tracking`")


def _doubts(seen: Seen) -> Iterator[Alert]:
    """Tell of a clock that is doubted; for an hour after a step that is so by itself (`ClockOff.after_seconds`)."""
    if seen.signals.doubt:
        text = f"nothing is removed for its age, because the clock is doubted: {seen.signals.doubt}"
        advice = "set the clock right, and see that chrony keeps it: `chronyc tracking`; the disk fills up meanwhile"
        yield _alert("clock", "doubt", text, advice, key="clock:doubt")


def _scrub(seen: Seen) -> Iterator[Alert]:
    if seen.signals.scrub_seconds is not None:
        text = f"all kept images were last read from the disk {_long(seen.signals.scrub_seconds)} ago"
        advice = (
            "what is altered is found late: see the log of the cleaner, raise `scrub.bytes_per_second`, or let it be "
            "rarer (`scrub.every_days`); `mercure verify --deep` reads all now"
        )
        yield _alert("verify", "scrub", text, advice, key="verify:scrub")


def _notifications(seen: Seen) -> Iterator[Alert]:
    for channel in seen.signals.channels:
        text = f"the channel {channel.name!r} takes no messages: {channel.error}"
        advice = f"they wait; `mercure notifications test {channel.name}` tries it"
        yield _alert("notification", channel.name, text, advice, since=channel.failing_since)
    given_up = seen.signals.given_up
    if given_up:
        text = plural(given_up, "message was given up", "messages were given up")
        advice = "`mercure notifications list` tells why; retry or discard them"
        since = seen.signals.given_up_since
        yield _alert("notification", "notifications", text, advice, since=since, key="given-up")


def _notices(seen: Seen) -> Iterator[Alert]:
    for notice in seen.signals.notices:
        rule = rule_of(notice.kind, seen.rules)
        if not isinstance(rule, Incident) or (seen.status.time - notice.last).total_seconds() >= rule.keep_seconds:
            continue
        text = notice.text + (f" ({notice.count} times)" if notice.count > 1 else "")
        severity: Severity = "critical" if notice.kind in GRAVE else "warning"
        yield _alert(notice.kind, notice.about, text, notice.advice, severity=severity, since=notice.first)


def _backup(seen: Seen) -> Iterator[Alert]:
    last, hours = seen.signals.backup_at, seen.rules.backup.overdue_hours
    if last is None or not hours:
        return
    age = (seen.status.time - last).total_seconds()
    if age > hours * 3600:
        text = f"the last backup was made {_long(age)} ago"
        advice = "`mercure backup create` makes one; on an appliance see `systemctl status mercure-backup.timer`"
        yield _alert("backup", "overdue", text, advice, since=last)


def _long(seconds: float) -> str:
    """Say a duration as people do."""
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if seconds >= 2 * size or size == 1.0:
            return plural(round(seconds / size), unit)
    raise AssertionError("the last unit takes all")


_SOURCES: Final[tuple[Callable[[Seen], Iterator[Alert]], ...]] = (
    _services,
    _page,
    _disk,
    _outages,
    _modules,
    _stages,
    _quarantine,
    _kept,
    _copies,
    _configuration,
    _spool,
    _history,
    _verified,
    _silences,
    _certificates,
    _clock,
    _doubts,
    _scrub,
    _notifications,
    _notices,
    _backup,
)
