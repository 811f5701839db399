"""Sending again: the tasks of a resend job are put into ``routing/``, one by one, behind whatever else is there.

Each is built out of hard links in the folder of its job, under the claims of the tasks that the images come from.
Then, under the lock of task ids, it gets its id, the journal of the job names it, and one rename puts it into
``routing/``. So after any death one look tells how far it came: what the journal names and is not in ``building`` any
more was put there. Where targets are named, the plan lies in the task already: the router only carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config
from mercure.event_details import TaskResent
from mercure.events import EventWriter
from mercure.names import id_time, time_part
from mercure.routing.execute_plan import save_plan
from mercure.routing.intake import of_images
from mercure.routing.plan import to_targets
from mercure.routing.resend_jobs import JournalLine, ResendItem, ResendJob, ResendSource
from mercure.routing.task_ids import next_id
from mercure.spool import (
    Claim,
    Spool,
    Stage,
    TagRecord,
    Task,
    TaskError,
    image_files,
    load_task,
    locked,
    read_tags,
    save_task,
)
from mercure.spool.images import json_line, text
from mercure.spool.task import TAGS_FILE
from mercure.spool.versions import routed_as

REASON: Final = "resent"
"""Stands where the reason does for which a series counts as complete."""

SOURCES: Final = (Stage.SUCCESS, Stage.DISCARD, Stage.ERROR)
"""Where tasks are that can be sent again."""

UNDER_WAY: Final = 50
"""So many tasks of resend jobs may be on their way at the same time: more wait in the job, not in the queue."""

_ON_THEIR_WAY: Final = (Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING)


class LeftError(Exception):
    """An item cannot be sent; the text says why."""


class BusyError(Exception):
    """Somebody works on a task just now."""


class Resender:
    """Puts the tasks of a job into ``routing/``, for the length of one look.

    Parameters
    ----------
    spool, events, clock
        The spool, the writer of events and the clock.
    job : ResendJob
        The job; the caller holds its claim.
    retry : callable
        Puts a task that failed, or that a person discarded, on its way again; raises `LeftError` or `BusyError`.

    Raises
    ------
    OSError
        I/O failed.
    """

    def __init__(
        self, spool: Spool, events: EventWriter, clock: Clock, job: ResendJob, retry: Callable[[ResendItem], None]
    ) -> None:
        self._spool = spool
        self._events = events
        self._clock = clock
        self._job = job
        self._retry = retry
        self._journal = {line.item: line for line in job.journal()}
        self._finish()

    def advance(self, config: Config) -> bool:
        """Do the next item of the job; return whether there was one that could be done now.

        Parameters
        ----------
        config : Config
            The targets in force: one that is not there any more is left out.

        Raises
        ------
        OSError
            I/O failed; the item is done again, by another look.
        """
        job = self._job
        if job.wish().wish != "run":
            return False
        number = next((number for number in range(len(job.order.items)) if number not in self._journal), None)
        if number is None:
            return False
        item = job.order.items[number]
        try:
            self._check(config, item)
            if item.retry:
                self._retry(item)
                self._note(JournalLine(item=number, task=item.task))
            else:
                self._place(config, job, number)
        except BusyError:
            return False
        except LeftError as error:
            if job.building.exists():
                durable.remove_tree(job.building)
            self._note(JournalLine(item=number, left=str(error)))
        return True

    def end_if_done(self) -> None:
        """Note that the job has ended where nothing is left to do."""
        done = len(self._journal) >= len(self._job.order.items) or self._job.wish().wish == "stop"
        if done and not self._job.ended:
            self._events.sync()
            self._job.end()

    def _note(self, line: JournalLine) -> None:
        self._job.note(line)
        self._journal[line.item] = line

    def _finish(self) -> None:
        """Find out how far a death let the last item come, and make it good."""
        job = self._job
        last = self._journal.get(max(self._journal, default=-1))
        if not job.building.exists():
            if last is not None and last.task and not job.order.items[last.item].retry:
                self._tell(job, last)
            return
        with suppress(TaskError):
            if last is not None and load_task(job.building).id == last.task:
                # Named and not put there: it is done again, under a later id.
                del self._journal[last.item]
        durable.remove_tree(job.building)

    @staticmethod
    def _check(config: Config, item: ResendItem) -> None:
        missing = [target for target in item.targets if target not in config.targets]
        if missing:
            raise LeftError(f"there is no target {missing[0]!r} in the configuration any more")

    def _place(self, config: Config, job: ResendJob, number: int) -> None:
        item = job.order.items[number]
        with ExitStack() as stack:
            sources = self._claimed(item, stack)
            durable.make_directory(job.building, sync=False)
            old = _model(sources[0][1])
            records = [record for source, path in sources for record in self._link(job, item, source, path)]
        if not image_files(job.building):
            raise LeftError("none of its images is on the disk any more")
        durable.write_file(job.building / TAGS_FILE, b"".join(map(json_line, records)), sync=False)
        with locked(self._spool.stage(Stage.ROUTING)):
            line = JournalLine(item=number, task=next_id(self._spool, self._clock))
            task = _described(config, job, old, records, line)
            if item.targets:
                files = tuple(image.name for image in image_files(job.building))
                save_plan(job.building, to_targets(task, files, item.targets))
            save_task(job.building, task)  # syncs the directory, and so the links
            self._note(line)
            durable.rename(job.building, self._spool.entry(Stage.ROUTING, line.task))
        self._tell(job, line)

    def _claimed(self, item: ResendItem, stack: ExitStack) -> list[tuple[ResendSource, Path]]:
        """Claim the tasks of an item that are there: neither the cleaner nor a person takes them away meanwhile."""
        found: list[tuple[ResendSource, Path]] = []
        why = ""
        for source in item.sources:
            stage = self._spool.find(source.task)
            if stage not in SOURCES:
                why = "it is no longer on the disk" if stage is None else f"it is in {stage.value}/ again"
                continue
            claim = Claim.take(self._spool.entry(stage, source.task))
            if claim is None:
                raise BusyError
            found.append((source, stack.enter_context(claim).path))
        if not found:
            raise LeftError(why)
        return found

    @staticmethod
    def _link(job: ResendJob, item: ResendItem, source: ResendSource, directory: Path) -> list[TagRecord]:
        """Link the images of a task that are not linked yet, and return their tag lines."""
        tags = {record["FileName"]: record for record in read_tags(directory)}
        there = [image.name for image in image_files(directory)]
        wanted = set(source.files or there)
        if item.series:
            wanted = {name for name in wanted if text(tags.get(name, {}), "SeriesInstanceUID") == item.series}
        names = [name for name in there if name in wanted and not (job.building / name).exists()]
        for name in names:
            durable.link(directory / name, job.building / name)
        return [routed_as(record, directory) for name, record in tags.items() if name in set(names)]

    def _tell(self, job: ResendJob, line: JournalLine) -> None:
        order, item = job.order, job.order.items[line.item]
        details = TaskResent(
            by=order.by, reason=order.reason, how=order.how, targets=item.targets, job=order.id, resent_as=line.task
        )
        for source in item.sources:
            self._events.emit(details, task=source.task, key=f"task.resent:{line.task}")


def _model(directory: Path) -> Task:
    try:
        return load_task(directory)
    except TaskError as error:
        raise LeftError(str(error)) from error


def _described(config: Config, job: ResendJob, old: Task, records: Sequence[TagRecord], line: JournalLine) -> Task:
    """Describe the new task: whose images, from where and when they came, as the old one says."""
    item, files = job.order.items[line.item], image_files(job.building)
    task = Task(
        id=line.task,
        parent=old.id,
        created=id_time(line.task),
        scope="series" if item.series else old.scope,
        study_rule=None if item.series else old.study_rule,
        identity=old.identity,
        origin=old.origin,
        images=len(files),
        bytes=sum(image.bytes for image in files),
        rules=old.rules if item.targets else (),
        priority="offpeak" if job.order.off_peak else "normal",
        processed_by=old.processed_by,
        sender_apart=old.sender_apart,
        reason=REASON,
        resent=job.order.mark(),
    )
    return of_images(config, task, records, files) if item.series and records else task


def under_way_of(spool: Spool, jobs: Iterable[ResendJob]) -> dict[str, str]:
    """Return the tasks from which jobs made what is still on its way, each with the job."""
    there = {time_part(name) for _, name in spool.tasks(_ON_THEIR_WAY)}
    return {
        source.task: job.order.id
        for job in jobs
        for line in job.made(there)
        for source in job.order.items[line.item].sources
    }
