"""Assembly of a study in ``routing/``: one task of its series; what a crash left out, the next run makes good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mercure import durable
from mercure.event_details import Identity
from mercure.names import id_time
from mercure.routing.studies import StudyRelease, members
from mercure.spool import FiredRule, TagRecord, Task, TaskError, image_files, load_task, read_tags, save_task
from mercure.spool.images import free_name, json_line
from mercure.spool.task import MEMBERS_FILE, TAGS_FILE
from mercure.spool.versions import routed_as

_OF_SERIES: Final = {"SeriesInstanceUID": "", "SeriesDescription": "", "Modality": ""}


class BrokenMemberError(Exception):
    """A series of the study cannot be read as a task; a person must look at it."""


def prepare_study(directory: Path, taken: StudyRelease) -> tuple[Task, list[TagRecord]]:
    """Make sure that a study in ``routing/`` is one task with all images of its series.

    Parameters
    ----------
    directory : Path
        The study's folder, claimed.
    taken : StudyRelease
        Why it was completed.

    Returns
    -------
    Task
        The model.
    list of TagRecord
        One for each image, series after series, each in the order received.

    Raises
    ------
    BrokenMemberError
        A member cannot be read.
    """
    names = members(directory)
    try:
        task = load_task(directory)
    except TaskError:
        task = _assemble(directory, names, taken)
    for name in names:
        durable.remove_tree(directory / name)
    return task, read_tags(directory)


def member_ids(directory: Path) -> tuple[str, ...]:
    """Return the tasks that a study was made of."""
    try:
        return tuple((directory / MEMBERS_FILE).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return ()


def _assemble(directory: Path, names: Sequence[str], taken: StudyRelease) -> Task:
    tasks = [_load(directory / name) for name in names]
    records: list[TagRecord] = []
    used: set[str] = set()
    for name in names:
        records += _link_images(directory, directory / name, used)
    durable.write_file(directory / TAGS_FILE, b"".join(json_line(record) for record in records))
    durable.write_file(directory / MEMBERS_FILE, "".join(f"{name}\n" for name in names).encode())
    task = _describe(directory, tasks, taken)
    save_task(directory, task)  # syncs the directory, and so the links
    return task


def _load(directory: Path) -> Task:
    try:
        return load_task(directory)
    except TaskError as error:
        raise BrokenMemberError(str(error)) from error


def _link_images(directory: Path, member: Path, used: set[str]) -> list[TagRecord]:
    """Link the images of one series into the study, under the same names at each run, and return their tag lines."""
    names = {}
    for image in image_files(member):
        name = free_name(image.name, used)
        used.add(name)
        names[image.name] = name
        if not (directory / name).exists():
            durable.link(member / image.name, directory / name)
    return [{**routed_as(record, member), "FileName": names[record["FileName"]]} for record in read_tags(member)]


def _describe(directory: Path, tasks: Sequence[Task], taken: StudyRelease) -> Task:
    first = tasks[0]
    times = [task.origin.first_received for task in tasks] + [task.origin.last_received for task in tasks]
    known = [instant for instant in times if instant is not None]
    origin = first.origin.model_copy(
        update={
            "associations": tuple(sorted({name for task in tasks for name in task.origin.associations})),
            "first_received": min(known, default=None),
            "last_received": max(known, default=None),
        }
    )
    identity = Identity.model_validate({**first.identity.model_dump(), **_OF_SERIES})
    files = image_files(directory)
    return Task(
        id=directory.name,
        created=id_time(directory.name),
        scope="study",
        study_rule=first.study_rule,
        sender_apart=first.sender_apart,
        identity=identity,
        origin=origin,
        images=len(files),
        bytes=sum(image.bytes for image in files),
        rules=(FiredRule(rule=first.study_rule or "", why="collected the study"),),
        reason=taken.reason,
        resent=first.resent if all(task.resent is not None for task in tasks) else None,
    )
