"""Looking into the directory of a task: whether it is whole, and holds what the history says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.history.verify.report import Finding, Kind
from mercure.history.verify.views import ListEntry, TaskView
from mercure.spool import ImageFile, Stage, Task, TaskError, image_files, load_task
from mercure.spool.delivered import holder

PATIENCE_SECONDS: Final = 3600.0
"""So long a series in ``routing`` may be without its model."""

Entries = Callable[[str | None], list[ListEntry]]
"""Returns the images of a list by its digest."""


class FolderCheck:
    """Looks into the directories of tasks.

    Parameters
    ----------
    clock : Clock
        For the age of what is unfinished.
    entries : callable
        Gives the images that the history says a task holds.
    """

    def __init__(self, clock: Clock, entries: Entries) -> None:
        self._clock = clock
        self._entries = entries

    def check(self, place: Path, stage: Stage, view: TaskView | None) -> tuple[Task | None, list[Finding]]:
        """Check one task.

        Parameters
        ----------
        place : Path
            Its directory.
        stage : Stage
            Where that is.
        view : TaskView or None
            What its events say.

        Returns
        -------
        tuple
            Its model, when it can be read, and what is wrong.

        Raises
        ------
        FileNotFoundError
            It moved on.
        """
        files = image_files(place)
        try:
            task = load_task(place)
        except TaskError as error:
            if stage is Stage.ROUTING and self._age(place) < PATIENCE_SECONDS:
                return None, []  # the router has not come to it yet, or is at it; to ask by its lock would disturb it
            text = f"{error}: its {len(files)} images are kept in {place}"
            return None, [_finding(Kind.UNREADABLE, text, place, stage)]
        findings = self._against_model(place, stage, task, files)
        if view is not None and view.digest is not None and not findings:
            findings = self._against_history(stage, view, files)
        if stage is Stage.SUCCESS and task.target is not None:
            findings += self._against_ledger(place, task, files)
        if stage is Stage.DISCARD and not who_discarded(task, view):
            findings.append(_finding(Kind.NO_RULE, "nothing says which rule or person discarded it", place, stage))
        return task, findings

    def _age(self, place: Path) -> float:
        return self._clock.now().timestamp() - os.stat(place).st_mtime

    def _against_model(self, place: Path, stage: Stage, task: Task, files: list[ImageFile]) -> list[Finding]:
        size = sum(file.bytes for file in files)
        if not files and not task.images:
            return [_finding(Kind.EMPTY, "it holds no image and should hold none: discard it", place, stage)]
        if (len(files), size) == (task.images, task.bytes):
            return []
        text = f"it holds {len(files)} images of {size} bytes and should hold {task.images} of {task.bytes}"
        return [_finding(Kind.IMAGE_MISSING, text, place, stage)]

    def _against_history(self, stage: Stage, view: TaskView, files: list[ImageFile]) -> list[Finding]:
        """Compare with the list of its event; a series that is sent whole again holds more than that, and may."""
        if (len(files), sum(file.bytes for file in files)) == (view.images, view.bytes):
            return []
        present = {file.name for file in files}
        text = "the file is not in the task that holds it by the history"
        return [
            of_entry(Kind.IMAGE_MISSING, text, entry, view, stage=stage)
            for entry in self._entries(view.digest)
            if entry.file not in present
        ]

    def _against_ledger(self, place: Path, task: Task, files: Iterable[ImageFile]) -> list[Finding]:
        names = [file.name for file in files]
        ledger = holder(place, task, names)
        text = f"it is in success/ and the ledger does not say that one destination of {task.target!r} confirmed"
        return [
            _finding(Kind.NOT_CONFIRMED, f"{text} {name}", place, Stage.SUCCESS) for name in names if name not in ledger
        ]


def of_entry(
    kind: Kind, text: str, entry: ListEntry, view: TaskView, *, stage: Stage | None = None, target: str | None = None
) -> Finding:
    """Make a finding about one image of a task."""
    return Finding(
        kind=kind,
        text=text,
        image=entry.image,
        sop=entry.sop,
        series_uid=view.series_uid,
        last_seen=view.last_seen,
        task=view.id,
        target=target or view.target,
        stage=None if stage is None else stage.value,
    )


def _finding(kind: Kind, text: str, place: Path, stage: Stage) -> Finding:
    return Finding(kind=kind, text=text, task=place.name, stage=stage.value)


def who_discarded(task: Task | None, view: TaskView | None) -> str:
    """Name the rule or person that discarded a task; empty when that is not known."""
    if task is not None and task.discarded is not None:
        return f"by {task.discarded.by}"
    if task is not None and task.action == "discard" and any(fired.rule for fired in task.rules):
        return ", ".join(fired.rule for fired in task.rules)
    return (view.discarded_by or view.reason or "") if view is not None else ""
