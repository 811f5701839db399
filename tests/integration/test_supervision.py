"""supervisord with real processes: what starts, what ends, what survives nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.supervision.client import ProcessInfo, SupervisorClient
from appliance.supervision.errors import NotRunningError, RefusedError
from appliance.supervision.programs import Program
from tests.support.polling import eventually
from tests.support.processes import Running, running
from tests.support.procfs import descendants, is_alive, processes

DRIVER = """
import json, sys
from pathlib import Path
from appliance.supervision.errors import SupervisionError
from appliance.supervision.foreground import serve
from appliance.supervision.programs import Program
root, revive, programs, seconds = sys.argv[1:]
if float(seconds):
    from supervisor.poller import PollPoller
    poll = PollPoller.poll
    PollPoller.poll = lambda self, timeout: poll(self, float(seconds))
try:
    serve(Path(root), [Program(**program) for program in json.loads(programs)],
          lambda text: print(text, flush=True), revive_seconds=float(revive))
except SupervisionError as error:
    sys.exit(f"refused: {error}")
"""

WAIT = ("sleep", "1000")


def program(name: str, *command: str, instances: int = 1, priority: int = 100, stop_seconds: int = 20) -> Program:
    return Program(name, command or WAIT, instances, priority, stop_seconds, start_seconds=1)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


IGNORES_TERM = python("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)")
TELLS = python("import sys, time; print(sys.argv[1], flush=True); time.sleep(1000)")


def driver(root: Path, programs: Sequence[Program], revive: float = 300.0, waits: float = 0.0) -> list[str | Path]:
    texts = json.dumps([vars(program) for program in programs])
    return [sys.executable, "-c", DRIVER, root, str(revive), texts, str(waits)]


@contextmanager
def supervised(root: Path, *programs: Program, revive: float = 300.0, waits: float = 0.0) -> Iterator[Running]:
    """Run programs; `waits` is how many seconds supervisord waits for something to happen, instead of 1."""
    command = driver(root, programs, revive, waits)
    with running(command, ready=lambda _: answers(root), grace=30) as router:
        yield router


def answers(root: Path) -> bool:
    try:
        infos(root)
    except NotRunningError:
        return False
    return True


def infos(root: Path) -> dict[str, ProcessInfo]:
    with SupervisorClient(root) as client:
        return {info.name: info for info in client.processes()}


def wait_for(root: Path, **states: str) -> dict[str, ProcessInfo]:
    def there() -> dict[str, ProcessInfo]:
        found = infos(root)
        return found if all(name in found and found[name].state == state for name, state in states.items()) else {}

    return eventually(there, seconds=30, what=f"{states}")


def pids(root: Path) -> list[int]:
    return [info.pid for info in infos(root).values() if info.pid]


def silent(_: object) -> None:
    """Nothing to say while waiting."""


def test_what_runs_is_told_and_logged(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router", *TELLS, "hello", instances=2)) as router:
        found = wait_for(mercure_root, router_00="running", router_01="running")
        assert all(info.service == "router" and info.pid and info.since and not info.problem for info in found.values())
        log = Path(found["router_01"].log)
        assert log == mercure_root / "log" / "router_01.log"
        assert log.read_text() == "hello\n"
        assert "all services run (router_00, router_01)" in eventually(router.output)


def test_ends_are_seen_when_they_happen_and_not_after_a_wait(mercure_root: Path) -> None:
    programs = [program(name, priority=number) for number, name in enumerate(("receiver", "router", "cleaner"))]
    with supervised(mercure_root, *programs, waits=600) as router:
        wait_for(mercure_root, receiver_00="running", router_00="running", cleaner_00="running")
        # From here on nobody asks by the socket: that would wake supervisord, too.
        before, number = descendants(router.pid, processes()), infos(mercure_root)["router_00"].pid or 0
        os.kill(number, signal.SIGKILL)
        eventually(lambda: len(descendants(router.pid, processes()) - before) == 1, what="another process")
        router.signal(signal.SIGTERM)
        assert router.wait(seconds=60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(mercure_root: Path, number: signal.Signals) -> None:
    with supervised(mercure_root, program("router", instances=2), program("receiver")) as router:
        wait_for(mercure_root, router_00="running", receiver_00="running")
        left = pids(mercure_root)
        router.signal(number)
        assert router.wait() == 0
        assert not any(is_alive(pid) for pid in left)
    assert not list((mercure_root / "run").glob("*.sock"))
    assert not (mercure_root / "run" / "supervisord.pid").exists()


def test_services_end_one_after_the_other(mercure_root: Path) -> None:
    notes = mercure_root / "notes"
    code = f"import signal,sys; signal.sigwait([signal.SIGTERM]); open({str(notes)!r}, 'a').write(sys.argv[1] + ' ')"
    mask = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
    group = [
        program(name, *python(mask + code), name, priority=priority)
        for name, priority in (("last", 100), ("first", 300), ("second", 200))
    ]
    with supervised(mercure_root, *group) as router:
        wait_for(mercure_root, first_00="running", second_00="running", last_00="running")
        router.signal(signal.SIGTERM)
        assert router.wait(seconds=20) == 0
    assert notes.read_text() == "first second last "


def test_a_second_signal_ends_at_once_also_the_children_of_services(mercure_root: Path) -> None:
    stubborn = python(
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen({IGNORES_TERM!r}); print(child.pid, flush=True); child.wait()"
    )
    with supervised(mercure_root, program("receiver", *stubborn, stop_seconds=600)) as router:
        wait_for(mercure_root, receiver_00="running")
        child = int(eventually((mercure_root / "log" / "receiver_00.log").read_text))
        router.signal(signal.SIGINT)
        eventually(lambda: "ending in order" in router.output())
        assert is_alive(child)
        router.signal(signal.SIGINT)
        assert router.wait() == 0
        eventually(lambda: not is_alive(child))


def test_nothing_survives_when_supervisord_itself_is_killed(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router", instances=2), program("receiver")) as router:
        wait_for(mercure_root, router_00="running", receiver_00="running")
        left = pids(mercure_root)
        assert len(left) == 3
        os.kill(router.pid, signal.SIGKILL)
        eventually(lambda: not any(is_alive(pid) for pid in left), what="the services end with their supervisor")
    with supervised(mercure_root, program("router")):
        wait_for(mercure_root, router_00="running")


def test_a_crashed_service_is_started_again(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router"), program("receiver")) as router:
        before = wait_for(mercure_root, router_00="running", receiver_00="running")
        assert before["router_00"].pid
        os.kill(before["router_00"].pid, signal.SIGKILL)
        eventually(lambda: "router_00 ended unasked" in router.output())
        after = wait_for(mercure_root, router_00="running", receiver_00="running")
        assert after["router_00"].pid != before["router_00"].pid
        assert after["receiver_00"].pid == before["receiver_00"].pid


def test_a_crash_loop_is_given_up_told_and_tried_again_later(mercure_root: Path) -> None:
    crashing = Program("router", ["false"], start_retries=1, start_seconds=1)
    with supervised(mercure_root, crashing, program("receiver"), revive=1.0) as router:
        eventually(lambda: infos(mercure_root)["router_00"].state == "failed", seconds=30)
        assert "router_00 keeps failing" in router.output()
        assert infos(mercure_root)["receiver_00"].state in {"starting", "running"}
        eventually(lambda: infos(mercure_root)["router_00"].state in {"starting", "retrying"}, seconds=30)


def test_a_program_that_cannot_start_is_retried_with_a_reason(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router", "false")):
        found = wait_for(mercure_root, router_00="retrying")
        assert "Exited too quickly" in found["router_00"].problem


def test_the_same_root_twice_is_refused_and_the_first_goes_on(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router")) as first:
        eventually((mercure_root / "run" / "supervisord.pid").exists)
        with running(driver(mercure_root, [program("router")])) as second:
            assert second.wait() == 1
            assert f"runs in {mercure_root} already as process {first.pid}" in second.output()
            assert f"kill {first.pid}" in second.output()
        assert wait_for(mercure_root, router_00="running")


def test_two_roots_side_by_side_do_not_disturb_each_other(mercure_root: Path, tmp_path: Path) -> None:
    with supervised(mercure_root, program("router")):
        with supervised(tmp_path, program("router")) as other:
            wait_for(tmp_path, router_00="running")
            mine = wait_for(mercure_root, router_00="running")
            other.signal(signal.SIGTERM)
            assert other.wait() == 0
        assert infos(mercure_root) == mine


def test_a_root_with_a_long_and_odd_name(tmp_path: Path) -> None:
    root = tmp_path / ("x" * 120) / 'it\'s 100% ; #odd, "röot" %(here)s'
    root.mkdir(parents=True)
    with supervised(root, program("router", *TELLS, str(root))):
        found = wait_for(root, router_00="running")
        assert Path(found["router_00"].log).read_text() == f"{root}\n"


def test_the_socket_is_for_the_owner_only(mercure_root: Path) -> None:
    with supervised(mercure_root, program("router")):
        assert (mercure_root / "run" / "supervisor.sock").stat().st_mode & 0o777 == 0o600


def test_nobody_there_is_said_so(mercure_root: Path) -> None:
    with SupervisorClient(mercure_root) as client, pytest.raises(NotRunningError, match=str(mercure_root)):
        client.processes()


class TestStartAndStop:
    def test_one_service_is_stopped_and_started_and_no_other(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router", instances=2), program("receiver")):
            before = wait_for(mercure_root, router_00="running", router_01="running", receiver_00="running")
            with SupervisorClient(mercure_root) as client:
                client.stop("router", seconds=20, waiting=silent)
                stopped = infos(mercure_root)
                assert [stopped[name].state for name in ("router_00", "router_01")] == ["stopped", "stopped"]
                client.start("router", seconds=20, waiting=silent)
            after = infos(mercure_root)
            assert [after[name].state for name in ("router_00", "router_01")] == ["running", "running"]
            assert after["receiver_00"].pid == before["receiver_00"].pid

    def test_a_service_that_does_not_end_in_time_is_said_so(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router", *IGNORES_TERM, stop_seconds=3)):
            wait_for(mercure_root, router_00="running")
            waited: list[str] = []
            with SupervisorClient(mercure_root) as client:
                with pytest.raises(RefusedError, match="router_00 has not ended"):
                    client.stop("router", seconds=0.3, waiting=lambda late: waited.extend(i.name for i in late))
                assert set(waited) == {"router_00"}
                wait_for(mercure_root, router_00="stopped")

    def test_a_service_that_does_not_start_is_said_so(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router", "false")), SupervisorClient(mercure_root) as client:
            client.stop("router", seconds=20, waiting=silent)
            with pytest.raises(RefusedError, match=r"router_00: Exited too quickly"):
                client.start("router", seconds=1, waiting=silent)

    def test_an_unknown_service_is_refused(self, mercure_root: Path) -> None:
        with (
            supervised(mercure_root, program("router")),
            SupervisorClient(mercure_root) as client,
            pytest.raises(RefusedError, match="BAD_NAME"),
        ):
            client.stop("rooter", seconds=1, waiting=silent)


class TestApply:
    def apply(self, root: Path, *programs: Program) -> None:
        with SupervisorClient(root) as client:
            client.apply(list(programs), waiting=silent)

    def test_more_instances_leave_those_that_run_alone(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router"), program("receiver")):
            before = wait_for(mercure_root, router_00="running", receiver_00="running")
            self.apply(mercure_root, program("router", instances=3), program("receiver"))
            after = wait_for(mercure_root, router_00="running", router_01="running", router_02="running")
            assert {name: after[name].pid for name in before} == {name: info.pid for name, info in before.items()}

    def test_fewer_instances_end_only_those_too_many(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router", instances=3)):
            before = wait_for(mercure_root, router_00="running", router_01="running", router_02="running")
            self.apply(mercure_root, program("router", instances=1))
            after = infos(mercure_root)
            assert set(after) == {"router_00"}
            assert after["router_00"].pid == before["router_00"].pid
            gone = [before[name].pid for name in ("router_01", "router_02")]
            assert not any(pid and is_alive(pid) for pid in gone)

    def test_none_ends_the_service_and_one_brings_it_back(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router"), program("receiver")):
            before = wait_for(mercure_root, router_00="running", receiver_00="running")
            self.apply(mercure_root, program("router", instances=0), program("receiver"))
            assert set(infos(mercure_root)) == {"receiver_00"}
            self.apply(mercure_root, program("router"), program("receiver"))
            after = wait_for(mercure_root, router_00="running", receiver_00="running")
            assert after["receiver_00"].pid == before["receiver_00"].pid

    def test_a_new_time_limit_counts_without_a_restart(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router", *IGNORES_TERM, stop_seconds=600)) as router:
            before = wait_for(mercure_root, router_00="running")
            self.apply(mercure_root, program("router", *IGNORES_TERM, stop_seconds=1))
            assert infos(mercure_root)["router_00"].pid == before["router_00"].pid
            start = time.monotonic()
            router.signal(signal.SIGTERM)
            assert router.wait(seconds=30) == 0
            assert time.monotonic() - start < 25

    def test_nothing_changed_is_nothing_done(self, mercure_root: Path) -> None:
        with supervised(mercure_root, program("router")):
            before = wait_for(mercure_root, router_00="running")
            self.apply(mercure_root, program("router"))
            assert infos(mercure_root) == before
