"""The router as a newcomer runs it: `mercure run`, a first image, what the command tells of it, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from appliance.cli import exit_codes
from tests.support.dcmtk import dcmsend
from tests.support.dicom_files import storable_files
from tests.support.fixtures import MakeStoreScp
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.procfs import is_alive
from tests.support.router import FreePort, Router

HELD_AND_RELEASED = ["task.held", "audit", "task.released", "audit"]


@pytest.fixture
def router(mercure_root: Path, free_port: FreePort) -> Router:
    """A router that is configured, quick to see a series as complete, and does not run."""
    router = Router(mercure_root, free_port(), free_port())
    router.call("init", *router.ports)
    router.edit(lambda content: content.update(completion={"after_release_seconds": 0.2}))
    return router


@pytest.fixture
def image() -> Path:
    return next(path for path in storable_files() if path.name == "CT_small.dcm")


def add_target(name: str, port: int, **settings: Any) -> Callable[[dict[str, Any]], None]:
    """Add a dicom target, and let the rule send everything there."""

    def change(content: dict[str, Any]) -> None:
        target = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "ARCHIVE", **settings}
        content["targets"][name] = target
        content["rules"]["everything"]["targets"] = [name]

    return change


def test_from_nothing_to_a_delivered_image_and_a_clean_end(
    mercure_root: Path, free_port: FreePort, image: Path
) -> None:
    router = Router(mercure_root, free_port(), free_port())
    with router.running(*router.ports, "--ae-title", "FIRST") as program:
        welcome = program.output()
        assert f"port {router.port}, as FIRST\n            from this machine alone" in welcome
        assert f"dcmsend --verbose --call 'FIRST' 127.0.0.1 {router.port}" in welcome
        assert dcmsend("127.0.0.1", router.port, [image], called="FIRST").code == 0
        eventually(router.delivered, seconds=60)
        assert len(router.delivered()) == 1

        def recorded() -> list[Any]:
            found: list[Any] = router.call("history", "tasks", "--state", "delivered", "--json").json["tasks"]
            return found

        (task,) = eventually(recorded, seconds=30)
        assert task["target"] == "delivered"
        story = router.call("history", "tasks", task["id"]).stdout
        assert "task.created" in story
        assert "task.delivered" in story
        assert router.call("history", "series", "--patient", task["patient_id"], "--json").json["series"]
        assert router.call("verify").stdout.splitlines()[0].endswith("every acknowledged image is accounted for")
        router.await_state(**dict.fromkeys(router.processes(), "running"))
        assert router.call("status").stdout.startswith(f"router in {mercure_root}: running")
        left = [process["pid"] for process in router.processes().values()]
        assert "page_00" in router.processes()
        program.signal(signal.SIGINT)
        assert program.wait(seconds=60) == 0
        assert not any(is_alive(pid) for pid in left)
        assert not is_listening(router.port)
    assert router.call("status", code=exit_codes.NOT_RUNNING).stdout
    assert router.call("service", "stop", "router", code=exit_codes.NOT_RUNNING).stderr


def test_nothing_is_left_when_the_router_is_killed_and_it_starts_again(router: Router, image: Path) -> None:
    with router.running() as program:
        left = [process["pid"] for process in router.await_state(receiver_00="running").values() if process["pid"]]
        os.kill(program.pid, signal.SIGKILL)
        eventually(lambda: not any(is_alive(pid) for pid in left), seconds=60)
        eventually(lambda: not is_listening(router.port), seconds=60)
    with router.running():
        assert router.call("send", image).stdout.startswith("1 images taken")
        eventually(router.delivered, seconds=60)


@pytest.mark.slow
def test_two_routers_side_by_side(router: Router, tmp_path: Path, free_port: FreePort, image: Path) -> None:
    other = Router(tmp_path / "other", free_port(), free_port())
    with router.running(), other.running(*other.ports):
        assert router.call("run", code=exit_codes.FAILED).stderr.count("already") == 1
        other.call("send", image)
        assert [series["images"] for series in _series(other)] == [1]
        assert _series(router) == []


def _series(router: Router) -> list[dict[str, Any]]:
    def asked() -> list[Any]:
        done = router.call("history", "series", "--json", code=None)
        return [done.json["series"]] if done.code == 0 else []

    (found,) = eventually(asked, seconds=30, what="the history can be asked")
    if found or router.delivered():
        return list(found)
    return list(eventually(asked, seconds=30)[0])


def test_a_port_that_differs_from_the_configuration_is_refused(router: Router) -> None:
    done = router.call("run", "--port", str(router.port + 1), code=exit_codes.FAILED)
    assert str(router.port) in done.stderr
    assert "edit" in done.stderr


def test_a_broken_configuration_does_not_keep_the_router_from_running(router: Router, image: Path) -> None:
    path = router.root / "config" / "mercure.json"
    router.call("service", "scale", "router", "1")
    good = path.read_text()
    path.write_text('{"rules": ')
    with router.running() as program:
        assert "not JSON" in program.output()
        assert "revision 1 is used instead" in program.output()
        router.await_state(router_00="running", receiver_00="running")
        done = router.call("status", code=exit_codes.FAILED)
        assert "cannot be used" in done.stdout
        router.call("send", image)
        eventually(router.delivered, seconds=120)
        path.write_text(good)
        eventually(lambda: router.call("status", code=None).code == 0, seconds=30)


class TestServices:
    @pytest.mark.slow
    def test_scaling_restarts_nothing_else(self, router: Router) -> None:
        with router.running():
            before = router.await_state(dispatcher_00="running", router_00="running", receiver_00="running")
            done = router.call("service", "scale", "dispatcher", "3", "--json").json
            assert (done["before"], done["after"], done["applied"]) == (1, 3, True)
            after = router.await_state(dispatcher_01="running", dispatcher_02="running")
            assert {name: after[name]["pid"] for name in before} == {name: item["pid"] for name, item in before.items()}
            router.call("service", "scale", "dispatcher", "1")
            last = router.processes()
            assert {name: last[name]["pid"] for name in last} == {name: item["pid"] for name, item in before.items()}

    def test_one_is_stopped_and_what_comes_waits_for_it(self, router: Router, image: Path) -> None:
        with router.running():
            router.await_state(dispatcher_00="running")
            stopped = router.call("service", "stop", "dispatcher", "--json").json
            assert [process["state"] for process in stopped["processes"]] == ["stopped"]
            eventually(
                lambda: "dispatcher_00 was stopped" in " ".join(router.call("status").stdout.split()), seconds=20
            )
            router.call("send", image)
            eventually(lambda: router.call("queue", "list", "--state", "waiting", "--json").json["entries"], seconds=60)
            assert router.delivered() == []
            router.call("service", "start", "dispatcher")
            eventually(router.delivered, seconds=60)

    @pytest.mark.slow
    def test_a_restart_is_another_process(self, router: Router) -> None:
        with router.running():
            before = router.await_state(receiver_00="running")
            router.call("service", "restart", "receiver")
            after = router.await_state(receiver_00="running")
            assert after["receiver_00"]["pid"] != before["receiver_00"]["pid"]
            eventually(lambda: is_listening(router.port), seconds=30)
            assert before["router_00"]["pid"] == after["router_00"]["pid"]


class TestQueueOfARunningRouter:
    def test_a_target_that_is_down_and_comes_back(
        self, router: Router, storescp: MakeStoreScp, free_port: FreePort, image: Path
    ) -> None:
        port = free_port()
        router.edit(add_target("archive", port))
        with router.running():
            echo = router.call("targets", "echo", "archive", code=exit_codes.FAILED).stdout
            assert "refuses the connection" in echo
            router.call("send", image)

            def stuck() -> list[Any]:
                found: list[Any] = router.call("queue", "list", "--state", "retrying", "--json").json["entries"]
                return found

            (entry,) = eventually(stuck, seconds=60)
            assert entry["target"] == "archive"
            assert "refuse" in entry["error"]
            targets = {item["name"]: item for item in router.call("targets", "list", "--json").json["targets"]}
            assert targets["archive"]["waiting"] == 1
            assert targets["archive"]["outage"] is not None
            router.call("queue", "hold", entry["id"], "--reason", "mending the archive")
            peer = storescp(port=port)
            assert "well" in router.call("targets", "echo", "archive").stdout
            router.call("queue", "release", entry["id"])
            eventually(peer.files, seconds=90)
            eventually(lambda: router.call("queue", "list", "--json").json["total"] == 0, seconds=30)
            events = _events(router, entry["id"], "task.delivered")
            assert [event["type"] for event in events if event["service"] == "control"] == HELD_AND_RELEASED
            assert router.call("verify").code == 0

    def test_a_task_that_was_discarded_can_be_brought_back_and_is_delivered(self, router: Router, image: Path) -> None:
        with router.running():
            router.await_state(dispatcher_00="running")
            router.call("service", "stop", "dispatcher")
            router.call("send", image)
            listed = eventually(
                lambda: router.call("queue", "list", "--stage", "outgoing", "--json").json["entries"], seconds=60
            )
            task = listed[0]["id"]
            router.call("queue", "discard", task, "--reason", "wrong patient")
            router.call("service", "start", "dispatcher")
            assert "discarded" in [event["type"].partition(".")[2] for event in _events(router, task, "task.discarded")]
            assert router.call("verify").code == 0
            router.call("queue", "retry", task, "--reason", "right patient after all")
            eventually(router.delivered, seconds=60)
            _events(router, task, "task.delivered")
            assert router.call("verify").code == 0


def _events(router: Router, task: str, last: str) -> list[dict[str, Any]]:
    """Return the events of a task once the history has the one of type `last`."""

    def found() -> Sequence[dict[str, Any]]:
        events: list[dict[str, Any]] = router.call("history", "events", "--task", task, "--json").json["events"]
        return events if any(event["type"] == last for event in events) else []

    return list(eventually(found, seconds=30, what=f"{last} in the history"))


class TestSend:
    def test_to_this_router_and_what_is_no_image_is_named(self, router: Router, image: Path, tmp_path: Path) -> None:
        folder = tmp_path / "cd"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "image").write_bytes(image.read_bytes())
        (folder / "README.txt").write_text("not an image")
        (folder / "empty").touch()
        dicomdir = next(path for path in image.parent.rglob("DICOMDIR"))
        (folder / "DICOMDIR").write_bytes(dicomdir.read_bytes())
        with router.running():
            done = router.call("send", folder)
            assert done.stdout.splitlines()[-1].startswith("1 images taken by MERCURE at 127.0.0.1:")
            assert f"skipped: {folder / 'README.txt'}: no DICOM file" in done.stdout
            assert f"skipped: {folder / 'DICOMDIR'}: a directory of images" in done.stdout
            files = router.call("send", image, folder, "--json").json["files"]
            assert sorted(file["outcome"] for file in files) == [
                "confirmed",
                "confirmed",
                "skipped",
                "skipped",
                "skipped",
            ]

    def test_to_a_target_and_to_an_address(self, router: Router, storescp: MakeStoreScp, image: Path) -> None:
        peer = storescp()
        router.edit(add_target("archive", peer.port))
        router.call("send", image, "--target", "archive")
        assert len(peer.files()) == 1
        done = router.call(
            "send", image, "--host", "127.0.0.1", "--port", str(peer.port), "--called-aet", "X", "--json"
        )
        assert (done.json["called_aet"], done.json["problem"]) == ("X", "")
        assert router.call("send", image, "--target", "delivered", code=exit_codes.FAILED).stderr
        assert router.call("send", image, "--target", "pacs", code=exit_codes.NOT_FOUND).stderr
        assert router.call("send", image, "--target", "archive", "--port", "1", code=exit_codes.USAGE).stderr

    def test_every_file_is_told_once_whatever_its_name(
        self, router: Router, storescp: MakeStoreScp, image: Path, tmp_path: Path
    ) -> None:
        names = [b"na\xff.dcm", b"na\xfe.dcm", 'ü"ml.dcm'.encode(), b"tab\t.dcm", b"new\nline.dcm", b"-x --help"]
        paths = [Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))) for name in names]
        for path in paths:
            path.write_bytes(image.read_bytes())
        peer = storescp("--fork")
        done = router.call("send", *paths, "--port", str(peer.port), "--json")
        outcomes = {file["file"]: file["outcome"] for file in done.json["files"]}
        assert len(done.json["files"]) == len(paths)
        assert outcomes == {str(path): "skipped" if "\n" in path.name else "confirmed" for path in paths}

    def test_to_nobody(self, router: Router, image: Path, free_port: FreePort) -> None:
        done = router.call("send", image, "--port", str(free_port()), code=exit_codes.FAILED)
        assert "problem:" in done.stdout
        assert "0 images taken" in done.stdout
        assert "1 not" in done.stdout

    def test_nothing_to_send(self, router: Router, tmp_path: Path) -> None:
        assert router.call("send", tmp_path / "none", code=exit_codes.NOT_FOUND).stderr
        (tmp_path / "text").write_text("no image")
        assert "1 skipped" in router.call("send", tmp_path, code=exit_codes.FAILED).stdout
