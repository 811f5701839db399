"""One attempt: send what the target has not confirmed, keep the ledger, and let the task move on."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mercure.clock import Clock
from mercure.config import TargetSettings
from mercure.delivery.acceptance import last_taken, read_acceptance
from mercure.delivery.destinations import adopt_lines
from mercure.delivery.policy import after_failure
from mercure.delivery.results import Results, read_again
from mercure.delivery.target_breaker import read_outage, target_folder
from mercure.delivery.target_certificate import note_certificate
from mercure.delivery.target_health import TargetHealth
from mercure.delivery.verdicts import AttemptEvidence, Verdict, counts, verdict_on
from mercure.delivery.versions import NO_TURN, Turn, has_several, in_order, overtaken
from mercure.dicom.tls import NodeCertificate
from mercure.event_details import ImagesSuperseded, TaskAttempt, Warned
from mercure.events import EventWriter
from mercure.scheduling.slots import Slots
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
from mercure.spool.altered_images import AlteredBook, AlteredImage, BadState
from mercure.spool.failed_tasks import fail_task
from mercure.spool.identity import router_mark
from mercure.spool.task import COUNTED_KINDS
from mercure.spool.task_events import NAMED_IMAGES, task_delivered
from mercure.spool.versions import SUPERSEDED
from mercure.targets import DeliveryJob, ImageResult, Target, Trouble

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Way:
    """Where an attempt goes and how: what others have or leave to send, whether one image goes first, how patiently."""

    destination: str
    elsewhere: int
    turn: Turn
    one_first: bool
    patience: float | None


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
    is_alone : callable, optional
        Tells whether no other task waits for the target.
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
    is_alone: Callable[[Task], bool] = lambda task: True

    @property
    def health(self) -> TargetHealth:
        """The health of the target that takes the images."""
        return TargetHealth(self.spool, self.events, self.clock, self.name, self.settings.retry)

    def attempt(
        self,
        claim: Claim,
        task: Task,
        turn: Turn = NO_TURN,
        *,
        one_first: bool = False,
        patience: float | None = None,
    ) -> Trouble | None:
        """Try to deliver a task, and move it on when that is due.

        Parameters
        ----------
        claim : Claim
            The claim on the task.
        task : Task
            Its model, read under the claim.
        turn : Turn, optional
            What other tasks with versions of its images leave it to send.
        one_first : bool
            The target took no image when it was last given one: one goes, and the others when it takes that.
        patience : float, optional
            The longest wait for the answer to an image, where others wait for the slot.

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
        elsewhere = sum(line.destination != destination for line in known.values())
        way = _Way(destination, elsewhere, turn, one_first, patience)
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
        results = Results(claim.path, self.name, self.group, way.destination, self.clock.now, took=self.health.took)
        started, start = self.clock.now(), time.monotonic()
        trouble: Trouble | None = None
        try:
            trouble = self._deliver_by_parts(claim, task, pending, way, results)
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
        trouble = self._whole_trouble(trouble, results, missing, len(pending))
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
        self._after(claim, task, attempt, trouble, self._judge(task, trouble, results, missing))
        return trouble

    def _deliver_by_parts(
        self, claim: Claim, task: Task, pending: list[str], way: _Way, results: Results
    ) -> Trouble | None:
        """Send the images; those behind one at which the target ended the association go in the same attempt."""
        versions, mark = has_several(pending), router_mark(self.spool)
        end = time.monotonic() + self.settings.timeout_seconds
        rest = pending if versions else in_turn(pending, task, one_first=way.one_first)

        def deliver(files: list[str]) -> Trouble | None:
            seconds = max(1.0, end - time.monotonic())
            held = (claim.descriptor, *way.turn.held)
            job = DeliveryJob(
                claim.path,
                files,
                task,
                seconds,
                results.add,
                self.stopping,
                held=held,
                in_order=versions,
                router=mark,
                patience=way.patience,
                note_certificate=self._note_certificate,
            )
            return self._asked(self.target.deliver(job))

        if way.one_first:
            trouble = deliver(rest[:1])
            results.flush()
            if trouble is not None or not results.confirmed:
                return trouble
            rest = rest[1:]
            if not rest:
                return None
        fruitless = 0
        while True:
            confirmed = results.confirmed
            trouble = deliver(rest)
            rest = [file for file in rest if file not in results.tried]
            fruitless = 0 if results.confirmed > confirmed else fruitless + 1
            ended = trouble is None or trouble.kind != "aborted" or versions or self.stopping()
            if ended or not rest or fruitless > _MOST_FRUITLESS or time.monotonic() > end:
                return trouble
            if fruitless:
                rest.reverse()  # what the target cannot take may stand together

    def _note_certificate(self, shown: NodeCertificate) -> None:
        with contextlib.suppress(OSError):  # no image waits for a hint
            note_certificate(self.spool, self.name, self.settings, shown, self.clock.now())

    def _asked(self, trouble: Trouble | None) -> Trouble | None:
        """Ask a target that did not answer to an image whether it is there at all.

        One that takes images of others meanwhile is: it may have no room for the question.
        """
        if trouble is None or not (trouble.kind == "aborted" or trouble.in_image):
            return trouble
        asked = self.clock.now()
        if self.target.check().ok:
            return trouble
        taken = last_taken(self.spool, self.name)
        if taken is not None and taken >= asked:
            return trouble
        return Trouble("unreachable" if trouble.kind == "aborted" else trouble.kind, trouble.text)

    def _whole_trouble(self, trouble: Trouble | None, results: Results, missing: int, pending: int) -> Trouble | None:
        hopeless = [*results.altered, *results.unsupported]
        if trouble is None and missing > len(hopeless):
            trouble = Trouble("refused", f"the target did not confirm {missing} of {pending} images")
        return with_hopeless(trouble, hopeless, missing) if missing else None

    def _judge(self, task: Task, trouble: Trouble | None, results: Results, missing: int) -> Verdict:
        """Say whose trouble it is, and let the breaker know."""
        if trouble is None:
            return "image"
        outage = read_outage(self.spool, self.name)
        evidence = AttemptEvidence(
            confirmed=results.confirmed,
            answered=results.answered,
            contrast=results.contrast,
            alone=self.is_alone(task),
            pending=missing,
            outage=outage is not None and outage.by_image,
        )
        verdict = verdict_on(task, trouble, read_acceptance(self.spool, self.name), evidence)
        self._note(task, trouble, verdict)
        return verdict

    def _note(self, task: Task, trouble: Trouble, verdict: Verdict) -> None:
        if trouble.kind in _ON_OUR_SIDE:
            return  # it never came as far as the target
        if trouble.kind == "busy":
            self._note_busy(task, trouble)
        elif verdict == "target":
            self.health.failed(trouble, by_image=trouble.kind in _BY_IMAGE or trouble.in_image)
        elif verdict == "doubt":
            self.health.doubt(self.clock.now())
        else:
            self.health.answered()

    def _note_busy(self, task: Task, trouble: Trouble) -> None:
        """Go to a target that has no room with fewer tasks at a time; it is down when it has none for one, for long."""
        self.health.full(Slots(target_folder(self.spool, self.name)).taken() - 1)
        since = busy_since(task)
        now = self.clock.now()
        taken = read_acceptance(self.spool, self.name).taken
        if since is not None and (now - max(since, taken or since)).total_seconds() > BUSY_SECONDS:
            self.health.failed(trouble)

    def _after(self, claim: Claim, task: Task, attempt: Attempt, trouble: Trouble | None, verdict: Verdict) -> None:
        now = self.clock.now()
        if trouble is None:
            self._deliver(claim, task.with_attempt(attempt, None), attempt)
            return
        tried = task.with_attempt(attempt, None, counted=counts(task, verdict))
        what = after_failure(tried, trouble, self.settings.retry, now, self._tried_for(tried), verdict=verdict)
        tried = tried.model_copy(update={"next_attempt": what.at, "doubtful": verdict == "doubt"})
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

    def _note_altered(self, claim: Claim, task: Task, results: Results) -> None:
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

    def _tell_warnings(self, task: Task, results: Results) -> None:
        if not results.warnings:
            return
        statuses = ", ".join(sorted({result.status or "" for result in results.warnings}))
        text = f"target {self.name!r} stored {len(results.warnings)} images with a warning ({statuses})"
        advice = "compare them at the target: it may have changed or doubted them"
        self.events.emit(Warned(text=text, advice=advice), task=task.id, series=_series(task))


