"""What a container goes through when podman, its watcher or the processor is killed, and how its image comes."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mercure.config.processing import Processing
from mercure.runners import ImageMissingError, RunnerUnavailableError
from mercure.runners.podman import PodmanRunner
from tests.conformance.runners.backends import IMAGE, PodmanBackend, podman_backend, probe_image
from tests.support.polling import eventually
from tests.support.probing import LIMITS, Probing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def backend() -> Iterator[PodmanBackend]:
    with podman_backend() as made:
        yield made


def process_of(backend: PodmanBackend, name: str, which: str) -> int:
    return int(backend.podman.call("container", "inspect", "--format", f"{{{{.State.{which}}}}}", name))


def test_a_container_whose_watcher_is_killed_is_ended_and_lost(backend: PodmanBackend, probing: Probing) -> None:
    request = probing.request("hang")
    run = probing.runner.start(request)
    probing.begun(request, run)
    module = process_of(backend, request.name, "Pid")
    os.kill(process_of(backend, request.name, "ConmonPid"), signal.SIGKILL)
    assert probing.end(run).how == "lost"
    eventually(lambda: not os.path.exists(f"/proc/{module}"), what="nothing of the module runs any more")
    run.collect()
    run.clean_up()
    assert probing.runner.attach(request) is None


def test_a_container_killed_from_outside_is_told(backend: PodmanBackend, probing: Probing) -> None:
    request = probing.request("hang")
    run = probing.runner.start(request)
    probing.begun(request, run)
    os.kill(process_of(backend, request.name, "Pid"), signal.SIGKILL)
    outcome = probing.end(run)
    assert (outcome.how, outcome.code) == ("killed", -9)
    run.clean_up()


def test_a_container_that_somebody_removed_is_lost(backend: PodmanBackend, probing: Probing) -> None:
    request = probing.request("hang")
    run = probing.runner.start(request)
    probing.begun(request, run)
    backend.podman.call("rm", "--force", "--time", "0", request.name)
    assert probing.end(run).how == "lost"
    run.clean_up()


def test_a_container_that_never_started_is_removed(backend: PodmanBackend, probing: Probing) -> None:
    """A processor was killed between making and starting it."""
    request = probing.request("copy")
    backend.podman.call("create", "--name", request.name, IMAGE, "copy")
    assert probing.runner.attach(request) is None
    assert backend.podman.containers() == []


@pytest.mark.slow
def test_a_container_without_a_processor_keeps_its_time_limit(backend: PodmanBackend, probing: Probing) -> None:
    request = probing.request("deaf", limits=replace(LIMITS, seconds=1), grace_seconds=1)
    begun = probing.runner.start(request)
    probing.begun(request, begun)
    del begun
    module = process_of(backend, request.name, "Pid")
    eventually(lambda: not os.path.exists(f"/proc/{module}"), seconds=60, what="it is ended by its watcher")
    run = backend.runner().attach(request)
    assert run is not None
    assert probing.end(run).how == "time"
    run.clean_up()


@pytest.mark.slow
def test_an_archive_is_loaded_when_it_is_new_or_changed(backend: PodmanBackend, tmp_path: Path) -> None:
    archive = backend.folder / "image.tar"
    probe_image(archive)
    runner = backend.runner()
    backend.podman.call("rmi", "--force", IMAGE)
    runner.prepare(IMAGE, archive, lambda: False)
    first = backend.podman.call("image", "inspect", "--format", "{{.Id}}", IMAGE)
    with pytest.raises(ImageMissingError, match="holds no image"):
        runner.prepare("localhost/other:latest", archive, lambda: False)
    probe_image(archive, {"PROBE": "another"})
    runner.prepare(IMAGE, archive, lambda: False)
    assert backend.podman.call("image", "inspect", "--format", "{{.Id}}", IMAGE) != first
    with pytest.raises(ImageMissingError, match="cannot be read"):
        runner.prepare(IMAGE, tmp_path / "none.tar", lambda: False)
    (backend.folder / "broken.tar").write_bytes(b"no archive")
    with pytest.raises(ImageMissingError, match="cannot be loaded"):
        runner.prepare(IMAGE, backend.folder / "broken.tar", lambda: False)


def test_a_pull_is_given_up_when_the_service_ends(backend: PodmanBackend) -> None:
    with pytest.raises(ImageMissingError, match=r"cannot be pulled"):
        backend.runner().prepare("127.0.0.1:9/no-such-module:latest", None, lambda: True)


def test_podman_that_does_not_work_is_said(backend: PodmanBackend, probing: Probing) -> None:
    broken = PodmanRunner(Processing(), (*backend.podman.command, "--storage-driver", "no-such-driver"))
    assert not broken.check().ok
    with pytest.raises(RunnerUnavailableError):
        broken.attach(probing.request("copy"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call podman as root")
def test_podman_as_root_is_refused() -> None:
    check = PodmanRunner(Processing()).check()
    assert not check.ok
    assert "root" in check.text
