"""Division of a series with images of several senders, studies or patients, before any rule is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config
from mercure.event_details import Warned
from mercure.events import EventWriter
from mercure.names import derived_id, id_time
from mercure.routing.intake import of_images
from mercure.routing.units import Unit, described, names_of, units_of
from mercure.spool import (
    Claim,
    Division,
    DivisionPart,
    Failure,
    Hold,
    Spool,
    Stage,
    TagRecord,
    Task,
    derive,
    image_files,
    load_division,
    load_task,
    save_division,
)
from mercure.spool.link import LinkSource
from mercure.spool.notices import post
from mercure.spool.task import TaskError
from mercure.spool.task_events import failed_key, task_failed

HELD_BY = "mixed series"
"""Stands in place of a person's name when a part of a mixed series is held."""

_NAMED = 5
"""Units named in a text; of further ones only the number is given."""

_RELEASE = "release what is right, discard what is wrong, and tell the sender"


def division_of(
    config: Config, directory: Path, task: Task, records: Sequence[TagRecord], clock: Clock
) -> Division | None:
    """Return the tasks into which a series is to be divided; None for one that is a single unit.

    Parameters
    ----------
    config : Config
        What counts as one sender, and what happens to mixed series.
    directory : Path
        The series in ``routing/``.
    task : Task
        Its model; each part copies what it says beyond its images.
    records : sequence of TagRecord
        Its tag records, in the order received.
    """
    known = load_division(directory)
    if known is not None:
        return known
    units = units_of(config, records)
    if len(units) <= 1:
        return None
    held = config.completion.mixed == "hold"
    apart = len({unit.sender for unit in units}) > 1
    sizes = {image.name: image for image in image_files(directory)}
    parts: dict[str, DivisionPart] = {}
    for unit, own in units.items():
        files = [sizes[record["FileName"]] for record in own]
        part = of_images(config, task, own, files).model_copy(
            update={
                "id": _free_id(task.id, unit, parts),
                "parent": task.id,
                "unit": unit.digest,
                "sender_apart": apart or task.sender_apart,
            }
        )
        part = _held(part, units, clock) if held else part
        parts[part.id] = DivisionPart(task=part, files=tuple(file.name for file in files))
    return Division(parts=tuple(parts.values()), held=held)


def _free_id(task: str, unit: Unit, taken: Mapping[str, object]) -> str:
    """Make the id of a part, the same at each run; 32 bits are few, so two parts may collide."""
    identifier, number = derived_id(task, f"unit:{unit.digest}"), 1
    while identifier in taken:
        number += 1
        identifier = derived_id(task, f"unit:{unit.digest}:{number}")
    return identifier


def _held(part: Task, units: Mapping[Unit, object], clock: Clock) -> Task:
    now = clock.now()
    reason = f"its series holds images of {len(units)} senders, studies or patients, and such are held"
    failure = Failure(stage=Stage.ROUTING.value, reason=reason, advice=_RELEASE, at=now)
    hold = Hold(by=HELD_BY, at=now, reason=reason)
    return part.model_copy(update={"failure": failure, "hold": hold, "finished": now})


def waits_for_parent(spool: Spool, directory: Path) -> bool:
    """Return whether a part stands already while the series that it comes of is still there.

    Routed now, it could be gone before a repetition of the division looks for it, and would then be made once more.
    """
    try:
        task = load_task(directory)
    except TaskError:
        return False
    return bool(task.unit and task.parent) and spool.entry(Stage.ROUTING, task.parent or "").is_dir()


def parts_of(names: Sequence[str], spool: Spool) -> set[str]:
    """Return which of some tasks in ``routing/`` were put there as such: parts of a divided series, and what is resent.

    That they are there without a router is no failure.
    """
    found = set()
    for name in names:
        try:
            task = load_task(spool.entry(Stage.ROUTING, name))
        except (TaskError, FileNotFoundError):
            continue
        found |= {name} if task.unit or task.resent is not None else set()
    return found


class Divider:
    """Divides series; every step may be the last before a crash, and doing all of them again does no harm."""

    def __init__(self, spool: Spool, events: EventWriter) -> None:
        self._spool = spool
        self._events = events

    def divide(self, claim: Claim, task: Task, division: Division) -> tuple[str, ...]:
        """Make the parts, report the division, and end the series.

        Parameters
        ----------
        claim : Claim
            The claim on the series.
        task : Task
            Its model.
        division : Division
            The division; not necessarily on disk yet.

        Returns
        -------
        tuple of str
            The parts that now stand in ``routing/``.

        Raises
        ------
        OSError
            I/O failed; the series stays, and everything is repeated.
        """
        save_division(claim.path, division)
        stage = Stage.ERROR if division.held else Stage.ROUTING
        for part in division.parts:
            source = LinkSource(claim.path, part.files)
            derive(self._spool, part.task, self._spool.stage(stage), [source], whole=False)
            if division.held:
                self._events.emit(
                    task_failed(part.task), task=part.task.id, series=_series(task), key=failed_key(part.task)
                )
        self._warn(task, division)
        # The tag lines go with the folder: the events that replace them must be on disk before.
        self._events.sync()
        durable.remove_tree(claim.path)
        return () if division.held else tuple(part.task.id for part in division.parts)

    def _warn(self, task: Task, division: Division) -> None:
        parts = [part.task for part in division.parts]
        named = [described(part.identity, part.origin.sender) for part in parts[:_NAMED]]
        more = [f"{len(parts) - _NAMED} more"] if len(parts) > _NAMED else []
        text = f"one series holds images of {'; '.join(named + more)}: {_series(task) or task.id}"
        does = "each is held in error/" if division.held else "each was decided on by itself"
        advice = f"{does}: {_RELEASE}" if division.held else f"{does}; tell the sender that uses a UID twice"
        post(self._spool, "mixed", task.id, text, advice, now=id_time(task.id))
        self._events.emit(Warned(text=text, advice=advice), task=task.id, series=_series(task), key="mixed")

    def warn_of_names(self, task: Task, records: Sequence[TagRecord]) -> None:
        """Warn of a series whose patient has several names; that alone divides nothing."""
        names = names_of(records)
        if len(names) > 1:
            text = f"the images of {described(task.identity, task.origin.sender)} have {len(names)} patient names"
            advice = "one of them may have been sent under a wrong patient id; see whether the patient was corrected"
            self._events.emit(Warned(text=text, advice=advice), task=task.id, series=_series(task), key="names")


def _series(task: Task) -> str | None:
    return task.identity.SeriesInstanceUID or None
