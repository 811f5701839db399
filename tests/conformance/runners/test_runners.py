"""What every kind of runner must do, whatever it is: one suite, run against the real program behind each kind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import pytest

from mercure.config.processing import Processing
from mercure.runners import IN, KINDS, ImageMissingError, RunMount, RunnerUnavailableError, RunRequest
from mercure.runners.command import CommandRunner
from mercure.runners.podman import PodmanRunner
from mercure.runners.slurm import SlurmRunner
from tests.conformance.runners.backends import BACKENDS, Backend
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.probing import LIMITS, MEBIBYTE, PLENTY, Probing

if TYPE_CHECKING:
    pass

ESCAPES_ALLOWED = {
    # Within one's own user namespace these change nothing outside, where they are allowed at all.
    "become somebody": {"done", "OSError", "PermissionError"},
}


def test_every_kind_has_a_backend() -> None:
    assert {name.split()[0] for name in BACKENDS} >= set(KINDS), "a new kind must pass this suite"


def test_a_good_module_hands_its_images_on(probing: Probing) -> None:
    request, outcome = probing.run("copy")
    assert outcome.well, outcome
    for sop, data in probing.images:
        assert (request.outputs / f"{sop}.dcm").read_bytes() == data
    assert json.loads((request.outputs / "result.json").read_text()) == {"images": 2}
    assert {path.stat().st_uid for path in request.outputs.iterdir()} == {request.outputs.stat().st_uid}


@pytest.mark.parametrize("code", [1, 3, 125])
def test_a_module_that_fails_tells_its_code(probing: Probing, code: int) -> None:
    request, outcome = probing.run("end", code)
    assert (outcome.how, outcome.code, outcome.well) == ("exited", code, False)
    assert outcome.text
    assert f"ending with {code}" in request.log.read_text()


def test_a_module_that_writes_nothing_has_ended_well(probing: Probing) -> None:
    """Whether that is enough for a result is the processor's to decide."""
    request, outcome = probing.run("end", 0)
    assert outcome.well
    assert list(request.outputs.iterdir()) == []


def test_a_module_that_is_killed_is_told_from_one_that_fails(probing: Probing) -> None:
    _request, outcome = probing.run("suicide")
    assert (outcome.how, outcome.code) == ("killed", -9)


def test_both_streams_are_kept_as_they_came(probing: Probing) -> None:
    request, _outcome = probing.run("speak")
    text = request.log.read_bytes()
    assert b"to the output: \xc3\xa4\n" in text
    assert b"to the errors\n" in text
    assert b"without an end" in text


def test_a_flood_of_output_is_kept_within_its_limit(probing: Probing) -> None:
    request, outcome = probing.run("shout", 64)
    assert outcome.well, outcome
    text = request.log.read_bytes()
    assert len(text) <= LIMITS.log_bytes + 200
    assert text.startswith(b"the first line\n")
    assert text.endswith(b"the last line\n")
    assert b"left out" in text
    assert _size_of(request.folder) < 8 * LIMITS.log_bytes


def test_no_file_grows_beyond_the_output_limit(probing: Probing) -> None:
    request, outcome = probing.run("fill", 64)
    assert not outcome.well
    assert (request.outputs / "large.dcm").stat().st_size <= LIMITS.output_bytes


def test_a_run_can_be_stopped_for_each_reason(probing: Probing) -> None:
    ways: tuple[Literal["time", "output", "stopped"], ...] = ("time", "output", "stopped")
    for how in ways:
        request = probing.request("polite")
        run = probing.runner.start(request)
        probing.begun(request, run)
        outcome = run.stop(how)
        assert outcome.how == how
        assert outcome.text
        run.collect()
        assert (request.outputs / "tidied").exists(), "it was not asked first"
        assert run.stop("stopped") == outcome
        run.clean_up()


def test_a_module_that_ignores_being_asked_is_ended_after_the_grace(probing: Probing) -> None:
    request = probing.request("deaf")
    run = probing.runner.start(request)
    probing.begun(request, run)
    start = time.monotonic()
    assert run.stop("time").how == "time"
    assert time.monotonic() - start < request.grace_seconds + 10
    run.clean_up()


def test_what_ended_by_itself_is_not_said_to_be_stopped(probing: Probing) -> None:
    request = probing.request("end", 4)
    run = probing.runner.start(request)
    outcome = probing.end(run)
    assert run.stop("time") == outcome
    assert outcome.code == 4
    run.clean_up()


def test_nothing_of_a_module_lives_after_its_end(probing: Probing) -> None:
    request, _outcome = probing.run("orphan")
    pulse = request.outputs / "pulse"
    before = pulse.read_text()
    for _ in range(20):
        assert pulse.read_text() == before
        _breathe()


