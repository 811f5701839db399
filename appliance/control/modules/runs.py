"""The runs of modules in tasks: how they went, what they printed, stopping one, and trying a module out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import JsonValue

from appliance.control.api import modules as api
from appliance.control.api.modules import ModuleTest, ReadLog, Step, StepLog, Steps, Stopping
from appliance.control.errors import ControlError
from appliance.control.modules.modules import find_module
from appliance.control.queue.task_actions import find_task
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure import durable
from mercure.names import new_id
from mercure.processing.record import end_of_log, read_result
from mercure.processing.steps import (
    STOP_FILE,
    StepRecord,
    log_of,
    read_run,
    records,
    run_folder,
    run_folders,
    step_folder,
)
from mercure.spool import FiredRule, Stage, Task, TaskError, derive, image_files, image_refs, is_locked, load_task
from mercure.spool.link import LinkSource
from mercure.spool.task_events import task_created

_LIMITS: Final = (
    "memory_bytes",
    "cores",
    "gpus",
    "processes",
    "time_limit_seconds",
    "output_limit_bytes",
    "network",
    "concurrency",
)


@carries_out(api.STEPS)
def steps(session: Session, wanted: api.OneTask) -> Steps:
    """Tell how the modules of a task have run.

    Raises
    ------
    ControlError
        There is no such task.
    """
    task_id, stage, directory = _place(session, wanted.task)
    task = _load(directory)
    found = [_recorded(directory, record.step, record) for record in records(directory)]
    number = task.attempts_made + 1
    running = read_run(run_folder(directory, len(task.done) + 1, number))
    if running is not None:
        found.append(
            Step(
                step=len(task.done) + 1,
                number=number,
                module=running.module,
                runner=running.runner,
                run=running.run,
                state="running" if is_locked(directory) else "interrupted",
            )
        )
    settings = session.config.modules.get(task.module or "")
    limits = settings.model_dump(mode="json", include=set(_LIMITS)) if settings is not None else {}
    to_come = (task.module, *task.modules) if task.module else task.modules
    return Steps(task=task_id, stage=stage.value, done=task.done, to_come=to_come, steps=tuple(found), limits=limits)


def _recorded(directory: Path, step: int, record: StepRecord) -> Step:
    result = read_result(step_folder(directory, step)) if record.well else None
    shared = record.model_dump(exclude={"well", "code", "left_out_files", "superseded_files"})
    return Step(
        **shared, state="well" if record.well else "failed", result=result.content if result is not None else None
    )


@carries_out(api.LOG)
def log(session: Session, wanted: ReadLog) -> StepLog:
    """Read the end of a run's log; of one that is running, what is there so far.

    Raises
    ------
    ControlError
        There is no such task, or no such run.
    """
    task_id, _, directory = _place(session, wanted.task)
    path = log_of(directory, wanted.step, wanted.number)
    if path is None:
        text = f"task {task_id} has no log of that run" if wanted.step else f"no module has run on task {task_id} yet"
        raise ControlError("not-found", text, f"`mercure modules steps {task_id}` lists the runs")
    size = path.stat().st_size
    return StepLog(task=task_id, text=end_of_log(path, wanted.chars), bytes=size)


@carries_out(api.STOP)
def stop(session: Session, wanted: api.StopRun) -> Stopping:
    """Have the run of a task's module stopped; the processor does it within a second or two.

    Raises
    ------
    ControlError
        There is no such task, or nothing of it runs.
    """
    task_id, stage, directory = _place(session, wanted.task)
    if stage is not Stage.PROCESSING or not run_folders(directory):
        advice = "`mercure queue list` shows what runs"
        raise ControlError("invalid", f"no module runs on task {task_id} just now", advice)
    with session.changing() as events:
        durable.write_file(directory / STOP_FILE, b"{}", sync=False)
        session.audit(events, "modules.stop", task_id, before=None, after={"reason": wanted.reason}, task=task_id)
    return Stopping(task=task_id)


@carries_out(api.TEST)
def try_out(session: Session, wanted: api.TestModule) -> ModuleTest:
    """Make a task of its own that runs a module on the images of another one; its result goes nowhere.

    Raises
    ------
    ControlError
        There is no such module or task, or the task holds no image.
    """
    module = wanted.name
    find_module(session, module)
    _, _, directory = _place(session, wanted.task)
    source = _load(directory)
    files = [image.name for image in image_files(directory)]
    if not files:
        raise ControlError("invalid", f"task {source.id} holds no image", "choose another one")
    now = session.clock.now()
    task = Task(
        id=new_id(now),
        created=now,
        action="process",
        scope=source.scope,
        identity=source.identity,
        origin=source.origin,
        images=len(files),
        bytes=sum(image.bytes for image in image_files(directory)),
        rules=(FiredRule(rule="(test)", why=f"{session.user} tries out the module"),),
        module=module,
        module_settings=wanted.settings,
        reason=f"a test by {session.user} with the images of {source.id}",
    )
    with session.changing() as events:
        derive(session.spool, task, session.spool.stage(Stage.PROCESSING), [LinkSource(directory, files)])
        images = image_refs(directory)
        series = task.identity.SeriesInstanceUID or None
        created = task_created(task, Stage.PROCESSING, images)
        events.emit(created, task=task.id, series=series, key="task.created")
        after: dict[str, JsonValue] = {"task": task.id, "images_of": source.id}
        session.audit(events, "modules.test", module, before=None, after=after, task=task.id)
    return ModuleTest(module=module, task=task.id, images=len(files))


def _place(session: Session, name: str) -> tuple[str, Stage, Path]:
    task_id, stage = find_task(session, name)
    return task_id, stage, session.spool.entry(stage, task_id)


def _load(directory: Path) -> Task:
    try:
        return load_task(directory)
    except FileNotFoundError as error:
        raise ControlError("not-found", f"task {directory.name} has just moved on", "ask again") from error
    except TaskError as error:
        raise ControlError("failed", str(error), f"look into {directory}; its images are there") from error
