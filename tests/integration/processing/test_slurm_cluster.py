"""The processor and a real cluster: series that are processed on two nodes, one of which is lost in the middle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from mercure.processing.steps import records
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Changes, Stage, load_task
from tests.support.box import Box
from tests.support.modules import COPY, configure, processor, put_task, turn
from tests.support.polling import eventually
from tests.support.series import synthetic_images
from tests.support.slurm import Slurm, slurm_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERIES = 20
IMAGES = 2
LOST = "n1"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Give a cluster of two nodes that the processor finds by its environment."""
    with slurm_cluster() as made:
        monkeypatch.setenv("SLURM_CONF", str(made.folder / "slurm.conf"))
        yield made


def running_on(cluster: Slurm, node: str) -> int:
    """Count the jobs that run on a node."""
    return len(cluster.call("squeue", "--noheader", "--states=RUNNING", f"--nodelist={node}", "--format=%i").split())


@pytest.mark.slow
def test_twenty_series_and_a_lost_node(tmp_path: Path, cluster: Slurm, capsys: pytest.CaptureFixture[str]) -> None:
    box = Box(tmp_path / "root")
    module = {"runner": "slurm", "image": "/bin/sh", "arguments": ["-c", f"sleep 1; {COPY}"], "concurrency": SERIES}
    slurm = {"folder": str(cluster.shared), "container": "bwrap", "poll_seconds": 0.2}
    configure(box, {"copy": {**module, "memory_bytes": 512 * 1024**2}}, processing={"slurm": slurm})
    tasks = [put_task(box, "copy", count=IMAGES, seed=seed).name for seed in range(SERIES)]
    begun = time.monotonic()
    with processor(box) as service:

        def ended(number: int) -> bool:
            turn(service, box)
            return len(box.tasks(Stage.SUCCESS)) >= number

        eventually(lambda: ended(4) and running_on(cluster, LOST), seconds=60, what="some are done, some run")
        cluster.lose_node(LOST)
        eventually(lambda: ended(SERIES), seconds=180, what="all series are processed")
    took = time.monotonic() - begun
    assert not box.tasks(Stage.PROCESSING)
    assert not box.tasks(Stage.ERROR)
    runs = [record for task in tasks for record in records(box.spool.entry(Stage.SUCCESS, task))]
    lost = [record for record in runs if record.how == "lost"]
    assert lost, "the node had nothing to lose"
    assert sum(record.well for record in runs) == SERIES, "a series was processed twice, or not at all"
    deliver(box)
    expected = sorted(data for seed in range(SERIES) for _sop, data in synthetic_images(IMAGES, 16, 16, seed=seed))
    assert sorted(path.read_bytes() for path in box.delivered.rglob("*.dcm")) == expected
    assert [path.name for path in cluster.shared.iterdir()] == []
    box.close()
    with capsys.disabled():
        text = f"{SERIES} series in {took:.1f} s, {len(lost)} runs lost with a node and run again"
        print(f"\n{text}")  # noqa: T201 - the figure that the test is for


def deliver(box: Box) -> None:
    """Deliver all that waits."""
    dispatcher = Dispatcher(box.context("dispatcher"))

    def waits() -> bool:
        dispatcher.turn(Changes.everything())
        dispatcher.end()
        box.clock.advance(1)
        return not box.tasks(Stage.OUTGOING)

    eventually(waits, seconds=60, what="all results are delivered")
    assert all(load_task(path).images == IMAGES for path in box.tasks(Stage.SUCCESS))
