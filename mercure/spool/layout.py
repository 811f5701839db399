"""Layout of the spool: the stages, and how a task is found in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mercure import durable
from mercure.names import is_id
from mercure.stages import Stage

__all__ = ["TASK_STAGES", "WAITING_STAGES", "Spool", "Stage", "list_names"]

TASK_STAGES = (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING, Stage.SUCCESS, Stage.DISCARD, Stage.ERROR)
"""Stages whose entries are tasks, in the order of a task's life."""

WAITING_STAGES = (Stage.INCOMING, Stage.ROUTING, Stage.STUDIES, Stage.PROCESSING, Stage.OUTGOING)
"""Stages in which images still have something before them; the cleaner never touches them."""


def list_names(directory: Path) -> list[str]:
    """List what is in a directory and not hidden, in the order of the names; nothing when there is no directory."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


@dataclass(frozen=True)
class Spool:
    """A spool root; all paths into it come from here.

    Parameters
    ----------
    root : Path
        The folder that holds the stages, on one file system.
    """

    root: Path

    def stage(self, stage: Stage) -> Path:
        """Return the folder of a stage."""
        return self.root / stage.value

    def entry(self, stage: Stage, name: str) -> Path:
        """Return the folder of one entry of a stage.

        Raises
        ------
        ValueError
            `name` is not a plain name: it is empty, hidden, or would lead out of the stage.
        """
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} is not the name of an entry of the spool")
        return self.root / stage.value / name

    def create(self) -> None:
        """Make the root and its stages where they are missing.

        Raises
        ------
        OSError
            A folder cannot be made.
        """
        for missing in reversed([path for path in (self.root, *self.root.parents) if not path.exists()]):
            durable.make_directory(missing)
        for stage in Stage:
            if not self.stage(stage).is_dir():
                durable.make_directory(self.stage(stage))

    def names(self, stage: Stage) -> list[str]:
        """List the entries of a stage that are not hidden, in the order of their names (tasks: by time)."""
        return list_names(self.stage(stage))

    def tasks(self, stages: Iterable[Stage] = TASK_STAGES) -> Iterator[tuple[Stage, str]]:
        """Walk the task ids of some stages."""
        for stage in stages:
            for name in self.names(stage):
                if is_id(name):
                    yield stage, name

    def studies(self) -> Iterator[tuple[str, str]]:
        """Walk the series that wait for their study: name of the study's folder, task id."""
        for study in self.names(Stage.STUDIES):
            for task in list_names(self.entry(Stage.STUDIES, study)):
                if is_id(task):
                    yield study, task

    def find(self, task: str, stages: Iterable[Stage] = TASK_STAGES) -> Stage | None:
        """Tell in which stage a task is; None when it is in none of them.

        A task may move while this looks; it only ever moves on, so the stages are tried in the order of a task's
        life, and twice.
        """
        order = list(stages) * 2
        return next((stage for stage in order if self.entry(stage, task).is_dir()), None)
