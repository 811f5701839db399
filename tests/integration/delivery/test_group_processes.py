"""A target group of four real DICOM nodes: one is killed and revived under traffic, a dispatcher is killed too."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from mercure.clock import ManualClock
from mercure.delivery.target_breaker import read_outage
from mercure.spool import Spool, Stage, load_task, read_ledger
from tests.support.box import Box
from tests.support.dcmtk import StoreScp
from tests.support.incoming import Image
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.series import synthetic_images
from tests.support.services import service, write_config
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from tests.support.fixtures import MakeStoreScp
    from tests.support.processes import Running

WEIGHTS = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
VICTIM = "b"
RETRY = {"first_seconds": 0.5, "cap_seconds": 1}


@dataclass
class Cluster:
    """Four nodes in a group ``pacs``, and tasks for it."""

    root: Path
    start_node: MakeStoreScp
    settings: dict[str, Any]
    nodes: dict[str, list[StoreScp]] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(7)
        for name in WEIGHTS:
            self.nodes[name] = [self.start_node("--fork")]
        members = {
            name: {"kind": "dicom", "host": "127.0.0.1", "port": node.port, "called_aet": node.aet, "retry": RETRY}
            for name, (node,) in self.nodes.items()
        }
        group = {"kind": "group", "members": list(WEIGHTS), **self.settings}
        self.spool = write_config(self.root, {"targets": {**members, "pacs": group}})
        self.box = Box(self.root, ManualClock())

    def send(self, tasks: int, *, most: int = 4) -> None:
        """Let tasks of a few images each wait for the group, several of one study."""
        for _ in range(tasks):
            self.made += 1
            series = f"1.2.{self.made}"
            images = [
                Image(uid, series, data, {"SOPInstanceUID": uid})
                for uid, data in synthetic_images(self.random.randint(1, most), 16, 16, seed=series)
            ]
            study = f"1.2.{self.random.randint(1, 40)}"
            waiting_series(self.box, series, study=study, patient=f"P{study}", target="pacs", images=images)

    def delivered(self) -> int:
        return len(self.spool.names(Stage.SUCCESS))

    def until_delivered(self, count: int | None = None) -> None:
        wanted = self.made if count is None else count
        eventually(lambda: self.delivered() >= wanted, seconds=100, what=f"{wanted} tasks are delivered")

    def kill(self, name: str) -> None:
        """The node is gone at once, open associations too."""
        self.nodes[name][-1].program.kill()

    def revive(self, name: str) -> None:
        self.nodes[name].append(self.start_node("--fork", port=self.nodes[name][-1].port))

    def got(self) -> dict[str, Counter[str]]:
        """Return how often each node has been given which image, over all its lives."""
        found = {}
        for name, lives in self.nodes.items():
            found[name] = Counter(path.name.partition(".")[2] for life in lives for path in life.files())
        return found

    def confirmed(self) -> list[tuple[datetime, str, str]]:
        """Return time, member and image of every confirmation."""
        success = self.spool.stage(Stage.SUCCESS)
        lines = [line for name in self.spool.names(Stage.SUCCESS) for line in read_ledger(success / name).values()]
        return sorted((line.time, line.target, line.sop) for line in lines)

    def assert_every_image_arrived_once(self, *, in_doubt: int) -> None:
        """Check what the nodes say against what the ledgers say.

        An image whose confirmation was lost when a node was killed may be at two nodes: `in_doubt` says how many that
        can be at most.
        """
        images = sum(load_task(self.spool.entry(Stage.SUCCESS, n)).images for n in self.spool.names(Stage.SUCCESS))
        confirmed = self.confirmed()
        assert len(confirmed) == len({sop for _, _, sop in confirmed}) == images
        got = self.got()
        missing = [(member, sop) for _, member, sop in confirmed if sop not in got[member]]
        assert missing == [], "confirmed, and not at the member that confirmed it"
        places = Counter(sop for node in got.values() for sop in node)
        assert len(places) == images
        assert sum(count - 1 for count in places.values()) <= in_doubt


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


def down(spool: Spool, name: str) -> bool:
    return read_outage(spool, name) is not None


def shares(confirmed: list[tuple[datetime, str, str]]) -> dict[str, float]:
    counts = Counter(member for _, member, _ in confirmed)
    return {name: counts[name] / len(confirmed) for name in WEIGHTS}


def assert_by_weight(confirmed: list[tuple[datetime, str, str]], members: set[str]) -> None:
    """Check that each member's load is within 10 % of its weight."""
    total = sum(WEIGHTS[name] for name in members)
    found = shares(confirmed)
    for name in members:
        assert found[name] == pytest.approx(WEIGHTS[name] / total, rel=0.1), f"{name} of {len(confirmed)} images"


