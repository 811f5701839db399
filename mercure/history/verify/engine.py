"""Verification of one router: walk the spool, read the evidence, judge, and judge again what looked wrong.

A running router moves things while this looks. Each pass takes the spool first and the evidence after it: the end of
a task is written before it is removed, so what was not in the spool is in the evidence. What still looks wrong, because
it moved between two looks, is looked at again from the beginning, and named only when it looks wrong every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mercure.clock import Clock
from mercure.config import Config, Root
from mercure.history.database import HistoryError
from mercure.history.reader import HistoryUnavailableError, Reader, batches
from mercure.history.verify.accounts import ImageAccounts, TaskAccounts, lost_image
from mercure.history.verify.deep import DeepCheck, ReadProgress, known
from mercure.history.verify.evidence import Evidence
from mercure.history.verify.folders import FolderCheck, who_discarded
from mercure.history.verify.report import DeepReport, Finding, Report, Tally, named
from mercure.history.verify.spool_walk import SpoolWalk
from mercure.history.verify.views import TaskView
from mercure.spool import Spool, Stage, Task
from mercure.spool.delivered import holder
from mercure.spool.place import place_problems, spool_in_force

ROUNDS: Final = 3
"""So often what looks wrong is looked at again."""

_AT_ONCE: Final = 500
_PARTLY: Final = frozenset({Stage.OUTGOING, Stage.ERROR, Stage.DISCARD})
"""Where a target may have some images of a task, and not yet, or never, the others."""
_BEFORE_ROUTING: Final = frozenset({Stage.ROUTING, Stage.STUDIES})


def verify(
    root: Root, config: Config, clock: Clock | None = None, *, deep: bool = False, told: ReadProgress | None = None
) -> Report:
    """Prove that every acknowledged image of a router is accounted for, or name those that are not.

    Parameters
    ----------
    root : Root
        The router.
    config : Config
        Names its spool, its history, and itself in it.
    clock : Clock, optional
        Where the time comes from.
    deep : bool
        Read every kept image, too, and compare it with its digests.
    told : callable, optional
        Called with how many bytes of how many were read.

    Raises
    ------
    OSError
        The spool cannot be read.
    """
    spool, clock = spool_in_force(root.path, root.named_spool(config)), clock or Clock()
    try:
        with Reader.open(root, config) as history:
            report = Verifier(spool, config.name, history, clock).run()
    except HistoryError as error:
        report = Verifier(spool, config.name, None, clock).run(str(error))
    read: DeepReport | None = None
    if deep:
        read, findings = DeepCheck(spool, clock, told or _to_nobody).run()
    else:
        findings = known(spool)
    notes = tuple(
        f"{problem.text} ({problem.advice})" for problem in place_problems(root.path, root.named_spool(config))
    )
    return _with_findings(report.model_copy(update={"deep": read, "notes": notes}), findings)


def _to_nobody(done: int, total: int) -> None:
    """Ignore the progress."""


def _with_findings(report: Report, findings: list[Finding]) -> Report:
    if not findings:
        return report
    all_named, more = named([*report.findings, *findings])
    return report.model_copy(update={"findings": all_named, "findings_not_named": report.findings_not_named + more})


@dataclass
class _Suspects:
    """What looked wrong, and what exactly."""

    tasks: dict[str, list[Finding]] = field(default_factory=dict)
    images: dict[str, list[Finding]] = field(default_factory=dict)
    folders: dict[str, list[Finding]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return True if there is anything."""
        return bool(self.tasks or self.images or self.folders)

    def findings(self) -> Iterable[Finding]:
        """Walk all that looked wrong."""
        for found in (self.tasks, self.images, self.folders):
            for findings in found.values():
                yield from findings


