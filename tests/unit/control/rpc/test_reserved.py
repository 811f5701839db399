"""Whatever others have open or under way, an administrator gets in and can begin something."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from appliance.control.api.selftest import Selftest
from appliance.control.errors import ControlError
from appliance.control.roles import Caller
from appliance.control.rpc.jobs import RESERVED, RUNNING, Jobs
from mercure.clock import Clock
from mercure.config import Root
from tests.support.control_server import RawConnection, limits, serving

DONE = Selftest(ok=True, steps=(), seconds=1.0)
WHO = b'{"jsonrpc": "2.0", "id": 1, "method": "whoami"}\n'


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """What holds every long action until the test is over."""
    may_end = threading.Event()
    yield may_end
    may_end.set()


def begin(jobs: Jobs, caller: Caller, held: threading.Event) -> threading.Thread:
    """Begin a long action, and wait until it is under way."""
    begun = threading.Event()

    def work(report: object) -> Selftest:
        begun.set()
        held.wait(20)
        return DONE

    thread = threading.Thread(target=jobs.carry_out, args=("some.verb", "", caller, work, lambda progress: None))
    thread.start()
    assert begun.wait(10)
    return thread


def test_some_long_actions_are_for_admins(held: threading.Event) -> None:
    jobs, otto, anna = Jobs(Clock()), Caller("otto", 1001, "operator"), Caller("anna", 1000, "admin")
    threads = [begin(jobs, otto, held) for _ in range(RUNNING - RESERVED)]
    with pytest.raises(ControlError, match="long actions are under way already"):
        jobs.carry_out("some.verb", "", otto, lambda report: DONE, lambda progress: None)
    threads += [begin(jobs, anna, held) for _ in range(RESERVED)]
    with pytest.raises(ControlError, match="long actions are under way already"):
        jobs.carry_out("some.verb", "", anna, lambda report: DONE, lambda progress: None)
    held.set()
    for thread in threads:
        thread.join(10)
    assert jobs.carry_out("some.verb", "", otto, lambda report: DONE, lambda progress: None) == DONE


def test_some_connections_are_for_admins(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    callers = iter([Caller("otto", 1001, "operator")] * 3 + [Caller("anna", 1000, "admin")])
    monkeypatch.setattr("appliance.control.rpc.server.identify", lambda peer, owner, groups: next(callers))
    with serving(root, limits(connections=3, connections_of_admins=1)) as served, ExitStack() as stack:
        answers = []
        for _ in range(4):
            connection = stack.enter_context(RawConnection(served.root))
            with suppress(BrokenPipeError):  # who is turned away may be told before the question is asked
                connection.send(WHO)
            answers.append(json.loads(connection.read() or b"{}"))
    assert ["error" in answer for answer in answers] == [False, False, True, False]
    assert answers[2]["error"]["data"]["kind"] == "too-much"
    assert answers[3]["result"]["role"] == "admin"
