"""Views of tasks and images, as a verification reads them from one database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from peewee import JOIN, Database

from mercure.history.merge import Row, table_of
from mercure.history.models import EventRow, ImageListRow, ImageRow, SeriesRow, TaskImageRow, TaskRow
from mercure.history.reader import batches

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as one source knows it; see `mercure.history.models.TaskRow` for the columns."""

    id: str
    parent: str | None
    action: str | None
    stage: str | None
    facts_order: str | None
    target: str | None
    target_order: str | None
    state: str | None
    state_order: str | None
    since: datetime | None
    reason: str | None
    since_order: str | None
    discarded_by: str | None
    delivered_order: str | None
    retired: datetime | None
    retired_from: str | None
    retired_order: str | None
    study_task: str | None
    series_uid: str | None
    digest: str | None
    """Digest of the list of its images."""
    images: int | None
    bytes: int | None
    delivered_digest: str | None
    folder: str | None

    @property
    def is_routed(self) -> bool:
        """Return True if this is a series or a study as the router took it, from which other tasks are derived."""
        return self.parent is None

    @property
    def last_seen(self) -> str:
        """Return the last that is known, in words."""
        when = f" on {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else ""
        return f"{self.state or 'unknown'}{when}"


_STANDS_FOR: Final = {"digest": "image_list", "delivered_digest": "delivered_list", "folder": "series"}
"""Columns that refer to another table are compared by what is the same in every database."""
_COLUMNS: Final = {column.name: _STANDS_FOR.get(column.name, column.name) for column in fields(TaskView)}


def merged(one: TaskView, other: TaskView) -> TaskView:
    """Put together what two sources know of one task, by the rules of its table."""
    both = table_of(TaskRow).merge(_row(one), _row(other))
    return TaskView(**{name: both[column] for name, column in _COLUMNS.items()})