def test_processes_are_limited(probing: Probing) -> None:
    roomy = replace(LIMITS, memory_bytes=4096 * MEBIBYTE)  # what processes share counts for each where it is watched
    request, outcome = probing.run("fork", limits=roomy)
    children = request.outputs / "children"
    few = not children.exists() or int(children.read_text()) <= LIMITS.processes
    # The kernel exempts root from the limit: there the bomb ends itself, or is ended for what its processes hold.
    assert few or (os.geteuid() == 0 and outcome.how in {"killed", "memory"}), outcome


@pytest.mark.parametrize("way", [("eat", 1024), ("share", 100)])
def test_memory_is_limited(probing: Probing, way: tuple[str, int]) -> None:
    """Of one process and of all together; where the limit cannot be set, the runner watches it."""
    _request, outcome = probing.run(*way)
    assert not outcome.well
    assert outcome.how in {"memory", "exited", "killed"}
    assert outcome.seconds < 40, "it was not ended for its memory"


IN_MEMORY = ("tmp", "dev/shm")


@pytest.mark.parametrize("place", IN_MEMORY)
def test_files_in_memory_are_limited(probing: Probing, place: str) -> None:
    _request, outcome = probing.run("pile", 1024, f"/{place}")
    assert (outcome.well, outcome.how) == (False, "exited"), "there is no room for them"


def test_files_in_memory_count_with_the_rest(probing: Probing) -> None:
    """What is below the limit here and there is above it together."""
    if isinstance(probing.runner, SlurmRunner):
        pytest.skip("on a cluster its own control groups count them")
    _request, outcome = probing.run("pile", 150, f"/{IN_MEMORY[0]}")
    assert outcome.how in {"memory", "killed"}
    assert outcome.seconds < 40, "it was not ended for its memory"


def test_shared_memory_counts_once_and_needs_no_setting(probing: Probing) -> None:
    """Python's multiprocessing: five processes with the same 40 MiB are within 256 MiB."""
    roomy = replace(LIMITS, output_bytes=64 * MEBIBYTE)
    request, outcome = probing.run("parallel", 40, limits=roomy)
    assert outcome.well, (outcome, request.log.read_text())


def test_memory_without_a_name_needs_a_setting_and_counts(probing: Probing) -> None:
    roomy = replace(LIMITS, output_bytes=64 * MEBIBYTE)
    if not isinstance(probing.runner, PodmanRunner):
        request, outcome = probing.run("nameless", 8, 0, limits=roomy)
        assert not outcome.well
        assert "PermissionError" in request.log.read_text()
    request, outcome = probing.run("nameless", 96, 1.5, limits=roomy, shared_memory=True)
    assert outcome.well, (outcome, request.log.read_text())
    if isinstance(probing.runner, SlurmRunner):
        return  # on a cluster its own control groups count it
    _request, outcome = probing.run("nameless", 480, 60, limits=roomy, shared_memory=True)
    assert outcome.how in {"memory", "killed"}
    assert outcome.seconds < 40, "it was not ended for its memory"


def test_there_is_no_way_out(probing: Probing) -> None:
    port = free_port()
    request, outcome = probing.run("escape", port)
    assert outcome.well, request.log.read_text()
    found = json.loads((request.outputs / "escapes.json").read_text())
    failures = {name: said for name, said in found.items() if said == "done" and name not in ESCAPES_ALLOWED}
    if isinstance(probing.runner, PodmanRunner):
        failures.pop("make memory that nobody counts", None)  # control groups do
        failures.pop("make memory of System V", None)
        failures.pop("make a user namespace", None)  # by its own filter of system calls
    assert failures == {}
    for sop, data in probing.images:
        assert (request.inputs / f"{sop}.dcm").read_bytes() == data
    assert not (request.folder / "escaped").exists()


def test_what_a_module_sees_is_what_it_was_given(probing: Probing, tmp_path: Path) -> None:
    places = _places(probing)
    request, outcome = probing.run(
        "facts",
        "/mnt/given",
        "/mnt/kept",
        environment={"COLOUR": "green = \u00fc 'x' $HOME", "PATH": "/usr/bin"},
        mounts=(
            RunMount(places / "given", PurePosixPath("/mnt/given")),
            RunMount(places / "kept", PurePosixPath("/mnt/kept"), writable=True),
        ),
        persistence=places / "persistence",
    )
    assert outcome.well, request.log.read_text()
    found = json.loads((request.outputs / "facts.json").read_text())
    variables = found["environment"]
    assert variables["COLOUR"] == "green = \u00fc 'x' $HOME"
    assert variables["MERCURE_IN_DIR"] == variables["MONAI_INPUTPATH"]
    assert variables["MERCURE_OUT_DIR"] == variables["MONAI_OUTPUTPATH"]
    assert variables["MODULE_PERSISTENCE_DIR"]
    assert not {name for name in variables if name.startswith(("MERCURE_TEST", "MERCURE_ROOT", "PYTEST"))}
    assert found["arguments"] == ["/mnt/given", "/mnt/kept"]
    assert found["seen"] == {"/mnt/given": True, "/mnt/kept": True}
    assert found["writable"] == {"/mnt/given": "OSError", "/mnt/kept": "done"}
    assert (places / "kept" / "written").exists()
    assert found["inputs"] == sorted(f"{sop}.dcm" for sop, _ in probing.images)


