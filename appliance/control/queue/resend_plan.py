"""Plans of what is sent again: which tasks are meant, what of them can go where, and why the rest stays."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from appliance.control.api.base import Progress
from appliance.control.api.resend import LeftOut, PlannedPlace, PlanResend, ResendPlan
from appliance.control.errors import ControlError
from appliance.control.history.search import asking
from appliance.control.queue.task_actions import find_task
from appliance.control.session import Session
from appliance.control.targets.targets import find_target, only_processed
from mercure.config import Config
from mercure.history.queries import ResultPage
from mercure.history.tag_conditions import conditions_of
from mercure.names import time_part
from mercure.routing.plan import Plan, decide
from mercure.routing.resend import SOURCES, under_way_of
from mercure.routing.resend_jobs import ResendItem, ResendSource, all_jobs, ordered_tasks
from mercure.spool import Spool, Stage, Task, TaskError, image_files, load_task, read_tags
from mercure.spool.images import read_lines, text
from mercure.spool.versions import VersionedImage, images_of, newest, unit_of

EXAMPLES: Final = 5
MOST_ITEMS: Final = 50_000
_GONE_AT_MOST: Final = 20_000

_STATES: Final = ("delivered", "processed", "discarded", "failed")


@dataclass(frozen=True)
class KeptTask:
    """A task that can be sent again."""

    stage: Stage
    path: Path
    task: Task

    @property
    def family(self) -> tuple[str, ...]:
        """What tasks with images of one series, one sender and one patient, taken at one time, have in common."""
        series = self.task.identity.SeriesInstanceUID if self.task.scope == "series" else ""
        return (time_part(self.task.id), series, *unit_of(self.task), *self.task.processed_by)


@dataclass
class Draft:
    """What a plan has so far: the items, and what is left out by its reason."""

    items: list[ResendItem] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)

    def leave(self, why: str, task: str) -> None:
        """Leave a task out."""
        self.left.setdefault(why, []).append(task)

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what is left out, by reason."""
        return tuple(
            LeftOut(why=why, tasks=len(tasks), examples=tuple(tasks[:EXAMPLES])) for why, tasks in self.left.items()
        )


