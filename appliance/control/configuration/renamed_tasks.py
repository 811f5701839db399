"""Waiting tasks of a target, module or rule that has another name now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.control.api.base import Saved
from appliance.control.api.configuration import Table
from appliance.control.session import Session
from mercure.event_details import TaskChanged
from mercure.names import is_id
from mercure.routing.studies import rule_of, study_folder
from mercure.spool import Claim, Spool, Stage, Task, TaskError, load_task, move, nudge, save_task
from mercure.spool.layout import list_names
from mercure.task_verbs import TASK_VERBS

_WAITING: Final = (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING, Stage.ERROR)
"""Where a task may be that is still worked on, or is when a person retries it."""


def rename_tasks(session: Session, table: Table, old: str, new: str, saved: Saved) -> Saved:
    """Give tasks that name an entry its new name; a task that a service works on just now is left, and named.

    Parameters
    ----------
    session : Session
        At which router, and who asks.
    table : Table
        What was renamed.
    old, new : str
        Its names.
    saved : Saved
        What became of the configuration.

    Returns
    -------
    Saved
        The same, with what became of the tasks.
    """
    update = _UPDATES.get(table)
    if update is None:
        return saved
    done, busy = 0, []
    for path, stage in _places(session.spool):
        outcome = _rename(session, path, stage, lambda task: update(task, old, new))
        done += outcome is True
        busy += [path.name] if outcome is None else []
    if table == "rules":
        busy += _rename_studies(session.spool, old, new)
    return saved.model_copy(update={"tasks": done, "busy": tuple(busy)})


def _places(spool: Spool) -> Iterator[tuple[Path, Stage]]:
    for stage, task in spool.tasks(_WAITING):
        yield spool.entry(stage, task), stage
    for study, task in spool.studies():
        yield spool.entry(Stage.STUDIES, study) / task, Stage.STUDIES


def _rename(session: Session, path: Path, stage: Stage, update: Callable[[Task], dict[str, Any]]) -> bool | None:
    """Write the new name into one task; True: done, False: it has not the old one, None: it is being worked on."""
    try:
        if not update(load_task(path)):
            return False
    except (TaskError, OSError):
        return False  # it moved on, or nobody can read it
    claim = Claim.take(path)
    if claim is None:
        return None
    with claim, session.changing() as events:
        try:
            task = load_task(claim.path)
        except (TaskError, OSError):
            return False
        changed = update(task)
        if not changed:
            return False
        save_task(claim.path, task.model_copy(update=changed))
        nudge(claim.path)
        if "target" in changed:
            details = TaskChanged(by=session.user, reason="the target was renamed", target=changed["target"])
            series = task.identity.SeriesInstanceUID or None
            events.emit(details, type=TASK_VERBS["reroute"].event, task=task.id, series=series)
        before = {key: getattr(task, key) for key in changed}
        session.audit(events, "queue.rename", task.id, before=_json(before), after=_json(changed), task=task.id)
    return True


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _rename_studies(spool: Spool, old: str, new: str) -> list[str]:
    """Let a study that a rule collects be collected under its new name; return those to which a series is added now."""
    busy = []
    for folder in spool.names(Stage.STUDIES):
        if rule_of(folder) != old:
            continue
        claim = Claim.take(spool.entry(Stage.STUDIES, folder))
        if claim is None:
            busy.append(folder)
            continue
        with claim:
            first = next((name for name in list_names(claim.path) if is_id(name)), None)
            name = study_folder(load_task(claim.path / first), new) if first is not None else folder
            if not spool.entry(Stage.STUDIES, name).exists():
                move(spool, claim, Stage.STUDIES, name)
    return busy


def _other(names: Iterable[str], old: str, new: str) -> tuple[str, ...]:
    return tuple(new if name == old else name for name in names)


def _with_other(task: Task, keys: Iterable[str], old: str, new: str) -> dict[str, Any]:
    """Return the fields of a task that name something by its old name, with the new one."""
    changed: dict[str, Any] = {}
    for key in keys:
        value = getattr(task, key)
        if isinstance(value, tuple) and old in value:
            changed[key] = _other(value, old, new)
        elif value == old:
            changed[key] = new
    return changed


_UPDATES: Final[Mapping[Table, Callable[[Task, str, str], dict[str, Any]]]] = {
    "targets": lambda task, old, new: _with_other(task, ("target", "member", "then_targets"), old, new),
    "modules": lambda task, old, new: _with_other(task, ("module", "modules", "done", "processed_by"), old, new),
    "rules": lambda task, old, new: _with_other(task, ("study_rule",), old, new),
}
"""What a task says of a target, module or rule that still counts; what it says of the past stays as it was."""
