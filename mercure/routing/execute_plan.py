"""Execution of a plan: every step may be the last before a crash, and doing all of them again does no harm."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config
from mercure.event_details import (
    ImageRef,
    RuleNotified,
    SeriesCompleted,
    SeriesDecided,
    SeriesTags,
    StudyCompleted,
    Warned,
)
from mercure.events import EventWriter
from mercure.names import derived_id, time_part
from mercure.routing.assembly import member_ids
from mercure.routing.plan import Derived, Plan
from mercure.routing.studies import open_folder, read_taken
from mercure.routing.units import same_unit
from mercure.seal import is_intact, sealed
from mercure.spool import (
    Claim,
    FiredRule,
    Spool,
    Stage,
    Task,
    TaskError,
    derive,
    image_files,
    image_refs,
    load_task,
    move,
    read_tags,
    save_task,
)
from mercure.spool.failed_tasks import fail_task
from mercure.spool.images import distinct_values
from mercure.spool.link import LinkSource
from mercure.spool.task import PLAN_FILE, Failure
from mercure.spool.task_events import failed_key, task_created, task_failed
from mercure.spool.versions import VersionedImage, images_of, newest


def load_plan(directory: Path) -> Plan | None:
    """Read the plan that an earlier run wrote; None when there is none that can be used."""
    try:
        content = (directory / PLAN_FILE).read_bytes()
        return Plan.model_validate_json(content) if is_intact(content) else None
    except (FileNotFoundError, ValidationError):
        return None


def save_plan(directory: Path, plan: Plan) -> None:
    """Write the plan down, durably, before anything of it is done."""
    content = {"version": plan.version, **plan.model_dump(mode="json", exclude_defaults=True)}
    durable.write_file(directory / PLAN_FILE, sealed(json.dumps(content, ensure_ascii=False).encode()))


class Executor:
    """Executor of plans."""

    def __init__(self, spool: Spool, events: EventWriter, clock: Clock) -> None:
        self._spool = spool
        self._events = events
        self._clock = clock

    def carry_out(self, config: Config, claim: Claim, task: Task, plan: Plan, earlier: Sequence[str] = ()) -> None:
        """Derive what the plan names, tell of it, and let the routed task end.

        Parameters
        ----------
        config : Config
            Where earlier images of a series may have gone, for one that is sent whole again.
        claim : Claim
            The claim on the routed task.
        task : Task
            Its model.
        plan : Plan
            What was decided; it is on disk.
        earlier : sequence of str
            Tasks of the same series (or study) that were routed before.

        Raises
        ------
        OSError
            I/O failed; the task stays in ``routing/`` and the plan is carried out again.
        """
        images = image_refs(claim.path)
        self._tell_completion(claim.path, task, images, earlier)
        self._tell_tags(config, claim.path, task)
        self._tell_decision(config, task, plan)
        for planned in plan.derived:
            derived, own = _of_files(planned, images)
            sources = [LinkSource(claim.path, derived.files or plan.files)]
            if derived.again:
                sources += _newest(images_of(claim.path, task), self._earlier_images(config, derived.task, earlier))
            self._place(derived, sources)
            self._tell_created(derived, own)
        ends = {"derived": self._retire, "discard": self._discard, "error": self._fail}
        ends[plan.ends_in](claim, task, plan)

    def _place(self, derived: Derived, sources: Sequence[LinkSource]) -> None:
        if derived.study is None:
            into = self._spool.stage(derived.stage)
            derive(self._spool, derived.task, into, sources, whole=not derived.files)
            return
        # A series is added to its study under a shared lock, as an image is to its series: the study may be taken now.
        folder = self._spool.entry(Stage.STUDIES, open_folder(self._spool, derived.study, derived.task))
        durable.make_directory(folder)
        lock = Claim.take(folder, exclusive=False)
        if lock is None:
            raise BlockingIOError(errno.EAGAIN, "the study is just being taken", str(folder))
        with lock:
            derive(self._spool, derived.task, folder, sources, whole=not derived.files)

    def _earlier_images(self, config: Config, task: Task, earlier: Iterable[str]) -> list[LinkSource]:
        """Find the images of the same series that were routed before, newest first, wherever they still are."""
        sources = []
        for parent in reversed(list(earlier)):
            keys = [f"route:{target}" for target in dict.fromkeys([task.target or "", *config.targets])]
            keys += [f"process:{rule}" for rule in config.rules]
            directory = next((path for key in keys if (path := self._find(derived_id(parent, key))) is not None), None)
            if directory is not None:
                # A hint of an older router may name a task of another patient or sender with the same series.
                if task.scope == "study" or same_unit(task, load_task(directory)):
                    sources.append(LinkSource(directory, [image.name for image in image_files(directory)]))
                continue
            parts = self._parts_of(parent, task)
            if parts:
                sources += parts
                continue
            text = f"task {task.id} was to be sent again whole, but the images of {parent} are not kept any more"
            advice = "send the whole series again from the scanner or archive, or keep delivered tasks for longer"
            self._events.emit(Warned(text=text, advice=advice), task=task.id, key=f"again:{parent}")
        return sources

    def _parts_of(self, parent: str, task: Task) -> list[LinkSource]:
        """Find what became of an earlier series that was divided: the parts for the same target, or of one verdict."""
        found: list[tuple[bool, LinkSource]] = []
        for stage, name in self._spool.tasks():
            if time_part(name) != time_part(parent) or name == parent:
                continue
            directory = self._spool.entry(stage, name)
            try:
                part = load_task(directory)
            except (TaskError, FileNotFoundError):
                continue
            if part.part and part.action in ("route", "process") and same_unit(task, part):
                same_target = part.target == task.target
                if same_target or part.part == task.part:
                    found.append((same_target, LinkSource(directory, [image.name for image in image_files(directory)])))
        return [source for _, source in sorted(found, key=lambda item: not item[0])]

    def _find(self, task: str) -> Path | None:
        stage = self._spool.find(task)
        return None if stage is None else self._spool.entry(stage, task)

    def _tell_completion(
        self, directory: Path, task: Task, images: tuple[ImageRef, ...], earlier: Sequence[str]
    ) -> None:
        if task.scope == "series":
            completed = SeriesCompleted(
                identity=task.identity,
                origin=task.origin,
                images=images,
                bytes=task.bytes,
                reason=task.reason,
                late=task.late,
                earlier=tuple(earlier),
            )
            self._events.emit(completed, task=task.id, series=_series(task), key="series.completed")
            return
        taken = read_taken(directory)
        study = StudyCompleted(
            identity=task.identity,
            origin=task.origin,
            rule=task.study_rule or "",
            members=member_ids(directory),
            images=images,
            bytes=task.bytes,
            reason=task.reason,
            by=taken.by if taken else None,
            late=task.late,
            earlier=tuple(earlier),
        )
        self._events.emit(study, task=task.id, key="study.completed")

    def _tell_tags(self, config: Config, directory: Path, task: Task) -> None:
        """Tell what the history is to keep of the tags; those of a study were told series by series."""
        if not config.history.tags or task.scope != "series" or task.processed_by:
            return
        found = distinct_values(read_tags(directory), config.history.tags)
        if found:
            details = SeriesTags(tags=found, association=next(iter(task.origin.associations), ""))
            self._events.emit(details, task=task.id, series=_series(task), key="series.tags")

    def _tell_decision(self, config: Config, task: Task, plan: Plan) -> None:
        ids = tuple(derived.task.id for derived in plan.derived)
        parts = {derived.task.id: len(derived.files) for derived in plan.derived if derived.files}
        decided = SeriesDecided(rules=plan.rules, derived=ids, discarded_by=plan.discarded_by, parts=parts)
        # A series that could not be decided is decided anew when a person retries it: that is another decision.
        at = plan.failure.at if plan.failure else plan.anew
        key = f"series.decided:{at}" if at else "series.decided"
        self._events.emit(decided, task=task.id, series=_series(task), key=key)
        for outcome in plan.rules:
            if outcome.error:
                text = f"rule {outcome.rule!r} could not be evaluated: {outcome.error}"
                warned = Warned(text=text, advice="correct the rule")
                self._events.emit(warned, task=task.id, series=_series(task), key=f"rule:{outcome.rule}")
        for name in plan.notified:
            rule = config.rules.get(name)
            notified = RuleNotified(
                rule=name, contact=rule.contact if rule else "", comment=rule.comment if rule else ""
            )
            self._events.emit(notified, task=task.id, series=_series(task), key=f"notified:{name}")

    def _tell_created(self, derived: Derived, images: tuple[ImageRef, ...], anew: datetime | None = None) -> None:
        created = task_created(derived.task, derived.stage, images)
        task, key = derived.task, f"task.created:{anew}" if anew else "task.created"
        self._events.emit(created, task=task.id, series=_series(task), key=key)
        if derived.stage is Stage.ERROR:
            self._events.emit(task_failed(task), task=task.id, series=_series(task), key=failed_key(task))

    def _retire(self, claim: Claim, task: Task, plan: Plan) -> None:
        # The tag lines go with the folder: the events that replace them must be on disk before.
        self._events.sync()
        durable.remove_tree(claim.path)

    def _discard(self, claim: Claim, task: Task, plan: Plan) -> None:
        discarded = task.model_copy(
            update={
                "action": "discard",
                "rules": (FiredRule(rule=plan.discarded_by or "", why="discards the series"),),
                "finished": self._clock.now(),
            }
        )
        save_task(claim.path, discarded)
        images = image_refs(claim.path)
        move(self._spool, claim, Stage.DISCARD)
        self._tell_created(Derived(stage=Stage.DISCARD, task=discarded), images, plan.anew)

    def _fail(self, claim: Claim, task: Task, plan: Plan) -> None:
        reason = "the plan names no reason"
        failure = plan.failure or Failure(stage=Stage.ROUTING.value, reason=reason, at=self._clock.now())
        # First the failure, then the mark, then the move: a task with the mark and without a failure is one that a
        # person sent on its way again. Without the two every repetition after a crash would be another decision.
        save_task(claim.path, task.model_copy(update={"failure": failure}))
        save_plan(claim.path, plan.model_copy(update={"put_aside": True}))
        fail_task(self._spool, self._events, claim, task, failure)


def _newest(have: Iterable[VersionedImage], sources: Iterable[LinkSource]) -> list[LinkSource]:
    """Leave of each image the newest version only, of those that came again since none."""
    met = {image.key for image in have}
    left = []
    for source in sources:
        images = images_of(source.directory, load_task(source.directory))
        last = newest(image for image in images if image.file in source.files)
        left.append(LinkSource(source.directory, [image.file for key, image in last.items() if key not in met]))
        met |= last.keys()
    return left


def _of_files(planned: Derived, images: tuple[ImageRef, ...]) -> tuple[Derived, tuple[ImageRef, ...]]:
    """Return a task to derive with the numbers of its images, and these."""
    if not planned.files:
        return planned, images
    names = set(planned.files)
    own = tuple(image for image in images if image.file in names)
    numbers = {"images": len(planned.files), "bytes": sum(image.bytes for image in own)}
    return planned.model_copy(update={"task": planned.task.model_copy(update=numbers)}), own


def _series(task: Task) -> str | None:
    return task.identity.SeriesInstanceUID or None
