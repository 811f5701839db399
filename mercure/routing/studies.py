"""Collected studies: when one is complete, and taking it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config
from mercure.config.completion import Completion, StudyCompletion
from mercure.model import Record, read_state
from mercure.names import is_id, safe_name
from mercure.routing.arrivals import expected
from mercure.routing.completion import any_open, folder_signature
from mercure.routing.task_ids import enter_routing
from mercure.routing.units import patient_digest
from mercure.rules import StudyList
from mercure.scheduling.stage_index import FolderStamp, StageIndex
from mercure.spool import Claim, Spool, Stage, TagRecord, Task, TaskError, load_task, read_tags, uptime
from mercure.spool.images import instance_of
from mercure.spool.layout import list_names

SEPARATOR: Final = "+"
TAKEN_FILE: Final = "taken.json"
FOREVER: Final = float("inf")
BUSY_SECONDS: Final = 1.0
"""A study that waits for one of its series is checked again after this time."""


class StudyRelease(Record):
    """Why a study was completed."""

    reason: str
    action: Literal["proceed", "discard"] = "proceed"
    by: str | None = None


@dataclass(frozen=True)
class StudyDue:
    """A study that is complete.

    Parameters
    ----------
    name : str
        Its folder in ``studies/``.
    taken : StudyRelease
        Why it is complete, and what happens to it.
    signature : tuple of int
        State of the folder that was judged; any new series changes it.
    """

    name: str
    taken: StudyRelease
    signature: tuple[int, int]


@dataclass(frozen=True)
class _Collected:
    """What a study's folder holds."""

    directory: Path
    tasks: tuple[Task, ...]
    first: TagRecord

    @property
    def study(self) -> str:
        return self.tasks[0].identity.StudyInstanceUID if self.tasks else ""

    @cached_property
    def instances(self) -> frozenset[str]:
        """The SOP instances of all its series; an image without a UID counts by its file."""
        folders = [self.directory / task.id for task in self.tasks]
        return frozenset(instance_of(record) for folder in folders for record in read_tags(folder))

    @property
    def associations(self) -> Iterable[str]:
        return (association for task in self.tasks for association in task.origin.associations)


@dataclass
class _Seen:
    signature: tuple[int, int]
    changed: float
    collected: _Collected


def study_folder(task: Task, rule: str) -> str:
    """Name the folder in which a rule collects the study of a task: other patients may have its UID too."""
    uid = task.identity.StudyInstanceUID
    return SEPARATOR.join([safe_name(uid) if uid else f"none-{task.id}", rule, patient_digest(task)])


def open_folder(spool: Spool, folder: str, task: Task) -> str:
    """Return where a series is added to its study: an older router may still collect it under a name without patient.

    Parameters
    ----------
    spool : Spool
        Where the studies are.
    folder : str
        As `study_folder` named it.
    task : Task
        The series.
    """
    older = folder.rpartition(SEPARATOR)[0]
    directory = spool.entry(Stage.STUDIES, older)
    for name in list_names(directory):
        try:
            return older if patient_digest(load_task(directory / name)) == patient_digest(task) else folder
        except (TaskError, OSError):
            continue
    return folder


def rule_of(folder: str) -> str:
    """Return the rule that collects in a study's folder."""
    return folder.split(SEPARATOR)[1] if SEPARATOR in folder else ""


