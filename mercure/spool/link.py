"""Derived tasks: a new task out of hard links to the images of others, so that fan-out copies no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mercure import durable
from mercure.spool.images import by_file, image_files, json_line, read_lines
from mercure.spool.layout import Spool
from mercure.spool.task import TAGS_FILE, Task, save_task
from mercure.spool.versions import routed_as


@dataclass(frozen=True)
class LinkSource:
    """A source of images of a derived task.

    Parameters
    ----------
    directory : Path
        A task's directory.
    files : sequence of str
        Names of the images to take.
    """

    directory: Path
    files: Sequence[str]


def derive(spool: Spool, task: Task, into: Path, sources: Sequence[LinkSource], *, whole: bool = True) -> bool:
    """Build a task under a hidden name, and rename it into place.

    Parameters
    ----------
    task : Task
        The model of the new task; its id decides the name.
    into : Path
        The folder in which it appears: a stage, or a study's folder.
    sources : sequence of LinkSource
        The first is the routed task, whose claim the caller holds; of images with the same name the first source's is
        taken. With more than one, the numbers of the model are set to what was found.
    whole : bool
        The one source gives all of its images, so its tag lines are shared; else the task gets its own.

    Returns
    -------
    bool
        False when the task exists already, in any stage: an earlier run of the same plan made it.

    Raises
    ------
    OSError
        I/O failed; the partial task stays hidden, and the next run begins it anew.
    """
    if spool.find(task.id) is not None or (into / task.id).is_dir():
        return False
    building = into / f".{task.id}.new"
    if building.exists():
        durable.remove_tree(building)
    durable.make_directory(building, sync=False)
    names: set[str] = set()
    for source in sources:
        for name in source.files:
            if name not in names:
                durable.link(source.directory / name, building / name)
                names.add(name)
    if len(sources) > 1 or not whole:
        task = _merge(building, task, sources)
    elif (sources[0].directory / TAGS_FILE).exists():
        durable.link(sources[0].directory / TAGS_FILE, building / TAGS_FILE)
    save_task(building, task)  # syncs the directory, and so the links
    durable.rename(building, into / task.id)
    return True


def _merge(building: Path, task: Task, sources: Sequence[LinkSource]) -> Task:
    """Write the tag lines of the linked images, and return the task with its final counts."""
    images = image_files(building)
    lines = [
        routed_as(line, source.directory) if len(sources) > 1 else line
        for source in sources
        for line in read_lines(source.directory / TAGS_FILE)
    ]
    records = by_file(lines, [image.name for image in images]).values()
    durable.write_file(building / TAGS_FILE, b"".join(json_line(record) for record in records))
    return task.model_copy(update={"images": len(images), "bytes": sum(image.bytes for image in images)})
