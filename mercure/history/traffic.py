"""Traffic in numbers: by sender, over time, in all; and where one exam is. For pages and monitors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from peewee import JOIN, Case, Database, ModelSelect, fn

from mercure.history.identifiers import folded
from mercure.history.instants import MINUTE, instant_of, micros
from mercure.history.models import (
    EventRow,
    IdentifierRow,
    ImageRow,
    MetricsMinuteRow,
    SeriesRow,
    TaskImageRow,
    TaskRow,
    TotalRow,
)
from mercure.history.reader import Reader, records
from mercure.history.records import (
    CounterTotal,
    DeliveryTimes,
    ExamRecord,
    ExamTargetRecord,
    KeptBytes,
    SenderRecord,
    SenderVolume,
    SeriesRecord,
    SumPoint,
    TaskRecord,
    TraitRecord,
)
from mercure.history.rows import BETWEEN, TRAIT, TRAITS_NOT_KEPT
from mercure.history.timelines import tasks_of

OTHER: Final = "other"
"""The label that stands for all labels beyond the bound."""

EXAM_SERIES: Final = 200
"""Most series of one exam in an answer; a study rarely has more than some dozens."""

_EXAM_TASKS: Final = 2000
_FINISHED: Final = ("delivered", "processed", "discarded")
_HOUR: Final = timedelta(hours=1)
_RECEIVED: Final = "images.received"
_BYTES: Final = "bytes.received"


class Traffic(Reader):
    """Queries for monitoring. Only of one node, save for exams."""

    def senders(self, node: str, now: datetime, hours: int, limit: int) -> list[SenderRecord]:
        """List who has ever sent images, the one with the last image first.

        Parameters
        ----------
        node : str
            At which router.
        now : datetime
            The present, aware.
        hours : int
            Over how long images and bytes are summed; the last hour is given in any case.
        limit : int
            At most so many.
        """
        with self.reading() as database:
            known = TotalRow.select(TotalRow.label, TotalRow.last).where(
                TotalRow.node == node, TotalRow.name == _RECEIVED
            )
            rows = list(known.order_by(TotalRow.last.desc(), TotalRow.label).limit(limit).tuples().execute(database))
            since = now - timedelta(hours=hours)
            lately = _sums(database, node, now - _HOUR)
            longer = _sums(database, node, since)
            exact = _last_images(database, node, since)
            hourly = _by_hour(database, node, now, hours)
        found = [
            SenderRecord(
                address=label.rpartition("@")[2],
                calling_aet=label.rpartition("@")[0],
                # The counters know the minute; the series of the last hours the very instant.
                last_image=max(last, exact.get(label, last)),
                images_hour=int(lately.get((label, _RECEIVED), 0)),
                images=int(longer.get((label, _RECEIVED), 0)),
                bytes=int(longer.get((label, _BYTES), 0)),
                hourly=hourly.get(label, (0,) * hours),
            )
            for label, last in rows
        ]
        return sorted(found, key=lambda sender: sender.last_image, reverse=True)

    def volumes(self, node: str, since: datetime, limit: int) -> list[SenderVolume]:
        """List what each sender has sent in all, and since an instant, the last one first."""
        known = TotalRow.select(TotalRow.label, TotalRow.first, TotalRow.last, TotalRow.value)
        known = known.where(TotalRow.node == node, TotalRow.name == _RECEIVED)
        with self.reading() as database:
            rows = known.order_by(TotalRow.last.desc(), TotalRow.label).limit(limit).tuples().execute(database)
            lately, exact = _sums(database, node, since), _last_images(database, node, since)
            return [
                SenderVolume(
                    **_named(label),
                    first=first,
                    last=max(last, exact.get(label, last)),
                    images=int(value),
                    images_since=int(lately.get((label, _RECEIVED), 0)),
                    bytes_since=int(lately.get((label, _BYTES), 0)),
                )
                for label, first, last, value in rows
            ]

    def traits(self, node: str, limit: int) -> list[TraitRecord]:
        """List what senders use, the last used first: SOP classes, transfer syntaxes, software, our AE titles."""
        known = TotalRow.select(TotalRow.name, TotalRow.label, TotalRow.first, TotalRow.last, TotalRow.value)
        known = known.where(TotalRow.node == node, TotalRow.name.startswith(TRAIT))
        with self.reading() as database:
            rows = known.order_by(TotalRow.last.desc(), TotalRow.label).limit(limit).tuples().execute(database)
            return [
                TraitRecord(
                    **_named(label.partition(BETWEEN)[0]),
                    kind=name.removeprefix(TRAIT),
                    value=label.partition(BETWEEN)[2],
                    first=first,
                    last=last,
                    times=int(value),
                )
                for name, label, first, last, value in rows
            ]

    def traits_not_kept(self, node: str) -> int:
        """Return in how many messages something of a sender came for which there was no room."""
        query = TotalRow.select(fn.SUM(TotalRow.value)).where(TotalRow.node == node, TotalRow.name == TRAITS_NOT_KEPT)
        with self.reading() as database:
            ((value,),) = query.tuples().execute(database)
        return int(value or 0)

    def sums(self, node: str, names: Sequence[str], since: datetime, until: datetime, step: int = 60) -> list[SumPoint]:
        """Return counters over time, all labels together.

        Parameters
        ----------
        node : str
            Of which router.
        names : sequence of str
            Which counters (``docs/reference/history.md``).
        since, until : datetime
            Aware instants; `until` is not included.
        step : int
            Minutes of one point; a step in which nothing happened has none.
        """
        table, width = MetricsMinuteRow, step * MINUTE
        begin = (table.minute / width * width).alias("begin")
        query = table.select(table.name, begin, fn.SUM(table.value))
        query = query.where(table.node == node, table.name.in_(list(names)))
        query = query.where(table.minute >= micros(since), table.minute < micros(until))
        with self.reading() as database:
            rows = list(query.group_by(table.name, begin).order_by(begin, table.name).tuples().execute(database))
        return [SumPoint(name=name, begin=instant_of(at), value=value) for name, at, value in rows]

    def deliveries(self, node: str, since: datetime, limit: int) -> list[DeliveryTimes]:
        """List how long the tasks took that were delivered since an instant, the last delivered first."""
        query = EventRow.select(EventRow.details, EventRow.time, TaskRow.created, SeriesRow.last_received)
        query = query.join(TaskRow, on=EventRow.task == TaskRow.id)
        query = query.join(SeriesRow, JOIN.LEFT_OUTER, on=TaskRow.series == SeriesRow.id)
        query = query.where(EventRow.type == "task.delivered", EventRow.time >= micros(since), EventRow.node == node)
        with self.reading() as database:
            rows = list(query.order_by(EventRow.time.desc()).limit(limit).tuples().execute(database))
        return [_times(*row) for row in rows]

    def kept(self, node: str) -> list[KeptBytes]:
        """Sum the bytes of what is finished and still on the disk, by its state."""
        query = TaskRow.select(TaskRow.state, fn.SUM(TaskRow.bytes)).where(
            TaskRow.node == node, TaskRow.state.in_(_FINISHED), TaskRow.retired.is_null()
        )
        with self.reading() as database:
            rows = list(query.group_by(TaskRow.state).order_by(TaskRow.state).tuples().execute(database))
        return [KeptBytes(state=state, bytes=int(summed or 0)) for state, summed in rows]

    def totals(self, node: str, limit: int) -> list[CounterTotal]:
        """Return what each counter of a node has come to in all; none of them ever falls.

        Of each name the `limit` labels that came first keep their own line, for good, and all later ones are told
        together as `OTHER`. The greatest ones instead would change places, and a sum of "the others" would then fall.
        """
        # Traits of senders are no figures.
        place = fn.ROW_NUMBER().over(partition_by=[TotalRow.name], order_by=[TotalRow.first, TotalRow.label])
        ranked = TotalRow.select(TotalRow.name, TotalRow.label, TotalRow.value, place.alias("place")).where(
            TotalRow.node == node, ~TotalRow.name.startswith(TRAIT)
        )
        label = Case(None, [(ranked.c.place <= limit, ranked.c.label)], OTHER).alias("shown")
        query = TotalRow.select(ranked.c.name, label, fn.SUM(ranked.c.value)).from_(ranked)
        query = query.group_by(ranked.c.name, label).order_by(ranked.c.name, label)
        with self.reading() as database:
            rows = list(query.tuples().execute(database))
        return [CounterTotal(name=name, label=shown, value=value) for name, shown, value in rows]

    def exam(self, accession: str) -> ExamRecord:
        """Find the series of one exam by its whole accession number, and the tasks that hold their images.

        Upper and lower case and the spaces around it do not matter; a part of the number finds nothing. Looked for on
        all nodes: with several routers an exam may have come in at any.
        """
        wanted = folded(accession)
        if not wanted:
            return ExamRecord()
        named = IdentifierRow.select(IdentifierRow.series).where(
            IdentifierRow.folded == wanted, IdentifierRow.kind == "accession"
        )
        query = SeriesRow.select().where(SeriesRow.id.in_(named)).order_by(SeriesRow.first_received, SeriesRow.id)
        with self.reading() as database:
            found = records(database, query.limit(EXAM_SERIES + 1), SeriesRecord)
            held = TaskRow.select().where(tasks_of(named)).order_by(TaskRow.id)
            tasks = records(database, held.limit(_EXAM_TASKS), TaskRecord)
            targets, distinct = _exam_targets(database, named), _distinct_images(database, named)
        return ExamRecord(
            series=tuple(found[:EXAM_SERIES]),
            tasks=tuple(tasks),
            targets=tuple(targets),
            distinct=distinct,
            cut=len(found) > EXAM_SERIES,
        )

    def first(self, node: str) -> datetime | None:
        """Return when a node told its first counter: of what was before nothing is known. None: it never did."""
        with self.reading() as database:
            query = TotalRow.select(fn.MIN(TotalRow.first)).where(TotalRow.node == node)
            ((first,),) = query.tuples().execute(database)
        return None if first is None else instant_of(first)


def _times(details: str, delivered: int, created: int | None, received: int | None) -> DeliveryTimes:
    told = json.loads(details)
    return DeliveryTimes(
        target=str(told.get("target", "")),
        created=None if created is None else instant_of(created),
        received=None if received is None else instant_of(received),
        delivered=instant_of(delivered),
        sending=float(told.get("seconds", 0.0)),
    )


def _named(label: str) -> dict[str, str]:
    title, _, address = label.rpartition("@")
    return {"calling_aet": title, "address": address}


def _sums(database: Database, node: str, since: datetime) -> dict[tuple[str, str], float]:
    table = MetricsMinuteRow
    query = table.select(table.label, table.name, fn.SUM(table.value)).group_by(table.label, table.name)
    query = query.where(table.name.in_([_RECEIVED, _BYTES]), table.minute >= micros(since), table.node == node)
    return {(label, name): value for label, name, value in query.tuples().execute(database)}


def _by_hour(database: Database, node: str, now: datetime, hours: int) -> dict[str, tuple[int, ...]]:
    """Count the images of each sender in each of the last hours, the present one last."""
    table, width = MetricsMinuteRow, 60 * MINUTE
    hour = (table.minute / width).alias("hour")  # whole numbers in both databases
    present = micros(now) // width
    query = table.select(table.label, hour, fn.SUM(table.value)).group_by(table.label, hour)
    query = query.where(table.name == _RECEIVED, table.node == node, table.minute >= (present - hours + 1) * width)
    found: dict[str, list[int]] = {}
    for label, at, value in query.tuples().execute(database):
        if 0 <= (place := int(at) - present + hours - 1) < hours:
            found.setdefault(label, [0] * hours)[place] = int(value)
    return {label: tuple(counts) for label, counts in found.items()}


def _exam_targets(database: Database, series: ModelSelect[IdentifierRow]) -> list[ExamTargetRecord]:
    """Count the different images of some series that are to go to each target, and those that were delivered."""
    held = TaskRow.select(TaskRow.target, fn.COUNT(TaskImageRow.sop.distinct()))
    held = held.join(TaskImageRow, on=TaskRow.image_list == TaskImageRow.list)
    held = held.where(tasks_of(series), TaskRow.target.is_null(False)).group_by(TaskRow.target)
    wanted = dict(held.where(TaskRow.state != "discarded").tuples().execute(database))
    delivered = dict(held.where(TaskRow.state == "delivered").tuples().execute(database))
    return [
        ExamTargetRecord(target=target, images=images, delivered=delivered.get(target, 0))
        for target, images in sorted(wanted.items())
    ]


def _distinct_images(database: Database, series: ModelSelect[IdentifierRow]) -> dict[tuple[str, str], int]:
    query = ImageRow.select(SeriesRow.node, SeriesRow.folder, fn.COUNT(ImageRow.sop.distinct())).join(SeriesRow)
    query = query.where(ImageRow.series.in_(series)).group_by(SeriesRow.node, SeriesRow.folder)
    return {(node, folder): images for node, folder, images in query.tuples().execute(database) if images}


def _last_images(database: Database, node: str, since: datetime) -> dict[str, datetime]:
    query = SeriesRow.select(SeriesRow.calling_aet, SeriesRow.address, fn.MAX(SeriesRow.last_received))
    query = query.where(SeriesRow.node == node, SeriesRow.last_received >= micros(since))
    rows = query.group_by(SeriesRow.calling_aet, SeriesRow.address).tuples().execute(database)
    return {f"{title}@{address}": instant_of(last) for title, address, last in rows}
