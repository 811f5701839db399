"""Carrying a plan out: every step may be the last before a crash, and doing all of them again does no harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from mercure import durable
from mercure.clock import Clock
from mercure.event_details import ImageRef, SeriesCompleted, SeriesDecided, Warned
from mercure.events import EventWriter
from mercure.routing.planning import Derived, Plan
from mercure.spool import Claim, FiredRule, Spool, Stage, Task, derive, image_refs, move, save_task
from mercure.spool.ending import fail_task
from mercure.spool.task import PLAN_FILE, Failure
from mercure.spool.telling import task_created


def load_plan(directory: Path) -> Plan | None:
    """Read the plan that an earlier run wrote; None when there is none that can be used."""
    try:
        return Plan.model_validate_json((directory / PLAN_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def save_plan(directory: Path, plan: Plan) -> None:
    """Write the plan down, durably, before anything of it is done."""
    durable.write_file(directory / PLAN_FILE, plan.model_dump_json(exclude_defaults=True).encode())


class Executor:
    """Carries plans out.

    Parameters
    ----------
    spool : Spool
        Where the stages are.
    events : EventWriter
        Who is told.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, spool: Spool, events: EventWriter, clock: Clock) -> None:
        self._spool = spool
        self._events = events
        self._clock = clock

    def carry_out(self, claim: Claim, task: Task, plan: Plan, earlier: Sequence[str] = ()) -> None:
        """Derive what the plan names, tell of it, and let the routed task end.

        Parameters
        ----------
        claim : Claim
            The claim on the routed task.
        task : Task
            Its model.
        plan : Plan
            What was decided; it is on disk.
        earlier : sequence of str
            Tasks of the same series that were routed before.

        Raises
        ------
        OSError
            As the disk says; the task stays in ``routing/`` and the plan is carried out again.
        """
        images = image_refs(claim.path)
        self._tell_decision(task, plan, images, earlier)
        for derived in plan.derived:
            derive(self._spool, claim.path, derived.task, derived.stage, plan.files)
            self._tell_created(derived, images)
        ends = {"derived": self._retire, "discard": self._discard, "error": self._fail}
        ends[plan.ends_in](claim, task, plan)

    def _tell_decision(self, task: Task, plan: Plan, images: tuple[ImageRef, ...], earlier: Sequence[str]) -> None:
        series = task.identity.SeriesInstanceUID or None
        completed = SeriesCompleted(
            identity=task.identity,
            origin=task.origin,
            images=images,
            bytes=task.bytes,
            reason=task.reason,
            late=task.late,
            earlier=tuple(earlier),
        )
        self._events.emit(completed, task=task.id, series=series, key="series.completed")
        decided = SeriesDecided(
            rules=plan.rules, derived=tuple(d.task.id for d in plan.derived), discarded_by=plan.discarded_by
        )
        self._events.emit(decided, task=task.id, series=series, key="series.decided")
        for outcome in plan.rules:
            if outcome.error:
                text = f"rule {outcome.rule!r} could not be evaluated: {outcome.error}"
                self._events.emit(
                    Warned(text=text, advice="correct the rule"), task=task.id, key=f"rule:{outcome.rule}"
                )

    def _tell_created(self, derived: Derived, images: tuple[ImageRef, ...]) -> None:
        task = derived.task
        created = task_created(task, derived.stage, images)
        series = task.identity.SeriesInstanceUID or None
        self._events.emit(created, task=task.id, series=series, key="task.created")

    def _retire(self, claim: Claim, task: Task, plan: Plan) -> None:
        # What told of the images goes with the folder: the events that replace it must be on disk before.
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
        self._tell_created(Derived(stage=Stage.DISCARD, task=discarded), image_refs(claim.path))
        move(self._spool, claim, Stage.DISCARD)

    def _fail(self, claim: Claim, task: Task, plan: Plan) -> None:
        reason = "the plan names no reason"
        failure = plan.failure or Failure(stage=Stage.ROUTING.value, reason=reason, at=self._clock.now())
        fail_task(self._spool, self._events, claim, task, failure)
