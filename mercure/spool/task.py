"""Task: a directory of work, and the typed model of its ``task.json``."""

from __future__ import annotations

import errno
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.event_details import FailureKind, Identity, Origin, Try
from mercure.model import Priority, Record
from mercure.seal import is_intact, sealed
from mercure.stages import Stage

TASK_FILE: Final = "task.json"
TAGS_FILE: Final = "tags.jsonl"
LEDGER_FILE: Final = "ledger.jsonl"
PLAN_FILE: Final = "plan.json"
DIVISION_FILE: Final = "division.json"
MEMBERS_FILE: Final = "members.txt"
IMAGE_SUFFIX: Final = ".dcm"
KEPT_ATTEMPTS: Final = 20
"""The last attempts kept in the task; the history has all."""

COUNTED_KINDS: Final[tuple[FailureKind, ...]] = ("refused", "local", "altered", "unsupported")
"""Failures that say something of the task, and of which so many end in ``error/``; what the dispatcher knows of the
target besides (`mercure.delivery.verdicts`) may say otherwise."""


_UNDONE: Final = (
    "target", "member", "hold", "refusals", "doubtful", "next_attempt", "first_attempt", "finished", "failure",
)  # fmt: skip
"""What of a task a person changes by a verb that can be undone."""


class TaskError(Exception):
    """A task's directory does not hold a readable ``task.json``."""


class FiredRule(Record):
    """A rule that put this task there, and why, in words."""

    rule: str
    why: str = ""


class Converted(Record):
    """Images that did not go as they are kept, or not as the target's settings prefer."""

    images: int
    from_syntax: str
    """UID of the transfer syntax in which they are kept."""
    to_syntax: str
    """UID of the one in which they went."""
    passed_over: str | None = None
    """One that the target's settings prefer, and why the first of these images could not be had in it."""


class Attempt(Try):
    """One try to deliver or process."""

    number: int
    started: AwareDatetime
    seconds: float
    outcome: Literal["success", "partial", "failure"]
    error: str | None = None
    sent: int = 0
    confirmed: int = 0
    elsewhere: int = 0
    """Images that were not sent because another member of a group that splits tasks has them."""
    converted: tuple[Converted, ...] = ()
    """Of the confirmed images those that were converted on their way; all others went as they were received."""


class Hold(Record):
    """Somebody stopped the task, for now or (`Task.discarded`) for good."""

    by: str
    at: AwareDatetime
    reason: str = ""


class Resent(Record):
    """A person had images sent again, and this task came of it: who, why, how (`ResendOrder`), and by which job."""

    by: str
    at: AwareDatetime
    reason: str = ""
    job: str = ""
    how: str = ""
    off_peak: bool = False
    """It goes in the off-peak hours only, whatever the rules say."""


class Failure(Record):
    """Why the task is in ``error/`` and what a person can do."""

    stage: str
    reason: str
    advice: str = ""
    at: AwareDatetime


class Undo(Record):
    """What a person did to a task last (`verb`), and how it was before, so that it can be taken back.

    `stage` is where it stood; the other fields are those of `Task` that the verb changes.
    """

    verb: str
    by: str
    at: AwareDatetime
    stage: str
    target: str | None = None
    member: str | None = None
    hold: Hold | None = None
    refusals: int = 0
    doubtful: bool = False
    next_attempt: AwareDatetime | None = None
    first_attempt: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    failure: Failure | None = None

    @classmethod
    def of(cls, verb: str, task: Task, stage: Stage, *, by: str, at: datetime) -> Undo:
        """Note how a task is before somebody does something to it."""
        return cls(verb=verb, by=by, at=at, stage=stage.value, **{name: getattr(task, name) for name in _UNDONE})

    def restored(self, task: Task) -> Task:
        """Return a task as it was before; what was tried and confirmed since stays on record."""
        before = {name: getattr(self, name) for name in _UNDONE}
        return task.model_copy(update={**before, "discarded": None})


