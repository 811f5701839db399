"""What a person can do to a study that still waits for series."""

from __future__ import annotations

from appliance.control.api import queue as api
from appliance.control.api.queue import ForcedStudies, ForceStudy
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Json, Session
from mercure.names import safe_name
from mercure.routing.studies import SEPARATOR, force_study
from mercure.spool import Stage


@carries_out(api.FORCE_STUDY)
def force(session: Session, wanted: ForceStudy) -> ForcedStudies:
    """Complete a study now, for each rule that collects it.

    Raises
    ------
    ControlError
        No such study waits, or a series is just being added.
    """
    study = wanted.study
    folders = [name for name in session.spool.names(Stage.STUDIES) if study in _names(name)]
    folders += [name for name in session.spool.names(Stage.STUDIES) if not folders and name.startswith(_prefix(study))]
    if not folders:
        text = f"no study {study} waits for series"
        raise ControlError("not-found", text, "it may have been completed just now; the queue shows")
    tasks = []
    with session.changing() as events:
        for folder in folders:
            task = force_study(session.spool, folder, session.user, session.clock)
            if task is None:
                continue
            tasks.append(task)
            after: Json = {"stage": Stage.ROUTING.value, "task": task, "reason": wanted.reason}
            session.audit(events, "queue.force_study", folder, before={"stage": "studies"}, after=after, task=task)
    if not tasks:
        raise ControlError("busy", f"a series is just being added to study {study}", "try again in a moment")
    return ForcedStudies(tasks=tuple(tasks))


def _names(folder: str) -> tuple[str, str]:
    return folder, folder.partition(SEPARATOR)[0]


def _prefix(study: str) -> str:
    return f"{safe_name(study)}{SEPARATOR}"
