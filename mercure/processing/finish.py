"""What becomes of a result, when the last module of the chain has ended well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mercure.clock import Clock
from mercure.config import Config, ModuleSettings
from mercure.config.problems import suggest
from mercure.event_details import Identity
from mercure.events import EventWriter
from mercure.names import derived_id
from mercure.processing.record import read_result
from mercure.processing.result import ResultRouting
from mercure.processing.steps import inputs_of
from mercure.spool import (
    Claim,
    Failure,
    Hold,
    Spool,
    Stage,
    Task,
    derive,
    image_files,
    image_refs,
    move,
    read_tags,
    save_task,
)
from mercure.spool.failed_tasks import fail_task
from mercure.spool.images import text
from mercure.spool.link import LinkSource
from mercure.spool.task_events import discarded_key, images_collided, task_created, task_discarded, task_processed
from mercure.spool.versions import register


@dataclass(frozen=True)
class Finisher:
    """Hands results on.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    config : Config
        The configuration of now.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    config: Config

    def finish(self, claim: Claim, task: Task) -> None:
        """Derive the tasks that the result becomes, and let the processed task end; doing it again does no harm.

        Raises
        ------
        OSError
            As the disk says; the task stays and this is repeated.
        """
        folder = inputs_of(claim.path, len(task.done) + 1)
        result = read_result(folder)
        routing = result.routing if result is not None else ResultRouting()
        if routing.discard:
            self._discard(claim, task)
            return
        targets = routing.targets
        if targets is None:
            targets = () if task.also_routed and not image_files(folder) else task.then_targets
        problem = self._problem(task, routing, folder, targets)
        if problem is not None:
            fail_task(self.spool, self.events, claim, task, problem)
            return
        made = [self._derived(task, folder, f"result:{target}", target) for target in targets if not routing.rules]
        if routing.rules:
            made = [self._derived(task, folder, "result", None)]
        for derived in made:
            self._place(folder, derived)
        outputs = tuple(derived.id for derived in made)
        ended = task.model_copy(update={"outputs": outputs, "finished": self.clock.now(), "next_attempt": None})
        save_task(claim.path, ended)
        move(self.spool, claim, Stage.SUCCESS)
        self.events.emit(task_processed(ended), task=task.id, series=_series(task), key="task.processed")

    def _problem(self, task: Task, routing: ResultRouting, folder: Path, targets: tuple[str, ...]) -> Failure | None:
        """Tell why the result cannot be handed on, if it cannot."""
        unknown = next((target for target in targets if target not in self.config.targets), None)
        reason = advice = ""
        if unknown is not None:
            hint = suggest(unknown, self.config.targets)
            reason = f"the result is to go to target {unknown!r}, which is not in the configuration"
            advice = f"{hint + '; ' if hint else ''}add the target again, then retry the task: no module is run again"
        elif routing.targets is not None and (refused := _not_allowed(self.config.modules, task, routing.targets)):
            reason = f"module {task.done[-1]!r} asks for target {refused!r}, which its 'routes_to' does not allow"
            advice = "allow it, or correct the module, then retry the task"
        elif (targets or routing.rules) and not image_files(folder):
            reason = "the result holds no image that could be sent"
            advice = "correct the module, or leave the targets out of the rule, then retry the task"
        return (
            Failure(stage=Stage.PROCESSING.value, reason=reason, advice=advice, at=self.clock.now()) if reason else None
        )

    def _discard(self, claim: Claim, task: Task) -> None:
        now = self.clock.now()
        note = task.discarded or Hold(by=f"module {task.done[-1]}", at=now, reason="its result asks for it")
        discarded = task.model_copy(update={"discarded": note, "finished": now, "next_attempt": None})
        save_task(claim.path, discarded)
        move(self.spool, claim, Stage.DISCARD)
        details, key = task_discarded(note), discarded_key(note)
        self.events.emit(details, type="task.discarded", task=task.id, series=_series(task), key=key)

    def _derived(self, task: Task, folder: Path, key: str, target: str | None) -> Task:
        files = image_files(folder)
        return Task(
            id=derived_id(task.id, key),
            parent=task.id,
            created=task.created,
            action="complete" if target is None else "route",
            scope=task.scope if target is not None else "series",
            study_rule=task.study_rule if target is not None else None,
            identity=_identity(folder, task),
            origin=task.origin,
            images=len(files),
            bytes=sum(file.bytes for file in files),
            rules=task.rules,
            priority=task.priority,
            target=target,
            late=task.late and target is not None,
            reason="" if target is not None else f"processed by {', '.join(task.done)}",
            processed_by=(*task.processed_by, *task.done),
            resent=task.resent,
        )

    def _place(self, folder: Path, derived: Task) -> None:
        stage = Stage.ROUTING if derived.target is None else Stage.OUTGOING
        images = image_refs(folder)
        if stage is Stage.OUTGOING:  # of what is in routing, the router takes note
            for collision in register(self.spool, folder, derived.model_copy(update={"id": derived.parent})):
                details, key = images_collided(collision), f"images.collided:{collision.task}"
                self.events.emit(details, task=derived.id, series=_series(derived), key=key)
        derive(self.spool, derived, self.spool.stage(stage), [LinkSource(folder, [image.file for image in images])])
        if stage is Stage.OUTGOING:  # of what is in routing, the router tells
            created = task_created(derived, stage, images)
            self.events.emit(created, task=derived.id, series=_series(derived), key="task.created")


def _identity(folder: Path, task: Task) -> Identity:
    """Return whose images a result holds: a module may have given them another identity, as one that de-identifies."""
    first = next(iter(read_tags(folder)), None)
    if first is None:
        return task.identity
    return Identity.model_validate({keyword: text(first, keyword) for keyword in Identity.model_fields})


def _not_allowed(modules: Mapping[str, ModuleSettings], task: Task, targets: tuple[str, ...]) -> str | None:
    settings = modules.get(task.done[-1])
    if settings is None or settings.routes_to is None:
        return None
    return next((target for target in targets if target not in settings.routes_to), None)


def _series(task: Task) -> str | None:
    return task.identity.SeriesInstanceUID or None
