"""Rings of real routers: images that come back are held and told of, and none is lost; a chain is no ring."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercure.routing.loop_guard import HELD_BY
from mercure.spool import Spool, Stage, load_task
from tests.support.dcmtk import dcmsend
from tests.support.dicom_files import storable_files
from tests.support.polling import eventually
from tests.support.router import FreePort, Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercure.spool import Task


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ring-", dir="/dev/shm") as path:
        yield Path(path)


def ring(folder: Path, free_port: FreePort, number: int) -> list[Router]:
    """Make routers of which each sends all to the next one."""
    routers = [Router(folder / "abc"[place], free_port(), free_port()) for place in range(number)]
    for place, router in enumerate(routers):
        router.call("init", *router.ports)
        following = routers[(place + 1) % number]

        def change(content: dict[str, Any], port: int = following.port) -> None:
            content["completion"] = {"after_release_seconds": 0.2}
            content["targets"] = {"next": {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "MERCURE"}}
            content["rules"] = {"all": {"rule": "True", "targets": ["next"]}}

        router.edit(change)
        router.call("service", "scale", "page", "0", code=None)
    return routers


def tasks(router: Router, stage: Stage) -> list[Task]:
    spool = Spool(router.root / "spool")
    return [load_task(spool.entry(stage, name)) for name in spool.names(stage)]


def held(router: Router) -> list[Task]:
    return [task for task in tasks(router, Stage.OUTGOING) if task.hold and task.hold.by == HELD_BY]


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_a_ring_stops_at_once_and_loses_nothing(folder: Path, free_port: FreePort, number: int) -> None:
    routers = ring(folder, free_port, number)
    image = next(path for path in storable_files() if path.name == "CT_small.dcm")
    with ExitStack() as stack:
        for router in routers:
            stack.enter_context(router.running())
        first = routers[0]
        assert dcmsend("127.0.0.1", first.port, [image]).code == 0
        (task,) = eventually(lambda: held(first), seconds=150, what="the ring to stop")
        assert task.images == 1
        assert len(tasks(first, Stage.SUCCESS)) == 1, "each is a target's address: it is surely a loop"
        for router in routers[1:]:
            assert len(tasks(router, Stage.SUCCESS)) == 1
        alerts = eventually(
            lambda: [
                alert
                for alert in first.call("alerts", "list", "--json", code=None).json["alerts"]
                if alert["kind"] == "loop"
            ],
            seconds=30,
            what="the alert",
        )
        assert "come back from MERCURE@127.0.0.1 (a router that is a target)" in alerts[0]["text"]
        assert first.call("verify", code=None).code == 0


@pytest.mark.slow
def test_a_chain_of_routers_is_not_blamed(folder: Path, free_port: FreePort) -> None:
    """The same image comes to the second one directly and through the first."""
    first, second = ring(folder, free_port, 2)

    def end_here(content: dict[str, Any]) -> None:
        target = folder / "delivered"
        target.mkdir()
        content["targets"] = {"next": {"kind": "folder", "path": str(target)}}

    second.edit(end_here)
    image = next(path for path in storable_files() if path.name == "CT_small.dcm")
    with first.running(), second.running():
        for port in (second.port, first.port):
            assert dcmsend("127.0.0.1", port, [image]).code == 0
        eventually(lambda: len(tasks(second, Stage.SUCCESS)) == 2, seconds=100, what="both to arrive")
        assert held(second) == []
        alerts = second.call("alerts", "list", "--json", code=None).json["alerts"]
        assert not [alert for alert in alerts if alert["kind"] == "loop"]