class StudyTracker:
    """Tracker of collected studies: finds those that are complete."""

    def __init__(self, spool: Spool, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._studies: StageIndex[FolderStamp, _Seen] = StageIndex(self._signature, self._see)
        self._now = 0.0

    def due(self, config: Config, arriving: set[str | None]) -> tuple[list[StudyDue], float]:
        """Look at all collected studies.

        Parameters
        ----------
        config : Config
            The rules of now.
        arriving : set of str or None
            Studies of which a series is still arriving or being routed; None stands for one that is not known.

        Returns
        -------
        list of StudyDue
            The complete ones.
        float
            Seconds until the next may be complete, if nothing arrives.
        """
        names = self._spool.names(Stage.STUDIES)
        self._studies.keep(set(names))
        now = self._now = self._clock.monotonic()
        ready, wait = [], FOREVER
        for name in names:
            seen = self._studies.look(name)
            if seen is None:
                continue
            taken, soon = self._judge(config, name, seen, now)
            if taken is None:
                wait = min(wait, soon)
            elif self._is_arriving(seen, arriving, config.completion, now):
                wait = min(wait, BUSY_SECONDS)
            else:
                ready.append(StudyDue(name, taken, seen.signature))
        return ready, wait

    def _signature(self, name: str) -> FolderStamp | None:
        return folder_signature(self._spool.entry(Stage.STUDIES, name))

    def _see(self, name: str, signature: FolderStamp | None, before: _Seen | None) -> _Seen | None:
        """Look into a study's folder that is new or has changed; None when no folder is there."""
        if signature is None:
            return None
        age = uptime(self._spool, self._clock).age(signature[1] / 1e9) if before is None else 0.0
        return _Seen(signature, self._now - age, collect(self._spool.entry(Stage.STUDIES, name)))

    def _judge(self, config: Config, name: str, seen: _Seen, now: float) -> tuple[StudyRelease | None, float]:
        """Tell why a study is complete, or in how many seconds it may be."""
        rule = config.rules.get(rule_of(name))
        if rule is None or rule.trigger != "study":
            return StudyRelease(reason="its rule is gone"), 0.0
        settings = rule.study or StudyCompletion()
        quiet = now - seen.changed
        if settings.by_content:
            if _has_all(settings, seen.collected):
                return StudyRelease(reason="content"), 0.0
        elif quiet >= settings.quiet_seconds:
            return StudyRelease(reason="quiet"), 0.0
        if settings.force_action != "wait" and quiet >= settings.force_after_seconds:
            return StudyRelease(reason="forced by its limit", action=settings.force_action), 0.0
        waits = [settings.force_after_seconds] if settings.force_action != "wait" else []
        waits += [] if settings.by_content else [settings.quiet_seconds]
        return None, min((limit - quiet for limit in waits), default=FOREVER)

    def _is_arriving(self, seen: _Seen, arriving: set[str | None], completion: Completion, now: float) -> bool:
        """Return whether more of the study is on its way, as far as can be seen.

        An association that brought a series of it and is still open may bring another; a stalled one that never closes
        does not hold the study for ever.
        """
        if seen.collected.study in arriving or None in arriving:
            return True
        return now - seen.changed < completion.quiet_seconds and any_open(self._spool, seen.collected.associations)


def collect(directory: Path) -> _Collected:
    """Read what a study's folder holds."""
    tasks = []
    for name in list_names(directory):
        try:
            tasks.append(load_task(directory / name))
        except (TaskError, OSError):
            continue  # not a task, or not readable: it is judged when the study is taken
    records = read_tags(directory / tasks[0].id) if tasks else []
    return _Collected(directory, tuple(tasks), records[0] if records else {})


def _has_all(settings: StudyCompletion, collected: _Collected) -> bool:
    """Return whether everything has come that the settings ask for."""
    if settings.series is not None:
        descriptions = [task.identity.SeriesDescription for task in collected.tasks]
        if not StudyList.parse(settings.series).matches(descriptions):
            return False
    series = {task.identity.SeriesInstanceUID for task in collected.tasks}
    images = len(collected.instances) if settings.expected_images is not None else 0
    counts = [(settings.expected_series, len(series)), (settings.expected_images, images)]
    for count, present in counts:
        wanted = expected(count, collected.first)
        if count is not None and (wanted is None or present < wanted):
            return False
    return True


def take_study(spool: Spool, due: StudyDue, clock: Clock) -> Claim | None:
    """Move a complete study to ``routing/`` in one step.

    Returns
    -------
    Claim or None
        The claim on the new task; None when a series is just being added, or was since.
    """
    claim = Claim.take(spool.entry(Stage.STUDIES, due.name))
    if claim is None:
        return None
    try:
        if folder_signature(claim.path) != due.signature:
            claim.release()
            return None
        if not any(is_id(name) for name in list_names(claim.path)):
            durable.remove_tree(claim.path)  # a crash came between making the folder and its first series
            claim.release()
            return None
        durable.write_file(claim.path / TAKEN_FILE, due.taken.model_dump_json().encode())
        enter_routing(spool, claim, clock)
    except BaseException:
        claim.release()
        raise
    return claim


def force_study(spool: Spool, name: str, by: str, clock: Clock) -> str | None:
    """Complete a study on a person's word; return the routed task's id.

    Parameters
    ----------
    spool, clock
        Where and when.
    name : str
        The folder in ``studies/``.
    by : str
        Who wants it.

    Returns
    -------
    str or None
        None when there is no such study, or a series is just being added: ask again.
    """
    signature = folder_signature(spool.entry(Stage.STUDIES, name))
    if signature is None:
        return None
    claim = take_study(spool, StudyDue(name, StudyRelease(reason="forced by a person", by=by), signature), clock)
    if claim is None:
        return None
    with claim:
        return claim.path.name


def read_taken(directory: Path) -> StudyRelease | None:
    """Read why a study in ``routing/`` was taken; None for a series."""
    return read_state(directory / TAKEN_FILE, StudyRelease)


def members(directory: Path) -> Sequence[str]:
    """List the tasks that a study in ``routing/`` still holds as folders."""
    return [name for name in list_names(directory) if is_id(name)]
