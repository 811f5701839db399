"""A router as the control API tells it: a good day, a bad day, and one with all that strangers send."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.control.rpc.client import api
from appliance.status_page.source import Flow, PageSnapshot
from mercure.clock import ManualClock
from mercure.config.site import SiteSettings
from mercure.config.status_page import StatusPage
from mercure.delivery.target_outage import TargetOutage
from mercure.history.records import CounterTotal, SenderRecord

NOW = datetime(2026, 11, 21, 14, 37, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>'\"&\x1b[2J\u202egnp.exe\u2066\x00{{7*7}}"
_HOSTILE_SITE = "<script>alert(1)</script>'\"&{{7*7}}"
GIB = 1024**3

STAGES = ("incoming", "routing", "studies", "processing", "outgoing", "error", "quarantine", "success", "discard")
SENDERS = (
    ("CT_EMERGENCY", "10.20.1.11", 0.2, 912, 21_804),
    ("MR_SKYRA_1", "10.20.1.31", 1.5, 640, 9_120),
    ("MR_SKYRA_2", "10.20.1.32", 4, 388, 7_713),
    ("XR_ROOM_3", "10.20.2.7", 9, 14, 212),
    ("US_CARDIO", "10.20.3.40", 22, 61, 1_340),
    ("MG_SCREENING", "10.20.2.19", 64, 0, 488),
    ("ANGIO_A", "10.20.4.2", 190, 0, 2_066),
    ("PET_CT", "fd00:20::5", 1500, 0, 0),
)
MACHINE = {
    "processors": 4, "processor_seconds": 9120.5, "waiting_seconds": 41.0, "processor": 0.12, "load": (0.5, 0.4, 0.3),
    "memory_bytes": 16 * GIB, "memory_available_bytes": 12 * GIB, "up_seconds": 90_000.0,
    "networks": ({"interface": "eth0", "received_bytes": 10**12, "sent_bytes": 10**11, "errors": 3},),
    "disk": {"device": "sda2", "read_bytes": 10**11, "written_bytes": 10**12, "busy_seconds": 5120.0},
}  # fmt: skip
TARGETS = (("pacs", "dicom"), ("research-archive", "dicom"), ("vendor-neutral", "dicom"), ("teaching", "folder"))


def clock() -> ManualClock:
    """Give a clock that stands at the moment of the scene."""
    return ManualClock(NOW)


def seen(*, bad: bool = False) -> PageSnapshot:
    """Tell of a good day, or of a bad one: a target is down, tasks have failed, the disk fills."""
    return PageSnapshot(
        status=status(bad=bad),
        alerts=alerts() if bad else (),
        targets=tuple(target(number, bad=bad) for number in range(len(TARGETS))),
        modules=(
            api.configuration.ModuleState(
                name="segment", runner="podman", image="x", disabled=False, settings={}, waiting=2
            ),
        ),
        node="router-east",
        version="0.1.0",
        flow=flow(),
        days=days(),
    )


def days() -> api.traffic.Days:
    """Tell of ninety days: the first ten are not known, one had an outage of minutes, one of hours."""
    today = NOW.replace(hour=0, minute=0, second=0)
    bad = {40: 1500.0, 12: 11_400.0}
    return api.traffic.Days(
        time=NOW,
        days=tuple(
            api.traffic.DayRecord(
                begin=today - timedelta(days=back), bad_seconds=None if back >= 80 else bad.get(back, 0.0)
            )
            for back in reversed(range(90))
        ),
    )


def at_site(of: PageSnapshot, **site: Any) -> PageSnapshot:
    """Tell the same from a site."""
    return replace(of, site=SiteSettings(**site))


def settings(**changes: Any) -> StatusPage:
    """Give the usual settings, with changes."""
    return StatusPage(**changes)


def status(*, bad: bool = False) -> api.status.Status:
    """Tell how the router is."""
    counts = {"incoming": 3, "routing": 1, "studies": 2, "processing": 2, "outgoing": 7, "success": 4120, "discard": 12}
    counts |= {"error": 2, "outgoing": 148, "quarantine": 1} if bad else {}
    ages = {"incoming": 4.0, "outgoing": 5400.0 if bad else 12.0, "studies": 340.0, "error": 90_000.0, "routing": 0.4}
    return api.status.Status.model_validate(
        {
            "root": "/srv/mercure",
            "time": NOW,
            "running": True,
            "services": [service(name) for name in ("receiver", "router", "dispatcher", "bookkeeper", "page")],
            "stages": [
                {"stage": name, "count": counts.get(name, 0), "oldest_seconds": ages.get(name, 60.0)}
                if counts.get(name)
                else {"stage": name, "count": 0}
                for name in STAGES
            ],
            "associations": 4,
            "outages": [],
            "disk": {
                "path": "/srv/mercure/spool",
                "free_bytes": 40 * GIB if bad else 1412 * GIB,
                "total_bytes": 1862 * GIB,
                "refuse_below_bytes": 10 * GIB,
                "clean_below_bytes": 50 * GIB,
            },
            "machine": MACHINE,
            "history": {"lag_seconds": 0.4, "newest_event": NOW, "outbox_bytes": 20_480},
            "verify": {"finished": NOW - timedelta(hours=7), "age_seconds": 7 * 3600.0, "acknowledged": 343_466},
            "config": {"revision": 17, "by_hand": False},
        }
    )


def service(name: str) -> dict[str, Any]:
    """Tell of a service with one process."""
    process: dict[str, Any] = {"name": f"{name}_00", "state": "running", "pid": 4242, "since": NOW}
    process["figures"] = {"processor": 0.02, "processor_seconds": 81.5, "memory_bytes": 61_000_000, "open_files": 24}
    return {"name": name, "configured": 1, "processes": [process]}


def alerts() -> tuple[api.status.Alert, ...]:
    """Tell what is wrong on a bad day."""
    rows = (
        ("outage:research-archive", "outage", "critical", "research-archive",
         "target 'research-archive' is not accepting images: connection to 10.20.9.80:104 refused", 95),
        ("failed", "failed", "critical", "error", "2 tasks have failed", 1500),
        ("disk", "disk", "warning", "/srv/mercure/spool",
         "the disk of /srv/mercure/spool is getting full: finished tasks are removed before their time", 31),
        ("silence:ANGIO_A@10.20.4.2", "silence", "warning", "ANGIO_A@10.20.4.2",
         "ANGIO_A@10.20.4.2 has sent nothing for 3 hours, which is unusual for it", 190),
    )  # fmt: skip
    return tuple(
        api.status.Alert.model_validate(
            {
                "key": key,
                "kind": kind,
                "severity": severity,
                "object": about,
                "text": text,
                "advice": "look at it",
                "since": NOW - timedelta(minutes=minutes),
                "acknowledged": {"by": "anna", "at": NOW - timedelta(minutes=88)} if kind == "outage" else None,
            }
        )
        for key, kind, severity, about, text, minutes in rows
    )


def target(number: int, *, bad: bool) -> api.targets.TargetState:
    """Tell of a target; on a bad day the second one is down."""
    name, kind = TARGETS[number]
    since = NOW - timedelta(minutes=95)
    outage = TargetOutage(since=since, failures=12, until=NOW, kind="unreachable", error="connection refused")
    down = bad and number == 1
    return api.targets.TargetState(
        name=name,
        kind=kind,
        disabled=number == 3,
        settings={},
        waiting=(141 if down else 3) if number < 2 else 0,
        failed=2 if down else 0,
        outage=outage if down else None,
    )


def flow() -> Flow:
    """Tell of a day with a quiet night."""
    records = tuple(
        SenderRecord(
            address=address,
            calling_aet=title,
            last_image=NOW - timedelta(minutes=minutes),
            images_hour=hour,
            images=day,
            bytes=day * 524_288,
            hourly=tuple(int(day * max(0.0, math.sin((place + number) / 24 * math.pi)) / 15) for place in range(24)),
        )
        for number, (title, address, minutes, hour, day) in enumerate(SENDERS)
    )
    last = NOW.replace(minute=0, second=0)
    points = []
    for back in reversed(range(24)):
        begin = last - timedelta(hours=back)
        busy = max(0.05, math.sin((begin.hour - 6) / 24 * 2 * math.pi) * 0.9 + 0.12)
        received = int(3600 * busy * (1 + 0.25 * math.sin(begin.hour * 2.4)))
        points.append(
            api.traffic.RatePoint(
                begin=begin, received=received, received_bytes=received * 524_288, delivered=int(received * 0.96)
            )
        )
    return Flow(
        senders=api.traffic.Senders(time=NOW, hours=24, senders=records),
        rates=api.traffic.Rates(time=NOW, step=60, points=tuple(points)),
        totals=api.traffic.Totals(counters=totals()),
    )


def totals() -> tuple[CounterTotal, ...]:
    """Tell every counter of the history at least once."""
    by_label = {
        "CT_EMERGENCY@10.20.1.11": (
            "images.received", "bytes.received", "images.refused", "images.quarantined", "associations.opened",
            "associations.refused",
        ),
        "MR_SKYRA_1@10.20.1.31": ("images.received", "bytes.received", "associations.opened"),
        "pacs": (
            "attempts.success", "attempts.failure", "attempts.partial", "attempts.seconds", "tasks.delivered",
            "images.delivered", "bytes.delivered", "tasks.created",
        ),
        "segment": ("runs.success", "runs.failure", "runs.partial", "runs.seconds", "tasks.processed"),
        "released": ("associations.closed", "series.completed"),
        "complete": ("studies.completed",),
        "everything": ("rules.fired", "rules.failed"),
        "the calling AE title is not listed": ("refusals.association",),
        "0xA700": ("refusals.image",),
        "outgoing": ("tasks.failed",),
        "success": ("tasks.retired",),
        "": ("series.late",),
    }  # fmt: skip
    return tuple(
        CounterTotal(name=name, label=label, value=float(100 + number))
        for number, (label, names) in enumerate(by_label.items())
        for name in names
    )


def hostile() -> PageSnapshot:
    """Put what strangers may send into every place that shows it."""
    good = seen(bad=True)
    flow_ = flow()
    sender = flow_.senders.senders[0].model_copy(update={"calling_aet": HOSTILE, "address": HOSTILE})
    senders = flow_.senders.model_copy(update={"senders": (sender, *flow_.senders.senders[1:])})
    alert = good.alerts[0].model_copy(update={"text": HOSTILE, "object": HOSTILE})
    bad_target = good.targets[0].model_copy(update={"name": HOSTILE, "kind": HOSTILE})
    counters = (CounterTotal(name="images.received", label=f"{HOSTILE}@{HOSTILE}", value=3), *totals())
    return replace(
        good,
        alerts=(alert, *good.alerts),
        targets=(bad_target, *good.targets),
        node=HOSTILE,
        site=SiteSettings(name=_HOSTILE_SITE, contact=_HOSTILE_SITE, telephone=f"0{_HOSTILE_SITE}9"),
        flow=replace(flow_, senders=senders, totals=api.traffic.Totals(counters=counters)),
    )


def exam(accession: str) -> api.traffic.ExamFound:
    """Answer a search: `A20261121077` is an exam with a bit of everything, `BAD` a hostile one, all else unknown."""
    step, minute = api.traffic.ExamStep, timedelta(minutes=1)
    delivered = step(to="target", name="pacs", state="delivered", images=192, at=NOW - 3 * minute, attempts=1)
    waiting = step(to="target", name="research-archive", state="waiting", images=192, at=NOW - 4 * minute, attempts=3,
                   next_attempt=NOW + 2 * minute)  # fmt: skip
    late = step(to="study", state="waiting", images=24, at=NOW - minute)
    series = api.traffic.ExamSeries(modality="MR", description="t1_mprage_sag", images=192,
                                    first_received=NOW - 9 * minute, last_received=NOW - 5 * minute,
                                    steps=(delivered, waiting))  # fmt: skip
    other = api.traffic.ExamSeries(modality="MR", description="localizer", images=24, first_received=NOW - 12 * minute,
                                   last_received=NOW - 11 * minute, steps=(late,))  # fmt: skip
    found = {
        "A20261121077": api.traffic.ExamFound(
            series=(series, other),
            targets=(
                api.traffic.ExamTarget(name="pacs", images=192, delivered=192),
                api.traffic.ExamTarget(name="research-archive", images=192),
            ),
        ),
        "DONE": api.traffic.ExamFound(
            series=(series.model_copy(update={"steps": (delivered,)}),),
            targets=(api.traffic.ExamTarget(name="pacs", images=192, delivered=192),),
        ),
        "BAD": api.traffic.ExamFound(
            series=(
                series.model_copy(
                    update={
                        "modality": HOSTILE,
                        "description": HOSTILE,
                        "steps": (delivered.model_copy(update={"name": HOSTILE}),),
                    }
                ),
            )
        ),
    }
    return found.get(accession, api.traffic.ExamFound(series=()))
