"""Tags of a received image, as rules see them: from the tag lines that the receiver wrote beside the images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.control.api import queue as api
from appliance.control.errors import ControlError
from appliance.control.history.search import asking
from appliance.control.queue.task_actions import find_task, task_places
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.history.queries import ResultPage
from mercure.names import safe_name
from mercure.routing.dry_run import kept_records
from mercure.spool import Stage, TagRecord, read_tags
from mercure.spool.images import read_arriving_tags, text

_TASKS: Final = 100
"""So many of the last tasks of a series are looked for: all of them hold the same images."""


@carries_out(api.TAGS)
def tags(session: Session, wanted: api.ReadTags) -> api.ImageTags:
    """Read the tags of one image; those of a routed series are known for a time after its images are removed.

    Raises
    ------
    ControlError
        There is no such task or series here, or nothing is known of its tags any more.
    """
    if bool(wanted.task) == bool(wanted.series):
        raise ControlError("bad-parameters", "give either 'task' or 'series'")
    found = _of_task(session, wanted.task) if wanted.task else _of_series(session, wanted.series)
    for name, records in found:
        if records:
            number = min(wanted.image, len(records) - 1)
            record = records[number]
            image = text(record, "FileName")
            return api.ImageTags(task=name, image=image, number=number, images=len(records), tags=record)
    what = f"task {wanted.task}" if wanted.task else f"series {wanted.series}"
    advice = "its images were removed after their retention, or it came to another router"
    raise ControlError("not-found", f"the tags of {what} are not known here", advice)


def _of_task(session: Session, wanted: str) -> Iterator[tuple[str, list[TagRecord]]]:
    task, _ = find_task(session, wanted)
    yield task, _known(session, task)


def _of_series(session: Session, series: str) -> Iterator[tuple[str, list[TagRecord]]]:
    """Walk where the tags of a series may be: where it arrives, in its tasks, and among those kept for the dry run."""
    folder = safe_name(series)
    yield folder, read_arriving_tags(session.spool.entry(Stage.INCOMING, folder))
    with asking(session) as history:
        tasks = history.tasks(ResultPage(limit=_TASKS), series_uid=series)
    for task in tasks:
        records = _known(session, task.id)
        mine = [record for record in records if text(record, "SeriesInstanceUID") == series]
        yield task.id, mine or records


def _known(session: Session, task: str) -> list[TagRecord]:
    """Return the tags of a task, wherever it is by now; else those that were kept when it was routed."""
    for _, directory in task_places(session.spool, task):
        records = _read(directory)
        if records:
            return records
    return kept_records(session.spool, task)


def _read(directory: Path) -> list[TagRecord]:
    try:
        return read_tags(directory)
    except FileNotFoundError:
        return []  # it moved on just now
