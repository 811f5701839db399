"""When a version of an image may leave, and which version is not sent any more: asked before each attempt.

Of the versions of one image an older one is never sent to a place after a newer one was confirmed there, nor while
another is on its way there. Whose series is not marked in ``state/versions/`` has nothing to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mercure.config import TargetSettings
from mercure.locks import locked
from mercure.spool import Claim, LedgerLine, Spool, Stage, Task, TaskError, is_sending, load_task
from mercure.spool.images import ledger_lines
from mercure.spool.layout import TASK_STAGES
from mercure.spool.versions import (
    SUPERSEDED,
    VersionedImage,
    VersionOrder,
    VersionUnit,
    destination_lock,
    folder,
    images_of,
    marked,
    read_delivered,
    relatives,
    series_of,
    tasks_of,
    unit_of,
)

_TRIES: Final = 5
"""How often a task is judged anew when a relative moved to another stage while its images were read."""

Settings = Mapping[str, TargetSettings]
Key = tuple[str, str]
Rank = tuple[str, float, str]
"""When a task's first image was taken and received, and the task's id: no two tasks ever wait for each other."""


@dataclass(frozen=True)
class Turn:
    """Permit to send a task's images now.

    Parameters
    ----------
    superseded : mapping of str to str
        Files that are not sent any more, each with the task whose newer version the place has.
    held : tuple of int
        Descriptors of locks that whoever sends holds too.
    """

    superseded: Mapping[str, str] = field(default_factory=dict)
    held: tuple[int, ...] = ()


NO_TURN: Final = Turn()
"""Nothing holds a version of the task's images but the task itself."""


@dataclass(frozen=True)
class _Relative:
    """Another task that holds images of the series."""

    stage: Stage
    path: Path
    task: Task
    images: dict[str, list[VersionedImage]]
    """Those of the same UIDs, by these."""
    rank: Rank


