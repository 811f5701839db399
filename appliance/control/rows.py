"""What is known of one entry of the spool from its own files: a row of the index, small and quick to compare."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.presentation.causes import Cause
from appliance.presentation.states import QueueState
from mercure.event_details import Identity
from mercure.model import Priority
from mercure.names import id_time
from mercure.spool import Stage, Task, TaskError, image_files, load_task
from mercure.spool.task import TASK_FILE

Stamp = tuple[int, int, int]
"""Inode, time of the last change (ns) and bytes of the file that tells what an entry is."""

UNSETTLED_NS: Final = 100_000_000
"""Two changes of a file within one tick of the file system's clock (up to 10 ms) leave the same time. What was changed
so shortly ago is read again at the next look."""

_STATE_OF_STAGE: Final[Mapping[Stage, QueueState]] = {
    Stage.INCOMING: "arriving",
    Stage.ROUTING: "deciding",
    Stage.STUDIES: "collecting",
    Stage.ERROR: "failed",
    Stage.DISCARD: "discarded",
    Stage.SUCCESS: "done",
}

_HELD_IN: Final = frozenset({Stage.PROCESSING, Stage.OUTGOING, Stage.ERROR})
"""Where a person, or a policy, keeps what is not to go on."""

LISTED_STAGES: Final = (
    Stage.INCOMING,
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.ERROR,
)
"""Where something waits, in the order of a task's life."""

KEPT_STAGES: Final = (Stage.SUCCESS, Stage.DISCARD)
"""Where what is finished is kept for its retention."""

NOBODY: Final = Identity()


@dataclass(slots=True)
class Row:
    """An entry without what others know of it (its target's outage, its claim) and without what the time changes.

    ``state`` is None where these decide: of what waits in ``processing/`` and ``outgoing/``. ``finished`` and ``why``
    (by which rules, or by whom) are of what is kept in ``success/`` and ``discard/``. ``text`` is what a filter looks
    into, casefolded.
    """

    id: str
    stage: Stage
    created: datetime
    state: QueueState | None = None
    action: str | None = None
    target: str | None = None
    module: str | None = None
    priority: Priority = "normal"
    images: int = 0
    bytes: int = 0
    attempts: int = 0
    next_attempt: datetime | None = None
    error: str = ""
    cause: Cause | None = None
    held_by: str | None = None
    late: bool = False
    identity: Identity = NOBODY
    parent: str | None = None
    finished: datetime | None = None
    why: str = ""
    inode: int = 0
    begun: float = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        """Make what is sorted and filtered by."""
        self.begun = self.created.timestamp()
        who = self.identity
        self.text = (
            f"{self.id} {self.target or ''} {self.module or ''} {self.priority} {self.error} {self.why} "
            f"{who.PatientID} {who.PatientName} {who.AccessionNumber} {who.Modality} {who.StudyDescription} "
            f"{who.SeriesDescription} {who.StudyInstanceUID} {who.SeriesInstanceUID}"
        ).casefold()

    @property
    def study(self) -> str:
        """Its Study Instance UID."""
        return self.identity.StudyInstanceUID

    @property
    def patient(self) -> str:
        """Its patient id."""
        return self.identity.PatientID


def settled_stamp(directory: str, stage: Stage) -> Stamp | None:
    """Return by what is seen that an entry was changed: its model, or the folder of a series that still arrives.

    None where it is not there, and where a change soon after this one may leave the same stamp.
    """
    try:
        found = os.stat(directory if stage is Stage.INCOMING else f"{directory}/{TASK_FILE}")
    except FileNotFoundError:
        return None  # without a model, or without a folder: reading tells
    # The real time, as the file system's: a clock that a test sets would not do.
    settled = abs(time.time_ns() - found.st_mtime_ns) > UNSETTLED_NS
    return (found.st_ino, found.st_mtime_ns, found.st_size) if settled else None


def read_row(directory: Path, stage: Stage) -> Row | None:
    """Read an entry; None when it moved on just now."""
    try:
        inode = os.stat(directory).st_ino
    except FileNotFoundError:
        return None
    try:
        row = _series(directory) if stage is Stage.INCOMING else row_of(load_task(directory), stage)
    except FileNotFoundError:
        return None
    except TaskError as error:
        row = _unreadable(directory.name, stage, str(error))
    row.inode = inode
    return row


def row_of(task: Task, stage: Stage) -> Row:
    """Describe a task that stands in a stage."""
    last = task.attempts[-1].error if task.attempts else None
    held = task.hold is not None and stage in _HELD_IN
    return Row(
        id=task.id,
        stage=stage,
        created=task.created,
        state="held" if held else "delivered" if stage is Stage.SUCCESS and task.target else _STATE_OF_STAGE.get(stage),
        action=task.action,
        target=task.target,
        module=task.module,
        priority=task.priority,
        images=task.images,
        bytes=task.bytes,
        attempts=task.attempts_made,
        next_attempt=task.next_attempt,
        error=(task.failure.reason if task.failure else last) or "",
        cause=_cause(task),
        held_by=task.hold.by if task.hold else None,
        late=task.late,
        identity=task.identity,
        parent=task.parent,
        finished=(task.finished or id_time(task.id)) if stage in KEPT_STAGES else None,
        why=_why(task) if stage in KEPT_STAGES else "",
    )


_OF_STAGE: Final[Mapping[str, Cause]] = {
    Stage.ROUTING.value: "rules",
    Stage.STUDIES.value: "rules",
    Stage.PROCESSING.value: "module",
}
"""Whose problem a failure is, by where it happened; of a delivery the last attempt says it."""


def _cause(task: Task) -> Cause | None:
    """Say whose problem it is that a task failed, or that its last attempt did."""
    if task.failure is not None and task.failure.stage in _OF_STAGE:
        return _OF_STAGE[task.failure.stage]
    last = task.attempts[-1] if task.attempts else None
    if last is None or last.outcome == "success":
        return None
    return "module" if task.action == "process" else last.kind


def _why(task: Task) -> str:
    """Say what brought a task where it is kept: a person, or rules."""
    by = task.discarded
    if by is not None:
        return f"discarded by {by.by}" + (f": {by.reason}" if by.reason else "")
    return ", ".join(fired.rule for fired in task.rules)


def _series(directory: Path) -> Row:
    """Describe a series that still arrives: since when is known from its oldest image."""
    images = image_files(directory)
    begun = min((image.modified_ns for image in images), default=os.stat(directory).st_mtime_ns)
    return Row(
        id=directory.name,
        stage=Stage.INCOMING,
        created=datetime.fromtimestamp(begun / 1e9, UTC),
        state="arriving",
        images=len(images),
        bytes=sum(image.bytes for image in images),
        identity=Identity(SeriesInstanceUID=directory.name),
    )


def _unreadable(name: str, stage: Stage, error: str) -> Row:
    deciding = stage is Stage.ROUTING  # the router is about to write the model
    state: QueueState = "deciding" if deciding else "failed"
    if deciding:
        return Row(id=name, stage=stage, created=id_time(name), state=state)
    return Row(id=name, stage=stage, created=id_time(name), state=state, error=error, cause="unreadable")
