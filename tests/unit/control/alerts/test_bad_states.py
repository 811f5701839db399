"""Each bad state has its alert: every row of the table is provoked, and no state of router or host is without one."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from appliance.control.alerts.bad_states import NOTICES, PASSING, BadState, bad_states
from appliance.control.alerts.conditions import DISK_WORDS, RULE_OF, alerts_of
from appliance.control.alerts.inputs import ClockState, FailingChannel, Signals, SilentSender
from appliance.control.api.services import ProcessState, ServiceState
from appliance.control.api.status import (
    AlertKind,
    ConfigState,
    CopiesState,
    DiskFault,
    HistoryState,
    KeptState,
    ModuleOutageState,
    OutageState,
    QuarantineState,
    SpoolProblem,
    StageState,
    VerifyState,
)
from appliance.control.api.tls import KnownCertificate
from appliance.supervision.states import State
from mercure.delivery.target_outage import TargetOutage
from mercure.event_details import FailureKind
from mercure.processing.module_outage import ModuleOutage
from mercure.spool.layout import Stage
from mercure.spool.notices import Notice, NoticeKind
from tests.support.router_status import DISK, NOW, WELL

GENERATOR = Path(__file__).parents[4] / "tools" / "alert_states_page.py"
Provoked = tuple[dict[str, Any], dict[str, Any]]


OUTAGES: tuple[FailureKind, ...] = ("unreachable", "rejected", "timeout", "busy", "unable", "aborted")


def stage(stage: Stage, age: float = 1.0) -> Provoked:
    return {"stages": (StageState(stage=stage, count=1, oldest_seconds=age),)}, {}


def process(**fields: Any) -> Provoked:
    found = ProcessState(name="router_00", **{"state": "running", **fields})
    return {"services": (ServiceState(name="router", configured=1, processes=(found,)),)}, {}


def outage(kind: FailureKind) -> Provoked:
    found = TargetOutage(since=NOW, failures=3, until=NOW, kind=kind, error="down")
    return {"outages": (OutageState(target="pacs", outage=found),)}, {}


def verify(**fields: Any) -> Provoked:
    return {"verify": VerifyState(finished=NOW, **fields)}, {}


def certificate(days: float | None, **whose: Any) -> Provoked:
    ends = None if days is None else NOW + timedelta(days=days)
    named = whose or {"use": "watched", "about": "", "file": "/c.pem"}
    return {}, {"certificates": (KnownCertificate(**named, ends=ends, problem="" if ends else "gone"),)}


def module() -> Provoked:
    found = ModuleOutage(since=NOW, failures=1, until=NOW, kind="runner", error="down")
    return {"module_outages": (ModuleOutageState(module="m", outage=found),)}, {}


def disk(state: str) -> Provoked:
    if state in get_args(DiskFault) or state == "unreadable":
        return {"disk": DISK.model_copy(update={"fault": state})}, {}
    free = DISK.refuse_below_bytes - 1 if state == "refusing" else DISK.clean_below_bytes - 1
    return {"disk": DISK.model_copy(update={"free_bytes": free})}, {}


def notice(kind: NoticeKind) -> Provoked:
    return {}, {"notices": (Notice(kind=kind, about="CT1@x", text="it happened", advice="do it", first=NOW, last=NOW),)}


PROVOKED: dict[tuple[str, str], Callable[[], Provoked]] = {
    ("spool", "failed"): lambda: stage(Stage.ERROR),
    ("spool", "quarantine"): lambda: stage(Stage.QUARANTINE),
    ("spool", "quarantine-full"): lambda: ({"quarantine": QuarantineState(objects=90, most_objects=100)}, {}),
    ("spool", "kept-near"): lambda: ({"kept": KeptState(keeps=1, bytes=80, most_bytes=100)}, {}),
    ("spool", "kept-beyond"): lambda: ({"kept": KeptState(keeps=1, bytes=101, most_bytes=100, beyond=1)}, {}),
    ("spool", "kept-unreadable"): lambda: ({"kept": KeptState(unreadable=("a",), most_bytes=100)}, {}),
    ("spool", "altered"): lambda: ({"copies": CopiesState(altered=2, waiting=1)}, {}),
    ("spool", "altered-delivered"): lambda: ({"copies": CopiesState(unreadable=1)}, {}),
    ("spool", "place"): lambda: ({"spool": (SpoolProblem(text="elsewhere", advice="move it"),)}, {}),
    ("spool", "lost"): lambda: verify(exit_code=1, findings=1),
    ("spool", "unproven"): lambda: verify(exit_code=2, unchecked=("the history",)),
    ("spool", "overdue"): lambda: verify(age_seconds=10 * 86400.0),
    ("services", "not-running"): lambda: ({"running": False}, {}),
    ("services", "failed"): lambda: process(state="failed"),
    ("services", "looping"): lambda: process(crashes=3),
    ("services", "none"): lambda: ({"services": (ServiceState(name="router", configured=0),)}, {}),
    ("services", "nginx"): lambda: ({}, {"front": "does not answer"}),
    ("services", "page"): lambda: ({}, {"page": "does not answer"}),
    **{("targets", kind): lambda kind=kind: outage(kind) for kind in OUTAGES},  # type: ignore[misc]
    **{("targets", kind): lambda: stage(Stage.ERROR) for kind in ("refused", "local", "altered", "unsupported")},
    ("targets", "module"): module,
    ("senders", "silence"): lambda: ({}, {"silences": (SilentSender(sender="CT1", last=NOW, reason="r"),)}),
    ("host", "configuration"): lambda: ({"config": ConfigState(revision=1, by_hand=True, problems=("x",))}, {}),
    ("host", "history-away"): lambda: ({"history": HistoryState(outbox_bytes=0, problem="away")}, {}),
    ("host", "history-behind"): lambda: ({"history": HistoryState(outbox_bytes=0, lag_seconds=3600.0)}, {}),
    ("spool", "scrub-overdue"): lambda: ({}, {"scrub_seconds": 30 * 86400.0}),
    **{("spool", f"{kind}-part"): lambda: stage(Stage.ERROR) for kind in ("unwanted", "undecided")},
    ("host", "outbox"): lambda: ({"history": HistoryState(outbox_bytes=3 * 10**9, lag_seconds=0.0)}, {}),
    ("host", "history-size"): lambda: ({"history": HistoryState(outbox_bytes=0, size_bytes=10**11)}, {}),
    ("host", "clock-doubted"): lambda: ({}, {"doubt": "it shows 2000-01-01"}),
    ("host", "clock-free"): lambda: ({}, {"clock": ClockState(synchronised=False)}),
    ("host", "clock-off"): lambda: ({}, {"clock": ClockState(synchronised=True, error_seconds=60.0)}),
    ("host", "certificate-soon"): lambda: certificate(20),
    ("host", "certificate-over"): lambda: certificate(-1),
    ("host", "certificate-unreadable"): lambda: certificate(None),
    ("host", "certificate-list"): lambda: certificate(
        0.5, use="revoked", about="receiver", file="/c.crl", begins=NOW - timedelta(days=7)
    ),
    ("targets", "certificate-soon"): lambda: certificate(13, use="target", about="pacs"),
    ("targets", "certificate-over"): lambda: certificate(2.9, use="target", about="pacs"),
    ("senders", "certificate-soon"): lambda: certificate(30, use="sender", about="ct1"),
    ("senders", "certificate-over"): lambda: certificate(-1, use="sender", about="ct1"),
    ("host", "channel"): lambda: ({}, {"channels": (FailingChannel(name="mail", failing_since=NOW, error="x"),)}),
    ("host", "backup-overdue"): lambda: ({}, {"backup_at": NOW - timedelta(hours=60)}),
    ("host", "given-up"): lambda: ({}, {"given_up": 1}),
    ("spool", "filling"): lambda: ({"disk": DISK.model_copy(update={"full_in_seconds": 77 * 60.0})}, {}),
    **{("spool", state): lambda state=state: disk(state) for state in DISK_WORDS},  # type: ignore[misc]
    **{
        ("spool", f"stuck-{each.value}"): lambda each=each: stage(each, 10 * 86400.0)  # type: ignore[misc]
        for each in (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING)
    },
    **{
        ("services", state): lambda state=state: process(state=state)  # type: ignore[misc]
        for state in ("retrying", "ended", "stopped", "unknown")
    },
    **{(area, kind): lambda kind=kind: notice(kind) for kind, (area, _) in NOTICES.items()},  # type: ignore[misc]
}


def test_a_router_that_is_well_has_no_alert() -> None:
    assert alerts_of(WELL).alerts == ()


@pytest.mark.parametrize("row", bad_states(), ids=lambda row: f"{row.area}-{row.name}")
def test_every_row_is_provoked(row: BadState) -> None:
    changed, signals = PROVOKED[row.area, row.name]()
    found = alerts_of(WELL.model_copy(update=changed), Signals(**signals)).alerts
    assert [(alert.kind, alert.severity) for alert in found] == [(row.kind, row.severity)]
    assert found[0].text
    assert found[0].advice


def test_each_row_stands_there_once_and_nothing_is_provoked_that_is_no_row() -> None:
    names = [(row.area, row.name) for row in bad_states()]
    assert len(names) == len(set(names))
    assert set(names) == set(PROVOKED)


def test_no_state_is_without_a_row() -> None:
    names = {(row.area, row.name) for row in bad_states()}
    assert set(get_args(State)) - PASSING <= {name for area, name in names if area == "services"}
    assert set(get_args(FailureKind)) <= {name for area, name in names if area == "targets"}
    assert set(get_args(DiskFault)) <= {name for area, name in names if area == "spool"}
    assert set(get_args(NoticeKind)) == set(NOTICES)
    kinds = {row.kind for row in bad_states()}
    assert kinds == set(get_args(AlertKind)) == set(RULE_OF)


def test_the_page_is_current() -> None:
    specification = importlib.util.spec_from_file_location("alert_states_page", GENERATOR)
    assert specification is not None
    assert specification.loader is not None
    generator = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generator)
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(), "run `make docs`"