def _row(view: TaskView) -> Row:
    return {column: getattr(view, name) for name, column in _COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class ImageView:
    """An acknowledged image as one source knows it."""

    id: str
    received: datetime
    file: str
    sop: str
    repetition: bool
    task: str | None
    folder: str
    series_uid: str


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One image of a list."""

    file: str
    image: str | None
    sop: str


class Source:
    """One database that knows of a node: the history, or what the outbox still holds.

    Parameters
    ----------
    database : peewee.Database
        Where to ask.
    node : str
        Whose rows.
    """

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node

    def tasks(self) -> Iterator[list[TaskView]]:
        """Walk all tasks, in the order of their ids, some at a time."""
        last = ""
        while True:
            found = self._tasks(_task_query().where(TaskRow.id > last).order_by(TaskRow.id).limit(_AT_ONCE))
            if not found:
                return
            last = found[-1].id
            yield found

    def some_tasks(self, ids: Sequence[str]) -> list[TaskView]:
        """Return the tasks of these ids."""
        return [
            view for some in batches(ids, _AT_ONCE) for view in self._tasks(_task_query().where(TaskRow.id.in_(some)))
        ]

    def children(self, parents: Sequence[str]) -> list[TaskView]:
        """Return the tasks derived from these."""
        query = _task_query()
        return [
            view for some in batches(parents, _AT_ONCE) for view in self._tasks(query.where(TaskRow.parent.in_(some)))
        ]

    def parts(self, task: str) -> dict[str, int]:
        """Return how many images each task was to get into which the rules divided a series; empty: they did not."""
        query = EventRow.select(EventRow.details).where(EventRow.task == task, EventRow.type == "series.decided")
        rows = query.order_by(EventRow.id).tuples().execute(self._database)
        return {name: count for (details,) in rows for name, count in json.loads(details).get("parts", {}).items()}

    def tasks_of_series(self, folders: Sequence[str]) -> list[TaskView]:
        """Return all tasks of these series."""
        query = _task_query()
        return [
            view for some in batches(folders, _AT_ONCE) for view in self._tasks(query.where(SeriesRow.folder.in_(some)))
        ]

    def entries(self, digest: str) -> list[ListEntry]:
        """Return the images of a list; nothing when this source does not know it."""
        query = TaskImageRow.select(TaskImageRow.file, TaskImageRow.image, TaskImageRow.sop).join(ImageListRow)
        rows = query.where(ImageListRow.digest == digest).order_by(TaskImageRow.file).tuples().execute(self._database)
        return [ListEntry(*row) for row in rows]

    def entries_of_files(self, digests: Sequence[str], files: Sequence[str]) -> dict[tuple[str, str], str | None]:
        """Return the image id of each of these files in each of these lists, by digest and file."""
        query = TaskImageRow.select(ImageListRow.digest, TaskImageRow.file, TaskImageRow.image).join(ImageListRow)
        found: dict[tuple[str, str], str | None] = {}
        for some in batches(digests, _AT_ONCE):
            for names in batches(files, _AT_ONCE):
                narrowed = query.where(ImageListRow.digest.in_(some), TaskImageRow.file.in_(names))
                found |= {(digest, file): image for digest, file, image in narrowed.tuples().execute(self._database)}
        return found

    def untaken_images(self) -> Iterator[list[ImageView]]:
        """Walk the images that were received and that no routed series names, some at a time."""
        return self._images(ImageRow.task.is_null())

    def received_images(self) -> Iterator[list[ImageView]]:
        """Walk all images that were received, some at a time."""
        return self._images()

    def some_images(self, ids: Sequence[str]) -> list[ImageView]:
        """Return the received images of these ids."""
        query = _image_query().where(ImageRow.received.is_null(False))
        return [
            ImageView(*row)
            for some in batches(ids, _AT_ONCE)
            for row in query.where(ImageRow.id.in_(some)).tuples().execute(self._database)
        ]

    def images_without_receipt(self) -> list[str]:
        """Return the images that a series names, and whose receipt is unknown."""
        query = ImageRow.select(ImageRow.id).where(ImageRow.node == self._node, ImageRow.received.is_null())
        return [image for (image,) in query.tuples().execute(self._database)]

    def routed_without_id(self) -> list[tuple[str, str]]:
        """Return folder and file of the images in routed series whose ids are lost, as a power cut loses them."""
        query = TaskRow.select(SeriesRow.folder, TaskImageRow.file).join(
            ImageListRow, on=TaskRow.image_list == ImageListRow.id
        )
        query = query.join(TaskImageRow, on=TaskImageRow.list == ImageListRow.id)
        query = query.switch(TaskRow).join(SeriesRow, on=TaskRow.series == SeriesRow.id)
        query = query.where(TaskRow.node == self._node, TaskRow.parent.is_null(), TaskImageRow.image.is_null())
        return list(query.distinct().tuples().execute(self._database))

    def firsts(self, folders: Sequence[str], files: Sequence[str]) -> list[ImageView]:
        """Return the images that are no repetitions, of these series and with these file names."""
        query = _image_query().where(ImageRow.node == self._node, ImageRow.received.is_null(False))
        query = query.where(ImageRow.repetition == False)  # noqa: E712 - an expression of peewee
        return [
            ImageView(*row)
            for some in batches(folders, _AT_ONCE)
            for names in batches(files, _AT_ONCE)
            for row in query.where(SeriesRow.folder.in_(some), ImageRow.file.in_(names))
            .tuples()
            .execute(self._database)
        ]

    def taken(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the routed series of those images that are in one."""
        query = ImageRow.select(ImageRow.id, ImageRow.task).where(ImageRow.task.is_null(False))
        found: dict[str, str] = {}
        for some in batches(ids, _AT_ONCE):
            found.update(query.where(ImageRow.id.in_(some)).tuples().execute(self._database))
        return found

    def count(self) -> tuple[int, int]:
        """Return how many images were acknowledged, and how many of them were repetitions."""
        query = ImageRow.select().where(ImageRow.node == self._node, ImageRow.received.is_null(False))
        repeated = query.where(ImageRow.repetition == True)  # noqa: E712 - an expression of peewee
        return query.count(self._database), repeated.count(self._database)

    def _images(self, *which: Any) -> Iterator[list[ImageView]]:  # noqa: ANN401 - peewee's expressions
        last = ""
        while True:
            query = _image_query().where(ImageRow.node == self._node, ImageRow.received.is_null(False), *which)
            query = query.where(ImageRow.id > last).order_by(ImageRow.id).limit(_AT_ONCE)
            found = [ImageView(*row) for row in query.tuples().execute(self._database)]
            if not found:
                return
            last = found[-1].id
            yield found

    def _tasks(self, query: Any) -> list[TaskView]:  # noqa: ANN401 - peewee's queries
        rows = query.where(TaskRow.node == self._node).tuples().execute(self._database)
        return [TaskView(*row) for row in rows]


_LIST: Final = ImageListRow.alias()
_DELIVERED: Final = ImageListRow.alias()
_OF_TASK: Final = tuple(getattr(TaskRow, field.name) for field in fields(TaskView)[:19])


def _task_query() -> Any:  # noqa: ANN401 - peewee's queries
    of_lists = (_LIST.digest, _LIST.images, _LIST.bytes, _DELIVERED.digest)
    query = TaskRow.select(*_OF_TASK, *of_lists, SeriesRow.folder)
    query = query.join(_LIST, JOIN.LEFT_OUTER, on=TaskRow.image_list == _LIST.id)
    query = query.switch(TaskRow).join(_DELIVERED, JOIN.LEFT_OUTER, on=TaskRow.delivered_list == _DELIVERED.id)
    return query.switch(TaskRow).join(SeriesRow, JOIN.LEFT_OUTER, on=TaskRow.series == SeriesRow.id)


def _image_query() -> Any:  # noqa: ANN401 - peewee's queries
    of_image = (ImageRow.id, ImageRow.received, ImageRow.file, ImageRow.sop, ImageRow.repetition, ImageRow.task)
    return ImageRow.select(*of_image, SeriesRow.folder, SeriesRow.series_uid).join(
        SeriesRow, on=ImageRow.series == SeriesRow.id
    )
