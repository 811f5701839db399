"""Versions of an image: files of one SOP Instance UID in one series, with different content.

Two tasks with the same image may be sent in any order, unless the order is recorded. Two things are kept in ``state/``:

- ``series/<series>``: the ids of the tasks that hold images of a series, a line each. A hint: a router that begins
  makes it again from what waits.
- ``versions/<series>/``: there as soon as two tasks that wait hold different versions of an image, and until nothing of
  the series waits any more. ``tasks`` holds the ids, durably; ``delivered.jsonl`` what tasks had delivered that the
  cleaner has removed since. A task whose series has no such folder has nothing to ask.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from mercure import durable
from mercure.locks import locked
from mercure.model import Record
from mercure.names import is_id, safe_name, time_part
from mercure.seal import sealed
from mercure.spool.claim import Claim
from mercure.spool.images import TagRecord, by_file, image_files, ledger_lines, read_lines, text
from mercure.spool.instances import InstanceTable
from mercure.spool.layout import Spool, Stage, list_names
from mercure.spool.task import TAGS_FILE, Task, TaskError, load_task

SUPERSEDED: Final = "superseded"
"""Stands in a ledger line where a status does: a newer version of the image is there, so this one was not sent."""

ROUTED_AS: Final = "RoutedAs"
"""Key of a tag line: the task as which the router took the image, in a task that holds images of several."""

FILE_VERSION: Final = "FileVersion"
"""Key of a tag line of a module's result: the number of the version that went in, where the name does not tell it."""

WAITING: Final = (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING, Stage.ERROR, Stage.DISCARD)
"""Stages from which an image may still go somewhere, by itself or because a person wants it; and ``studies/``."""


_NUMBER: Final = re.compile(r"~(\d+)")
_UNSURE_SECONDS: Final = 3600.0
"""The kernel writes a file to the disk long before this time, synced or not."""

_DIRTY_SECONDS: Final = 120.0
"""Before this time too, as a rule: for what costs only an alert where it is lost."""


class VersionUnit(NamedTuple):
    """Whose image it is, and who sent it: only within one unit is a newer file of an image a newer version."""

    sender: str
    ends: str
    study: str
    patient: str
    issuer: str

    def is_same(self, other: VersionUnit) -> bool:
        """Compare; a task of an older release does not name its sender."""
        sender = self.sender == other.sender if self.sender and other.sender else self.ends == other.ends
        return sender and self[2:] == other[2:]


class VersionOrder(NamedTuple):
    """When an image was received: the time at which its series was taken, and its number among files of one name."""

    time: str
    number: int


@dataclass(frozen=True)
class VersionedImage:
    """One image of a task, as far as versions matter."""

    path: Path
    record: TagRecord
    series: str
    place: VersionOrder

    @property
    def file(self) -> str:
        """Its name in the task."""
        return self.path.name

    @property
    def key(self) -> tuple[str, str]:
        """What versions of one image have in common."""
        return self.series, stem_of(self.file)

    def content(self) -> str:
        """Return what is the same for the same content: by the digest of receipt, else by the bytes.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        digest = text(self.record, "DataSetDigest")
        if digest:
            return f"{digest} {text(self.record, 'TransferSyntaxUID')}"
        with open(self.path, "rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


class Delivered(Record):
    """A version that some place has, of a task that is not in the spool any more."""

    series: str
    stem: str
    time: str
    number: int
    content: str
    unit: tuple[str, str, str, str, str]
    destination: str


def stem_of(file: str) -> str:
    """Return the part of a file's name that is the same for all versions: that of the SOP Instance UID."""
    return file.partition("~")[0].removesuffix(".dcm")


def number_of(file: str) -> int:
    """Return the number of a file among the versions of its name; the first one is not numbered."""
    found = _NUMBER.search(file)
    return int(found[1]) if found else 1


def unit_of(task: Task) -> VersionUnit:
    """Return the unit of a task's images."""
    who, origin = task.identity, task.origin
    values = (who.StudyInstanceUID, who.PatientID, str(getattr(who, "IssuerOfPatientID", "")))
    sender = str(getattr(origin, "sender", ""))
    study, patient, issuer = (value.strip(" \0") for value in values)
    return VersionUnit(sender, f"{origin.calling_aet}@{origin.address}", study, patient, issuer)


def images_of(directory: Path, task: Task) -> list[VersionedImage]:
    """List the images of a task, in the order of their names."""
    names = [image.name for image in image_files(directory)]
    tags = by_file(read_lines(directory / TAGS_FILE), names)
    return [_image(directory, task, name, tags.get(name, {})) for name in names]


