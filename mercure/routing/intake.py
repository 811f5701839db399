"""Intake: a complete series is taken out of ``incoming/`` and described."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config
from mercure.dicom.records import made_again
from mercure.event_details import Identity, Origin
from mercure.names import id_time, is_id
from mercure.routing.completion import LINES_SUFFIX, Due, folder_signature
from mercure.routing.task_ids import enter_routing
from mercure.routing.units import unit_of
from mercure.spool import (
    Claim,
    ImageFile,
    Spool,
    Stage,
    TagRecord,
    Task,
    TaskError,
    image_files,
    load_task,
    uptime,
)
from mercure.spool.images import by_file, json_line, read_lines, text
from mercure.spool.task import TAGS_FILE

LEFTOVER_SECONDS = 300.0
"""Age at which an unclaimed folder in ``receiving/`` is removed."""

_INSTANT = TypeAdapter(datetime)


def take_series(spool: Spool, due: Due, clock: Clock) -> Claim | None:
    """Move a complete series to ``routing/`` in one step.

    Parameters
    ----------
    due : Due
        Which one, and the state of its folder in which it was complete.
    clock : Clock
        For the task's id.

    Returns
    -------
    Claim or None
        The claim on the new task; None when an image is just landing, has landed since, or there is no image at all
        (the empty folder is then removed).
    """
    claim = Claim.take(spool.entry(Stage.INCOMING, due.name))
    if claim is None:
        return None
    try:
        if folder_signature(claim.path) != due.signature:
            claim.release()
            return None
        if not image_files(claim.path):
            # A receiver died between making the folder and its first image. The lock keeps others out meanwhile.
            durable.remove_tree(claim.path)
            claim.release()
            return None
        enter_routing(spool, claim, clock)
    except BaseException:
        claim.release()
        raise
    return claim


def described(config: Config, directory: Path, clock: Clock, *, reason: str) -> tuple[Task, list[TagRecord]]:
    """Read what a task in ``routing/`` is, whatever an earlier crash left out; its model is not written here.

    Parameters
    ----------
    config : Config
        For the name of the sender.
    directory : Path
        The task, claimed.
    reason : str
        Why the series counts as complete.

    Returns
    -------
    Task
        Its model, or one made of its first image where it has none.
    list of TagRecord
        One for each image, in the order received; they are on disk.
    """
    records = _tag_lines(config, directory)
    try:
        return load_task(directory), records
    except TaskError:
        created = id_time(directory.name) if is_id(directory.name) else clock.now()
        task = Task(id=directory.name, created=created, reason=reason)
        return of_images(config, task, records, image_files(directory)), records


def _tag_lines(config: Config, directory: Path) -> list[TagRecord]:
    files = image_files(directory)
    names = [image.name for image in files]
    kept = by_file(read_lines(directory / TAGS_FILE), names)
    if len(kept) == len(names):
        return list(kept.values())
    lines = [line for path in sorted(directory.glob(f"*{LINES_SUFFIX}")) for line in read_lines(path)]
    known = by_file(lines, names)
    missing = [name for name in names if name not in known]
    known |= made_again(directory, missing, config.character_set_of)
    records = sorted(known.values(), key=lambda record: (text(record, "ReceivedAt"), text(record, "FileName")))
    durable.write_file(directory / TAGS_FILE, b"".join(json_line(record) for record in records))
    return records


def of_images(config: Config, task: Task, records: Sequence[TagRecord], files: Sequence[ImageFile]) -> Task:
    """Return a task with the identity, origin and numbers of images that are one unit."""
    first: TagRecord = records[0] if records else {}
    unit = unit_of(config, first)
    identity = {keyword: text(first, keyword) for keyword in Identity.model_fields}
    identity |= {"PatientID": unit.patient, "IssuerOfPatientID": unit.issuer, "StudyInstanceUID": unit.study}
    times = times_received(records)
    associations = {text(record, "AssociationID") for record in records} - {""}
    origin = Origin(
        address=text(first, "SenderAddress"),
        calling_aet=text(first, "SenderAET"),
        called_aet=text(first, "ReceiverAET"),
        sender=unit.sender,
        associations=tuple(sorted(associations)),
        first_received=min(times, default=None),
        last_received=max(times, default=None),
    )
    update = {
        "identity": Identity.model_validate(identity),
        "origin": origin,
        "images": len(files),
        "bytes": sum(image.bytes for image in files),
    }
    return task.model_copy(update=update)


def times_received(records: Iterable[TagRecord]) -> list[datetime]:
    """Return when images were received, as far as their tag lines tell."""
    return [time for record in records if (time := _instant(text(record, "ReceivedAt"))) is not None]


def _instant(value: str) -> datetime | None:
    try:
        instant = _INSTANT.validate_python(value)
    except ValidationError:
        return None
    return instant if instant.tzinfo else None


def unfinished(spool: Spool) -> list[str]:
    """List the tasks in ``routing/``: those that a crash, or another router, has in hand."""
    return [name for name in spool.names(Stage.ROUTING) if is_id(name)]


def clear_receiving(spool: Spool, clock: Clock) -> int:
    """Remove what dead receivers left in ``receiving/``, and return how many folders.

    Its parts were never acknowledged. A living receiver takes the parts of a child that crashed over them to
    quarantine, at once; the age leaves it the time to.
    """
    cleared = 0
    lived = uptime(spool, clock)
    for name in spool.names(Stage.RECEIVING):
        path = spool.entry(Stage.RECEIVING, name)
        signature = folder_signature(path)
        if signature is None or lived.age(signature[1] / 1e9) < LEFTOVER_SECONDS:
            continue
        claim = Claim.take(path)
        if claim is not None:
            with claim:
                durable.remove_tree(claim.path)
            cleared += 1
    return cleared
