"""Whatever a module does, its inputs are kept, the failure is told with its cause, and nothing leaves its folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercure.processing.module_health import read_outage
from mercure.processing.steps import LOG_FILE, failed_folder, records, step_folder
from mercure.runners import RunnerUnavailableError
from mercure.runners.command import CommandRunner
from mercure.services import processor as service
from mercure.spool import Stage, image_files, load_task, save_task
from tests.support.modules import COPY, configure, ended, process, process_all, processor, put_task, script, turn
from tests.support.polling import eventually
from tests.support.procfs import sleepers

if TYPE_CHECKING:
    from mercure.config.processing import Processing
    from mercure.runners import Run, Runner, RunRequest
    from tests.support.box import Box

OUT = '"$MERCURE_OUT_DIR"'

FAULTS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "fails": ("echo no licence >&2; exit 3", {}, "exited", "exit code 3"),
    "is killed": ("kill -9 $$", {}, "killed", "signal 9 (SIGKILL)"),
    "is not a program that can be run": ("/nonexistent", {}, "exited", "exit code 127"),
    "writes nothing": ("true", {}, "result", "wrote nothing"),
    "writes other files only": (f"echo x > {OUT}/notes.txt", {}, "result", "no image and no result.json"),
    "writes no DICOM": (f"echo x > {OUT}/a.dcm", {}, "result", "is no readable DICOM file"),
    "writes half an image": (
        f'for file in "$MERCURE_IN_DIR"/*.dcm; do head -c 300 "$file" > {OUT}/a.dcm; done',
        {},
        "result",
        "is no readable DICOM file",
    ),
    "writes an image of another series": (
        COPY + f"; sed -i 's/2\\.25\\.[0-9]/2.25.9/g' {OUT}/*.dcm",
        {"result": "same-series"},
        "result",
        "of another series",
    ),
    "writes no image where one is asked for": (
        f"echo '{{}}' > {OUT}/result.json",
        {"result": "images"},
        "result",
        "wrote no image",
    ),
    "measures only, and the rule has targets": (
        f"echo '{{}}' > {OUT}/result.json",
        {},
        "result",
        "no image for the rule's targets",
    ),
    "writes the same image twice": (
        COPY + f"; mkdir {OUT}/more; cp {OUT}/*.dcm {OUT}/more",
        {},
        "result",
        "have the same SOP Instance UID",
    ),
    "writes a broken result.json": (COPY + f"; echo '{{' > {OUT}/result.json", {}, "result", "is no JSON"),
    "writes a result.json that is no object": (
        COPY + f"; echo '[]' > {OUT}/result.json",
        {},
        "result",
        "no JSON object",
    ),
    "asks for what nobody knows": (
        COPY + f'; echo \'{{"__mercure_routing": {{"target": 7}}}}\' > {OUT}/result.json',
        {},
        "result",
        "neither a name nor a list",
    ),
    "writes too much into one file": (
        f"truncate -s 9000 {OUT}/sparse; head -c 10000000 /dev/zero > {OUT}/big",
        {"output_limit_bytes": 10_000},
        "output",
        "output limit",
    ),
    "writes too much into many files": (
        f"for i in $(seq 40); do head -c 1000 /dev/zero > {OUT}/$i; done; sleep 60",
        {"output_limit_bytes": 20_000},
        "output",
        "output limit",
    ),
    "writes too much and is quick": (
        f"for i in $(seq 40); do head -c 1000 /dev/zero > {OUT}/$i; done",
        {"output_limit_bytes": 20_000},
        "result",
        "output limit",
    ),
    "makes a link out": (COPY + f"; ln -s /etc/passwd {OUT}/x.dcm", {}, "result", "is a link"),
    "makes a folder that is a link": (COPY + f"; ln -s / {OUT}/root", {}, "result", "is a link"),
    "makes a pipe": (COPY + f"; mkfifo {OUT}/p.dcm", {}, "result", "is a pipe"),
    "makes its result a link": (f"ln -s /etc/hostname {OUT}/result.json", {}, "result", "is a link"),
    "makes folders without end": (
        f"cd {OUT}; for i in $(seq 60); do mkdir d; cd d; done",
        {},
        "result",
        "deep",
    ),
    "hangs": ("sleep 600", {"time_limit_seconds": 0.3}, "time", "time limit"),
    "ignores TERM": ("trap '' TERM; while true; do sleep 600; done", {"time_limit_seconds": 0.3}, "time", "time limit"),
    "uses too much memory": (
        "exec python3 -S -c 'x = bytearray(200_000_000)'",
        {"memory_bytes": 32 * 1024**2},
        "exited",
        "exit code 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_module_that(box: Box, fault: str) -> None:
    text, settings, how, reason = FAULTS[fault]
    configure(box, {"bad": script(text, **settings)})
    task = put_task(box, "bad", count=2)
    before = {image.name: (task / image.name).read_bytes() for image in image_files(task)}
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert reason in model.failure.reason
    assert model.failure.advice
    directory = box.spool.entry(stage, task.name)
    [record] = records(directory)
    assert (record.well, record.how) == (False, how)
    assert {name: (directory / name).read_bytes() for name in before} == before
    assert not box.tasks(Stage.OUTGOING)
    assert {path.name for path in directory.iterdir() if path.is_dir()} == {"failed-1-1"}
    [failed] = box.events("module.failed")
    assert failed.details["how"] == how
    assert [event.details["stage"] for event in box.events("task.failed")] == ["processing"]


def test_what_it_said_is_kept(box: Box) -> None:
    configure(box, {"bad": script("echo out; echo no licence >&2; exit 3")})
    task = put_task(box, "bad")
    process_all(box)
    log = failed_folder(box.spool.entry(Stage.ERROR, task.name), 1, 1) / LOG_FILE
    assert log.read_text() == "out\nno licence\n"
    [failed] = box.events("module.failed")
    assert failed.details["log"] == "out\nno licence\n"


def test_a_gigabyte_of_output_is_cut(box: Box) -> None:
    configure(box, {"loud": script(f"head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo the end; {COPY}")})
    task = put_task(box, "loud")
    process_all(box, seconds=60)
    log = step_folder(box.spool.entry(Stage.SUCCESS, task.name), 1) / LOG_FILE
    text = log.read_text()
    assert len(text) < 4096 + 100
    assert "bytes were left out here" in text
    assert text.endswith("the end\n")


def test_what_it_forks_ends_with_it(box: Box) -> None:
    mark = f"{os.getpid()}.{time.monotonic_ns()}"
    configure(box, {"forks": script(f"for i in 1 2 3; do setsid sleep {mark} & done; {COPY}")})
    put_task(box, "forks")
    process_all(box)
    assert len(box.tasks(Stage.SUCCESS)) == 1
    assert not sleepers(mark)


def test_a_step_that_failed_is_run_again_by_the_configuration_of_now(box: Box) -> None:
    configure(box, {"one": script(COPY), "two": script("exit 1")})
    task = put_task(box, "one", "two")
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    directory = box.spool.entry(Stage.ERROR, task.name)
    first = (step_folder(directory, 1) / "step.json").read_bytes()
    configure(box, {"one": script("exit 1"), "two": script(COPY)})
    save_task(directory, model.for_retry())
    directory.rename(box.spool.entry(Stage.PROCESSING, task.name))
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.SUCCESS
    assert (step_folder(box.spool.entry(stage, task.name), 1) / "step.json").read_bytes() == first
    assert len(box.tasks(Stage.OUTGOING)) == 1


def test_it_may_fail_as_often_as_is_allowed(box: Box) -> None:
    again = (
        f'count="$MODULE_PERSISTENCE_DIR/count"; echo x >> "$count"; test $(wc -l < "$count") -ge 3 || exit 1; {COPY}'
    )
    configure(box, {"weak": script(again, persistence="weak", max_failures=3, retry_seconds=2)})
    task = put_task(box, "weak")
    process_all(box)
    stage, model = ended(box, task.name)
    assert (stage, model.attempts_made) == (Stage.SUCCESS, 3)
    assert [attempt.outcome for attempt in model.attempts] == ["failure", "failure", "success"]


def test_a_program_that_is_missing_is_waited_for(box: Box, tmp_path: Path) -> None:
    program = tmp_path / "module"
    configure(box, {"later": {"runner": "command", "image": str(program)}, "other": script(COPY)})
    task = put_task(box, "later")
    put_task(box, "other", seed=2)
    process(box, lambda: read_outage(box.spool, "later") and box.tasks(Stage.SUCCESS))
    outage = read_outage(box.spool, "later")
    assert outage is not None
    assert outage.kind == "image"
    assert "there is no program" in outage.error
    assert load_task(task).attempts_made == 0
    program.write_text(f"#!/bin/sh\n{COPY}\n")
    program.chmod(0o755)
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS
    assert [event.type for event in box.events("module.down", "module.up")] == ["module.down", "module.up"]


def test_a_runner_that_is_not_installed_is_waited_for(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = False

    def open_runner(kind: str, settings: Processing) -> Runner:
        return CommandRunner(settings, "bwrap" if installed else "no-such-bwrap")

    monkeypatch.setattr(service, "open_runner", open_runner)
    configure(box, {"copy": script(COPY)})
    task = put_task(box, "copy")
    process(box, lambda: read_outage(box.spool, "copy"))
    outage = read_outage(box.spool, "copy")
    assert outage is not None
    assert outage.kind == "runner"
    assert "bubblewrap" in outage.error
    assert load_task(task).attempts_made == 0
    installed = True
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS
    [down] = box.events("module.down")
    assert down.details["module"] == "copy"


def test_a_start_that_fails_again_and_again_is_told_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: CommandRunner, request: RunRequest) -> Run:
        raise RunnerUnavailableError("the controller does not answer")

    monkeypatch.setattr(CommandRunner, "start", refuse)
    configure(box, {"copy": script(COPY)})
    task = put_task(box, "copy")

    def third() -> bool:
        outage = read_outage(box.spool, "copy")
        return outage is not None and outage.failures >= 3

    process(box, third)
    assert [event.type for event in box.events("module.down", "module.up")] == ["module.down"]
    assert load_task(task).attempts_made == 0
    monkeypatch.undo()
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS
    assert sorted(event.type for event in box.events("module.down", "module.up")) == ["module.down", "module.up"]


def test_a_mount_that_is_not_allowed_is_refused(box: Box, tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "link").symlink_to("/etc")
    mounts = [{"source": str(tmp_path / "allowed" / "link"), "target": "/mounted"}]
    allowed = {"mounts_from": [str(tmp_path / "allowed")]}
    configure(box, {"reads": script(COPY, mounts=mounts)}, processing=allowed)
    task = put_task(box, "reads")
    process(box, lambda: read_outage(box.spool, "reads"))
    outage = read_outage(box.spool, "reads")
    assert outage is not None
    assert (outage.kind, load_task(task).attempts_made) == ("configuration", 0)
    assert "may not be mounted" in outage.error


def test_it_sees_nothing_of_the_machine_and_cannot_change_what_it_was_given(box: Box) -> None:
    (box.root / "secret").write_text("secret")
    look = (
        f'ls {box.root} && exit 1; cat /etc/shadow && exit 2; touch "$MERCURE_IN_DIR/x" && exit 3; '
        'for file in "$MERCURE_IN_DIR"/*.dcm; do echo x >> "$file" && exit 4; done; '
        "touch /usr/x /x && exit 5; cat /proc/net/route | grep -q eth && exit 6; "
        f"cat /proc/1/fd/3/../../secret && exit 7; {COPY}"
    )
    configure(box, {"looks": script(look)})
    task = put_task(box, "looks")
    before = {image.name: (task / image.name).read_bytes() for image in image_files(task)}
    process_all(box)
    stage, model = ended(box, task.name)
    assert stage is Stage.SUCCESS, model.failure
    directory = box.spool.entry(stage, task.name)
    assert {name: (directory / name).read_bytes() for name in before} == before


def test_the_end_of_the_service_stops_a_run_that_is_begun_again(box: Box) -> None:
    mark = f"{os.getpid()}.{time.monotonic_ns()}"
    configure(box, {"slow": script(f"sleep {mark}")}, grace=0)
    task = put_task(box, "slow")
    with processor(box) as made:

        def rest() -> bool:
            turn(made, box)
            return bool(sleepers(mark))

        eventually(rest, seconds=30, what="it runs")
    assert not sleepers(mark)
    assert load_task(task).attempts_made == 0
    configure(box, {"slow": script(COPY)})
    process_all(box)
    assert ended(box, task.name)[0] is Stage.SUCCESS


def test_a_person_has_a_run_stopped(box: Box) -> None:
    configure(box, {"slow": script("sleep 600", max_failures=5)}, grace=0)
    task = put_task(box, "slow")
    with processor(box) as made:

        def rest() -> bool:
            turn(made, box)
            return (task / "run-1-1" / LOG_FILE).exists()

        eventually(rest, seconds=30, what="it runs")
        (task / "stop.json").write_text("{}")

        def stopped() -> bool:
            turn(made, box)
            return not box.tasks(Stage.PROCESSING)

        eventually(stopped, seconds=30, what="it is stopped")
    stage, model = ended(box, task.name)
    assert stage is Stage.ERROR
    assert model.failure is not None
    assert "was stopped" in model.failure.reason
    assert not (box.spool.entry(stage, task.name) / "stop.json").exists()
