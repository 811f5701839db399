"""Receipts of exams: what history, ledgers and images on the disk say of one, signed with the key of the box."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import xxhash

from appliance.control.api import receipt as api
from appliance.control.api.base import Nothing, Progress
from appliance.control.api.receipt import (
    MakeReceipt,
    ReceiptMade,
    ReceiptStatement,
    ShownKey,
    StatedArrival,
    StatedAttempt,
    StatedDelivery,
    StatedImage,
    StatedSeries,
    StatedTask,
)
from appliance.control.errors import ControlError
from appliance.control.history.search import asking
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Json, Session
from appliance.receipts import counts_of
from appliance.signatures import SignatureError, SigningKey
from mercure import __version__
from mercure.dicom.integrity import CHUNK_BYTES
from mercure.dicom.receipt import DIGEST_PREFIX, AlteredHeaderError, Receipt, read_header, receipt_in
from mercure.history.queries import History, Identifier, ResultPage
from mercure.history.records import AssociationRecord, ImageRecord, SeriesRecord, TaskRecord
from mercure.spool import LedgerLine, Spool, Stage, read_tags
from mercure.spool.image_walk import images_in
from mercure.spool.images import TagRecord, ledger_lines, text

MOST_IMAGES: Final = 100_000
"""Of one receipt; its file is then some 80 MB."""

_PAGE: Final = 5000

R = TypeVar("R", SeriesRecord, ImageRecord, TaskRecord)


@carries_out(api.KEY)
def show_key(session: Session, wanted: Nothing) -> ShownKey:
    """Show the public key of the box, and make it if there is none yet.

    Raises
    ------
    ControlError
        The key cannot be used.
    """
    key = _key(session)
    return ShownKey(public_key=key.public.pem, fingerprint=key.public.fingerprint)


@carries_out_for_caller(api.MAKE)
def make(asked: Asked, wanted: MakeReceipt) -> ReceiptMade:
    """Sign what is known of an exam.

    Raises
    ------
    ControlError
        No image of it is known, there are too many, the history cannot be asked, or the key cannot be used.
    """
    session = asked.session
    if (wanted.accession is None) == (wanted.study is None):
        raise ControlError("bad-parameters", "give either 'accession' or 'study'")
    of = Identifier("accession", wanted.accession) if wanted.accession else Identifier("study_uid", wanted.study or "")
    key = _key(session)
    statement = _Statement(session, of, wanted, asked.report).made()
    document = key.sign(api.FORMAT, statement.model_dump(mode="json"))
    digest = hashlib.sha256(document).hexdigest()
    with session.changing() as events:
        after: Json = {"sha256": digest, "fingerprint": key.public.fingerprint, "images": statement.counts.images}
        session.audit(events, "receipt.make", of.text, after=after)
    return ReceiptMade(
        document=document.decode("ascii"),
        sha256=digest,
        fingerprint=key.public.fingerprint,
        counts=statement.counts,
    )


def _key(session: Session) -> SigningKey:
    """Return the key of the box; a new one is audited."""
    try:
        found = SigningKey.load(session.root.keys)
        if found is not None:
            return found
        with session.changing() as events:
            key, new = SigningKey.ensure(session.root.keys)
            if new:
                session.audit(events, "receipt.key", key.public.fingerprint, after="made")
        return key
    except SignatureError as error:
        raise ControlError("failed", str(error), "what was signed so far can still be verified") from error


@dataclass
class _Copy:
    """An image on the disk, and what its header says of its receipt."""

    path: Path
    task: str | None
    receipt: Receipt | None
    begin: int
    digest: str
    certificate: str = ""
    sha256: str = ""
    intact: bool | None = None


@dataclass
class _Disk:
    """What the spool holds of some tasks: copies by the id given at receipt, and lines of ledgers."""

    copies: dict[str, _Copy] = field(default_factory=dict)
    lines: dict[str, list[tuple[str, LedgerLine]]] = field(default_factory=dict)
    """By the id of the image: the task, and what a target confirmed."""
    with_ledger: set[str] = field(default_factory=set)
    """Tasks whose ledger was read."""

    def look(self, folder: Path, task: str | None) -> None:
        """Take up one folder of the spool; what moves on meanwhile is passed over."""
        ids: dict[str, str] = {}
        tags: dict[Path, dict[str, TagRecord]] = {}
        for kept in images_in(folder):
            place = kept.path.parent
            if place not in tags:
                tags[place] = {text(record, "FileName"): record for record in _tags(place)}
            found = _copy(kept.path, kept.task, kept.digest)
            if found is None:
                continue
            tag_line = tags[place].get(kept.path.name, {})
            found.certificate = text(tag_line, "SenderCertificate")
            image = found.receipt.image if found.receipt else text(tag_line, "ImageID")
            if image:
                ids[kept.path.name] = image
                self.copies.setdefault(image, found)
        if task is None:
            return
        for line in ledger_lines(folder):
            self.with_ledger.add(task)
            if line.file in ids:
                self.lines.setdefault(ids[line.file], []).append((task, line))


def _tags(folder: Path) -> list[TagRecord]:
    with contextlib.suppress(OSError):
        return read_tags(folder)
    return []


def _copy(path: Path, task: str | None, digest: str) -> _Copy | None:
    """Read the header of an image; None when it is gone."""
    try:
        with open(path, "rb") as file:
            header = read_header(file)
    except OSError:
        return None
    try:
        receipt = receipt_in(header)
    except AlteredHeaderError:
        receipt = None
    return _Copy(path, task, receipt, len(header.content), receipt.digest if receipt else digest)


class _Statement:
    """Puts the statement of one exam together."""

    def __init__(
        self, session: Session, of: Identifier, wanted: MakeReceipt, report: Callable[[Progress], None]
    ) -> None:
        self._session = session
        self._of = of
        self._wanted = wanted
        self._report = report
        self._disk = _Disk()
        self._images: list[ImageRecord] = []
        self._tasks: list[TaskRecord] = []
        self._associations: dict[str, AssociationRecord] = {}

    def made(self) -> ReceiptStatement:
        """Return it.

        Raises
        ------
        ControlError
            No image is known, there are too many, or the history cannot be asked.
        """
        session = self._session
        with asking(session) as history:
            series = _all(lambda page: history.series(page, of=self._of))
            self._images = self._found(history)
            self._tasks = sorted(_all(lambda page: history.tasks_of(self._of, page)), key=lambda task: task.id)
            self._associations = history.associations({image.association or "" for image in self._images})
            self._look(series)
            self._read()
            deliveries = self._deliveries(history)
            tasks = tuple(_task(history, task) for task in self._tasks)
            recorded = {lag.node: lag.newest_event for lag in history.lag()}
        images = self._stated(deliveries)
        listed = tuple(sorted((_series(one) for one in series), key=lambda one: (one.series_uid or "", one.node)))
        return ReceiptStatement(
            node=session.config.name,
            version=__version__,
            made=session.clock.now(),
            made_by=session.user,
            accession=self._wanted.accession,
            study_uid=self._wanted.study,
            recorded=recorded,
            counts=counts_of(listed, images, tasks),
            series=listed,
            images=images,
            tasks=tasks,
        )

    def _found(self, history: History) -> list[ImageRecord]:
        found = {image.id: image for image in _all(lambda page: history.images(page, of=self._of))}
        if not found:
            advice = "`mercure history series` finds exams by a beginning; the newest may not be recorded yet"
            raise ControlError("not-found", f"the history knows no image of {self._of.text}", advice)
        return [found[image] for image in sorted(found)]

    def _look(self, series: list[SeriesRecord]) -> None:
        """Look where the images are on the disk of this router."""
        spool = self._session.spool
        studies = {task: study for study, task in spool.studies()}
        for name in {one.folder for one in series}:
            with contextlib.suppress(ValueError):
                self._disk.look(spool.entry(Stage.INCOMING, name), None)
        for task in self._tasks:
            if task.id in studies:
                self._disk.look(spool.entry(Stage.STUDIES, studies[task.id]) / task.id, task.id)
            elif (stage := spool.find(task.id)) is not None:
                self._disk.look(spool.entry(stage, task.id), task.id)

    def _read(self) -> None:
        """Read the images that are on the disk, and digest their data sets."""
        wanted = [self._disk.copies[image.id] for image in self._images if image.id in self._disk.copies]
        for number, copy in enumerate(wanted):
            self._report(Progress(done=number, total=len(wanted), text="images read"))
            _digest(self._session.spool, copy)

    def _deliveries(self, history: History) -> dict[str, list[StatedDelivery]]:
        """Return what targets confirmed, by image: from ledgers, and from the history for tasks that are gone."""
        found = {
            image: [
                StatedDelivery(
                    task=task,
                    target=line.target,
                    destination=line.destination,
                    time=line.time,
                    status=line.status,
                    source="ledger",
                )
                for task, line in lines
            ]
            for image, lines in self._disk.lines.items()
        }
        for task in self._tasks:
            if task.delivered is None or task.id in self._disk.with_ledger:
                continue
            delivery = StatedDelivery(
                task=task.id,
                target=task.target or "",
                destination=None,
                time=task.delivered,
                status=_status(history, task.id),
                source="history",
            )
            for image in _all(lambda page, of=task.id: history.images(page, task=of)):  # type: ignore[misc]
                found.setdefault(image.id, []).append(delivery)
        return found

    def _stated(self, deliveries: dict[str, list[StatedDelivery]]) -> tuple[StatedImage, ...]:
        by_instance: dict[tuple[str, str], list[ImageRecord]] = {}
        for image in self._images:
            by_instance.setdefault((image.series_uid or "", image.sop or f"image {image.id}"), []).append(image)
        return tuple(
            StatedImage(
                sop=copies[0].sop or "",
                sop_class=copies[0].sop_class,
                series_uid=copies[0].series_uid,
                arrivals=tuple(self._arrival(copy, copies) for copy in copies),
                deliveries=tuple(
                    sorted(
                        (delivery for copy in copies for delivery in deliveries.get(copy.id, ())),
                        key=lambda delivery: (delivery.time, delivery.task),
                    )
                ),
            )
            for _, copies in sorted(by_instance.items())
        )

    def _arrival(self, image: ImageRecord, copies: list[ImageRecord]) -> StatedArrival:
        kept = self._disk.copies.get(image.id) or self._repeated(image, copies)
        receipt = kept.receipt if kept is not None and not image.repetition else None
        known = self._associations.get(image.association or "")
        return StatedArrival(
            image=image.id,
            node=image.node,
            time=image.received,
            association=image.association,
            address=known.address if known else receipt.address if receipt else None,
            calling_aet=known.calling_aet if known else receipt.calling if receipt else None,
            called_aet=known.called_aet if known else receipt.called if receipt else None,
            certificate_subject=kept.certificate if kept is not None and not image.repetition else "",
            transfer_syntax=image.transfer_syntax,
            bytes=image.bytes,
            repetition=bool(image.repetition),
            task=image.task,
            digest=kept.digest if kept else "",
            sha256=kept.sha256 if kept else "",
            intact=kept.intact if kept else None,
        )

    def _repeated(self, image: ImageRecord, copies: list[ImageRecord]) -> _Copy | None:
        """Return the copy that a repetition repeats: the last one before it under the same name."""
        if not image.repetition:
            return None
        same = [
            copy.id
            for copy in copies
            if not copy.repetition and copy.id < image.id and (copy.node, copy.file) == (image.node, image.file)
        ]
        return self._disk.copies.get(max(same)) if same else None


def _all(ask: Callable[[ResultPage], list[R]]) -> list[R]:
    """Ask page by page; what comes on top meanwhile is not asked for, and nothing is there twice."""
    found: dict[tuple[str, str], R] = {}
    for offset in range(0, MOST_IMAGES, _PAGE):
        some = ask(ResultPage(limit=_PAGE, offset=offset))
        for one in some:
            found.setdefault(_identity(one), one)
        if len(some) < _PAGE:
            return list(found.values())
    advice = "take single studies by --study"
    raise ControlError("too-much", f"a receipt names at most {MOST_IMAGES} images", advice)


def _identity(one: SeriesRecord | ImageRecord | TaskRecord) -> tuple[str, str]:
    """Return by what a record is known: at which router, and its folder or its id."""
    return one.node, one.folder if isinstance(one, SeriesRecord) else one.id


def _digest(spool: Spool, copy: _Copy) -> None:
    """Read a copy to its end; one that has moved on is looked for once more."""
    for path in _places(spool, copy):
        sha, own = hashlib.sha256(), xxhash.xxh3_128()
        try:
            with open(path, "rb") as file:
                file.seek(copy.begin)
                while piece := file.read(CHUNK_BYTES):
                    sha.update(piece)
                    own.update(piece)
        except OSError:
            continue
        copy.sha256 = sha.hexdigest()
        copy.intact = own.hexdigest() == copy.digest.removeprefix(DIGEST_PREFIX) if copy.digest else None
        return


def _places(spool: Spool, copy: _Copy) -> Iterator[Path]:
    yield copy.path
    if copy.task is not None and (stage := spool.find(copy.task)) is not None:
        yield spool.entry(stage, copy.task) / copy.path.name


def _status(history: History, task: str) -> str:
    """Return the status with which every image of a delivered task was confirmed; "" where there were several."""
    told = history.events(ResultPage(limit=1), type="task.delivered", task=task)
    statuses = told[0].details.get("statuses") if told else None
    return str(next(iter(statuses))) if isinstance(statuses, dict) and len(statuses) == 1 else ""


def _task(history: History, task: TaskRecord) -> StatedTask:
    attempts = history.attempts(task.id) if task.attempts else []
    return StatedTask(
        task=task.id,
        rules=task.rules or (),
        attempts=tuple(
            StatedAttempt(**attempt.model_dump(include=set(StatedAttempt.model_fields))) for attempt in attempts
        ),
        **task.model_dump(include=set(StatedTask.model_fields) - {"task", "rules", "attempts"}),
    )


def _series(record: SeriesRecord) -> StatedSeries:
    fields = record.model_dump(include=set(StatedSeries.model_fields) - {"description"})
    return StatedSeries(description=record.series_description, **fields)
