"""The control service under supervisor: a crash is told, and a killed server comes back."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.control.api.services import CRASH_LOOP
from appliance.control.api.streams import EventItem
from appliance.control.rpc.client import Client, ControlError, DisconnectedError, Stream, api
from tests.support.polling import eventually
from tests.support.processes import running
from tests.support.procfs import is_alive

MERCURE = (sys.executable, "-m", "appliance.cli")
TOLD_SECONDS = 5.0


def answers(root: Path) -> bool:
    try:
        with Client(root) as client:
            return client.status().running
    except (DisconnectedError, ControlError):
        return False


@pytest.fixture
def router(mercure_root: Path, free_port: Callable[[], int]) -> Iterator[Path]:
    command: list[str | Path] = [*MERCURE, "run", "--root", mercure_root]
    command += ["--port", str(free_port()), "--page-port", str(free_port())]
    with running(command, ready=lambda _: answers(mercure_root), seconds=60, grace=60):
        yield mercure_root


def pid_of(root: Path, service: str, *, other_than: int = 0) -> int:
    """Wait until a service has a process, and return its number."""

    def number() -> int:
        with Client(root) as client:
            found = next(item for item in client.call(api.services.LIST).services if item.name == service)
        pid = found.processes[0].pid or 0
        return pid if pid != other_than else 0

    return eventually(number, seconds=20, what=f"a process of {service}")


def test_a_crash_is_told_within_seconds(router: Path) -> None:
    with Stream(router, "events", "counters") as stream:
        # Twice in a row, so that the second comes before it counts as started.
        first = pid_of(router, "cleaner")
        next(stream.items())
        os.kill(first, signal.SIGKILL)
        began = time.monotonic()
        for item in stream.items():
            if isinstance(item, EventItem) and item.type == "warning" and "cleaner_00" in item.details["text"]:
                break
        assert time.monotonic() - began < TOLD_SECONDS
        second = pid_of(router, "cleaner", other_than=first)
        os.kill(second, signal.SIGKILL)
        for item in stream.items():
            if isinstance(item, EventItem) and "as soon as it was started" in str(item.details.get("text")):
                break

    def told() -> bool:
        with Client(router) as client:
            found = client.call(api.history.EVENTS, api.history.FindEvents(type="warning")).events
            return any("as soon as it was started" in event.details["text"] for event in found)

    eventually(told, seconds=20, what="the history knows of the crash")


def test_a_killed_control_service_comes_back_at_the_same_place(router: Path) -> None:
    client = Client(router)
    pid = pid_of(router, "control")
    client.whoami()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid), seconds=10)
    with pytest.raises(DisconnectedError):
        client.whoami()
    eventually(lambda: answers(router), seconds=30, what="a new control service answers")
    assert client.whoami().role == "admin"
    client.close()


def test_the_control_service_is_not_stopped_by_way_of_itself(router: Path) -> None:
    with Client(router) as client, pytest.raises(ControlError, match="belongs to the appliance"):
        client.call(api.services.STOP, api.services.OneService(name="control"))


@pytest.mark.slow
def test_a_service_that_crashes_again_after_each_good_start_is_an_alert_within_seconds(router: Path) -> None:
    def has_started() -> bool:
        with Client(router) as client:
            found = next(item for item in client.call(api.services.LIST).services if item.name == "cleaner")
        return found.processes[0].state == "running"

    def alerted() -> bool:
        with Client(router) as client:
            return ("crash-loop:cleaner_00", "critical") in {(alert.key, alert.severity) for alert in client.alerts()}

    pid = 0
    for _ in range(CRASH_LOOP):
        pid = pid_of(router, "cleaner", other_than=pid)
        eventually(has_started, seconds=60, what="the cleaner has started well")
        assert not alerted()
        os.kill(pid, signal.SIGKILL)
    eventually(alerted, seconds=TOLD_SECONDS, what="an alert")
    # Once it has been started again its state says nothing any more; the count of its crashes does.
    eventually(has_started, seconds=60, what="the cleaner runs again")
    assert alerted()
