"""What only a cluster can suffer: a controller that goes away, a node that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.runners import IN, RunnerUnavailableError
from tests.conformance.runners.backends import SlurmBackend
from tests.support.polling import eventually
from tests.support.probing import Probing
from tests.support.slurm import slurm_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SlurmBackend]:
    """Give a cluster of the test's own, in place of the one that all others share."""
    with slurm_cluster(nodes=1) as cluster:
        yield SlurmBackend(cluster, tmp_path)


def test_a_controller_that_goes_away_is_waited_for(backend: SlurmBackend, probing: Probing) -> None:
    request = probing.request("wait")
    run = probing.runner.start(request)
    probing.begun(request, run)
    backend.slurm.daemons.pop("slurmctld").stop()
    check = probing.runner.check()
    assert not check.ok
    assert check.text
    other = probing.request("copy")
    for call in (
        lambda: run.wait(0),
        lambda: run.stop("stopped"),
        lambda: probing.runner.start(other),
        lambda: probing.runner.attach(request),
    ):
        with pytest.raises(RunnerUnavailableError):
            call()
    backend.slurm.start_controller()
    (backend.at_work(request) / IN / "go").touch()
    eventually(lambda: probing.runner.check().ok, seconds=30, what="the node responds")
    again = probing.runner.attach(request)
    assert again is not None
    assert probing.end(again).well
    again.collect()
    assert len(list(request.outputs.glob("*.dcm"))) == len(probing.images)
    again.clean_up()


@pytest.mark.slow
def test_a_run_is_lost_with_its_node(backend: SlurmBackend, probing: Probing) -> None:
    request = probing.request("hang")
    run = probing.runner.start(request)
    probing.begun(request, run)
    backend.slurm.lose_node("n1")
    outcome = probing.end(run, seconds=90)
    assert outcome.how == "lost"
    run.collect()
    run.clean_up()
    assert not probing.runner.check().ok
    backend.slurm.start_node("n1")
    assert probing.runner.check().ok
