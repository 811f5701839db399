"""Counting what is on record: telling of a run that has ended, and writing what follows from it into the task."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from mercure import durable
from mercure.clock import Clock
from mercure.config import ModuleSettings
from mercure.event_details import (
    ModuleFailed,
    ModuleFinished,
    NotificationRequested,
    TaskAttempt,
)
from mercure.events import EventWriter
from mercure.model import Record
from mercure.printable import cleaned
from mercure.processing.result import Result, ResultError, parse_result
from mercure.processing.steps import (
    LOG_FILE,
    RESULT_FILE,
    STOP_FILE,
    StepRecord,
    failed_folder,
    read_record,
    records,
    step_folder,
)
from mercure.spool import Attempt, Failure, Stage, Task, nudge, save_task

MAX_LOST: Final = 5
"""A run that was lost with its node says nothing of the module; but not for ever."""

_RESULT_CHARS: Final = 65_536
_LOG_CHARS: Final = 2000
_ADVICE: Final = {
    "time": "see its log; raise its 'time_limit_seconds' if it needs longer, then retry the task",
    "memory": "raise its 'memory_bytes' if it needs more, then retry the task",
    "output": "see its log; raise its 'output_limit_bytes' if it needs more, then retry the task",
    "stopped": "retry the task when it should be run again",
    "lost": "see how the nodes are, then retry the task",
    "result": "see its log and correct the module, then retry the task",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepRecorder:
    """Tells of runs that ended and counts them.

    Parameters
    ----------
    events, clock
        Who is told, and when.
    """

    events: EventWriter
    clock: Clock

    def settle(self, directory: Path, task: Task, settings: ModuleSettings) -> Task:
        """Count the run that is on record and that the task's model does not count yet, if there is one.

        Parameters
        ----------
        directory : Path
            The task, claimed.
        task : Task
            Its model.
        settings : ModuleSettings
            The module's, for how often it may fail.

        Returns
        -------
        Task
            The model as it is on disk then. With a `failure` it is to be put aside.
        """
        step, number = len(task.done) + 1, task.attempts_made + 1
        good, bad = step_folder(directory, step), failed_folder(directory, step, number)
        record = read_record(good)
        if record is not None and record.number == number:
            settled = self._succeeded(good, task, record)
        else:
            record = read_record(bad)
            if record is None:
                return task
            settled = self._failed(directory, bad, task, record, settings)
        durable.unlink(directory / STOP_FILE)
        save_task(directory, settled)
        nudge(directory)
        return settled

    def _succeeded(self, folder: Path, task: Task, record: StepRecord) -> Task:
        result = read_result(folder)
        finished = ModuleFinished(
            **record.model_dump(
                include={"module", "step", "number", "seconds", "images", "bytes", "left_out", "left_out_files"}
            ),
            result=_told(result),
        )
        self._emit(finished, task, f"module.finished:{record.step}:{record.number}")
        if result is not None and result.notification is not None:
            rules = tuple(fired.rule for fired in task.rules)
            asked = result.notification
            details = NotificationRequested(
                module=record.module, rules=rules, text=asked.text, requested=asked.requested
            )
            self._emit(details, task, f"notification.requested:{record.step}")
        attempt = _attempt(record, "success")
        self._tell_attempt(task, record, attempt)
        update = {
            "done": (*task.done, record.module),
            "module": task.modules[0] if task.modules else None,
            "modules": task.modules[1:],
            "refusals": 0,
        }
        return task.with_attempt(attempt, None).model_copy(update=update)

    def _failed(self, directory: Path, folder: Path, task: Task, record: StepRecord, settings: ModuleSettings) -> Task:
        now = self.clock.now()
        attempt = _attempt(record, "failure")
        tried = task.with_attempt(attempt, now + timedelta(seconds=settings.retry_seconds))
        lost = sum(other.how == "lost" and other.step == record.step for other in records(directory))
        final = {"lost": lost >= MAX_LOST, "stopped": True}.get(record.how, tried.refusals >= settings.max_failures)
        if final:
            failure = Failure(
                stage=Stage.PROCESSING.value,
                reason=f"module {record.module!r} failed: {record.text}",
                advice=_ADVICE.get(record.how, "see its log, correct the module or its settings, then retry the task"),
                at=now,
            )
            tried = tried.model_copy(update={"failure": failure, "next_attempt": None})
        failed = ModuleFailed(
            **record.model_dump(include={"module", "step", "number", "how", "code", "seconds"}),
            reason=record.text,
            log=end_of_log(folder / LOG_FILE),
            next_attempt=tried.next_attempt,
        )
        self._emit(failed, task, f"module.failed:{record.step}:{record.number}")
        self._tell_attempt(tried, record, attempt)
        return tried

    def _tell_attempt(self, task: Task, record: StepRecord, attempt: Attempt) -> None:
        details = TaskAttempt(
            module=record.module,
            **attempt.model_dump(include={"number", "outcome", "kind", "error", "seconds"}),
            images=task.images,
            bytes=task.bytes,
            next_attempt=task.next_attempt,
        )
        self._emit(details, task, f"task.attempt:{attempt.number}")

    def _emit(self, details: Record, task: Task, key: str) -> None:
        self.events.emit(details, task=task.id, series=task.identity.SeriesInstanceUID or None, key=key)


def read_result(folder: Path) -> Result | None:
    """Read the ``result.json`` of a step that is on record."""
    try:
        return parse_result((folder / RESULT_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ResultError:
        _log.exception("a result that was read before cannot be read again", extra={"folder": str(folder)})
        return None


def end_of_log(path: Path, most: int = _LOG_CHARS) -> str:
    """Return the end of a log, as text that is fit to be shown."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4 * most))
            text = file.read(4 * most).decode("utf-8", "replace")
    except OSError:
        return ""
    return cleaned(text, lambda char: char if char in "\n\t" else "?")[-most:]


def _attempt(record: StepRecord, outcome: Literal["success", "failure"]) -> Attempt:
    return Attempt(
        number=record.number,
        started=record.started,
        seconds=record.seconds,
        outcome=outcome,
        kind=None if record.well else "unreachable" if record.how == "lost" else "local",
        error=None if record.well else f"{record.module}: {record.text}",
    )


def _told(result: Result | None) -> dict[str, Any] | None:
    """Return a result for an event; one that is too long is only in the task."""
    if result is None or len(json.dumps(result.content)) > _RESULT_CHARS:
        return None
    return result.content
