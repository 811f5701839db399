"""The Services page on a router that supervisor really runs: scaled, stopped, started, restarted, its log followed."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from appliance.control.rpc.client import Client, api
from tests.support.polling import eventually
from tests.support.router import Router
from tests.support.tmux import Terminal
from tests.tui.at_the_terminal import at_the_terminal

CRASHES = 3
SAID_AT_EACH_START = "configuration in force"
TOLD_SECONDS = 5.0
"""From the last crash of a loop to its alert."""


def pids(router: Router) -> dict[str, int | None]:
    """Ask for all processes, over the API: a command for each question would take seconds."""
    with Client(router.root) as client:
        services = client.call(api.services.LIST).services
    return {process.name: process.pid for service in services for process in service.processes}


def others(found: dict[str, int | None]) -> dict[str, int | None]:
    return {name: pid for name, pid in found.items() if not name.startswith("dispatcher")}


def another_process(router: Router, name: str, than: int | None) -> int:
    """Wait until a process runs anew."""

    def found() -> int | None:
        pid = pids(router)[name]
        return pid if pid != than else None

    pid = eventually(found, seconds=40, what=f"{name} to run anew")
    assert pid is not None
    return pid


def alerts(router: Router, kind: str) -> list[api.status.Alert]:
    with Client(router.root) as client:
        return [alert for alert in client.alerts() if alert.kind == kind]


def configured(router: Router) -> int:
    content: dict[str, Any] = json.loads((router.root / "config" / "services.json").read_text())
    found: int = content.get("dispatcher", {}).get("instances", 1)
    return found


def choose(screen: Terminal, key: str, question: str, *texts: str) -> None:
    """Press a key, read what is asked, and agree."""
    screen.press(key)
    screen.see(question)
    for text in texts:
        screen.see(text)
    screen.press("Right", "Enter")
    screen.see_no_more(question)


@pytest.mark.timeout(300)  # eight changes that are waited for, on a machine in use
def test_a_service_is_scaled_stopped_started_and_restarted_and_nothing_else_is(router: Router) -> None:
    with router.running(), at_the_terminal(router.root, "--wait", "60") as screen:
        router.await_state(dispatcher_00="running", bookkeeper_00="running", cleaner_00="running", page_00="running")
        screen.see("• live")
        before = pids(router)
        screen.press("7")
        screen.see("bookkeeper_00")
        screen.write("/dispatcher")
        screen.press("Enter")
        screen.see_no_more("bookkeeper_00")

        choose(screen, "+", "Scale dispatcher?", "from 1 to 2 processes", "Nothing else is restarted.", "Scale to 2")
        screen.see("dispatcher: 1 → 2")
        screen.see("dispatcher_01    • running")
        assert configured(router) == 2
        scaled = pids(router)
        assert others(scaled) == others(before)
        assert scaled["dispatcher_00"] == before["dispatcher_00"]

        choose(screen, "-", "Scale dispatcher?", "from 2 to 1 process", "Scale to 1")
        screen.see("dispatcher: 2 → 1")
        screen.see_no_more("dispatcher_01")
        assert configured(router) == 1
        assert pids(router) == before

        choose(screen, "C-t", "Restart dispatcher?")
        screen.see("restart dispatcher: dispatcher_00 running")
        restarted = pids(router)
        assert restarted["dispatcher_00"] != before["dispatcher_00"]

        screen.press("C-x")
        screen.see("type its name: dispatcher")
        screen.press("BTab")
        screen.write("dispatcher")
        screen.press("Enter", "Right", "Enter")
        screen.see("stop dispatcher: dispatcher_00 stopped")
        screen.see("dispatcher_00    ■ stopped")
        screen.see("Nothing is delivered to any target")
        screen.press("s")
        screen.see("start dispatcher: dispatcher_00 running")
        screen.see("dispatcher_00    • running")
        assert others(pids(router)) == others(before)
        assert (router.root / "config" / "services.json").stat().st_size > 0


@pytest.mark.timeout(300)
def test_the_log_is_followed_and_a_crash_loop_is_told(router: Router) -> None:
    with router.running(), at_the_terminal(router.root, "--wait", "60") as screen:
        router.await_state(cleaner_00="running", bookkeeper_00="running", page_00="running")
        screen.see("• live")
        screen.press("7")
        screen.see("cleaner_00")
        screen.write("/cleaner")
        screen.press("Enter")
        screen.see_no_more("bookkeeper_00")
        screen.press("Enter")
        screen.see("cleaner_00 · following")
        shown = screen.see(SAID_AT_EACH_START).count(SAID_AT_EACH_START)
        pid: int | None = None
        for _ in range(CRASHES):
            pid = another_process(router, "cleaner_00", pid)
            os.kill(pid, signal.SIGKILL)
        last = time.monotonic()
        eventually(lambda: alerts(router, "crash-loop"), seconds=40)
        assert time.monotonic() - last < TOLD_SECONDS
        eventually(
            lambda: screen.screen().count(SAID_AT_EACH_START) > shown,
            seconds=20,
            what="what the process says at its new start to be followed",
        )
        screen.press("8")
        screen.see("cleaner_00 crashes again and again")