def test_a_module_has_no_capabilities_no_network_and_no_neighbours(probing: Probing) -> None:
    request, outcome = probing.run("facts")
    assert outcome.well, request.log.read_text()
    found = json.loads((request.outputs / "facts.json").read_text())
    assert {name: value for name, value in found["status"].items() if name.startswith("Cap") and value} == {}
    assert found["status"]["NoNewPrivs"] == 1
    assert found["interfaces"] == ["lo"]
    assert len(found["processes"]) <= 4
    assert found["descriptors"] == []


def test_a_run_is_found_again_or_gone_with_its_processor(probing: Probing) -> None:
    request = probing.request("wait")
    if not probing.runner.outlives:
        ends_with_its_processor(probing)
        return
    run = probing.runner.start(request)
    probing.begun(request, run)
    del run
    again = probing.backend.runner().attach(request)
    assert again is not None
    status = again.wait(0)
    assert (status.state, status.outcome) == ("running", None)
    assert status.started is not None
    assert status.where
    (probing.backend.at_work(request) / IN / "go").touch()
    assert probing.end(again).well
    ended = probing.backend.runner().attach(request)
    assert ended is not None, "it is found until it is cleaned up"
    assert probing.end(ended).well
    ended.collect()
    ended.clean_up()
    ended.clean_up()
    assert probing.backend.runner().attach(request) is None


def start_and_stay(request: RunRequest) -> None:
    """Start a run of the runner ``command`` and watch it, as a processor does until it is killed."""
    CommandRunner(Processing()).start(request).wait(600)


def ends_with_its_processor(probing: Probing) -> None:
    request = probing.request("beat")
    processor = multiprocessing.get_context("spawn").Process(target=start_and_stay, args=(request,))
    processor.start()
    pulse = request.outputs / "pulse"
    eventually(pulse.exists, seconds=PLENTY, what="the module runs")
    assert processor.pid is not None
    os.kill(processor.pid, signal.SIGKILL)
    processor.join()
    assert probing.runner.attach(request) is None
    before = pulse.read_text()
    for _ in range(20):
        assert pulse.read_text() == before, "it goes on without its processor, and would be run beside itself"
        _breathe()


def test_what_was_never_started_is_not_found(probing: Probing) -> None:
    assert probing.runner.attach(probing.request("copy")) is None


def test_a_name_is_run_once(probing: Probing) -> None:
    """Two processors that believe to be alone: the second is refused."""
    request = probing.request("hang")
    run = probing.runner.start(request)
    probing.begun(request, run)
    with pytest.raises(RunnerUnavailableError):
        probing.backend.runner().start(request)
    assert run.wait(0).state == "running"
    run.stop("stopped")
    run.clean_up()


def test_an_image_that_does_not_exist_is_a_clear_error(probing: Probing) -> None:
    missing = probing.backend.no_image
    with pytest.raises(ImageMissingError, match="no-such-module"):
        probing.runner.prepare(missing, None, lambda: False)
    probing.runner.prepare(probing.backend.image, None, lambda: False)


def test_not_installed_is_said_with_what_to_do(backend: Backend, probing: Probing) -> None:
    runner = backend.not_installed()
    check = runner.check()
    assert not check.ok
    assert "install" in check.text
    request = probing.request("copy")
    for call in (
        lambda: runner.prepare(backend.image, None, lambda: False),
        lambda: runner.start(request),
    ):
        with pytest.raises(RunnerUnavailableError, match="install"):
            call()


def test_a_check_is_quick_and_says_what_there_is(probing: Probing) -> None:
    start = time.monotonic()
    check = probing.runner.check()
    assert check.ok, check.text
    assert check.text
    assert time.monotonic() - start < 10


def _places(probing: Probing) -> Path:
    folder = probing.request("copy").folder / "places"
    folder.mkdir()
    for name in ("given", "kept", "persistence"):
        (folder / name).mkdir()
        probing.backend.own(folder / name)
    return folder


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _breathe() -> None:
    """Let ten milliseconds pass, in which a process that lived would have written."""
    os.sched_yield()
    deadline = time.monotonic() + 0.01
    while time.monotonic() < deadline:
        os.sched_yield()