class Planner:
    """Makes one plan.

    Parameters
    ----------
    session : Session
        At which router.
    wanted : PlanResend
        What a person wants.
    report : callable
        Told of the progress.
    """

    def __init__(self, session: Session, wanted: PlanResend, report: Callable[[Progress], None]) -> None:
        self._session = session
        self._spool: Spool = session.spool
        self._config: Config = session.config
        self._wanted = wanted
        self._report = report
        self._draft = Draft()
        self._goes: Counter[tuple[str, str]] = Counter()

    def make(self) -> tuple[ResendPlan, tuple[ResendItem, ...]]:
        """Make the plan, and the items of the job that carries it out.

        Raises
        ------
        ControlError
            Nothing is selected, a target is not there, or it is too much.
        """
        self._check()
        kept = [
            one
            for one in self._every
            if self._is_for_target(one) and _is_meant(self._wanted, one, self._named) and self._is_tagged(one.task)
        ]
        busy = {**ordered_tasks(self._spool), **under_way_of(self._spool, all_jobs(self._spool))}
        free = [one for one in kept if not self._is_busy(one, busy)]
        _MAKERS[self._wanted.how](self, free)
        items = tuple(self._draft.items)
        if len(items) > MOST_ITEMS:
            raise ControlError("too-much", f"these are {len(items)} series", f"send at most {MOST_ITEMS} at once")
        return self._plan(items, kept), items

    def _check(self) -> None:
        wanted = self._wanted
        chosen = PlanResend.model_fields.keys() - {"how", "to", "older", "off_peak", "stages", "instances"}
        if not any(getattr(wanted, name) for name in chosen):
            raise ControlError("invalid", "nothing says what is to be sent again", "name tasks, an exam, or a time")
        if (wanted.how == "elsewhere") != bool(wanted.to):
            raise ControlError("invalid", "targets are named to send elsewhere, and only then", "see `to`")
        for target in wanted.to:
            find_target(self._session, target)

    def _is_for_target(self, one: KeptTask) -> bool:
        """Return whether a task was for the wanted target: itself, or as a member of a group.

        Named images may also be those that another member of the group got.
        """
        wanted, task = self._wanted.target, one.task
        if wanted in (None, task.target, task.member):
            return True
        group = self._config.targets.get(task.target or "")
        return bool(self._wanted.instances) and group is not None and wanted in group.leads_to()

    @cached_property
    def _tagged(self) -> tuple[frozenset[str], frozenset[str]]:
        """Study and Series Instance UIDs of the series that have the wanted tags, by the history."""
        with asking(self._session) as history:
            found = history.tagged(conditions_of(self._wanted.tags), self._config.name)
        return frozenset(study for study, _ in found) - {""}, frozenset(series for _, series in found) - {""}

    def _is_tagged(self, task: Task) -> bool:
        return not self._wanted.tags or self._has_tags(
            task.identity.StudyInstanceUID, task.identity.SeriesInstanceUID if task.scope == "series" else ""
        )

    def _has_tags(self, study: str | None, series: str | None) -> bool:
        """Return whether a series has the wanted tags, or of a study one of its series."""
        studies, of_series = self._tagged
        return series in of_series if series else study in studies

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(find_task(self._session, name)[0] for name in self._wanted.tasks)

    @cached_property
    def _every(self) -> list[KeptTask]:
        """All tasks from which something can be sent again, the oldest first."""
        found = []
        for stage, name in sorted(self._spool.tasks(SOURCES), key=lambda item: item[1]):
            path = self._spool.entry(stage, name)
            try:
                found.append(KeptTask(stage, path, load_task(path)))
            except (TaskError, FileNotFoundError):
                continue
        return found

    @cached_property
    def _by_series(self) -> Mapping[tuple[str, str], list[KeptTask]]:
        """The tasks by study and series; those of a study whole, and all of a study, with no series."""
        found: dict[tuple[str, str], list[KeptTask]] = {}
        for one in self._every:
            who = one.task.identity
            series = who.SeriesInstanceUID if one.task.scope == "series" else ""
            found.setdefault((who.StudyInstanceUID, series), []).append(one)
        return found

    def _relatives(self, one: KeptTask) -> list[KeptTask]:
        """Return the tasks, taken later, that may hold newer versions of a task's images."""
        study, series = one.task.identity.StudyInstanceUID, one.task.identity.SeriesInstanceUID
        keys = {(study, series), (study, "")}
        if one.task.scope == "study" and study:
            keys = {key for key in self._by_series if key[0] == study}
        return [
            other
            for key in keys
            for other in self._by_series.get(key, ())
            if time_part(other.task.id) > time_part(one.task.id) and _may_share(one.task, other.task)
        ]

    def _is_busy(self, one: KeptTask, busy: Mapping[str, str]) -> bool:
        job = busy.get(one.task.id)
        if job is not None:
            self._draft.leave(f"job {job} sends it already", one.task.id)
        return job is not None

    # --- the three ways ---------------------------------------------------------------------------------------------

    def again(self, kept: Sequence[KeptTask]) -> None:
        """Send each to its own target again."""
        for number, one in enumerate(kept):
            self._report(Progress(done=number, total=len(kept), text="tasks"))
            task = one.task
            if one.stage is Stage.ERROR or task.discarded is not None:
                self._retry(one)
            elif one.stage is Stage.DISCARD:
                self._draft.leave("a rule discarded it, so it has no target: decide it anew, or name targets", task.id)
            elif task.action != "route" or task.target is None:
                self._draft.leave("it went into a module and to no target: decide it anew", task.id)
            elif (target := self._wanted.target or task.target) not in self._config.targets:
                self._draft.leave(f"there is no target {target!r} any more: name another one", task.id)
            elif refused := self._refusal([one], target):
                self._draft.leave(refused, task.id)
            else:
                self._add([one], (target,))

    def elsewhere(self, kept: Sequence[KeptTask]) -> None:
        """Send each series to the named targets, once however many tasks have it."""
        for family in self._families(kept):
            refused = next((why for target in self._wanted.to if (why := self._refusal(family, target))), None)
            if refused:
                self._draft.leave(refused, family[0].task.id)
            else:
                self._add(family, self._wanted.to)

    def anew(self, kept: Sequence[KeptTask]) -> None:
        """Have the rules in force decide on each series, once however many tasks have it."""
        for family in self._families(kept):
            first = family[0]
            if first.task.processed_by:
                self._draft.leave("a module made it: decide the series anew that went in", first.task.id)
            else:
                decided = [one for one in family if one.stage is not Stage.ERROR or one.task.action != "complete"]
                if decided:
                    self._anew_of(decided)
                for one in family:
                    if one not in decided:
                        self._retry(one)

    def _anew_of(self, family: Sequence[KeptTask]) -> None:
        if family[0].task.scope == "series":
            self._add(family, ())
            return
        records = [record for one in family for record in read_tags(one.path)]
        for series in dict.fromkeys(text(record, "SeriesInstanceUID") for record in records):
            self._add(family, (), series)

    def _families(self, kept: Sequence[KeptTask]) -> Iterator[list[KeptTask]]:
        """Walk the series, each with all of its tasks that are kept: a part alone would not be the series."""
        chosen = dict.fromkeys(one.family for one in kept)
        members: dict[tuple[str, ...], list[KeptTask]] = {family: [] for family in chosen}
        for one in self._every if self._wanted.how == "anew" else kept:
            if one.family in members:
                members[one.family].append(one)
        for number, family in enumerate(members.values()):
            self._report(Progress(done=number, total=len(members), text="series"))
            yield family

    # --- one item ---------------------------------------------------------------------------------------------------

    def _retry(self, one: KeptTask) -> None:
        task = one.task
        item = ResendItem(sources=(ResendSource(task=task.id),), retry=True, images=task.images, bytes=task.bytes)
        self._draft.items.append(item)
        self._goes[("target", task.target) if task.target else ("error", "decided anew")] += 1

    def _add(self, family: Sequence[KeptTask], targets: tuple[str, ...], series: str = "") -> None:
        """Add what of a series is not an older version of something else, and is wanted."""
        sources, bytes_, images, older = [], 0, 0, 0
        met: set[str] = set()
        for one in family:
            sizes = {image.name: image.bytes for image in image_files(one.path)}
            stay = self._stay(one, series)
            older += len(stay.older)
            files = [name for name in sizes if name not in met and name not in stay.all]
            met |= sizes.keys()
            if files:
                whole = len(files) == len(sizes) - len(stay.other)
                sources.append(
                    ResendSource(task=one.task.id, files=() if whole and not stay.not_wanted else tuple(files))
                )
                images, bytes_ = images + len(files), bytes_ + sum(sizes[name] for name in files)
        if older:
            self._draft.leave(f"images of which there is a newer version stay behind: {older}", family[0].task.id)
        if not sources:
            if not older:
                self._draft.leave("none of its images is meant, or on the disk", family[0].task.id)
            return
        item = ResendItem(sources=tuple(sources), targets=targets, series=series, images=images, bytes=bytes_)
        self._draft.items.append(item)
        self._count(family, targets, series)

    def _stay(self, one: KeptTask, series: str) -> _Stay:
        """Find the images of a task that stay: of another series, not wanted, or older versions."""
        needs = series or self._wanted.instances
        tags = {record["FileName"]: record for record in read_tags(one.path)} if needs else {}
        other = {name for name, record in tags.items() if series and text(record, "SeriesInstanceUID") != series}
        sops = frozenset(self._wanted.instances)
        unwanted = {name for name, record in tags.items() if sops and text(record, "SOPInstanceUID") not in sops}
        older = set() if self._wanted.older else self._older(one)
        return _Stay(frozenset(other), frozenset(unwanted), frozenset(older - other - unwanted))

    def _older(self, one: KeptTask) -> set[str]:
        """Return the images of a task of which a newer version is kept, in it or in another task."""
        relatives = self._relatives(one)
        mine = images_of(one.path, one.task) if relatives or _has_versions(one.path) else []
        if not mine:
            return set()
        every: list[VersionedImage] = [*mine]
        for other in relatives:
            every += images_of(other.path, other.task)
        last = newest(every)
        return {
            image.file
            for image in mine
            if last[image.key].place > image.place and last[image.key].content() != image.content()
        }

    def _refusal(self, family: Sequence[KeptTask], target: str) -> str:
        """Return why images must not go to a target: what a rule sends only processed is never offered as it came."""
        if family[0].task.processed_by:
            return ""
        only = only_processed(self._config, target, {rule.rule for one in family for rule in one.task.rules})
        return f"{target!r} gets images only processed, by rule {only!r}" if only else ""

    def _count(self, family: Sequence[KeptTask], targets: tuple[str, ...], series: str) -> None:
        if targets:
            self._goes.update(("target", target) for target in targets)
            return
        plan = self._decide(family, series)
        if plan.ends_in != "derived":
            kind, name = ("discard", plan.discarded_by or "") if plan.ends_in == "discard" else ("error", "undecided")
            self._goes[kind, name] += 1
        for derived in plan.derived:
            task = derived.task
            named = {
                Stage.OUTGOING: ("target", task.target or ""),
                Stage.PROCESSING: ("module", task.module or ""),
                Stage.STUDIES: ("study", task.study_rule or ""),
                Stage.DISCARD: ("discard", task.rules[0].rule if task.rules else ""),
            }
            self._goes[named.get(derived.stage, ("error", "undecided"))] += 1

    def _decide(self, family: Sequence[KeptTask], series: str) -> Plan:
        """Ask the rules of now, as the router will."""
        records = {record["FileName"]: record for one in family for record in read_tags(one.path)}
        if series:
            records = {name: it for name, it in records.items() if text(it, "SeriesInstanceUID") == series}
        task = family[0].task.model_copy(update={"late": False, "part": "", "scope": "series"})
        return decide(self._config, task, list(records.values()), list(records), self._session.clock.now())

    # --- the answer -------------------------------------------------------------------------------------------------

    def _plan(self, items: tuple[ResendItem, ...], kept: Sequence[KeptTask]) -> ResendPlan:
        wanted = self._wanted
        text = f"{wanted.how} {wanted.off_peak} " + " ".join(item.model_dump_json() for item in items)
        return ResendPlan(
            how=wanted.how,
            series=len(items),
            images=sum(item.images for item in items),
            bytes=sum(item.bytes for item in items),
            goes=tuple(
                PlannedPlace.model_validate({"kind": kind, "name": name, "series": count})
                for (kind, name), count in self._goes.most_common()
            ),
            left=self._draft.left_out(),
            gone=self._gone(),
            arriving=self._arriving(kept),
            not_found=tuple(_not_found(wanted.listed, kept)),
            digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        )

    def _gone(self) -> int | None:
        """Count the tasks that the history knows and that are not on the disk; None where it cannot be asked."""
        wanted = self._wanted
        page = ResultPage(limit=_GONE_AT_MOST, since=wanted.since)
        try:
            with asking(self._session) as history:
                found = history.tasks(
                    page, states=_STATES, target=wanted.target, series_uid=wanted.series, study_uid=wanted.study
                )
        except ControlError:
            return None
        there = {one.task.id for one in self._every}
        return sum(
            record.id not in there
            and wanted.accession in (None, record.accession)
            and wanted.patient in (None, record.patient_id)
            and (wanted.rule is None or wanted.rule in (record.rules or ()))
            and (not wanted.tasks or record.id in self._named)
            and (not wanted.tags or self._has_tags(record.study_uid, record.series_uid))
            and (
                not wanted.listed
                or bool(
                    {record.id, record.accession, record.patient_id, record.study_uid, record.series_uid}
                    & {*wanted.listed}
                )
            )
            and self._spool.find(record.id) is None
            for record in found
        )

    def _arriving(self, kept: Sequence[KeptTask]) -> int:
        """Count the selected series whose study is not complete: images of it arrive, or wait for others."""
        studies = {name.partition("+")[0] for name in self._spool.names(Stage.STUDIES)}
        for name in self._spool.names(Stage.INCOMING):
            lines = sorted(self._spool.entry(Stage.INCOMING, name).glob("*.jsonl"))
            first = next((record for path in lines for record in read_lines(path)), {})
            studies.add(text(first, "StudyInstanceUID"))
        return len({one.family for one in kept if one.task.identity.StudyInstanceUID in studies - {""}})