class Verifier:
    """Verifies one router.

    Parameters
    ----------
    spool : Spool
        What it holds.
    node : str
        Its name in the history.
    history : Reader or None
        None when it cannot be reached: then only the spool is checked.
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, spool: Spool, node: str, history: Reader | None, clock: Clock) -> None:
        self._spool = spool
        self._node = node
        self._history = history
        self._clock = clock

    def run(self, why_no_history: str = "") -> Report:
        """Verify.

        Parameters
        ----------
        why_no_history : str
            What to say when the history cannot be reached.

        Raises
        ------
        HistoryUnavailableError
            It went away in the middle.
        """
        if self._history is None:
            return self._without_history(why_no_history)
        with self._pass() as first:
            suspects = first.judge_all()
            acknowledged, repetitions = first.evidence.count()
            unreported = first.unreported()
            other_nodes = first.evidence.other_nodes()
        for _ in range(ROUNDS):
            if suspects:
                with self._pass() as again:
                    suspects = again.judge(suspects)
        return self._report(first, suspects).model_copy(
            update={
                "acknowledged": acknowledged,
                "repetitions": repetitions,
                "unreported": unreported,
                "other_nodes": other_nodes,
            }
        )

    def _pass(self) -> _Pass:
        return _Pass(SpoolWalk(self._spool, self._clock), self._evidence(), self._clock)

    def _evidence(self) -> Evidence:
        return Evidence(self._spool.stage(Stage.OUTBOX), self._node, self._history, self._clock)

    def _without_history(self, why: str) -> Report:
        # What the outbox still holds is no evidence alone: the end of a task may be recorded, and its beginning unread.
        only_spool = _Pass(SpoolWalk(self._spool, self._clock), None, self._clock)
        only_spool.walk.look()
        suspects = _Suspects()
        only_spool.judge_folders(suspects, only_spool.walk.places)
        unchecked = f"whether every acknowledged image is in the spool or was delivered: {why}"
        return self._report(only_spool, suspects).model_copy(update={"unchecked": (unchecked,), "unknown_tasks": 0})

    def _report(self, done: _Pass, suspects: _Suspects) -> Report:
        tally, walk = done.tally, done.walk
        findings, more = named([*suspects.findings(), *walk.found.values()])
        return Report(
            node=self._node,
            time=self._clock.now(),
            before_routing=walk.incoming + tally.before_routing,
            targets=tally.targets(),
            processing=tally.processing,
            processed=tally.processed,
            discarded=dict(tally.discarded),
            failed=tally.unrouted,
            quarantined=walk.quarantined,
            unknown_tasks=done.unknown,
            findings=findings,
            findings_not_named=more,
        )


class _Pass:
    """One look at everything, or at what looked wrong before."""

    def __init__(self, walk: SpoolWalk, evidence: Evidence | None, clock: Clock) -> None:
        self.walk = walk
        self.tally = Tally()
        self.unknown = 0
        self._again: SpoolWalk | None = None
        self._evidence = evidence
        self._folders = FolderCheck(clock, evidence.entries if evidence is not None else lambda digest: [])

    @property
    def evidence(self) -> Evidence:
        """The evidence; only a pass with a history has it."""
        if self._evidence is None:
            raise HistoryUnavailableError("this verification has no history")
        return self._evidence

    def __enter__(self) -> _Pass:
        """Take the spool first, the evidence after it."""
        self.walk.look()
        self.evidence.__enter__()
        self._tasks = TaskAccounts(self.evidence, self.walk)
        self._images = ImageAccounts(self.evidence, self.walk)
        return self

    def __exit__(self, *details: object) -> None:
        """Close the evidence."""
        self.evidence.__exit__(*details)

    def judge_all(self) -> _Suspects:
        """Judge every task, every image that no task is known to hold, and every folder."""
        suspects = _Suspects()
        for views in self.evidence.tasks():
            self._judge_tasks(suspects, views)
        for images in self.evidence.untaken_images():
            suspects.images |= {image.id: [lost_image(image)] for image in self._images.missing(images)}
        self.judge_folders(suspects, self.walk.places)
        return suspects

    def unreported(self) -> int:
        """Return how many images there are without an event of their receipt."""
        return self.evidence.unreported(self.walk.arrived, self._images.untold())

    def judge(self, before: _Suspects) -> _Suspects:
        """Judge again what looked wrong."""
        suspects = _Suspects()
        self._judge_tasks(suspects, list(self.evidence.some_tasks(list(before.tasks)).values()))
        images = self.evidence.some_untaken(list(before.images))
        suspects.images |= {image.id: [lost_image(image)] for image in self._images.missing(images)}
        self.judge_folders(suspects, [task for task in before.folders if task in self.walk.places])
        return suspects

    def judge_folders(self, suspects: _Suspects, tasks: Iterable[str]) -> None:
        """Look into the directories of tasks, and count what they hold."""
        for some in batches(tasks, _AT_ONCE):
            told = self._evidence.some_tasks(some) if self._evidence is not None else {}
            for name in some:
                place, view = self.walk.places[name], told.get(name)
                try:
                    stage = self.walk.stage_of(place)
                    task, findings = self._folders.check(place, stage, view)
                except FileNotFoundError:
                    continue  # it moved on; whether it arrived anywhere, the judgement of the task finds
                if findings:
                    suspects.folders[name] = findings
                self.unknown += view is None or view.facts_order is None
                self._count_kept(stage, task, view)

    def _judge_tasks(self, suspects: _Suspects, views: list[TaskView]) -> None:
        children = self.evidence.children(
            [view.id for view in views if view.is_routed and not self.walk.place(view.id)]
        )
        studies = self.evidence.some_tasks([view.study_task for view in views if view.study_task])
        for view in views:
            place = self.walk.place(view.id)
            findings = self._tasks.judge(view, place, children.get(view.id, []), studies.get(view.study_task or ""))
            if findings and self._second_look().place(view.id) is None:
                suspects.tasks[view.id] = findings
            elif place is None:
                self._count_ended(view)

    def _second_look(self) -> SpoolWalk:
        """Return a look at the spool that was taken after the evidence."""
        if self._again is None:
            self._again = SpoolWalk(self.walk.spool, self.walk.clock).look()
        return self._again

    def _count_kept(self, stage: Stage, task: Task | None, view: TaskView | None) -> None:
        images = task.images if task is not None else (view.images if view is not None else None) or 0
        target = (task.target if task is not None else None) or ""
        if task is not None and target and stage in _PARTLY:
            confirmed = self._confirmed(task)
            self.tally.delivered[target] += confirmed
            images -= confirmed
        counters = {
            Stage.OUTGOING: self.tally.waiting,
            Stage.SUCCESS: self.tally.delivered,
            Stage.ERROR: self.tally.failed,
        }
        if stage in _BEFORE_ROUTING:
            self.tally.before_routing += images
        elif stage is Stage.PROCESSING:
            self.tally.processing += images
        elif stage is Stage.DISCARD:
            self.tally.discarded[who_discarded(task, view) or "unknown"] += images
        elif stage is Stage.SUCCESS and not target:
            self.tally.processed += images
        elif target:
            counters[stage][target] += images
        else:
            self.tally.unrouted += images

    def _confirmed(self, task: Task) -> int:
        """Return how many images of a task its target has, though it has not all of them."""
        try:
            return len(holder(self.walk.places[task.id], task))
        except OSError:
            return 0  # it moved on: the next look counts it

    def _count_ended(self, view: TaskView) -> None:
        images = view.images or 0
        if view.state == "delivered":
            self.tally.delivered[view.target or ""] += images
        elif view.state == "discarded":
            self.tally.discarded[view.discarded_by or view.reason or ""] += images
        elif view.state == "processed":
            self.tally.processed += images
