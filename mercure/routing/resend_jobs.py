"""Resend jobs: what a person ordered to be sent again, and how far it has come, on disk, so that any death is survived.

A job is a folder in ``state/resends/``: ``order.json``, written once; ``wish.json``, what a person wants of it since;
``journal.jsonl``, a line for each item that is done with; ``building``, the task of the item of now; and ``ended``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure import durable
from mercure.locks import locked
from mercure.model import Record, read_state
from mercure.names import is_id
from mercure.seal import is_intact, sealed
from mercure.spool import Claim, Spool, Stage
from mercure.spool.images import json_line, read_lines
from mercure.spool.layout import list_names
from mercure.spool.task import Resent

How = Literal["again", "elsewhere", "anew"]
"""To its own target; to other targets; or wherever the rules in force send it."""

Wish = Literal["run", "pause", "stop"]

_TASK: Final = re.compile(rb'"task": ?"([0-9T]{21})')
"""The time of a task that a line of a journal names."""

KEPT_ENDED: Final = 50
"""So many jobs that have ended are remembered."""


class ResendSource(Record):
    """A task from which images are taken; `files` where not all of its images are."""

    task: str
    files: tuple[str, ...] = ()


class ResendItem(Record):
    """One task to be made, or (`retry`) one that goes on its way again itself, because it has not ended well.

    `targets` is where its images go; with none the rules decide.
    """

    sources: tuple[ResendSource, ...]
    targets: tuple[str, ...] = ()
    series: str = ""
    """Where only one series of a study is meant."""
    retry: bool = False
    images: int = 0
    bytes: int = 0

    @property
    def task(self) -> str:
        """The task that it is named by."""
        return self.sources[0].task


class ResendOrder(Record):
    """Who ordered what, and why."""

    id: str
    how: How
    by: str
    at: AwareDatetime
    reason: str = ""
    off_peak: bool = False
    items: tuple[ResendItem, ...]

    def mark(self) -> Resent:
        """Return what each task bears that comes of it."""
        return Resent(by=self.by, at=self.at, reason=self.reason, job=self.id, how=self.how, off_peak=self.off_peak)


class JobWish(Record):
    """What a person wants of a job: that it goes on, pauses or stops."""

    wish: Wish = "run"
    by: str = ""
    at: AwareDatetime | None = None


class JournalLine(Record):
    """What became of an item: the task that was made of it, or why it was left."""

    item: int
    task: str = ""
    left: str = ""


@dataclass(frozen=True)
class ResendJob:
    """A job on disk.

    Parameters
    ----------
    folder : Path
        Where it is.
    order : ResendOrder
        What was ordered.
    """

    folder: Path
    order: ResendOrder

    @property
    def building(self) -> Path:
        """The folder in which the task of an item is built: gone as soon as the task stands."""
        return self.folder / "building"

    def wish(self) -> JobWish:
        """Return what a person wants of it now."""
        return read_state(self.folder / "wish.json", JobWish) or JobWish()

    def set_wish(self, wish: JobWish) -> None:
        """Write down what a person wants of it."""
        durable.write_file(self.folder / "wish.json", sealed(wish.model_dump_json().encode()))

    def journal(self) -> list[JournalLine]:
        """Return what became of its items so far, an item once: the last line about it holds."""
        lines = [JournalLine.model_validate(line) for line in read_lines(self.folder / "journal.jsonl")]
        return list({line.item: line for line in lines}.values())

    def note(self, line: JournalLine) -> None:
        """Note durably what became of an item. A torn line before it, of an earlier crash, is closed off."""
        data = b"\n" + json_line(
            line.model_dump(mode="json", exclude_defaults=True, exclude={"item"}) | {"item": line.item}
        )
        durable.append_to(self.folder / "journal.jsonl", data)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do, because all is done or a person stopped it."""
        return (self.folder / "ended").exists()

    def end(self) -> None:
        """Note that nothing is left to do; all that it did is told."""
        durable.write_file(self.folder / "ended", b"")

    def made(self, times: Set[str]) -> list[JournalLine]:
        """Return the lines of the tasks that were made at some times (the first characters of their ids)."""
        try:
            lines = (self.folder / "journal.jsonl").read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        # A journal of thousands of lines is looked at every second, so only what matters is read.
        found = [line for line in lines if (task := _TASK.search(line)) and task[1].decode() in times]
        return [JournalLine.model_validate_json(line) for line in found if is_intact(line)]


def jobs_folder(spool: Spool) -> Path:
    """Return where the jobs are."""
    return spool.stage(Stage.STATE) / "resends"


def find_job(spool: Spool, name: str) -> ResendJob | None:
    """Return a job by its id; None when there is none, or its order cannot be read."""
    if not is_id(name):
        return None
    folder = jobs_folder(spool) / name
    order = read_state(folder / "order.json", ResendOrder)
    return None if order is None else ResendJob(folder, order)


def all_jobs(spool: Spool) -> Iterator[ResendJob]:
    """Walk the jobs, the oldest first."""
    for name in list_names(jobs_folder(spool)):
        job = find_job(spool, name)
        if job is not None:
            yield job


@contextmanager
def ordering(spool: Spool) -> Iterator[None]:
    """Hold the lock under which jobs begin, so that two people do not order the same at the same time."""
    durable.make_directory(jobs_folder(spool))
    with locked(jobs_folder(spool)):
        yield


def begin_job(spool: Spool, order: ResendOrder) -> ResendJob:
    """Write an order down, durably and whole; the caller holds `ordering`."""
    folder = jobs_folder(spool) / order.id
    building = jobs_folder(spool) / f".{order.id}.new"
    if building.exists():
        durable.remove_tree(building)
    durable.make_directory(building)
    content = order.model_dump(mode="json", exclude_defaults=True)
    durable.write_file(building / "order.json", sealed(json.dumps(content, ensure_ascii=False).encode()))
    durable.rename(building, folder)
    return ResendJob(folder, order)


def forget_ended(spool: Spool) -> None:
    """Remove the oldest jobs that have ended, beyond the number that is remembered."""
    ended = [job for job in all_jobs(spool) if job.ended]
    for job in ended[: max(0, len(ended) - KEPT_ENDED)]:
        claim = Claim.take(job.folder)
        if claim is not None:
            with claim:
                durable.remove_tree(job.folder)


def ordered_tasks(spool: Spool) -> dict[str, str]:
    """Return the tasks that jobs under way still have before them, each with the job."""
    found: dict[str, str] = {}
    for job in all_jobs(spool):
        if not job.ended:
            done = {line.item for line in job.journal()}
            items = [item for number, item in enumerate(job.order.items) if number not in done]
            found |= {source.task: job.order.id for item in items for source in item.sources}
    return found
