"""Jobs of a cluster at their edges: waiting, cancelled, forgotten, never submitted, and without a container."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mercure.runners import OUT
from mercure.runners.slurm_job import JobFolder
from tests.conformance.runners.backends import SlurmBackend
from tests.support.probing import LIMITS, Probing
from tests.support.slurm import CPUS, slurm_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmBackend]:
    """Give a cluster of one node, so that a job can be made to wait."""
    with slurm_cluster(nodes=1) as cluster:
        yield SlurmBackend(cluster, tmp_path_factory.mktemp("runs"))


def test_a_job_that_waits_can_be_cancelled_before_it_begins(backend: SlurmBackend, probing: Probing) -> None:
    whole = replace(LIMITS, cores=CPUS)
    first, second = probing.request("hang", limits=whole), probing.request("hang", limits=whole)
    running, waiting = probing.runner.start(first), probing.runner.start(second)
    probing.begun(first, running)
    status = waiting.wait(0)
    assert (status.state, status.outcome) == ("queued", None)
    assert "waiting" in status.where
    assert waiting.stop("stopped").how == "stopped"
    assert not (backend.at_work(second) / OUT / "begun").exists()
    running.stop("stopped")
    for run in (running, waiting):
        run.collect()
        run.clean_up()


def test_a_job_cancelled_by_somebody_is_told(backend: SlurmBackend, probing: Probing) -> None:
    request = probing.request("hang")
    run = probing.runner.start(request)
    status = probing.begun(request, run)
    backend.slurm.call("scancel", status.where.split()[1])
    outcome = probing.end(run)
    assert outcome.how in {"stopped", "killed"}
    assert not outcome.well
    run.clean_up()


def test_what_slurm_has_forgotten_is_judged_by_what_it_left(backend: SlurmBackend, probing: Probing) -> None:
    for left, expected in (("end", "exited"), ("begun", "lost")):
        request = probing.request("copy")
        job = JobFolder(backend.at_work(request))
        job.make(request, "bwrap")
        job.remember("424242")
        (job.path / "begun").mkdir()
        if left == "end":
            (job.path / "end").write_text("0\n")
        found = probing.runner.attach(request)
        assert found is not None
        assert probing.end(found).how == expected
        found.collect()
        found.clean_up()


def test_what_was_never_submitted_is_cleared_away(backend: SlurmBackend, probing: Probing) -> None:
    """A processor was killed between the folder and sbatch."""
    request = probing.request("copy")
    job = JobFolder(backend.at_work(request))
    job.make(request, "bwrap")
    assert probing.runner.attach(request) is None
    assert not job.path.exists()


def test_a_program_that_is_trusted_runs_without_a_container(backend: SlurmBackend, probing: Probing) -> None:
    plain = Probing(replace(backend, container="none"))
    request, outcome = plain.run("copy", environment={"COLOUR": "green 'x' $HOME"})
    assert outcome.well, request.log.read_text()
    assert len(list(request.outputs.glob("*.dcm"))) == len(plain.images)
