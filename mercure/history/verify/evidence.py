"""Evidence: all events of a node, in the history and still in the outbox.

The outbox is read first and the history after it. An event that was written before the outbox was read is then either
in what was read, or was recorded before its file was removed: none can slip through between the two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from typing import Final, Self

from peewee import Database

from mercure.clock import Clock
from mercure.history.database import disconnect, open_scratch
from mercure.history.migrate import migrate
from mercure.history.models import NodeRow, OutboxPositionRow
from mercure.history.outbox import unread_lines
from mercure.history.reader import Reader
from mercure.history.recorder import record_lines
from mercure.history.verify.views import ImageView, ListEntry, Source, TaskView, merged

_LINES: Final = 2000


class Evidence(AbstractContextManager["Evidence"]):
    """History and outbox, read as one.

    Parameters
    ----------
    outbox : Path
        The stage.
    node : str
        Whose evidence.
    history : Reader or None
        None when it cannot be reached: then only the outbox counts.
    clock : Clock
        For the scratch database.
    """

    def __init__(self, outbox: Path, node: str, history: Reader | None, clock: Clock) -> None:
        self._outbox = outbox
        self._node = node
        self._history = history
        self._clock = clock
        self._stack = ExitStack()
        self._outbox_source: Source | None = None
        self._recorded: Source | None = None
        self._from_outbox: dict[str, TaskView] = {}

    def __enter__(self) -> Self:
        """Read the outbox, then open the history.

        Raises
        ------
        HistoryUnavailableError
            It went away.
        """
        positions = self._positions()
        scratch = self._replay(positions)
        if scratch is not None:
            self._outbox_source = Source(scratch, self._node)
            self._from_outbox = {view.id: view for some in self._outbox_source.tasks() for view in some}
        if self._history is not None:
            self._recorded = Source(self._stack.enter_context(self._history.reading()), self._node)
        return self

    def __exit__(self, *details: object) -> None:
        """Close the history and remove the scratch database."""
        self._stack.__exit__(*details)  # type: ignore[arg-type]  # passed through as they came

    @property
    def _sources(self) -> list[Source]:
        return [source for source in (self._outbox_source, self._recorded) if source is not None]

    def tasks(self) -> Iterator[list[TaskView]]:
        """Walk all tasks, some at a time."""
        seen: set[str] = set()
        for some in self._recorded.tasks() if self._recorded is not None else ():
            told = {view.id: self._from_outbox[view.id] for view in some if view.id in self._from_outbox}
            seen.update(told)
            yield [merged(view, told[view.id]) if view.id in told else view for view in some]
        yield [view for task, view in self._from_outbox.items() if task not in seen]

    def some_tasks(self, ids: Sequence[str]) -> dict[str, TaskView]:
        """Return the tasks of these ids that are known."""
        return _together(view for source in self._sources for view in source.some_tasks(ids))

    def children(self, parents: Sequence[str]) -> dict[str, list[TaskView]]:
        """Return the tasks derived from each of these."""
        found = _together(view for source in self._sources for view in source.children(parents))
        # One source may know of a child without knowing its parent.
        found |= self.some_tasks([task for task in found if task in self._from_outbox])
        grouped: dict[str, list[TaskView]] = {}
        for view in found.values():
            grouped.setdefault(view.parent or "", []).append(view)
        return grouped

    def parts(self, task: str) -> dict[str, int]:
        """Return how many images each task was to get into which the rules divided a series; empty: they did not."""
        return {name: count for source in self._sources for name, count in source.parts(task).items()}

    def tasks_of_series(self, folders: Sequence[str]) -> dict[str, list[TaskView]]:
        """Return the tasks of each series whose images are known, the earliest first."""
        found = _together(view for source in self._sources for view in source.tasks_of_series(folders))
        grouped: dict[str, list[TaskView]] = {}
        for view in sorted(found.values(), key=lambda view: view.id):
            if view.digest is not None and view.folder is not None:
                grouped.setdefault(view.folder, []).append(view)
        return grouped

    def entries(self, digest: str | None) -> list[ListEntry]:
        """Return the images of a list."""
        if digest is None:
            return []
        return next((found for source in self._sources if (found := source.entries(digest))), [])

    def entries_of_files(self, digests: Sequence[str], files: Sequence[str]) -> dict[tuple[str, str], str | None]:
        """Return the image id of each of these files in each of these lists, by digest and file."""
        found: dict[tuple[str, str], str | None] = {}
        for source in self._sources:
            found |= source.entries_of_files(digests, files)
        return found

    def untaken_images(self) -> Iterator[list[ImageView]]:
        """Walk the images that no routed series names, some at a time."""
        for source in self._sources:
            for some in source.untaken_images():
                taken = {image for other in self._sources for image in other.taken([image.id for image in some])}
                yield [image for image in some if image.id not in taken]

    def some_untaken(self, ids: Sequence[str]) -> list[ImageView]:
        """Return those of these images that no routed series names."""
        found = {image.id: image for source in self._sources for image in source.some_images(ids)}
        taken = {image for source in self._sources for image in source.taken(ids)}
        return [image for image in found.values() if image.id not in taken]

    def firsts(self, folders: Sequence[str], files: Sequence[str]) -> list[tuple[ImageView, bool]]:
        """Return the images that are no repetitions, of these series and files, and whether they are in a task."""
        found = {image.id: image for source in self._sources for image in source.firsts(folders, files)}
        taken = {image for source in self._sources for image in source.taken(list(found))}
        return [(image, image.id in taken) for image in found.values()]

    def received(self, ids: Sequence[str]) -> dict[str, ImageView]:
        """Return what is known of the receipt of these images."""
        return {image.id: image for source in self._sources for image in source.some_images(ids)}

    def count(self) -> tuple[int, int]:
        """Return how many images were acknowledged, and how many of them were repetitions."""
        images, repetitions = self._recorded.count() if self._recorded is not None else (0, 0)
        for some in self._outbox_source.received_images() if self._outbox_source is not None else ():
            ids = [image.id for image in some]
            known = {image.id for image in self._recorded.some_images(ids)} if self._recorded is not None else set()
            images += sum(image.id not in known for image in some)
            repetitions += sum(image.id not in known and image.repetition for image in some)
        return images, repetitions

    def unreported(self, arrived: Mapping[str, Sequence[str]], untold: Set[str]) -> int:
        """Return how many images there are without an event of their receipt.

        Parameters
        ----------
        arrived : mapping of str to sequence of str
            The files in ``incoming``, by folder.
        untold : set of str
            The ids of the images in those tasks of the spool whose images no event has named yet.
        """
        ids = {image for source in self._sources for image in source.images_without_receipt()} | untold
        files = {pair for source in self._sources for pair in source.routed_without_id()}
        files |= {(folder, file) for folder, names in arrived.items() for file in names}
        told = {
            (image.folder, image.file)
            for image, _ in self.firsts(sorted({folder for folder, _ in files}), sorted({file for _, file in files}))
        }
        return len(ids - self.received(sorted(ids)).keys()) + len(files - told)

    def other_nodes(self) -> tuple[str, ...]:
        """Name the other routers in the history."""
        if self._history is None:
            return ()
        with self._history.reading() as database:
            names = [name for (name,) in NodeRow.select(NodeRow.node).order_by(NodeRow.node).tuples().execute(database)]
        return tuple(name for name in names if name != self._node)

    def _positions(self) -> dict[str, int]:
        if self._history is None:
            return {}
        query = OutboxPositionRow.select(OutboxPositionRow.file, OutboxPositionRow.position)
        with self._history.reading() as database:
            return dict(query.where(OutboxPositionRow.node == self._node).tuples().execute(database))

    def _replay(self, positions: dict[str, int]) -> Database | None:
        """Record the unread lines into a database of our own, by the code that records them into the history.

        None when nothing is unread, as mostly.
        """
        lines = (line for line in unread_lines(self._outbox, positions) if line.event is not None)
        batch = list(islice(lines, _LINES))
        if not batch:
            return None
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mercure-verify-"))
        scratch = open_scratch(Path(folder) / "outbox.db")
        self._stack.callback(disconnect, scratch)
        migrate(scratch, self._clock)
        while batch:
            record_lines(scratch, self._node, batch, {}, 0)
            batch = list(islice(lines, _LINES))
        return scratch


def _together(views: Iterator[TaskView]) -> dict[str, TaskView]:
    found: dict[str, TaskView] = {}
    for view in views:
        found[view.id] = merged(found[view.id], view) if view.id in found else view
    return found