def by_place(images: Iterable[VersionedImage]) -> list[VersionedImage]:
    """Put images into the order in which they were received, as far as it is known."""
    return sorted(images, key=lambda image: image.place)


def newest(images: Iterable[VersionedImage]) -> dict[tuple[str, str], VersionedImage]:
    """Return the last version of each image."""
    return {image.key: image for image in by_place(images)}


def _image(directory: Path, task: Task, name: str, record: TagRecord) -> VersionedImage:
    routed = text(record, ROUTED_AS) or task.id
    number, recorded = number_of(name), record.get(FILE_VERSION)
    if number == 1 and isinstance(recorded, int):
        number = recorded
    place = VersionOrder(time_part(routed), number)
    series = text(record, "SeriesInstanceUID") or task.identity.SeriesInstanceUID
    return VersionedImage(directory / name, record, series, place)


def routed_as(record: TagRecord, directory: Path) -> TagRecord:
    """Return a tag line with the task as which its image was taken, before it gets into a task of several."""
    return record if ROUTED_AS in record else {**record, ROUTED_AS: directory.name}


def series_of(directory: Path, task: Task) -> set[str]:
    """Return the series of which a task holds images."""
    if task.scope == "series":
        return {task.identity.SeriesInstanceUID} - {""}
    return {text(record, "SeriesInstanceUID") for record in read_lines(directory / TAGS_FILE)} - {""}


def folder(spool: Spool) -> Path:
    """Return where the series are of which several versions wait."""
    return spool.stage(Stage.STATE) / "versions"


def hints(spool: Spool) -> Path:
    """Return where the tasks of each series are named."""
    return spool.stage(Stage.STATE) / "series"


def marked(spool: Spool, series: Iterable[str]) -> list[str]:
    """Return of some series those of which several versions wait."""
    return [uid for uid in series if (folder(spool) / safe_name(uid)).is_dir()]


@contextmanager
def _alone(spool: Spool) -> Iterator[None]:
    """Hold the lock under which marks are made and removed."""
    durable.make_directory(folder(spool))
    with locked(folder(spool)):
        yield


