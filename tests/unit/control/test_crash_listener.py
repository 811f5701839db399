"""The crash listener: supervisor's protocol, and what is told of a crash loop."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from appliance.control.session import Session
from appliance.crash_listener import Listener, listen
from mercure.config import Root
from mercure.event_details import Recovered, Warned
from mercure.model import Record
from tests.unit.appliance.conftest import events_of


def notice(name: str, payload: str) -> bytes:
    head = f"ver:3.0 server:supervisor serial:1 pool:listener poolserial:1 eventname:{name} len:{len(payload)}"
    return f"{head}\n{payload}".encode()


FATAL = notice("PROCESS_STATE_FATAL", "processname:router_00 groupname:router from_state:BACKOFF")


def told(*events: tuple[str, Mapping[str, str]]) -> list[Record]:
    found: list[Record] = []
    listener = Listener(found.append)
    for name, payload in events:
        listener.on_event(f"PROCESS_STATE_{name}", {"processname": "router_00", **payload})
    return found


def test_a_crash_loop_is_told_once_and_its_end_too() -> None:
    found = told(
        ("RUNNING", {}), ("EXITED", {"expected": "0"}), *[("BACKOFF", {})] * 10, ("FATAL", {}), ("RUNNING", {})
    )
    assert [type(item) for item in found] == [Warned, Warned, Warned, Recovered]
    assert all("router_00" in str(item) for item in found)


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
