"""What a person can do to a task: look at it, hold it, release it, try it again, throw it away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.control.api import queue as api
from appliance.control.api.queue import Changed, ChangeTask, OneTask, RerouteTask, TaskDetail
from appliance.control.configuration.hidden_values import hidden_values
from appliance.control.errors import ControlError
from appliance.control.locks import Held
from appliance.control.queue.entries import entry_of
from appliance.control.registry import carries_out
from appliance.control.session import Json, Session
from appliance.control.targets.targets import find_target, let_use, only_processed
from mercure.delivery.destinations import counted_for
from mercure.event_details import TaskChanged
from mercure.events import EventWriter
from mercure.names import is_id
from mercure.routing.execute_plan import load_plan, save_plan
from mercure.spool import (
    TASK_STAGES,
    Claim,
    Hold,
    ImageFile,
    Spool,
    Stage,
    Task,
    TaskError,
    image_files,
    load_task,
    move,
    nudge,
    read_ledger,
    save_task,
)
from mercure.spool.delivered import holder
from mercure.spool.task import Undo
from mercure.spool.task_events import discarded_key, task_discarded, task_failed
from mercure.task_verbs import TASK_VERBS, UNDONE_AS, TaskVerb, VerbName

_HOME: Final = {"route": Stage.OUTGOING, "process": Stage.PROCESSING, "complete": Stage.ROUTING}
"""Where a task of each action waits for the service that works on it."""

_WORKED_ON: Final = (Stage.OUTGOING, Stage.PROCESSING, Stage.ROUTING)
"""Where a service works on a task as soon as nobody holds its claim."""

SHORT_ID: Final = 4
"""So many of the last characters of an id are enough to name a task, if no other ends in them."""


def find_task(session: Session, name: str) -> tuple[str, Stage]:
    """Find a task by its id or the end of it.

    Raises
    ------
    ControlError
        There is none, or several end so.
    """
    spool = session.spool
    if is_id(name):
        stage = next((stage for stage, _ in task_places(spool, name)), None)
        if stage is not None:
            return name, stage
        advice = f"`mercure history tasks {name}` may tell what became of it"
        raise ControlError("not-found", f"there is no task {name} in the spool", advice)
    if len(name) < SHORT_ID:
        advice = f"give the id, or at least its last {SHORT_ID} characters"
        raise ControlError("invalid", f"{name!r} is no task id", advice)
    found = [(task, stage) for stage, task in _all(spool) if task.endswith(name)]
    if not found:
        raise ControlError("not-found", f"no task in the spool ends in {name!r}", "`mercure queue list` shows them")
    if len(found) > 1:
        names = ", ".join(task for task, _ in found[:5])
        raise ControlError("invalid", f"{len(found)} tasks end in {name!r}: {names}", "give more of the id")
    return found[0]


def _all(spool: Spool) -> Iterator[tuple[Stage, str]]:
    yield from spool.tasks(TASK_STAGES)
    yield from ((Stage.STUDIES, task) for _, task in spool.studies())


def task_places(spool: Spool, task: str) -> Iterator[tuple[Stage, Path]]:
    """Yield where a task is, in the order of its life: it may move on meanwhile."""
    stage = spool.find(task)
    if stage is not None:
        yield stage, spool.entry(stage, task)
    yield from (
        (Stage.STUDIES, spool.entry(Stage.STUDIES, study) / task) for study, name in spool.studies() if name == task
    )


@carries_out(api.SHOW)
def show(session: Session, wanted: OneTask) -> TaskDetail:
    """Show a task in full.

    Raises
    ------
    ControlError
        There is no such task.
    """
    task_id, _ = find_task(session, wanted.task)
    for stage, directory in task_places(session.spool, task_id):
        try:
            return _detail(session, task_id, stage, directory)
        except FileNotFoundError:
            continue  # it moved on just now; where to comes next
    raise ControlError("not-found", f"task {task_id} has just moved on", "look again")


def _detail(session: Session, task_id: str, stage: Stage, directory: Path) -> TaskDetail:
    files: list[ImageFile] = image_files(directory)
    task, problem = None, ""
    try:
        task = load_task(directory)
    except TaskError as error:
        problem = str(error)
    return TaskDetail(
        id=task_id,
        stage=stage,
        directory=str(directory),
        entry=entry_of(task, stage, session) if task else None,
        task=hidden_values(session.config).shown_settings(task) if task else None,
        files=tuple(image.name for image in files),
        bytes=sum(image.bytes for image in files),
        confirmed=_confirmed(session, task, stage, directory, {image.name for image in files}),
        running=directory in Held(),
        problem=problem,
    )


def _confirmed(session: Session, task: Task | None, stage: Stage, directory: Path, files: set[str]) -> int:
    """Count the images that the destination of a task has: what was confirmed elsewhere counts for nothing there."""
    if task is None or task.target is None:
        return 0
    if stage is Stage.SUCCESS:
        return len(holder(directory, task, files))
    return len(files & read_ledger(directory, counted_for(task, session.config.targets)).keys())


@carries_out(api.HOLD)
def hold(session: Session, wanted: ChangeTask) -> Changed:
    """Keep a waiting task from being worked on until it is released.

    Raises
    ------
    ControlError
        No such task, it is being worked on, it does not wait, or it is held already.
    """
    with _claimed(session, wanted.task, "hold") as work:
        if work.task.hold is not None:
            raise ControlError("invalid", f"task {work.id} is held already, by {work.task.hold.by}")
        held = Hold(by=session.user, at=session.clock.now(), reason=wanted.reason)
        return work.finish(work.task.model_copy(update={"hold": held}), work.stage, wanted.reason)


@carries_out(api.RELEASE)
def release(session: Session, wanted: ChangeTask) -> Changed:
    """Let a held task go on.

    Raises
    ------
    ControlError
        No such task, it is being worked on, or it is not held.
    """
    with _claimed(session, wanted.task, "release") as work:
        task = work.task
        if task.hold is None:
            raise ControlError("invalid", f"task {work.id} is not held")
        if work.stage is Stage.ERROR:
            return work.finish(task.for_retry(), _HOME.get(task.action, Stage.ROUTING), wanted.reason)
        # One whose discarding was cut off is held, too, and goes on like any other.
        released = task.model_copy(update={"hold": None, "discarded": None, "finished": None})
        return work.finish(released, work.stage, wanted.reason)


@carries_out(api.RETRY)
def retry(session: Session, wanted: ChangeTask) -> Changed:
    """Retry a failed or discarded task, or make a waiting one due now.

    About a series that a rule discarded, the rules of now are asked again.

    Its limits count anew; what the target confirmed is not sent again.

    Raises
    ------
    ControlError
        No such task, it is being worked on, it is held, or there is nowhere to send it to.
    """
    with _claimed(session, wanted.task, "retry") as work:
        task, hold = work.task, work.task.hold
        if hold is not None and work.stage in TASK_VERBS["hold"].stages:
            raise ControlError("invalid", f"task {work.id} is held by {hold.by}", "release it first")
        # One that a person discarded has no such mark any more when a retry of it was killed on its way.
        if work.stage is Stage.DISCARD and task.discarded is None and task.action == "discard":
            return work.finish(_undiscarded(work), Stage.ROUTING, wanted.reason)
        home = _HOME.get(task.action)
        if home is None:
            raise ControlError("invalid", f"task {work.id} is a {task.action!r} task: there is nothing to try again")
        if home is Stage.OUTGOING and task.target not in session.config.targets:
            advice = "add the target again, or discard the task"
            raise ControlError("invalid", f"there is no target {task.target!r} in the configuration", advice)
        if home is Stage.OUTGOING and task.target is not None:
            let_use(session, task.target)
        return work.finish(task.for_retry(), home, wanted.reason)


def _undiscarded(work: _Work) -> Task:
    """Return a series that a rule discarded as it was before the rules were asked: they are asked again."""
    task, plan = work.task, load_plan(work.claim.path)
    if task.scope != "series" or plan is None:
        advice = "correct the rule, and send the series again from where it came"
        raise ControlError("invalid", f"task {work.id} was discarded by a rule, and is no series as received", advice)
    save_plan(work.claim.path, plan.model_copy(update={"put_aside": True}))
    return task.for_retry().model_copy(update={"action": "complete", "rules": ()})


@carries_out(api.REROUTE)
def reroute(session: Session, wanted: RerouteTask) -> Changed:
    """Send a task to another target; a hold stays, limits count anew, and what the old target confirmed stays there.

    Raises
    ------
    ControlError
        No such task or target, it is being worked on, it is for this target already, it is not for a target, or the
        target gets images only processed.
    """
    target = wanted.target
    find_target(session, target)
    with _claimed(session, wanted.task, "reroute") as work:
        task = work.task
        if task.action != "route":
            text = f"task {work.id} is a {task.action!r} task and goes to no target"
            raise ControlError("invalid", text, "change the rule, and retry the task")
        if task.target == target:
            raise ControlError("invalid", f"task {work.id} is for {target!r} already", "to try it again, retry it")
        rule = "" if task.processed_by else only_processed(session.config, target, {it.rule for it in task.rules})
        if rule:
            text = f"{target!r} gets images only processed, by rule {rule!r}"
            raise ControlError("invalid", text, "change the rule, and decide anew on the series")
        update = {"target": target, "member": None, "hold": task.hold}
        return work.finish(task.for_retry().model_copy(update=update), Stage.OUTGOING, wanted.reason)


@carries_out(api.DISCARD)
def discard(session: Session, wanted: ChangeTask) -> Changed:
    """Discard a task: into ``discard/``, from where it can be retried until the retention time is over.

    Raises
    ------
    ControlError
        No such task, it is being worked on, it is delivered, or it is not decided yet.
    """
    with _claimed(session, wanted.task, "discard") as work:
        now = session.clock.now()
        note = Hold(by=session.user, at=now, reason=wanted.reason)
        update = {"discarded": note, "finished": now, "hold": None, "next_attempt": None}
        return work.finish(work.task.model_copy(update=update), Stage.DISCARD, wanted.reason)


@carries_out(api.UNDO)
def undo(session: Session, wanted: ChangeTask) -> Changed:
    """Take back the last hold, reroute or discard by a person: the task stands where it stood, as it was.

    What was tried and confirmed since stays in its ledger, and counts where the same place is meant again.

    Raises
    ------
    ControlError
        No such task, it is being worked on, nothing can be taken back any more, or its target is gone.
    """
    with _claimed(session, wanted.task, "undo") as work:
        task, before = work.task, work.task.undo
        if before is None or before.verb not in UNDONE_AS or not _is_done(task, before, work.stage):
            advice = f"`mercure history tasks {work.id}` tells what was done to it"
            raise ControlError("invalid", f"nothing was done to task {work.id} that can be undone", advice)
        stage = Stage(before.stage)
        if stage is Stage.OUTGOING and before.target not in session.config.targets:
            advice = "add the target again, or reroute the task"
            raise ControlError("invalid", f"there is no target {before.target!r} in the configuration", advice)
        # One that is killed on its way out of discard/ is there as it was before: it can be undone once more.
        kept = before if before.verb == "discard" else None
        restored = before.restored(task).model_copy(update={"undo": kept})
        return work.finish(restored, stage, wanted.reason)


def _is_done(task: Task, before: Undo, stage: Stage) -> bool:
    """Return whether what a person did to a task still holds; not what another release notes."""
    if before.stage not in (Stage.OUTGOING.value, Stage.PROCESSING.value, Stage.ERROR.value):
        return False
    if before.verb == "hold":
        return task.hold is not None and stage.value == before.stage
    if before.verb == "reroute":
        return task.target != before.target and stage in (Stage.OUTGOING, Stage.ERROR)
    return stage is Stage.DISCARD or task.discarded is not None


@dataclass
class _Work:
    """A task under our claim, on its way to its new state."""

    session: Session
    verb: TaskVerb
    claim: Claim
    stage: Stage
    task: Task

    @property
    def id(self) -> str:
        return self.task.id

    def finish(self, task: Task, stage: Stage, reason: str) -> Changed:
        """Write the new state, move, tell: a crash in between leaves the old stage, or something to tell again."""
        session, before = self.session, self.stage
        if self.verb.name in UNDONE_AS:
            note = Undo.of(self.verb.name, self.task, before, by=session.user, at=session.clock.now())
            task = task.model_copy(update={"undo": note})
        elif self.verb.name != "undo":
            task = task.model_copy(update={"undo": None})
        with session.changing() as events:
            self._bring(task, stage)
            self._tell(events, task, stage, reason)
            session.audit(
                events,
                f"queue.{self.verb.name}",
                task.id,
                before={"stage": before.value, "target": self.task.target},
                after={"stage": stage.value, "target": task.target, "reason": reason, **self._undone_what},
                task=task.id,
            )
        return Changed(
            id=task.id, verb=self.verb.name, before=before, after=stage, target=task.target, undone=self._undone
        )

    def _bring(self, task: Task, stage: Stage) -> None:
        """Write the new state and move, so that a service that meets the task in between does nothing to it."""
        spool, claim = self.session.spool, self.claim
        if stage is self.stage:
            save_task(claim.path, task)
            nudge(claim.path)
        elif self.stage not in _WORKED_ON or stage in _WORKED_ON:
            save_task(claim.path, task)
            move(spool, claim, stage)
        else:
            if task.discarded is not None:
                # In discard/ without this note, nobody knew who put it there.
                save_task(claim.path, task.model_copy(update={"hold": task.discarded}))
            move(spool, claim, stage)
            save_task(claim.path, task)

    @property
    def _undone_what(self) -> dict[str, Json]:
        return {"undone": self._undone} if self._undone else {}

    @property
    def _undone(self) -> str | None:
        """The verb that is undone."""
        return self.task.undo.verb if self.verb.name == "undo" and self.task.undo else None

    def _tell(self, events: EventWriter, task: Task, stage: Stage, reason: str) -> None:
        series = task.identity.SeriesInstanceUID or None
        if self.verb.name == "discard" and task.discarded is not None:
            # As the cleaner tells it again when a crash comes in between.
            details, key = task_discarded(task.discarded), discarded_key(task.discarded)
            events.emit(details, type=self.verb.event, task=task.id, series=series, key=key)
            return
        undone = self._undone
        target = task.target if "reroute" in (self.verb.name, undone) else None
        details = TaskChanged(by=self.session.user, reason=reason or None, target=target, undone=undone)
        type_ = UNDONE_AS[undone] if undone else self.verb.event
        events.emit(details, type=type_, task=task.id, series=series)
        if undone and stage is Stage.ERROR:
            events.emit(task_failed(task), type="task.failed", task=task.id, series=series)
        elif undone and task.hold is not None:
            held = TaskChanged(by=task.hold.by, reason=task.hold.reason or None)
            events.emit(held, type=TASK_VERBS["hold"].event, task=task.id, series=series)


@contextmanager
def _claimed(session: Session, name: str, verb_name: VerbName) -> Iterator[_Work]:
    """Claim a task that stands where the verb can be done to it, and read its model under the claim."""
    verb = TASK_VERBS[verb_name]
    task_id, stage = find_task(session, name)
    if stage not in verb.stages:
        raise ControlError("invalid", f"task {task_id} is in {stage.value}/", verb.refusal(stage))
    claim = Claim.take(session.spool.entry(stage, task_id))
    if claim is None:
        text = f"a service is working on task {task_id} just now"
        raise ControlError("busy", text, "wait for it to end, or stop the service first")
    with claim:
        try:
            task = load_task(claim.path)
        except TaskError as error:
            raise ControlError("failed", str(error), f"look into {claim.path}; its images are there") from error
        yield _Work(session, verb, claim, stage, task)
