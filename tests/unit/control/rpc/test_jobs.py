"""Long actions go on without whoever asked, and what came of them is there to be asked for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from appliance.control.api.base import Nothing, Progress
from appliance.control.registry import Asked, find
from appliance.control.roles import Caller
from appliance.control.rpc import jobs as jobs_module
from appliance.control.rpc.client import Client, ControlError, DisconnectedError, api
from appliance.control.rpc.jobs import Job, Jobs
from mercure.clock import Clock
from mercure.config import Root
from tests.support.control_server import AsRole, RawConnection, Served, serving
from tests.support.polling import eventually

DONE = api.selftest.Selftest(ok=True, steps=(), seconds=1.0)
SELFTEST = {"jsonrpc": "2.0", "id": 7, "method": "selftest.run", "params": {"image": False}}


@dataclass
class Held:
    """A self-test that has begun, and ends when it may."""

    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None

    def run(self, asked: Asked, wanted: api.selftest.RunSelftest) -> api.selftest.Selftest:
        asked.report(Progress(done=1, total=2, text="held"))
        self.begun.set()
        assert self.may_end.wait(20)
        if self.error is not None:
            raise self.error
        return DONE


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setitem(vars(find("selftest.run")), "run", held.run)
    return held


def listed(client: Client) -> api.jobs.JobState:
    (state,) = client.call(api.jobs.LIST).jobs
    return state


def begin(raw: Callable[[], RawConnection]) -> tuple[RawConnection, str]:
    """Ask for a self-test, and return the id that its first word of progress carries."""
    connection = raw()
    connection.send(json.dumps(SELFTEST).encode() + b"\n")
    line = connection.read()
    assert line is not None
    told = json.loads(line)
    assert (told["method"], told["params"]["id"]) == ("progress", 7)
    return connection, told["params"]["job"]


def test_whose_connection_is_lost_can_be_joined(raw: Callable[[], RawConnection], client: Client, held: Held) -> None:
    connection, job = begin(raw)
    connection.close()
    assert held.begun.wait(10)
    state = listed(client)
    assert (state.job, state.verb, state.outcome) == (job, "selftest.run", "running")
    assert (state.progress.done, state.progress.text) == (1, "held")
    held.may_end.set()
    told: list[Progress] = []
    joined = client.call(api.jobs.JOIN, api.jobs.OneJob(job=job), progress=told.append)
    assert (joined.state.outcome, joined.error) == ("done", None)
    assert api.selftest.Selftest.model_validate(joined.answer) == DONE
    assert told[0].job == job
    assert listed(client).outcome == "done"


def test_a_client_joins_again_by_itself(client: Client, held: Held) -> None:
    told: list[Progress] = []

    def progress(word: Progress) -> None:
        told.append(word)
        if len(told) == 1:
            assert client._socket is not None
            client._socket.shutdown(socket.SHUT_RDWR)
        elif word.text == "held":
            held.may_end.set()

    assert client.call(api.selftest.RUN, api.selftest.RunSelftest(image=False), progress=progress) == DONE
    assert len({word.job for word in told}) == 1


@pytest.mark.parametrize("error", [ControlError("not-found", "no such thing", "look"), OSError(28, "full"), KeyError()])
def test_why_it_failed_is_kept_too(
    raw: Callable[[], RawConnection], client: Client, held: Held, error: Exception
) -> None:
    held.error = error
    held.may_end.set()
    with pytest.raises(ControlError) as raised:
        client.call(api.selftest.RUN)
    state = listed(client)
    assert (state.outcome, state.error) == ("failed", raised.value.text)
    joined = client.call(api.jobs.JOIN, api.jobs.OneJob(job=state.job))
    assert joined.error is not None
    assert (joined.error.kind, joined.error.text, joined.error.advice) == (
        raised.value.kind, raised.value.text, raised.value.advice,
    )  # fmt: skip
    assert joined.answer is None


def test_a_client_that_joins_again_is_told_why_it_failed(client: Client, held: Held) -> None:
    held.error = ControlError("failed", "it broke", "mend it")

    def progress(word: Progress) -> None:
        if not held.may_end.is_set():
            held.may_end.set()
            assert client._socket is not None
            client._socket.shutdown(socket.SHUT_RDWR)

    with pytest.raises(ControlError, match="it broke") as raised:
        client.call(api.selftest.RUN, progress=progress)
    assert (raised.value.kind, raised.value.advice) == ("failed", "mend it")


def test_after_a_restart_of_the_service_it_says_so(root: Root, held: Held) -> None:
    with serving(root) as first, Client(first.root, seconds=20) as client:
        asked: list[str] = []
        heard = threading.Event()  # a client that has not heard of the job yet knows nothing to ask for again

        def ask() -> None:
            with pytest.raises(DisconnectedError, match="the control service was restarted") as raised:
                client.call(api.selftest.RUN, progress=lambda _: heard.set())
            asked.append(str(raised.value))

        thread = threading.Thread(target=ask)
        thread.start()
        assert held.begun.wait(10)
        assert heard.wait(10)
        first.server.stop()
        first.thread.join(10)
        first.server.close(seconds=0.1)  # not long enough for what is under way
        with serving(root):
            thread.join(20)
        held.may_end.set()
        assert "connection" in asked[0]


def test_who_does_not_read_holds_nothing_up(raw: Callable[[], RawConnection], client: Client, monkeypatch: Any) -> None:
    def run(asked: Asked, wanted: Nothing) -> api.selftest.Selftest:
        for number in range(2000):
            asked.report(Progress(done=number, total=2000, text="x" * 10_000))
        return DONE

    monkeypatch.setitem(vars(find("selftest.run")), "run", run)
    begin(raw)
    eventually(lambda: listed(client).outcome == "done", seconds=10)


def test_only_the_last_word_counts_for_a_slow_listener() -> None:
    job = Job("some.verb", "", "alice", Clock())
    heard: list[int] = []

    def work(report: Callable[[Progress], None]) -> api.selftest.Selftest:
        for number in range(1, 10_001):
            report(Progress(done=number, total=10_000))
        return DONE

    thread = threading.Thread(target=job.run, args=(work,))
    follower = threading.Thread(target=job.follow, args=(lambda word: heard.append(word.done),))
    follower.start()
    thread.start()
    thread.join(20)
    follower.join(20)
    assert heard[-1] == 10_000
    assert len(heard) < 100
    assert job.answer() == DONE


def test_many_at_once_are_too_much(client: Client, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "RUNNING", 1)
    with Client(client._run.parent, seconds=20) as other:
        thread = threading.Thread(target=other.call, args=(api.selftest.RUN,))
        thread.start()
        assert held.begun.wait(10)
        with pytest.raises(ControlError, match=r"1 long actions are under way already: selftest\.run"):
            client.call(api.selftest.RUN)
        held.may_end.set()
        thread.join(10)
    client.call(api.selftest.RUN)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "KEPT", 3)
    jobs = Jobs(Clock())

    def one(number: int, size: int = 0) -> None:
        answer = api.selftest.Selftest(
            ok=True, steps=(api.selftest.Step(name="x" * size, outcome="ok", text=""),), seconds=number
        )
        alice = Caller("alice", 1000, "admin")
        jobs.carry_out("some.verb", str(number), alice, lambda report: answer, lambda progress: None)

    for number in range(10):
        one(number)
    assert [state.about for state in jobs.list()] == ["9", "8", "7", "6"]
    monkeypatch.setattr(jobs_module, "KEPT_BYTES", 1000)
    one(10, size=2000)
    one(11)
    assert [state.about for state in jobs.list()] == ["11", "10"], "the newest is kept whatever its size"
    one(12)
    assert [state.about for state in jobs.list()] == ["12", "11"]


def test_who_may_not_begins_nothing(served: Served, as_role: AsRole) -> None:
    as_role("viewer")
    with Client(served.root, seconds=20) as client:
        with pytest.raises(ControlError, match="needs the role operator"):
            client.call(api.selftest.RUN)
        assert client.call(api.jobs.LIST).jobs == ()
        with pytest.raises(ControlError, match="there is no long action"):
            client.call(api.jobs.JOIN, api.jobs.OneJob(job="0a1b2c3d"))
