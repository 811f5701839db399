"""The folders in a task in which its steps are: one for each result, for each failed run, and for the run of now.

A step is one module of the task's chain. `step-S` holds what module S made; it appears by one rename, and from then on
its result counts. `failed-S-N` holds the log and record of a run that failed, in the same way. `run-S-N` is the work
folder of a run; what is in it counts for nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from mercure.config.processing import RunnerKind
from mercure.model import Record, read_state
from mercure.spool.layout import list_names

RECORD_FILE: Final = "step.json"
RUN_FILE: Final = "run.json"
RESULT_FILE: Final = "result.json"
LOG_FILE: Final = "log.txt"
STOP_FILE: Final = "stop.json"
"""A person has it written into the task to have the run stopped."""

MAX_RESULT_BYTES: Final = 1024 * 1024
TEXT_CHARS: Final = 2000

_RUN = re.compile(r"run-([1-9][0-9]{0,5})-([1-9][0-9]{0,8})")
_RECORDED = re.compile(r"step-[1-9][0-9]{0,5}|failed-[1-9][0-9]{0,5}-[1-9][0-9]{0,8}")


class StepRecord(Record):
    """How one run of a module ended."""

    step: int
    number: int
    """The task's attempt, from 1."""
    module: str
    runner: str
    image: str
    run: str
    """Name under which the runner had it."""
    where: str = ""
    started: AwareDatetime
    seconds: float = 0.0
    well: bool
    how: str
    """As `mercure.runners.RunOutcome` has it, or ``result``: it ended well, and its result cannot be used."""
    code: int | None = None
    text: str = ""
    images: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    """Files of the result that are no images."""
    left_out_files: int = 0
    superseded: tuple[str, ...] = ()
    """The first files of the task that did not go in, because a newer version of each did."""
    superseded_files: int = 0
    """How many there are."""


class RunRecord(Record):
    """Which runner has the run of a work folder; written before it is asked to start it."""

    runner: RunnerKind
    module: str
    run: str


def step_folder(task: Path, step: int) -> Path:
    """Return the folder of a step's result."""
    return task / f"step-{step}"


def failed_folder(task: Path, step: int, number: int) -> Path:
    """Return the folder of what is kept of a failed run."""
    return task / f"failed-{step}-{number}"


def run_folder(task: Path, step: int, number: int) -> Path:
    """Return the work folder of a run."""
    return task / f"run-{step}-{number}"


def inputs_of(task: Path, step: int) -> Path:
    """Return the folder whose images go into a step: the task itself, or the result of the step before."""
    return task if step == 1 else step_folder(task, step - 1)


def run_folders(task: Path) -> list[tuple[int, int, Path]]:
    """List the work folders of a task: step, number, path."""
    found = [(match, name) for name in list_names(task) if (match := _RUN.fullmatch(name))]
    return [(int(match[1]), int(match[2]), task / name) for match, name in found]


def half_made(task: Path) -> list[Path]:
    """List the hidden folders of a task: what a crash left of one that was being made or removed."""
    with os.scandir(task) as entries:
        return [Path(entry.path) for entry in entries if entry.name[0] == "." and entry.is_dir(follow_symlinks=False)]


def read_record(folder: Path) -> StepRecord | None:
    """Read how a run ended; None when there is no such folder, or it cannot be read."""
    return read_state(folder / RECORD_FILE, StepRecord)


def read_run(folder: Path) -> RunRecord | None:
    """Read which runner has a run; None when nothing can have been started yet."""
    return read_state(folder / RUN_FILE, RunRecord)


def records(task: Path) -> list[StepRecord]:
    """List how the runs of a task ended, in their order."""
    found = [read_record(task / name) for name in list_names(task) if _RECORDED.fullmatch(name)]
    return sorted((record for record in found if record is not None), key=lambda record: record.number)


def log_of(task: Path, step: int | None = None, number: int | None = None) -> Path | None:
    """Find the log of a run: of the one that is asked for, or the last one; None when there is none."""
    folders = [(run_step, run_number, path) for run_step, run_number, path in run_folders(task)]
    for record in records(task):
        folder = step_folder(task, record.step)
        failed = failed_folder(task, record.step, record.number)
        folders.append((record.step, record.number, folder if record.well else failed))
    fitting = [
        (run_number, path / LOG_FILE)
        for run_step, run_number, path in folders
        if step in (None, run_step) and number in (None, run_number) and (path / LOG_FILE).is_file()
    ]
    return max(fitting)[1] if fitting else None