@dataclass(frozen=True)
class _Stay:
    """Names of the images of a task that stay: of another series, not wanted, or older than others."""

    other: frozenset[str]
    not_wanted: frozenset[str]
    older: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.other | self.not_wanted | self.older


_MAKERS: Final[Mapping[str, Callable[[Planner, Sequence[KeptTask]], None]]] = {
    "again": Planner.again,
    "elsewhere": Planner.elsewhere,
    "anew": Planner.anew,
}


def _names_of(task: Task) -> set[str]:
    who = task.identity
    return {task.id, who.AccessionNumber, who.PatientID, who.StudyInstanceUID, who.SeriesInstanceUID} - {""}


def _is_meant(wanted: PlanResend, one: KeptTask, named: frozenset[str]) -> bool:
    """Return whether a task is all that is given."""
    task, who = one.task, one.task.identity
    fired = {rule.rule for rule in task.rules}
    return (
        (not wanted.stages or one.stage.value in wanted.stages)
        and (not wanted.tasks or task.id in named)
        and wanted.accession in (None, who.AccessionNumber)
        and wanted.patient in (None, who.PatientID)
        and wanted.study in (None, who.StudyInstanceUID)
        and wanted.series in (None, who.SeriesInstanceUID)
        and (wanted.since is None or task.created >= wanted.since)
        and (wanted.rule is None or wanted.rule in fired)
        and (not wanted.listed or bool(_names_of(task) & {*wanted.listed}))
    )


def _not_found(listed: Iterable[str], kept: Sequence[KeptTask]) -> Iterator[str]:
    known = {name for one in kept for name in _names_of(one.task)}
    return (name for name in listed if name not in known)


def _may_share(one: Task, other: Task) -> bool:
    """Return whether two tasks may hold versions of one image."""
    same = one.identity.SeriesInstanceUID == other.identity.SeriesInstanceUID or "study" in (one.scope, other.scope)
    return same and unit_of(one).is_same(unit_of(other)) and one.processed_by == other.processed_by


def _has_versions(directory: Path) -> bool:
    return any("~" in image.name for image in image_files(directory))