def in_turn(pending: list[str], task: Task, *, one_first: bool) -> list[str]:
    """Return the images in the order in which to send them: after a failed attempt another one goes first.

    The first may be the one at which the target falls over, and the others would never have their turn.
    """
    last = task.attempts[-1].kind if task.attempts else None
    if not (one_first or last in ("aborted", "timeout")):
        return pending
    first = task.attempts_made % len(pending)
    return [*pending[first:], *pending[:first]]


def busy_since(task: Task) -> datetime | None:
    """Return when the first of the last attempts was at which the target had no room; None when it had."""
    since = None
    for attempt in reversed(task.attempts):
        if attempt.kind != "busy":
            break
        since = attempt.started
    return since


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
    what = "altered on our disk, not sent" if first.is_altered else "not sent"
    text = f"{what}: {first.comment}: {first.file}{more}"
    if trouble is None or missing <= len(images):
        return Trouble("altered" if first.is_altered else "unsupported", text)
    return replace(trouble, text=f"{trouble.text}; and {text}")


_ON_OUR_SIDE: Final = ("local", "altered")
_BY_IMAGE: Final = ("unable", "refused", "aborted")
"""The target answered, and did not take the image."""

_MOST_FRUITLESS: Final = 5
"""So often the images behind one at which the target ended the association are tried in one attempt, none taken."""

BUSY_SECONDS: Final = 60.0
"""A target that has room for nobody for longer than this is down."""

_TOLD: Final = {"number", "outcome", "kind", "error", "sent", "confirmed", "elsewhere", "converted", "seconds"}
"""What the event of an attempt has in common with its record in the task."""

_BROKEN: Final = "compare it with its parent or send the series again from the scanner; discard this task after that"


def _series(task: Task) -> str | None:
    return task.identity.SeriesInstanceUID or None
