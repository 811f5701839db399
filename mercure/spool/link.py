"""Derived tasks: a new task out of hard links to the images of another, so that fan-out copies no pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mercure import durable
from mercure.spool.layout import Spool, Stage
from mercure.spool.task import TAGS_FILE, Task, save_task


def derive(spool: Spool, parent: Path, task: Task, stage: Stage, files: Iterable[str]) -> bool:
    """Build a task from images of `parent` under a hidden name, and rename it into its stage.

    Parameters
    ----------
    spool : Spool
        Where the stages are.
    parent : Path
        The directory whose images and tag lines are linked; the caller holds its claim.
    task : Task
        The model of the new task; its id decides the name.
    stage : Stage
        Where it appears.
    files : iterable of str
        Names of the images to take.

    Returns
    -------
    bool
        False when the task exists already, in any stage: an earlier run of the same plan made it.

    Raises
    ------
    OSError
        As the disk says; what was begun stays hidden, and the next run begins it anew.
    """
    if spool.find(task.id) is not None:
        return False
    building = spool.stage(stage) / f".{task.id}.new"
    if building.exists():
        durable.remove_tree(building)
    durable.make_directory(building, sync=False)
    for name in files:
        durable.link(parent / name, building / name)
    if (parent / TAGS_FILE).exists():
        durable.link(parent / TAGS_FILE, building / TAGS_FILE)
    save_task(building, task)  # syncs the directory, and so the links
    durable.rename(building, spool.entry(stage, task.id))
    return True
