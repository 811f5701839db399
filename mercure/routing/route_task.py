"""Routing of one task in ``routing/``, from taken to done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.config import Config
from mercure.event_details import ReleaseLearned, Warned
from mercure.events import EventWriter
from mercure.names import id_time, is_id
from mercure.routing.arrivals import times_of
from mercure.routing.assembly import prepare_study
from mercure.routing.division import Divider, division_of, waits_for_parent
from mercure.routing.dry_run import keep
from mercure.routing.execute_plan import Executor, load_plan, save_plan
from mercure.routing.habits import Habits, RoutedSeries
from mercure.routing.intake import described, times_received
from mercure.routing.loop_guard import ReturnCounter, held, notice
from mercure.routing.pace import Learning, Paces, ReleaseChange
from mercure.routing.plan import UNMATCHED, Plan, decide, decide_study, holds
from mercure.routing.seen_series import remember
from mercure.routing.studies import SEPARATOR, StudyRelease, members, read_taken, study_folder
from mercure.routing.units import named, sender_of, unit_digest
from mercure.spool import (
    Claim,
    Spool,
    Stage,
    TagRecord,
    Task,
    TaskError,
    image_files,
    load_division,
    load_task,
    save_task,
)
from mercure.spool.images import instance_of, text
from mercure.spool.instances import InstanceTable
from mercure.spool.notices import post
from mercure.spool.task_events import images_collided
from mercure.spool.versions import Collision, mark_across, register

_log = logging.getLogger(__name__)


class NothingToRouteError(Exception):
    """The task holds no image."""


class TaskRouter:
    """Routes tasks that stand in ``routing/``; after a crash it goes on where the files say.

    Parameters
    ----------
    spool, events, clock
        The spool, the writer of events and the clock.
    paces : Paces, optional
        What is learned of senders; shared with the completion tracker.
    """

    def __init__(self, spool: Spool, events: EventWriter, clock: Clock, paces: Paces | None = None) -> None:
        self._spool = spool
        self._clock = clock
        self._executor = Executor(spool, events, clock)
        self._events = events
        self._habits = Habits(spool)
        self._divider = Divider(spool, events)
        self._returns = ReturnCounter(spool)
        self._paces = paces or Paces(spool, clock)

    def route(self, config: Config, claim: Claim, reason: str) -> tuple[str, ...]:
        """Describe the task, divide it if it is no unit, decide, and execute the plan.

        Parameters
        ----------
        config : Config
            The rules in force; a decision that is on disk already stands.
        claim : Claim
            The claim on the task.
        reason : str
            Why its series counts as complete, if that is not recorded yet.

        Returns
        -------
        tuple of str
            The tasks that now stand in ``routing/`` in its place.

        Raises
        ------
        NothingToRouteError
            There is no image.
        mercure.routing.assembly.BrokenMemberError
            A series of the study cannot be read.
        OSError
            I/O failed; everything is repeated later.
        """
        directory = claim.path
        taken = read_taken(directory)
        if taken is not None or members(directory):
            taken = taken or StudyRelease(reason=reason)
            task, records = prepare_study(directory, taken)
        elif waits_for_parent(self._spool, directory):
            return ()
        else:
            task, records = described(config, directory, self._clock, reason=reason)
            # What a person sends to targets of their choice is not divided: its plan is there already.
            planned = task.resent is not None and load_plan(directory) is not None
            division = None if planned else division_of(config, directory, task, records, self._clock)
            if division is not None:
                return self._divider.divide(claim, task, division)
            task = self._saved(config, directory, task, records)
        self._route_unit(config, claim, task, records, taken)
        return ()

    def _saved(self, config: Config, directory: Path, task: Task, records: list[TagRecord]) -> Task:
        """Write the model of a unit, unless it is there; one that an older router wrote does not name its sender."""
        try:
            load_task(directory)
        except TaskError:
            save_task(directory, task)
        self._divider.warn_of_names(task, records)
        if task.origin.sender or not records:
            return task
        origin = task.origin.model_copy(update={"sender": sender_of(config, records[0])})
        return task.model_copy(update={"origin": origin})

    def _route_unit(
        self, config: Config, claim: Claim, task: Task, records: list[TagRecord], taken: StudyRelease | None
    ) -> None:
        directory = claim.path
        files = [image.name for image in image_files(directory)]
        if not files:
            raise NothingToRouteError("there is no image in the task")
        earlier = self._earlier(task)
        note_repeats(self._spool, self._events, directory, task, records)
        if earlier and not task.late:
            task = task.model_copy(update={"late": True})
            save_task(directory, task)
        plan = load_plan(directory)
        if plan is None or (plan.put_aside and task.failure is None):
            before = plan
            plan = self._decide(config, task, records, files, taken)
            if task.resent is None:
                plan = self._without_loops(config, task, records, plan)
            if before is not None:
                plan = plan.model_copy(update={"anew": self._clock.now()})
            save_plan(directory, plan)
            if task.resent is None:
                self._compare(config, task, records, plan)
                self._learn(config, task, records)
        if task.scope == "series" and not task.part and task.resent is None:
            keep(self._spool, directory, task.id)
        self._executor.carry_out(config, claim, task, plan, earlier)

    def _earlier(self, task: Task) -> tuple[str, ...]:
        """Return the tasks that held images of the same before; what a person sends again is no late arrival."""
        if task.resent is not None:
            return ()
        # What a person sends on its way again, and was a part, was routed before with the whole: it is not late.
        known_as = task.parent if task.part and task.parent else task.id
        return remember(self._spool, *_groups(task), known_as, self._clock)

    def _decide(
        self, config: Config, task: Task, records: list[TagRecord], files: list[str], taken: StudyRelease | None
    ) -> Plan:
        now = self._clock.now()
        if task.scope == "series":
            return decide(config, task, records, files, now)
        discard = taken is not None and taken.action == "discard"
        return decide_study(config, task, files, discard=discard, now=now)

    def _without_loops(self, config: Config, task: Task, records: list[TagRecord], plan: Plan) -> Plan:
        """Hold what came back too often; an I/O error of the hints holds up no series."""
        now = self._clock.now()
        try:
            loop = self._returns.look(config, task, records, now)
            if loop is None or plan.ends_in != "derived":
                return plan
            notice(self._spool, config, plan, loop, now)
        except OSError as error:
            _log.warning("what came back cannot be counted: %s", error, extra={"task": task.id})
            return plan
        plan = held(plan, loop, now)
        advice = "release or discard it when the loop is broken"
        warned = Warned(text=f"held: {loop.reason}", advice=advice)
        self._events.emit(warned, task=task.id, key="loop")
        return plan

    def _learn(self, config: Config, task: Task, records: list[TagRecord]) -> None:
        """Learn the pace of a sender; an I/O error of the hints holds up no series."""
        if task.scope != "series" or not records:
            return
        aet, sender = task.origin.calling_aet, sender_of(config, records[0])
        series = _groups(task)[0]
        longest = config.longest_release(aet, sender)
        if not sender or not series:
            return
        learning = Learning(sender, series, times_of(config, records[0]), longest)
        instances = (instance_of(record) for record in records)
        try:
            change = self._paces.note(task, instances, lambda: times_received(records), learning)
        except OSError as error:
            _log.warning("the pace of a sender cannot be noted: %s", error, extra={"task": task.id})
            return
        if change is not None:
            series_uid = task.identity.SeriesInstanceUID
            key = f"release.learned:{change.seconds}"
            self._events.emit(_learned(change, sender), task=task.id, series=series_uid, key=key)

    def _compare(self, config: Config, task: Task, records: list[TagRecord], plan: Plan) -> None:
        """Notice what is unusual for the sender; an I/O error of the hints holds up no series."""
        if task.scope != "series" or plan.failure is not None:
            return
        sender = task.origin.sender or config.sender_of(task.origin.calling_aet, task.origin.address)
        now = self._clock.now()
        records = [named(config, record) for record in records]
        decided = RoutedSeries(
            task=task.id,
            fired=frozenset(outcome.rule for outcome in plan.rules if outcome.fired),
            unwanted=plan.discarded_by == UNMATCHED,
            would_fire=lambda text: holds(text, records, now),
        )
        try:
            self._habits.note(sender, decided, config.rules, now)
        except OSError as error:
            _log.warning("what is usual for a sender cannot be noted: %s", error, extra={"task": task.id})


def _learned(change: ReleaseChange, sender: str) -> ReleaseLearned:
    """Describe what was learned of a sender, and how to override it."""
    text = (
        f"images of {sender} came late again and again, the last time after {change.pause:.0f} s: its series are "
        f"complete {change.seconds:g} s after its associations ended from now on"
    )
    if not change.seconds:
        text = f"the series of {sender} do not need a longer release time any more: what is configured holds again"
    advice = "to decide it yourself, give the sender an after_release_seconds in the completion of its entry in senders"
    return ReleaseLearned(sender=sender, **vars(change), text=text, advice=advice)


def _groups(task: Task) -> tuple[str, str]:
    """Return the key of what a late arrival belongs to, and its key of older routers; empty without a UID.

    That is the series of a unit, or a study as one rule collects it.
    """
    if task.scope == "series":
        series = task.identity.SeriesInstanceUID
        return (f"{series}{SEPARATOR}{unit_digest(task)}", series) if series else ("", "")
    study, rule = task.identity.StudyInstanceUID, task.study_rule or ""
    return (study_folder(task, rule), f"{study}{SEPARATOR}{rule}") if study else ("", "")


def studies_in_routing(spool: Spool) -> set[str | None]:
    """Return the studies of the series in ``routing/``; None stands for one that is not known yet."""
    studies: set[str | None] = set()
    for name in spool.names(Stage.ROUTING):
        if not is_id(name):
            continue
        try:
            task = load_task(spool.entry(Stage.ROUTING, name))
        except FileNotFoundError:
            continue
        except TaskError:
            studies.add(None)
        else:
            studies |= _studies_of(spool, name, task)
    return studies


def _studies_of(spool: Spool, name: str, task: Task) -> frozenset[str]:
    if task.scope != "series":
        return frozenset()
    division = load_division(spool.entry(Stage.ROUTING, name))
    return frozenset({task.identity.StudyInstanceUID}) if division is None else division.studies


MOST_TOLD: Final = 20
"""Collisions reported for one task at most: a sender that gives all images one UID must not flood the history."""


def note_repeats(spool: Spool, events: EventWriter, directory: Path, task: Task, records: Sequence[TagRecord]) -> None:
    """Note a task among those that hold images of its series, and report other versions that still wait.

    Parameters
    ----------
    directory, task : Path, Task
        The task in ``routing/``.
    records : sequence of TagRecord
        Its tag records.

    Raises
    ------
    OSError
        I/O failed; nothing of the task may be derived.
    """
    found = register(spool, directory, task)
    found += _of_other_series(spool, task, records, found)
    for collision in found:
        key = f"images.collided:{collision.task}"  # each is reported once
        series = task.identity.SeriesInstanceUID or None
        events.emit(images_collided(collision), task=task.id, series=series, key=key)
    twice = [collision for collision in found if not collision.same_unit]
    if twice:
        _notice(spool, task, twice)


def _of_other_series(
    spool: Spool, task: Task, records: Sequence[TagRecord], found: Sequence[Collision]
) -> list[Collision]:
    """Find UIDs that another series, study or patient used before, and keep the order of those that wait.

    What a module made is left out: the module decides whose it is.
    """
    if task.processed_by:
        return []
    try:
        seen = InstanceTable(spool).note(task.id, records)
    except OSError as error:
        _log.warning("SOP Instance UIDs cannot be noted: %s", error, extra={"task": task.id})
        return []
    if not seen:
        return []
    others = {other.task: other.sops for other in seen}
    sops = {sop for used in others.values() for sop in used}
    series = {text(record, "SeriesInstanceUID") for record in records if text(record, "SOPInstanceUID") in sops}
    mark_across(spool, task.id, series - {""}, others)
    reported = {id_time(collision.task) for collision in found}
    fresh = [Collision(name, used, False) for name, used in others.items() if id_time(name) not in reported]
    return fresh[-MOST_TOLD:]


def _notice(spool: Spool, task: Task, twice: Sequence[Collision]) -> None:
    count = len({sop for collision in twice for sop in collision.sops})
    uid = task.identity.SeriesInstanceUID
    name = f"series {uid}" if uid else f"task {task.id}"
    words = (
        f"SOP Instance UIDs of {name} are used twice: other images under them came in another series, or from "
        f"another sender, study or patient (images: {count}, tasks: {len(twice)})"
    )
    advice = (
        "both are delivered in the order received, and an archive may keep one of the two only: find out which is "
        "right, and tell the sender"
    )
    post(spool, "mixed", f"UIDs of {task.id}", words, advice, now=id_time(task.id))