def dispatchers(stack: ExitStack, root: Path, count: int) -> list[Running]:
    return [stack.enter_context(service(root, "dispatcher")) for _ in range(count)]


@pytest.mark.timeout(300)
def test_one_of_four_is_killed_and_revived_under_traffic(folder: Path, storescp: MakeStoreScp) -> None:
    """Tasks of one or two images: nothing is dealt out in smaller pieces than tasks, and the lightest gets 30."""
    cluster = Cluster(folder, storescp, {"strategy": "weighted", "weights": WEIGHTS})
    with ExitStack() as stack:
        dispatchers(stack, folder, 2)
        cluster.send(200, most=2)
        cluster.until_delivered()
        before = len(cluster.confirmed())

        cluster.send(200, most=2)
        cluster.until_delivered(220)
        cluster.kill(VICTIM)
        eventually(lambda: down(cluster.spool, VICTIM), seconds=30)
        # A machine in use finds out late, when little is left: what is judged comes after it is known.
        cluster.until_delivered()
        outage = len(cluster.confirmed())
        cluster.send(200, most=2)
        cluster.until_delivered()
        without = len(cluster.confirmed())

        cluster.revive(VICTIM)
        eventually(lambda: not down(cluster.spool, VICTIM), seconds=30)
        cluster.send(200, most=2)
        cluster.until_delivered()
    confirmed = cluster.confirmed()
    cluster.assert_every_image_arrived_once(in_doubt=2)  # a node has two slots, so two images were on the line
    assert_by_weight(confirmed[:before], set(WEIGHTS))
    assert_by_weight(confirmed[outage:without], set(WEIGHTS) - {VICTIM})
    assert_by_weight(confirmed[without:], set(WEIGHTS))


@pytest.mark.parametrize("strategy", ["round-robin", "sticky-study"])
def test_nodes_and_a_dispatcher_die_and_every_image_arrives(
    strategy: str, folder: Path, storescp: MakeStoreScp
) -> None:
    cluster = Cluster(folder, storescp, {"strategy": strategy})
    with ExitStack() as stack:
        victim, *_ = dispatchers(stack, folder, 3)
        cluster.send(60)
        cluster.until_delivered(10)
        victim.signal(signal.SIGKILL)
        cluster.until_delivered(20)
        cluster.kill("a")
        cluster.until_delivered(50)
        cluster.revive("a")
        cluster.until_delivered()
    # What the killed dispatcher had not written down goes to the same node again, unless that was the one that died:
    # two tasks of four images at most, and two images on the line.
    cluster.assert_every_image_arrived_once(in_doubt=2 * 4 + 2)


def test_all_nodes_are_down_and_come_back(folder: Path, storescp: MakeStoreScp) -> None:
    cluster = Cluster(folder, storescp, {"strategy": "least-queued"})
    for name in WEIGHTS:
        cluster.kill(name)
    with ExitStack() as stack:
        dispatchers(stack, folder, 2)
        cluster.send(10)
        eventually(lambda: all(down(cluster.spool, name) for name in WEIGHTS), seconds=30)
        assert cluster.delivered() == 0
        for name in WEIGHTS:
            cluster.revive(name)
        cluster.until_delivered()
    cluster.assert_every_image_arrived_once(in_doubt=0)


def test_a_study_stays_together_and_in_order(folder: Path, storescp: MakeStoreScp) -> None:
    cluster = Cluster(folder, storescp, {"strategy": "sticky-study", "order": "study"})
    with ExitStack() as stack:
        dispatchers(stack, folder, 3)
        cluster.send(80)
        cluster.until_delivered()
    cluster.assert_every_image_arrived_once(in_doubt=0)
    tasks = [load_task(cluster.spool.entry(Stage.SUCCESS, name)) for name in cluster.spool.names(Stage.SUCCESS)]
    ended: dict[str, list[datetime]] = {}
    members: dict[str, set[str | None]] = {}
    for task in tasks:
        assert task.finished is not None
        ended.setdefault(task.identity.StudyInstanceUID, []).append(task.finished)
        members.setdefault(task.identity.StudyInstanceUID, set()).add(task.member)
    assert all(times == sorted(times) for times in ended.values())
    assert all(len(names) == 1 for names in members.values())
    assert len(set().union(*members.values())) == len(WEIGHTS)
