"""One attempt: send what the target has not confirmed, keep the ledger, and let the task move on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.config import TargetSettings
from mercure.delivery.bad_copies import read_again
from mercure.delivery.destinations import adopt_lines
from mercure.delivery.health import Health
from mercure.delivery.policy import after_failure
from mercure.delivery.versions import NO_TURN, Turn, has_several, in_order, overtaken
from mercure.event_details import ImagesSuperseded, TaskAttempt, Warned
from mercure.events import EventWriter
from mercure.spool import (
    Attempt,
    Claim,
    Failure,
    LedgerLine,
    Spool,
    Stage,
    Task,
    add_to_ledger,
    image_files,
    image_refs,
    move,
    read_ledger,
    save_task,
    uptime,
)
from mercure.spool.altered import AlteredBook, AlteredImage, BadState
from mercure.spool.ending import fail_task
from mercure.spool.task import COUNTED_KINDS, Converted
from mercure.spool.telling import NAMED_IMAGES, task_delivered
from mercure.spool.versions import SUPERSEDED
from mercure.targets import ImageResult, Job, Target, Trouble

LEDGER_SECONDS: Final = 0.5
LEDGER_LINES: Final = 100
"""Confirmations are written down after this time or number: a crash before means that these are sent again."""

_log = logging.getLogger(__name__)


@dataclass
class _Results:
    """What the target says of the images, on its way to the ledger."""

    directory: Path
    target: str
    group: str | None
    destination: str
    now: Callable[[], datetime]
    sent: int = 0
    confirmed: int = 0
    warnings: list[ImageResult] = field(default_factory=list)
    altered: list[ImageResult] = field(default_factory=list)
    """Those that are not as they were received."""
    suspect: list[ImageResult] = field(default_factory=list)
    """Those that could not be read or sent from here."""
    unsupported: list[ImageResult] = field(default_factory=list)
    """Those that the target takes in no form in which they can be had."""
    converted: dict[tuple[str, str, bool], Converted] = field(default_factory=dict)
    """Confirmed images by the transfer syntaxes from and to which they were converted, and whether another was
    preferred."""
    refused: OSError | None = None
    """The spool refused the ledger."""
    _lines: list[LedgerLine] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    def add(self, result: ImageResult) -> None:
        if result.outcome != "not-sent":
            self.sent += 1
        if result.is_altered:
            self.altered.append(result)
        if result.kind == "local":
            self.suspect.append(result)
        if result.kind == "unsupported":
            self.unsupported.append(result)
        if not result.stored:
            return
        self.confirmed += 1
        if result.is_converted or result.passed_over:
            self._count_conversion(result)
        if result.outcome == "warning":
            self.warnings.append(result)
        status = result.status or "0x0000"
        line = LedgerLine(
            file=result.file,
            sop=result.sop,
            status=status,
            time=self.now(),
            target=self.target,
            group=self.group,
            destination=self.destination,
            sent_as=result.sent_as if result.is_converted else None,
        )
        self._lines.append(line)
        if len(self._lines) >= LEDGER_LINES or time.monotonic() - self._flushed > LEDGER_SECONDS:
            self.flush()

    def _count_conversion(self, result: ImageResult) -> None:
        own, other = result.syntax or "", result.sent_as or ""
        key = (own, other, bool(result.passed_over))
        first = Converted(images=0, from_syntax=own, to_syntax=other, passed_over=result.passed_over)
        so_far = self.converted.get(key, first)
        self.converted[key] = so_far.model_copy(update={"images": so_far.images + 1})

    def conversions(self) -> tuple[Converted, ...]:
        """Return the converted images by what they were and what they became."""
        return tuple(counted for _, counted in sorted(self.converted.items()))

    def flush(self) -> None:
        try:
            add_to_ledger(self.directory, self._lines)
        except OSError as error:
            self.refused = error
            raise
        self._lines.clear()
        self._flushed = time.monotonic()


@dataclass(frozen=True)
class _Way:
    """Where an attempt goes, how many images other members of a group have, and what other tasks leave to send."""

    destination: str
    elsewhere: int
    turn: Turn


@dataclass(frozen=True)
class Deliverer:
    """Makes attempts for one target.

    Parameters
    ----------
    spool, events, clock
        Where, who is told, and when.
    name : str
        The target's name.
    settings : TargetSettings
        Its settings.
    target : Target
        The destination itself.
    stopping : callable
        Tells whether the service is ending.
    group : str, optional
        The group to which the task is addressed, where the target takes it as a member.
    counted : frozenset of str, optional
        The destinations whose confirmations count, where they are not the target's own alone.
    past : callable, optional
        Tells of a ledger line without a destination which it had; None when that is not known.
    """

    spool: Spool
    events: EventWriter
    clock: Clock
    name: str
    settings: TargetSettings
    target: Target
    stopping: Callable[[], bool]
    group: str | None = None
    counted: frozenset[str] | None = None
    past: Callable[[LedgerLine], str | None] = lambda line: line.destination

    @property
    def health(self) -> Health:
        """The health of the target that takes the images."""
        return Health(self.spool, self.events, self.clock, self.name, self.settings.retry, self.stopping)

    def attempt(self, claim: Claim, task: Task, turn: Turn = NO_TURN) -> Trouble | None:
        """Try to deliver a task, and move it on when that is due.

        Parameters
        ----------
        claim : Claim
            The claim on the task.
        task : Task
            Its model, read under the claim.
        turn : Turn, optional
            What other tasks with versions of its images leave it to send.

        Returns
        -------
        Trouble or None
            What went wrong; None when the target has everything, or the service was told to stop.

        Raises
        ------
        OSError
            The spool refuses; the task stays, and what was confirmed but not written down is sent again.
        """
        files = [image.name for image in image_files(claim.path)]
        if not files or len(files) != task.images:
            self._fail(claim, task, f"the task holds {len(files)} images and should hold {task.images}", _BROKEN)
            return None
        # By the settings of now: a folder behind a symbolic link may be another one than at the last attempt.
        destination = self.settings.destination()
        counted = self.counted or frozenset({destination})
        adopt_lines(claim.path, counted, self.past)
        known = read_ledger(claim.path, counted)
        way = _Way(destination, sum(line.destination != destination for line in known.values()), turn)
        pending = [ref.file for ref in image_refs(claim.path) if ref.file not in known]
        task = self._split(claim, task, destination, {line.destination or "" for line in known.values()})
        pending = self._without_superseded(claim, task, pending, known, way)
        if not pending:
            self._deliver(claim, task)  # an earlier attempt ended between its last confirmation and the move
            return None
        return self._send(claim, task, pending, way)

    def _without_superseded(
        self, claim: Claim, task: Task, pending: list[str], known: Mapping[str, LedgerLine], way: _Way
    ) -> list[str]:
        """Note which images are not sent any more; return the others, several versions of one in their order."""
        superseded = {file: way.turn.superseded[file] for file in pending if file in way.turn.superseded}
        if has_several([*pending, *known]):
            superseded |= overtaken(claim.path, task, pending, known)
            pending = in_order(claim.path, task, pending)
        if superseded:
            self._note_superseded(claim, task, superseded, way.destination)
        return [file for file in pending if file not in superseded]

    def _note_superseded(self, claim: Claim, task: Task, superseded: Mapping[str, str], destination: str) -> None:
        sops = {ref.file: ref.sop for ref in image_refs(claim.path) if ref.file in superseded}
        lines = [
            LedgerLine(
                file=file,
                sop=sop,
                status=SUPERSEDED,
                time=self.clock.now(),
                target=self.name,
                group=self.group,
                destination=destination,
            )
            for file, sop in sops.items()
        ]
        add_to_ledger(claim.path, lines)
        details = ImagesSuperseded(
            target=self.name,
            destination=destination,
            sops=tuple(sops.values())[:NAMED_IMAGES],
            images=len(lines),
            by=next(iter(superseded.values())),
        )
        key = f"images.superseded:{task.attempts_made}:{destination}"
        self.events.emit(details, task=task.id, series=_series(task), key=key)

    def _split(self, claim: Claim, task: Task, destination: str, places: set[str]) -> Task:
        """Note at which destinations the images lie in parts, before another has a part; none where one has all."""
        split = tuple(sorted({*places, destination})) if places - {destination} else ()
        if split != task.split:
            task = task.model_copy(update={"split": split})
            save_task(claim.path, task)
        return task

    def _send(self, claim: Claim, task: Task, pending: list[str], way: _Way) -> Trouble | None:
        results = _Results(claim.path, self.name, self.group, way.destination, self.clock.now)
        started, start = self.clock.now(), time.monotonic()
        seconds = self.settings.timeout_seconds
        job = Job(
            claim.path,
            pending,
            task,
            seconds,
            results.add,
            self.stopping,
            held=(claim.descriptor, *way.turn.held),
            in_order=has_several(pending),
        )
        try:
            trouble = self.target.deliver(job)
        except Exception as error:
            if error is results.refused:
                raise
            # A fault of ours, or an answer that nobody thought of: on record, and after some repetitions in error/.
            _log.exception("a target failed unexpectedly", extra={"task": task.id, "target": self.name})
            trouble = Trouble("local", f"{type(error).__name__}: {error}")
        finally:
            results.flush()
        self._tell_warnings(task, results)
        self._note_altered(claim, task, results)
        missing = len(pending) - results.confirmed
        if missing and self.stopping() and (trouble is None or trouble.kind not in COUNTED_KINDS):
            return None  # cut off by us, so it says nothing of the target; the rest is sent next time
        hopeless = [*results.altered, *results.unsupported]
        if trouble is None and missing > len(hopeless):
            trouble = Trouble("refused", f"the target did not confirm {missing} of {len(pending)} images")
        trouble = with_hopeless(trouble, hopeless, missing)
        trouble = trouble if missing else None
        attempt = Attempt(
            number=task.attempts_made + 1,
            started=started,
            seconds=round(time.monotonic() - start, 3),
            outcome="success" if not missing else "partial" if results.confirmed else "failure",
            kind=trouble.kind if trouble else None,
            error=trouble.text if trouble else None,
            sent=results.sent,
            confirmed=results.confirmed,
            elsewhere=way.elsewhere,
            converted=results.conversions(),
        )
        self._after(claim, task, attempt, trouble)
        return trouble

    def _after(self, claim: Claim, task: Task, attempt: Attempt, trouble: Trouble | None) -> None:
        now = self.clock.now()
        tried = task.with_attempt(attempt, None)
        if trouble is None:
            self._deliver(claim, tried, attempt)
            return
        what = after_failure(tried, trouble, self.settings.retry, now, self._tried_for(tried))
        tried = tried.model_copy(update={"next_attempt": what.at})
        save_task(claim.path, tried)
        self._tell_attempt(tried, attempt, what.at)
        if what.action == "fail":
            self._fail(claim, tried, trouble.text, what.advice)

    def _tried_for(self, task: Task) -> float:
        """Return the seconds lived through since the first attempt; for time in which the box was off no target can."""
        first = task.first_attempt
        return uptime(self.spool, self.clock).age(first) if first else 0.0

    def _deliver(self, claim: Claim, task: Task, attempt: Attempt | None = None) -> None:
        finished = task.model_copy(update={"finished": self.clock.now(), "next_attempt": None, "failure": None})
        save_task(claim.path, finished)
        if attempt is not None:
            self._tell_attempt(finished, attempt, None)
        delivered = task_delivered(finished, claim.path)
        move(self.spool, claim, Stage.SUCCESS)
        AlteredBook(self.spool).forget(task.id)  # what an earlier attempt read wrongly was read rightly since
        self.events.emit(delivered, task=task.id, series=_series(task), key="task.delivered")

    def _fail(self, claim: Claim, task: Task, reason: str, advice: str) -> None:
        failure = Failure(stage=Stage.OUTGOING.value, reason=reason, advice=advice, at=self.clock.now())
        fail_task(self.spool, self.events, claim, task, failure)

    def _tell_attempt(self, task: Task, attempt: Attempt, next_attempt: datetime | None) -> None:
        details = TaskAttempt(
            target=self.name,
            **attempt.model_dump(include=_TOLD),
            images=task.images,
            bytes=task.bytes,
            next_attempt=next_attempt,
        )
        self.events.emit(details, task=task.id, series=_series(task), key=f"task.attempt:{attempt.number}")

    def _note_altered(self, claim: Claim, task: Task, results: _Results) -> None:
        """Write down the images of which our copy is bad; one that can be read after all is tried again."""
        found: list[tuple[ImageResult, BadState]] = [(result, "altered") for result in results.altered]
        again = (read_again(claim.path, result) for result in results.suspect)
        found += [bad for bad in again if bad is not None]
        book = AlteredBook(self.spool)
        for result, state in found:
            image = AlteredImage(
                path=str((claim.path / result.file).relative_to(self.spool.root)),
                task=task.id,
                series=_series(task),
                sop=result.sop,
                sender=task.origin.known_as,
                state=state,
                text=result.comment,
                target=self.name,
                found_by="delivery",
                found=self.clock.now(),
            )
            book.note(image, self.events)
        results.altered = [result for result, _ in found]

    def _tell_warnings(self, task: Task, results: _Results) -> None:
        if not results.warnings:
            return
        statuses = ", ".join(sorted({result.status or "" for result in results.warnings}))
        text = f"target {self.name!r} stored {len(results.warnings)} images with a warning ({statuses})"
        advice = "compare them at the target: it may have changed or doubted them"
        self.events.emit(Warned(text=text, advice=advice), task=task.id, series=_series(task))


def with_hopeless(trouble: Trouble | None, images: Sequence[ImageResult], missing: int) -> Trouble | None:
    """Say of an attempt what it says with the images that no further try will bring: they end it when all others went.

    Parameters
    ----------
    trouble : Trouble, optional
        What else went wrong.
    images : sequence of ImageResult
        Altered ones first, then those that the target does not support.
    missing : int
        How many images the target has not confirmed, these included.
    """
    if not images:
        return trouble
    first = images[0]
    more = f", and {len(images) - 1} more" if len(images) > 1 else ""
    what = "is altered on our disk and was not sent: " if first.is_altered else "was not sent: "
    text = f"{first.file} {what}{first.comment}{more}"
    if trouble is None or missing <= len(images):
        return Trouble("altered" if first.is_altered else "unsupported", text)
    return Trouble(trouble.kind, f"{trouble.text}; and {text}")


_TOLD: Final = {"number", "outcome", "kind", "error", "sent", "confirmed", "elsewhere", "converted", "seconds"}
"""What the event of an attempt has in common with its record in the task."""

_BROKEN: Final = "compare it with its parent or send the series again from the scanner; discard this task after that"


def _series(task: Task) -> str | None:
    return task.identity.SeriesInstanceUID or None
