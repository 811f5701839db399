"""The crash listener: supervisor's protocol, and what is told of a crash loop."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.control.alerts.conditions import alerts_of
from appliance.control.api.services import CRASH_LOOP, ProcessState, ServiceState
from appliance.control.session import Session
from appliance.crash_listener import Listener, listen
from appliance.supervision.crashes import FILE_NAME, WITHIN, Crashes
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.event_details import Warned
from mercure.model import Record
from tests.support.statuses import empty_status
from tests.support.tasks import events_of


def notice(name: str, payload: str) -> bytes:
    head = f"ver:3.0 server:supervisor serial:1 pool:listener poolserial:1 eventname:{name} len:{len(payload)}"
    return f"{head}\n{payload}".encode()


FATAL = notice("PROCESS_STATE_FATAL", "processname:router_00 groupname:router from_state:BACKOFF")


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


class Heard:
    """A listener, what it tells, and the time, which passes only when a test lets it."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
        self.told: list[Record] = []
        self.listener = Listener(self.told.append, run, self.clock)

    def hear(self, *names: str, **payload: str) -> list[str]:
        """Let supervisor say something of one process; return in words what was told for it."""
        before = len(self.told)
        for name in names:
            full = name if name.startswith("TICK") else f"PROCESS_STATE_{name}"
            self.listener.on_event(full, {"processname": "router_00", **payload})
        return [f"{type(item).__name__}: {getattr(item, 'text', '') or getattr(item, 'what', '')}"
                for item in self.told[before:]]  # fmt: skip

    def crash(self, after: float) -> list[str]:
        """Let the process run so long, crash, and be started again."""
        self.clock.advance(after)
        told = self.hear("EXITED", expected="0")
        return [*told, *self.hear("RUNNING")]

    def looping(self) -> frozenset[str]:
        return Crashes.read(self.run).looping(self.clock.now())


def told(*events: tuple[str, Mapping[str, str]]) -> list[Record]:
    with TemporaryDirectory() as folder:
        heard = Heard(Path(folder))
        for name, payload in events:
            heard.hear(name, **payload)
        return heard.told


def test_a_crash_loop_is_told_once_and_its_end_too() -> None:
    found = told(
        ("RUNNING", {}), ("EXITED", {"expected": "0"}), *[("BACKOFF", {})] * 10, ("FATAL", {}), ("RUNNING", {})
    )
    assert [type(item) for item in found] == [Warned, Warned, Warned, Warned]
    assert all("router_00" in str(item) for item in found)


def test_a_process_that_lives_for_a_while_each_time_is_a_crash_loop_all_the_same(heard: Heard) -> None:
    assert heard.crash(20) == ["Warned: router_00 ended unasked and is started again"]
    assert heard.crash(20) == ["Warned: router_00 ended unasked and is started again"]
    assert not heard.looping()
    assert heard.crash(20) == ["Warned: router_00 crashes again and again: 3 times within 5 minutes"]
    assert heard.looping() == {"router_00"}
    assert [heard.crash(20) for _ in range(5)] == [[]] * 5


def test_the_end_of_a_slow_loop_is_told_by_the_clock(heard: Heard) -> None:
    for _ in range(3):
        heard.crash(20)
    heard.clock.advance(WITHIN.total_seconds() - 50)
    assert heard.hear("TICK_60") == []
    heard.clock.advance(60)
    assert heard.hear("TICK_60") == ["Recovered: router_00 has not crashed for some minutes"]
    assert heard.hear("TICK_60") == []
    assert not heard.looping()


def test_a_crash_now_and_then_is_no_loop(heard: Heard) -> None:
    for _ in range(20):
        assert heard.crash(WITHIN.total_seconds() / 2 + 1) == ["Warned: router_00 ended unasked and is started again"]


def test_a_listener_that_is_started_again_goes_on_counting(heard: Heard) -> None:
    heard.crash(20)
    heard.crash(20)
    heard.listener = Listener(heard.told.append, heard.run, heard.clock)
    assert "crashes again and again" in heard.crash(20)[0]


def test_what_cannot_be_read_or_written_stops_nobody(heard: Heard) -> None:
    (heard.run / FILE_NAME).write_text("{half")
    assert Crashes.read(heard.run) == Crashes()
    (heard.run / FILE_NAME).unlink()
    (heard.run / FILE_NAME).mkdir()
    assert heard.crash(1)


def test_a_slow_loop_is_a_critical_alert_and_one_that_runs_is_none() -> None:
    def alerts(crashes: int) -> list[tuple[str, str]]:
        process = ProcessState(name="router_00", state="running", crashes=crashes)
        services = (ServiceState(name="router", configured=1, processes=(process,)),)
        found = empty_status().model_copy(update={"services": services})
        return [(alert.severity, alert.key) for alert in alerts_of(found).alerts]

    assert alerts(CRASH_LOOP) == [("critical", "crash-loop:router_00")]
    assert alerts(CRASH_LOOP - 1) == []


def test_an_orderly_end_is_not_told() -> None:
    assert told(("EXITED", {"expected": "1"}), ("RUNNING", {})) == []


@given(st.lists(st.tuples(st.sampled_from(["FATAL", "RUNNING", "BACKOFF"]), st.integers(0, 50)), max_size=8))
def test_each_event_is_acknowledged(events: list[tuple[str, int]]) -> None:
    data = b"".join(notice(name, f"processname:p{'x' * size}") for name, size in events)
    writing, seen = io.BytesIO(), []
    listen(io.BytesIO(data), writing, lambda name, payload: seen.append((name, payload)))
    assert writing.getvalue() == b"READY\n" + b"RESULT 2\nOKREADY\n" * len(events)
    assert len(seen) == len(events)


def test_the_program_prints_nothing_but_the_protocol(root: Root, session: Session) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance.crash_listener", "--root", root.path],
        input=FATAL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"READY\nRESULT 2\nOKREADY\n"
    assert b"crashes again and again" in done.stderr
    (event,) = events_of(session)
    assert (event.type, event.service) == ("warning", "control")
