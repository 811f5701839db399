"""Forgetting: what was finished long ago leaves the history, whole families at a time.

A family is what the router took, and every task that came of it. It goes only when every one of them has ended and is
no longer in the spool; so what a verification or the cleaner may still ask about stays, however old it is. The audit
stays for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from peewee import Database

from mercure.history.database import transaction
from mercure.history.instants import micros
from mercure.history.models import (
    AssociationRow,
    AttemptRow,
    EventRow,
    IdentifierRow,
    ImageListRow,
    ImageRow,
    MetricsMinuteRow,
    SeriesRow,
    TaskImageRow,
    TaskRow,
    TotalRow,
)
from mercure.history.rows import TRAIT
from mercure.names import id_time, is_id

FAMILIES: Final = 100
"""Families of one transaction, so that readers and the recording of new events wait for no more than that."""

EVENTS: Final = 5000
"""Events without a task of one call."""


@dataclass(frozen=True)
class Forgotten:
    """What one call did, and where the next goes on."""

    tasks: int
    events: int
    after: str
    """The last family that was looked at; empty at the end."""


@dataclass(frozen=True)
class _Member:
    """A task as far as forgetting needs it."""

    id: str
    parent: str | None
    series: int | None
    state: str | None
    study_task: str | None
    retired: int | None
    lists: tuple[int, ...]
    """Its images, and those that were delivered."""


def forget(database: Database, node: str, before: datetime, after: str = "") -> Forgotten:
    """Forget some of what was finished before an instant, in one transaction.

    Parameters
    ----------
    database : peewee.Database
        A writable history.
    node : str
        Only rows of this router.
    before : datetime
        Aware instant.
    after : str
        Where the call before ended; empty to begin.

    Returns
    -------
    Forgotten
        Call again with its `after` until that is empty.
    """
    limit = micros(before)
    with transaction(database):
        old = _members(node).where(
            TaskRow.parent.is_null(), TaskRow.id < f"{before:%Y%m%dT%H%M%S%f}", TaskRow.id > after
        )
        roots = _read(database, old.order_by(TaskRow.id).limit(FAMILIES))
        families = [_family(database, [root], node) for root in roots]
        gone = [family for family in families if _is_over([*family, *_studies(database, family, node)], limit)]
        for family in gone:
            _forget_family(database, family)
        events = 0 if after else _forget_loose(database, node, limit)
    return Forgotten(sum(map(len, gone)), events, roots[-1].id if len(roots) == FAMILIES else "")


def _members(node: str) -> Any:  # noqa: ANN401 - peewee's queries
    columns = (TaskRow.id, TaskRow.parent, TaskRow.series, TaskRow.state, TaskRow.study_task, TaskRow.retired)
    return TaskRow.select(*columns, TaskRow.image_list, TaskRow.delivered_list).where(TaskRow.node == node)


def _read(database: Database, query: Any) -> list[_Member]:  # noqa: ANN401 - peewee's queries
    return [
        _Member(task, parent, series, state, study, None if retired is None else micros(retired), _known(lists))
        for task, parent, series, state, study, retired, *lists in query.tuples().execute(database)
    ]


def _known(lists: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(key for key in lists if key is not None)


def _family(database: Database, roots: Sequence[_Member], node: str) -> list[_Member]:
    """Return routed tasks and all that was derived from them, the derived ones of derived ones too."""
    family, newest = [*roots], [*roots]
    while newest:
        newest = _read(database, _members(node).where(TaskRow.parent.in_([member.id for member in newest])))
        family += newest
    return family


def _studies(database: Database, family: Sequence[_Member], node: str) -> list[_Member]:
    """Return the families of the studies that collected series of a family became part of: they hold its images now."""
    names = [member.study_task for member in family if member.study_task]
    return _family(database, _read(database, _members(node).where(TaskRow.id.in_(names))), node) if names else []


def _is_over(family: Sequence[_Member], limit: int) -> bool:
    """Return True if every task of a family has ended and left the spool before the limit."""
    parents = {member.parent for member in family}
    return all(
        member.retired < limit
        if member.retired is not None
        else member.id in parents or member.state in ("collected", "processed")
        for member in family
    )


def _forget_family(database: Database, family: Sequence[_Member]) -> None:
    ids = [member.id for member in family]
    root = family[0]
    _forget_images(database, root)
    for model, column in ((AttemptRow, AttemptRow.task), (EventRow, EventRow.task), (TaskRow, TaskRow.id)):
        model.delete().where(column.in_(ids)).execute(database)
    for key in {key for member in family for key in member.lists}:
        if not TaskRow.select().where((TaskRow.image_list == key) | (TaskRow.delivered_list == key)).exists(database):
            TaskImageRow.delete().where(TaskImageRow.list == key).execute(database)
            ImageListRow.delete().where(ImageListRow.id == key).execute(database)
    if root.series is not None:
        _forget_series(database, root.series)


def _forget_images(database: Database, root: _Member) -> None:
    """Forget the images that a series brought: those that it names, and those that went with it under the same file."""
    for key in root.lists if is_id(root.id) else ():
        named = TaskImageRow.select(TaskImageRow.image).where(
            TaskImageRow.list == key, TaskImageRow.image.is_null(False)
        )
        ImageRow.delete().where(ImageRow.id.in_(named), ImageRow.task == root.id).execute(database)
        if root.series is None:
            continue
        files = TaskImageRow.select(TaskImageRow.file).where(TaskImageRow.list == key)
        unnamed = ImageRow.delete().where(
            ImageRow.series == root.series, ImageRow.task.is_null(), ImageRow.file.in_(files)
        )
        unnamed.where(ImageRow.received <= micros(id_time(root.id))).execute(database)


def _forget_series(database: Database, series: int) -> None:
    """Forget a series of which nothing is left."""
    if ImageRow.select().where(ImageRow.series == series).exists(database):
        return
    if TaskRow.select().where(TaskRow.series == series).exists(database):
        return
    IdentifierRow.delete().where(IdentifierRow.series == series).execute(database)
    SeriesRow.delete().where(SeriesRow.id == series).execute(database)


def _forget_loose(database: Database, node: str, limit: int) -> int:
    """Forget what belongs to no task: events, counters, connections, traits of senders; return how many events."""
    old = EventRow.select(EventRow.id).where(EventRow.node == node, EventRow.time < limit, EventRow.task.is_null())
    ids = [name for (name,) in old.order_by(EventRow.time).limit(EVENTS).tuples().execute(database)]
    for start in range(0, len(ids), 500):
        EventRow.delete().where(EventRow.id.in_(ids[start : start + 500])).execute(database)
    MetricsMinuteRow.delete().where(MetricsMinuteRow.node == node, MetricsMinuteRow.minute < limit).execute(database)
    AssociationRow.delete().where(AssociationRow.node == node, AssociationRow.closed < limit).execute(database)
    traits = TotalRow.delete().where(TotalRow.node == node, TotalRow.name.startswith(TRAIT), TotalRow.last < limit)
    traits.execute(database)
    return len(ids)