class Task(Record):
    """What ``task.json`` holds; frozen: a change is a new model, written whole by `save_task`."""

    version: Literal[1] = 1
    id: str
    parent: str | None = None
    created: AwareDatetime
    action: Literal["complete", "route", "process", "collect", "discard"] = "complete"
    """``complete``: what the router decides on; ``collect``: a series that waits for its study; the others say what is
    done with the images."""
    scope: Literal["series", "study"] = "series"
    study_rule: str | None = None
    """The rule that collects or collected the study."""
    identity: Identity = Identity()
    origin: Origin = Origin()
    images: int = 0
    bytes: int = 0
    rules: tuple[FiredRule, ...] = ()
    priority: Priority = "normal"
    target: str | None = None
    member: str | None = None
    """Of a target group: the member to which images of this task were last offered."""
    split: tuple[str, ...] = ()
    """The destinations at which its images lie in parts, because its group allows that."""
    module: str | None = None
    modules: tuple[str, ...] = ()
    """The modules still to come after `module`."""
    module_settings: dict[str, Any] = {}
    step_settings: tuple[dict[str, Any], ...] = ()
    """Settings for single modules, by their place in the whole chain."""
    done: tuple[str, ...] = ()
    """The modules of the chain that ended well; when all have, `module` is None."""
    then_targets: tuple[str, ...] = ()
    """Where the result of processing goes."""
    also_routed: bool = False
    """The rule sends the images themselves too: a result without an image is then no loss."""
    outputs: tuple[str, ...] = ()
    """The tasks that the result became."""
    processed_by: tuple[str, ...] = ()
    """The modules from whose result this came: a rule with one of them does not act on it again."""
    unit: str = ""
    """Of a series that was divided because it held images of several senders, studies or patients: which part this
    is."""
    sender_apart: bool = False
    """Its series came from several senders: its study is collected from this one alone."""
    part: str = ""
    """Of a series whose images the rules treat differently: which part this is."""
    late: bool = False
    reason: str = ""
    hold: Hold | None = None
    discarded: Hold | None = None
    """A person, and no rule, threw it away."""
    attempts_made: int = 0
    refusals: int = 0
    doubtful: bool = False
    """The last failure was not counted, since the target may have been at fault; it is when that took others since."""
    attempts: tuple[Attempt, ...] = ()
    next_attempt: AwareDatetime | None = None
    first_attempt: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    failure: Failure | None = None
    resent: Resent | None = None
    undo: Undo | None = None
    """What a person did to it last, where that can be taken back."""

    def with_attempt(self, attempt: Attempt, next_attempt: datetime | None, *, counted: int | None = None) -> Task:
        """Return the task with one more attempt on record.

        Parameters
        ----------
        attempt : Attempt
            What became of it.
        next_attempt : datetime, optional
            When the next one is due.
        counted : int, optional
            So many refusals are added; by the kind of failure if not given.
        """
        if counted is None:
            counted = int(attempt.kind in COUNTED_KINDS and attempt.outcome != "success")
        return self.model_copy(
            update={
                "attempts_made": self.attempts_made + 1,
                "refusals": self.refusals + counted,
                "attempts": (*self.attempts, attempt)[-KEPT_ATTEMPTS:],
                "first_attempt": self.first_attempt or attempt.started,
                "next_attempt": next_attempt,
                # A crash between writing a failure and the move into error/ leaves it in a task that is tried again.
                "failure": None,
                "finished": None,
            }
        )

    def for_retry(self) -> Task:
        """Return the task as a person sends it on its way again: due now, its past kept, its limits counted anew."""
        cleared = ("failure", "finished", "hold", "discarded", "next_attempt", "first_attempt", "undo")
        return self.model_copy(update={"refusals": 0, "doubtful": False, **dict.fromkeys(cleared)})


def load_task(directory: Path) -> Task:
    """Read a task's model.

    Raises
    ------
    TaskError
        It is missing or not readable as a task of this version.
    FileNotFoundError
        The directory itself is gone: another process moved it on.
    """
    path = directory / TASK_FILE
    try:
        content = path.read_bytes()
        if not is_intact(content):
            raise TaskError(f"{path.parent.name}/{TASK_FILE} was altered on our disk after it was written")
        return Task.model_validate_json(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not directory.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such task", str(directory)) from error
        raise TaskError(f"{directory.name} has no {TASK_FILE}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TaskError(f"{path.parent.name}/{TASK_FILE} cannot be read: {place}: {first['msg']}") from error


def save_task(directory: Path, task: Task) -> None:
    """Write a task's model, durably and whole. The caller holds the claim.

    Raises
    ------
    OSError
        I/O failed; the old model stays.
    """
    # Without what is only a default; but a reader of another version must be able to tell which one this is.
    content = {"version": task.version, **task.model_dump(mode="json", exclude_defaults=True)}
    durable.write_file(directory / TASK_FILE, sealed(json.dumps(content, indent=1, ensure_ascii=False).encode()))
