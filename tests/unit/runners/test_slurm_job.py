"""The folder of a job: who may run in it, and what comes back of it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mercure.runners import RunLimits, RunRequest
from mercure.runners.slurm_job import JobFolder, copy_tree
from mercure.runners.slurm_program import ENDS, PHASES

if TYPE_CHECKING:
    from pathlib import Path

# The state codes in the manual of squeue.
STATES = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "CONFIGURING", "COMPLETING", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PENDING", "PREEMPTED", "RUNNING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED"),
    *("RESIZING", "REVOKED", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED", "TIMEOUT"),
}


@pytest.fixture
def request_(tmp_path: Path) -> RunRequest:
    for name in ("run", "run/in", "run/out"):
        (tmp_path / name).mkdir()
    (tmp_path / "run/in/1.dcm").write_bytes(b"image")
    return RunRequest("mercure-x-1-1", tmp_path / "run", "/bin/sh", ("-c", "exit 3"), limits=RunLimits(log_bytes=1024))


def run(script: Path) -> int:
    return subprocess.run(["/bin/sh", script], check=False, timeout=30).returncode


def test_every_state_of_slurm_is_known() -> None:
    assert PHASES.keys() | ENDS.keys() >= STATES
    assert not PHASES.keys() & ENDS.keys()


def test_a_script_runs_once_and_leaves_its_code(tmp_path: Path, request_: RunRequest) -> None:
    job = JobFolder(tmp_path / "jobs with 'quotes'")
    job.make(request_, "none")
    assert (job.has_begun, job.code, job.number) == (False, None, None)
    assert run(job.path / "job.sh") == 3
    assert (job.has_begun, job.code) == (True, 3)
    assert run(job.path / "job.sh") == 95


def test_a_script_of_an_earlier_folder_does_nothing(tmp_path: Path, request_: RunRequest) -> None:
    job = JobFolder(tmp_path / "job")
    job.make(request_, "none")
    old = tmp_path / "old.sh"
    shutil.copy(job.path / "job.sh", old)
    job.make(request_, "none")
    assert run(old) == 96
    assert not job.has_begun
    job.remove()
    assert run(old) == 97
    job.remove()


@pytest.mark.parametrize("text", ["'; touch hacked; '", "$(touch hacked)", "`touch hacked`", "two\nlines", "\\", "ü"])
def test_what_a_person_configures_reaches_the_module_as_it_is(tmp_path: Path, request_: RunRequest, text: str) -> None:
    job = JobFolder(tmp_path / "job")
    show = 'printf %s "$1" >"$MERCURE_OUT_DIR/argument"; printf %s "$TOLD" >"$MERCURE_OUT_DIR/told"'
    job.make(replace(request_, arguments=("-c", show, "sh", text), environment={"TOLD": text}), "none")
    assert run(job.path / "job.sh") == 0
    job.hand_over(request_)
    assert (request_.outputs / "argument").read_text() == text
    assert (request_.outputs / "told").read_text() == text
    assert not list(tmp_path.rglob("hacked"))


def test_a_log_is_bounded_on_the_node_and_here(tmp_path: Path, request_: RunRequest) -> None:
    job = JobFolder(tmp_path / "job")
    flood = "echo first; i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo last"
    job.make(replace(request_, arguments=("-c", flood)), "none")
    assert run(job.path / "job.sh") == 0
    assert (job.path / "log.txt").stat().st_size <= 2 * 1024
    job.hand_over(request_)
    text = request_.log.read_text()
    assert text.startswith("first\n")
    assert text.endswith("last\n")
    assert "left out" in text


def test_what_is_no_file_comes_back_as_what_it_is_or_as_a_pipe(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder").mkdir(parents=True)
    (source / "folder" / "1.dcm").write_bytes(b"image")
    (source / "link.dcm").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe.dcm")
    for _ in range(2):
        copy_tree(source, target)
    assert (target / "folder" / "1.dcm").read_bytes() == b"image"
    assert os.readlink(target / "link.dcm") == "/etc/passwd"
    assert stat.S_ISFIFO((target / "pipe.dcm").lstat().st_mode)
    assert sorted(path.name for path in target.iterdir()) == ["folder", "link.dcm", "pipe.dcm"]


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "source"
    for _ in range(30):
        deep = deep / "x"
    deep.mkdir(parents=True)
    with pytest.raises(OSError, match="nested"):
        copy_tree(tmp_path / "source", tmp_path / "target")


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path, request_: RunRequest) -> None:
    job = JobFolder(tmp_path / "job")
    job.make(request_, "none")
    (job.path / "log.txt").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        job.hand_over(request_)
