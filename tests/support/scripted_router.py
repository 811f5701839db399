"""A router on a real spool that does one step when it is told to: what `mercure verify` is tested on.

Each step leaves the spool as the services leave it and tells the event that they tell; a test may leave either out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mercure import durable
from mercure.event_details import (
    Identity,
    ImageReceived,
    ImageRef,
    Origin,
    RuleOutcome,
    SeriesCompleted,
    SeriesDecided,
    StudyCompleted,
    TaskRetired,
)
from mercure.events import EventWriter
from mercure.names import derived_id, new_id, safe_name, utc_text
from mercure.routing.assembly import member_ids, prepare_study
from mercure.routing.studies import StudyRelease
from mercure.spool import (
    Claim,
    Failure,
    FiredRule,
    LedgerLine,
    Spool,
    Stage,
    Task,
    add_to_ledger,
    derive,
    image_files,
    image_refs,
    move,
    save_task,
)
from mercure.spool.link import LinkSource
from mercure.spool.task_events import failed_key, task_created, task_delivered, task_failed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mercure.clock import ManualClock


@dataclass(frozen=True)
class Received:
    """An image that was acknowledged."""

    id: str
    folder: str
    file: str


class ScriptedRouter:
    """A router without a mind of its own."""

    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.spool = Spool(root)
        self.spool.create()
        self.clock = clock
        self.outbox = self.spool.stage(Stage.OUTBOX)
        self.events = EventWriter(self.outbox, "scripted", clock)
        self._newest: dict[str, datetime] = {}

    def receive(self, series: str, number: int = 1, *, tag_line: bool = True, told: bool = True) -> Received:
        """Take an image in; the same number again is a repetition."""
        self.clock.advance(0.01)
        image, association, sop = self._next_id("images"), f"association-{series}", f"{series}.{number}"
        folder = self.spool.entry(Stage.INCOMING, safe_name(series))
        folder.mkdir(exist_ok=True)
        path = folder / f"{sop}.dcm"
        repetition = path.exists()
        path.write_bytes(b"image %06d" % number)
        line = {
            "FileName": path.name,
            "ImageID": image,
            "SOPInstanceUID": sop,
            "SeriesInstanceUID": series,
            "PatientID": "P1",
            "ReceivedAt": utc_text(self.clock.now()),
            "AssociationID": association,
        }
        if tag_line:
            durable.append_to(folder / f"{association}.jsonl", json.dumps(line).encode() + b"\n")
        if told:
            details = ImageReceived(
                image=image,
                association=association,
                file=path.name,
                folder=folder.name,
                sop=sop,
                series=series,
                patient="P1",
                bytes=path.stat().st_size,
                repetition=repetition,
            )
            self.events.emit(details, series=series)
        return Received(image, folder.name, path.name)

    def _next_id(self, of: str) -> str:
        """Make the next id of images or of tasks; neither go back with the clock, and neither know of the other."""
        now = self.clock.now()
        newest = self._newest.get(of, now - timedelta(microseconds=1))
        self._newest[of] = max(now, newest + timedelta(microseconds=1))
        return new_id(self._newest[of])

    def take(self, series: str, *, told: bool = True) -> Task:
        """Take a series for routing."""
        self.clock.advance(1)
        claim = Claim.take(self.spool.entry(Stage.INCOMING, safe_name(series)))
        assert claim is not None
        with claim:
            move(self.spool, claim, Stage.ROUTING, self._next_id("tasks"))
            lines = [path.read_bytes() for path in sorted(claim.path.glob("*.jsonl"))]
            durable.write_file(claim.path / "tags.jsonl", b"".join(lines))
            files = image_files(claim.path)
            task = Task(
                id=claim.path.name,
                created=self.clock.now(),
                identity=Identity(SeriesInstanceUID=series, PatientID="P1"),
                origin=Origin(associations=(f"association-{series}",)),
                images=len(files),
                bytes=sum(file.bytes for file in files),
            )
            save_task(claim.path, task)
            if told:
                self.tell_completed(task, image_refs(claim.path))
        return task

    def tell_completed(self, task: Task, images: tuple[ImageRef, ...]) -> None:
        """Tell that a series was taken."""
        details = SeriesCompleted(
            identity=task.identity, origin=task.origin, images=images, bytes=task.bytes, reason="quiet"
        )
        self.tell(details, task, "series.completed")

    def route(self, task: Task, *targets: str, files: Sequence[str] | None = None, stay: bool = False) -> list[Task]:
        """Derive a task for each target, and let the routed task end."""
        self.clock.advance(1)
        parent = self.spool.entry(Stage.ROUTING, task.id)
        names = [file.name for file in image_files(parent)] if files is None else list(files)
        derived = [
            task.model_copy(
                update={
                    "id": derived_id(task.id, f"route:{target}"),
                    "parent": task.id,
                    "action": "route",
                    "target": target,
                    "rules": (FiredRule(rule="all"),),
                    "images": len(names),
                    "bytes": sum((parent / name).stat().st_size for name in names),
                }
            )
            for target in targets
        ]
        rules = (RuleOutcome(rule="all", fired=True),)
        self.tell(SeriesDecided(rules=rules, derived=tuple(made.id for made in derived)), task, "series.decided")
        for made in derived:
            derive(self.spool, made, self.spool.stage(Stage.OUTGOING), [LinkSource(parent, names)])
            images = image_refs(self.spool.entry(Stage.OUTGOING, made.id))
            self.tell(task_created(made, Stage.OUTGOING, images), made, "task.created")
        if not stay:
            durable.remove_tree(parent)
        return derived

    def divide(self, task: Task, parts: Mapping[str, tuple[Sequence[str], int]]) -> list[Task]:
        """Let the rules divide a series: by target the files that its part holds, and how many it was to hold."""
        self.clock.advance(1)
        parent = self.spool.entry(Stage.ROUTING, task.id)
        made = {
            target: task.model_copy(
                update={
                    "id": derived_id(task.id, f"route:{target}"),
                    "parent": task.id,
                    "action": "route",
                    "target": target,
                    "rules": (FiredRule(rule="all"),),
                    "images": len(files),
                    "bytes": sum((parent / name).stat().st_size for name in files),
                }
            )
            for target, (files, _) in parts.items()
        }
        planned = {made[target].id: count for target, (_, count) in parts.items()}
        decided = SeriesDecided(rules=(), derived=tuple(planned), parts=planned)
        self.tell(decided, task, "series.decided")
        for target, (files, _) in parts.items():
            derive(self.spool, made[target], self.spool.stage(Stage.OUTGOING), [LinkSource(parent, files)])
            images = image_refs(self.spool.entry(Stage.OUTGOING, made[target].id))
            self.tell(task_created(made[target], Stage.OUTGOING, images), made[target], "task.created")
        durable.remove_tree(parent)
        return list(made.values())

    def collect(self, task: Task, study: str = "1.2+whole") -> Task:
        """Let a routed series wait for its study."""
        self.clock.advance(1)
        parent, folder = self.spool.entry(Stage.ROUTING, task.id), self.spool.entry(Stage.STUDIES, study)
        folder.mkdir(exist_ok=True)
        changes = {"id": derived_id(task.id, "collect"), "parent": task.id, "action": "collect"}
        made = task.model_copy(update=changes)
        self.tell(SeriesDecided(rules=(), derived=(made.id,)), task, "series.decided")
        derive(self.spool, made, folder, [LinkSource(parent, [file.name for file in image_files(parent)])])
        self.tell(task_created(made, Stage.STUDIES, image_refs(folder / made.id)), made, "task.created")
        durable.remove_tree(parent)
        return made

    def take_study(self, study: str = "1.2+whole") -> Path:
        """Take a study for routing; its series are still folders of their own."""
        self.clock.advance(1)
        claim = Claim.take(self.spool.entry(Stage.STUDIES, study))
        assert claim is not None
        with claim:
            move(self.spool, claim, Stage.ROUTING, new_id(self.clock.now()))
        return claim.path

    def assemble(self, directory: Path, *, without: str = "") -> Task:
        """Make one task of the series in a taken study."""
        self.clock.advance(1)
        task, _ = prepare_study(directory, StudyRelease(reason="quiet"))
        if without:
            (directory / without).unlink()
            files = image_files(directory)
            task = task.model_copy(update={"images": len(files), "bytes": sum(file.bytes for file in files)})
            save_task(directory, task)
        return task

    def tell_study(self, task: Task) -> None:
        """Tell that a study was taken."""
        directory = self.spool.entry(Stage.ROUTING, task.id)
        details = StudyCompleted(
            identity=task.identity,
            origin=task.origin,
            rule="whole",
            members=member_ids(directory),
            images=image_refs(directory),
            bytes=task.bytes,
            reason="quiet",
        )
        self.tell(details, task, "study.completed")

    def discard(self, task: Task, rule: str = "phantoms", *, told: bool = True) -> None:
        """Let a rule discard a routed series."""
        self.clock.advance(1)
        with self.claim(Stage.ROUTING, task) as claim:
            fired = (FiredRule(rule=rule),) if rule else ()
            discarded = task.model_copy(update={"action": "discard", "rules": fired, "finished": self.clock.now()})
            save_task(claim.path, discarded)
            if told:
                decided = SeriesDecided(rules=(), derived=(), discarded_by=rule or None)
                self.tell(decided, task, "series.decided")
                self.tell(task_created(discarded, Stage.DISCARD, image_refs(claim.path)), task, "task.created")
            move(self.spool, claim, Stage.DISCARD)

    def deliver(self, task: Task, *, unconfirmed: Sequence[str] = (), told: bool = True) -> None:
        """Let the target confirm a task."""
        self.clock.advance(1)
        with self.claim(Stage.OUTGOING, task) as claim:
            lines = [
                LedgerLine(file=ref.file, sop=ref.sop, status="0x0000", time=self.clock.now(), target=task.target or "")
                for ref in image_refs(claim.path)
                if ref.file not in unconfirmed
            ]
            add_to_ledger(claim.path, lines)
            save_task(claim.path, task.model_copy(update={"finished": self.clock.now()}))
            move(self.spool, claim, Stage.SUCCESS)
            if told:
                self.tell(task_delivered(task, claim.path), task, "task.delivered")

    def confirm(self, task: Task, images: int) -> None:
        """Let the target confirm the first images of a task that waits."""
        directory = self.spool.entry(Stage.OUTGOING, task.id)
        now, target = self.clock.now(), task.target or ""
        refs = image_refs(directory)[:images]
        lines = [LedgerLine(file=ref.file, sop=ref.sop, status="0x0000", time=now, target=target) for ref in refs]
        add_to_ledger(directory, lines)

    def fail(self, task: Task, stage: Stage = Stage.OUTGOING) -> None:
        """Put a task aside."""
        self.clock.advance(1)
        failure = Failure(stage=stage, reason="refused", at=self.clock.now())
        failed = task.model_copy(update={"failure": failure})
        with self.claim(stage, task) as claim:
            save_task(claim.path, failed)
            move(self.spool, claim, Stage.ERROR)
        self.tell(task_failed(failed), task, failed_key(failed))

    def retire(self, task: Task, stage: Stage, *, told: bool = True) -> None:
        """Remove a finished task as the cleaner does."""
        self.clock.advance(1)
        path = self.spool.entry(stage, task.id)
        if told:
            images = len(image_files(path))
            self.tell(TaskRetired(stage=stage.value, images=images, reason="retention"), task, "task.retired")
        durable.remove_tree(path)

    def claim(self, stage: Stage, task: Task) -> Claim:
        """Claim a task."""
        claim = Claim.take(self.spool.entry(stage, task.id))
        assert claim is not None
        return claim

    def tell(self, details: object, task: Task, key: str) -> None:
        """Emit an event about a task."""
        self.events.emit(details, task=task.id, series=task.identity.SeriesInstanceUID or None, key=key)  # type: ignore[arg-type]  # models of events