def note_task(spool: Spool, series: str, task: str) -> tuple[bool, list[str]]:
    """Note that a task holds images of a series, before anybody can deliver it.

    Where the series is marked, the note is durable.

    Returns
    -------
    bool
        Whether it was not noted yet.
    list of str
        The other tasks that hold images of the series.
    """
    path = hints(spool) / safe_name(series)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o640)
    except FileNotFoundError:
        durable.make_directory(path.parent, sync=False)
        descriptor = os.open(path, flags, 0o640)
    try:
        known = _ids(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        fresh = task not in known
        if fresh:
            durable.append(descriptor, f"{task}\n".encode(), path, sync=False)
            # Of two that note themselves at the same time at least the later one sees the other.
            known = _ids(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    finally:
        os.close(descriptor)
    if marked(spool, [series]):
        mark(spool, series, [task])
    return fresh, [other for other in known if other != task]


def _ids(data: bytes) -> list[str]:
    return [line for line in data.decode("ascii", "replace").split("\n") if is_id(line)]


def mark(spool: Spool, series: str, tasks: Collection[str]) -> None:
    """Note durably that several versions of a series' images wait, and which tasks hold images of it."""
    with _alone(spool):
        place = folder(spool) / safe_name(series)
        durable.make_directory(place)
        missing = [task for task in tasks if task not in tasks_of(spool, series)]
        if missing:
            durable.append_to(place / "tasks", b"".join(f"\n{task}\n".encode() for task in missing))


def tasks_of(spool: Spool, series: str) -> list[str]:
    """Return the tasks that hold images of a marked series."""
    with suppress(FileNotFoundError):
        return _ids((folder(spool) / safe_name(series) / "tasks").read_bytes())
    return []


Relatives = Callable[[Iterable[str]], Iterable[tuple[Stage, Path]]]
"""Finds the tasks that some tasks in ``routing/`` are or became."""


def relatives(spool: Spool, tasks: Iterable[str], stages: Iterable[Stage]) -> Iterator[tuple[Stage, Path]]:
    """Walk the tasks that some tasks in ``routing/`` are or became, in some stages.

    Each stage is looked at twice: what moves from one to another while this looks is met in one of them.
    """
    times = {time_part(task) for task in tasks}
    met: set[Path] = set()
    for stage in [*stages] * 2:
        for name in spool.names(stage):
            path = spool.entry(stage, name)
            if time_part(name) in times and is_id(name) and path not in met:
                met.add(path)
                yield stage, path
    for study, name in spool.studies():
        if time_part(name) in times:
            yield Stage.STUDIES, spool.entry(Stage.STUDIES, study) / name


@dataclass(frozen=True)
class Collision:
    """Two tasks hold different files of one image."""

    task: str
    sops: tuple[str, ...]
    same_unit: bool


def collisions(directory: Path, task: Task, others: Iterable[tuple[Stage, Path]]) -> list[Collision]:
    """Find the tasks that wait with other versions of a task's images.

    Parameters
    ----------
    directory, task : Path, Task
        The task.
    others : iterable of tuple
        Tasks that hold images of the same series.
    """
    mine: dict[tuple[str, str], list[VersionedImage]] = {}
    for image in images_of(directory, task):
        mine.setdefault(image.key, []).append(image)
    stems = {stem for _, stem in mine}
    found: dict[str, Collision] = {}
    for _, path in others:
        if path == directory or path.name in found or not stems & {stem_of(file.name) for file in image_files(path)}:
            continue
        with suppress(FileNotFoundError):
            other = _model(path)
            theirs = images_of(path, other)
            same = unit_of(task).is_same(unit_of(other))
            # What came of one series by a module is no newer version of it.
            sops = {image.key[1] for image in theirs if differs(image, mine.get(image.key, []), same)}
            if sops:
                found[path.name] = Collision(path.name, tuple(sorted(sops)), same)
    return list(found.values())


def _model(directory: Path) -> Task:
    """Return a task's model; of one that the router has just taken what its tag lines say is enough."""
    try:
        return load_task(directory)
    except TaskError:
        return Task.model_validate({"id": directory.name, "created": "1970-01-01T00:00:00Z"})


def differs(image: VersionedImage, others: Iterable[VersionedImage], same_unit: bool) -> bool:
    """Return whether an image is another version than one of some others."""
    return any((not same_unit or other.place != image.place) and other.content() != image.content() for other in others)


def register(spool: Spool, directory: Path, task: Task) -> list[Collision]:
    """Note which series a task holds images of, before anybody can deliver it, and mark those that collide.

    Parameters
    ----------
    directory, task : Path, Task
        The task, with its images; or a task that is being derived from a module's result in that folder.

    Returns
    -------
    list of Collision
        Tasks that wait with other versions of its images; each is found again at every repetition.
    """
    return _register(spool, directory, task, lambda others: relatives(spool, others, WAITING))


def _register(spool: Spool, directory: Path, task: Task, find: Relatives, *, again: bool = True) -> list[Collision]:
    found: list[Collision] = []
    for series in sorted(series_of(directory, task)):
        fresh, others = note_task(spool, series, task.id)
        collided = collisions(directory, task, find(others)) if others and (fresh or again) else []
        if collided:
            mark(spool, series, [task.id, *others])
        found += collided
    return found


def mark_across(spool: Spool, task: str, series: Collection[str], others: Mapping[str, Collection[str]]) -> None:
    """Mark the series of tasks that hold one SOP Instance UID in several series, so that they leave in their order.

    Parameters
    ----------
    task : str
        The task in ``routing/``.
    series : collection of str
        Its series that hold such images.
    others : mapping of str to collection of str
        The other tasks, each with the UIDs; one that does not wait any more is passed over.
    """
    stems = {time_part(other): {safe_name(sop) for sop in sops} for other, sops in others.items()}
    found: dict[str, set[str]] = {}
    for _, path in relatives(spool, others, WAITING):
        with suppress(FileNotFoundError):
            wanted = stems[time_part(path.name)]
            for image in images_of(path, _model(path)):
                if image.key[1] in wanted and image.series and time_part(path.name) != time_part(task):
                    found.setdefault(image.series, set()).add(path.name)
    tasks = {task, *(name for names in found.values() for name in names)}
    for uid in {*found, *series} if found else ():
        mark(spool, uid, sorted(tasks))


def recall(spool: Spool) -> None:
    """Note the tasks that wait once more: what was noted last may be lost with the power."""
    waiting = [(stage, spool.entry(stage, name)) for stage in WAITING for name in spool.names(stage) if is_id(name)]
    waiting += [(Stage.STUDIES, spool.entry(Stage.STUDIES, study) / name) for study, name in spool.studies()]
    by_time: dict[str, list[tuple[Stage, Path]]] = {}
    for stage, path in waiting:
        by_time.setdefault(time_part(path.name), []).append((stage, path))

    def find(tasks: Iterable[str]) -> Iterator[tuple[Stage, Path]]:
        for time in {time_part(task) for task in tasks}:
            yield from by_time.get(time, ())

    changed = _changed([path for _, path in waiting])
    for path in _unsure(changed, _UNSURE_SECONDS if hints(spool).is_dir() else float("inf")):
        with suppress(TaskError, FileNotFoundError):
            task = load_task(path)
            # By the task in routing/ from which it came: all that were derived from one are noted once.
            _register(spool, path, task.model_copy(update={"id": task.parent or task.id}), find, again=False)
    noted: dict[str, Path] = {}
    for path in _unsure(changed, _DIRTY_SECONDS):
        with suppress(TaskError, FileNotFoundError):
            task = load_task(path)
            if not task.processed_by:
                noted.setdefault(task.parent or task.id, path)
    for name, path in sorted(noted.items()):
        InstanceTable(spool).note(name, read_lines(path / TAGS_FILE))


def _changed(paths: Iterable[Path]) -> dict[Path, float]:
    changed: dict[Path, float] = {}
    for path in paths:
        with suppress(FileNotFoundError):
            changed[path] = os.stat(path).st_mtime
    return changed


def _unsure(changed: Mapping[Path, float], seconds: float) -> list[Path]:
    """Return the tasks whose note may be lost: the last before the newest."""
    newest = max(changed.values(), default=0.0)
    return [path for path, time in changed.items() if time > newest - seconds]


def keep_delivered(spool: Spool, directory: Path, task: Task) -> None:
    """Keep what a task has delivered, before it is removed, where versions of its images still wait.

    Raises
    ------
    OSError
        I/O failed; the task must stay.
    """
    lines = [line for line in ledger_lines(directory) if line.destination and line.status != SUPERSEDED]
    for series in marked(spool, series_of(directory, task)) if lines else ():
        images = {image.file: image for image in images_of(directory, task) if image.series == series}
        kept = [
            Delivered(
                series=series,
                stem=image.key[1],
                time=image.place.time,
                number=image.place.number,
                content=image.content(),
                unit=unit_of(task),
                destination=line.destination or "",
            )
            for line in lines
            if (image := images.get(line.file)) is not None
        ]
        with _alone(spool):
            place = folder(spool) / safe_name(series)
            if kept and place.is_dir():
                data = b"".join(b"\n" + sealed(item.model_dump_json().encode()) + b"\n" for item in kept)
                durable.append_to(place / "delivered.jsonl", data)


def read_delivered(spool: Spool, series: str) -> Iterator[Delivered]:
    """Read what removed tasks had delivered of a marked series."""
    for line in read_lines(folder(spool) / safe_name(series) / "delivered.jsonl"):
        with suppress(ValidationError):
            yield Delivered.model_validate(line)


def forget(spool: Spool, old: Mapping[str, float], kept_seconds: float) -> int:
    """Remove the marks of series of which nothing waits any more, and hints that are older; return how many marks.

    Parameters
    ----------
    old : mapping of str to float
        The age of each hint, in seconds, by its name.
    kept_seconds : float
        Hints of series of which nothing waits are kept for so long.
    """
    names = list_names(folder(spool))
    outlived = [name for name, age in old.items() if age > kept_seconds]
    if not names and not outlived:
        return 0
    waiting = {time_part(name) for stage in WAITING for name in spool.names(stage)}
    waiting |= {time_part(name) for _, name in spool.studies()}
    removed = 0
    for name in names:
        with _alone(spool):
            path = folder(spool) / name
            tasks = _ids((path / "tasks").read_bytes()) if (path / "tasks").exists() else []
            # Looked at again under the lock: a router may have added itself since.
            if not {time_part(task) for task in tasks} & waiting and not any(relatives(spool, tasks, WAITING)):
                durable.remove_tree(path)
                removed += 1
    for name in outlived:
        path = hints(spool) / name
        with suppress(FileNotFoundError):
            if not {time_part(task) for task in _ids(path.read_bytes())} & waiting:
                durable.unlink(path)
    return removed


def destination_lock(spool: Spool, series: str, destination: str) -> Claim | None:
    """Take the lock by which one task at a time sends images of a marked series to one place."""
    name = hashlib.sha256(destination.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = folder(spool) / safe_name(series) / f"to-{name}"
    if not path.is_dir():
        try:
            durable.make_directory(path, sync=False)
        except FileNotFoundError:
            return None
    return Claim.take(path)