@dataclass(frozen=True)
class Versions:
    """Says whose turn it is among versions.

    Parameters
    ----------
    spool : Spool
        Where the stages are.
    targets : callable
        Returns the targets of the configuration of now.
    past : callable
        Tells of a ledger line without a destination which it had.
    """

    spool: Spool
    targets: Callable[[], Settings]
    past: Callable[[LedgerLine], str | None]

    @contextmanager
    def turn(self, claim: Claim, task: Task, destination: str) -> Iterator[Turn | None]:
        """Ask for a permit, for the length of a block; None when the task has to wait.

        Parameters
        ----------
        claim, task : Claim, Task
            The task; which member of a group takes it is on record already.
        destination : str
            The place to which it goes.

        Raises
        ------
        OSError
            The spool cannot be read.
        """
        # Said before the marks are read: a task that is marked a moment later sees this one on its way.
        claim.set_sending(True)
        known = self._marked(claim.path, task)
        if not known:
            yield NO_TURN
            return
        claim.set_sending(False)
        with ExitStack() as stack:
            locks = []
            for series in sorted(known):
                lock = destination_lock(self.spool, series, destination)
                if lock is not None:
                    locks.append(stack.enter_context(lock))
                elif marked(self.spool, [series]):
                    yield None  # another task sends images of the series there
                    return
            superseded = self._permitted(claim, task, destination, known)
            held = tuple(lock.descriptor for lock in locks)
            yield None if superseded is None else Turn(superseded, held)

    def _marked(self, directory: Path, task: Task) -> list[str]:
        if task.scope == "study" and not folder(self.spool).is_dir():
            return []
        return marked(self.spool, series_of(directory, task))

    def _permitted(self, claim: Claim, task: Task, destination: str, series: Sequence[str]) -> dict[str, str] | None:
        """Judge, and say that the task is sending when it may: one task at a time, so no two permit each other."""
        with locked(folder(self.spool)):
            for _ in range(_TRIES):
                try:
                    superseded = self._judge(claim.path, task, destination, series)
                except FileNotFoundError:
                    continue  # a relative moved to another stage meanwhile
                if superseded is not None:
                    claim.set_sending(True)
                return superseded
        return None

    def _judge(self, directory: Path, task: Task, destination: str, series: Sequence[str]) -> dict[str, str] | None:
        """Return the files that are superseded; None when something else goes first."""
        images = images_of(directory, task)
        mine = [image for image in images if image.series in series]
        others = list(self._relatives(directory, mine, series))
        rank = _rank(task, images)
        if any(other.rank < rank and self._goes_first(other, mine, unit_of(task), destination) for other in others):
            return None
        if any(self._is_in_flight(other, destination) for other in others):
            return None
        newest = _newest(self._at(others, unit_of(task), destination, series))
        return {
            image.file: found[1]
            for image in mine
            if (found := newest.get(image.key)) is not None and found[0] > image.place and found[2] != image.content()
        }

    def _relatives(self, directory: Path, mine: Iterable[VersionedImage], series: Sequence[str]) -> Iterator[_Relative]:
        stems = {image.key[1] for image in mine}
        tasks = [task for uid in series for task in tasks_of(self.spool, uid)]
        for stage, path in relatives(self.spool, tasks, TASK_STAGES):
            if path == directory:
                continue
            with suppress(TaskError, FileNotFoundError):
                task = load_task(path)
                every = images_of(path, task)
                images: dict[str, list[VersionedImage]] = {}
                for image in every:
                    if image.key[1] in stems:
                        images.setdefault(image.key[1], []).append(image)
                if images:
                    yield _Relative(stage, path, task, images, _rank(task, every))

    def _is_in_flight(self, other: _Relative, destination: str) -> bool:
        """Tell whether a relative is on its way to the same place. One that only asks whether it may is not."""
        if other.stage is not Stage.OUTGOING or self._destination(other.task) not in (None, destination):
            return False
        return is_sending(other.path)

    def _goes_first(
        self, other: _Relative, mine: Iterable[VersionedImage], unit: VersionUnit, destination: str
    ) -> bool:
        """Tell whether an earlier task that waits for the same place uses one of the UIDs for another image."""
        if other.stage is not Stage.OUTGOING or self._destination(other.task) != destination:
            return False
        same = unit.is_same(unit_of(other.task))
        return any(
            not (same and theirs.series == image.series) and theirs.content() != image.content()
            for image in mine
            for theirs in other.images.get(image.key[1], [])
        )

    def _destination(self, task: Task) -> str | None:
        """Return the place to which a waiting task goes; "" where no member has been asked yet, None in doubt."""
        targets = self.targets()
        settings = targets.get(task.target or "")
        if settings is not None and settings.leads_to():
            settings = targets.get(task.member or "", settings)
        return settings.destination() if settings is not None else None

    def _at(
        self, others: Iterable[_Relative], unit: VersionUnit, destination: str, series: Iterable[str]
    ) -> Iterator[tuple[Key, tuple[VersionOrder, str, str]]]:
        """Walk the versions of the unit's images that a place has."""
        for other in others:
            if not unit.is_same(unit_of(other.task)):
                continue
            files = {image.file: image for images in other.images.values() for image in images}
            for line in ledger_lines(other.path):
                image = files.get(line.file)
                if image is not None and line.status != SUPERSEDED and self.past(line) == destination:
                    yield image.key, (image.place, other.task.id, image.content())
        for uid in series:
            for kept in read_delivered(self.spool, uid):
                if kept.destination == destination and unit.is_same(VersionUnit(*kept.unit)):
                    yield (
                        (kept.series, kept.stem),
                        (VersionOrder(kept.time, kept.number), "a task that is gone", kept.content),
                    )


def _rank(task: Task, images: Iterable[VersionedImage]) -> Rank:
    received = task.origin.first_received
    return min(image.place.time for image in images), received.timestamp() if received else 0.0, task.id


def _newest(found: Iterable[tuple[Key, tuple[VersionOrder, str, str]]]) -> dict[Key, tuple[VersionOrder, str, str]]:
    newest: dict[Key, tuple[VersionOrder, str, str]] = {}
    for key, version in found:
        if key not in newest or version[0] > newest[key][0]:
            newest[key] = version
    return newest


def has_several(files: Iterable[str]) -> bool:
    """Tell whether a task holds several files of one image."""
    return any("~" in file for file in files)


def in_order(directory: Path, task: Task, files: Sequence[str]) -> list[str]:
    """Put a task's files into the order in which they were received, as far as they hold several versions of an image.

    The rest stays in its order.
    """
    places = {image.file: image.place for image in images_of(directory, task)}
    return sorted(files, key=lambda file: places[file])


def overtaken(directory: Path, task: Task, pending: Sequence[str], known: Mapping[str, LedgerLine]) -> dict[str, str]:
    """Return of a task's own files those of which the place has a newer version, out of the same task."""
    images = {image.file: image for image in images_of(directory, task)}
    stored = [images[file] for file, line in known.items() if file in images and line.status != SUPERSEDED]
    found = {}
    for file in pending:
        image = images[file]
        newer = [other for other in stored if other.key == image.key and other.place > image.place]
        if any(other.content() != image.content() for other in newer):
            found[file] = task.id
    return found
