"""Delivered: one destination has every image of the task.

The dispatcher, `mercure verify`, the history and the views all use this one definition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from mercure.spool.images import LedgerLine, image_files, ledger_lines
from mercure.spool.task import Task


def place_of(line: LedgerLine) -> str:
    """Return the place that has the image of a ledger line.

    An older release wrote no destination, and took a group for one place.
    """
    return line.destination or f"target {line.group or line.target}"


def by_place(lines: Iterable[LedgerLine]) -> dict[str, dict[str, LedgerLine]]:
    """Return the lines of a ledger by place and file name; the last line of an image counts."""
    places: dict[str, dict[str, LedgerLine]] = {}
    for line in lines:
        places.setdefault(place_of(line), {})[line.file] = line
    return places


def holder(directory: Path, task: Task, files: Collection[str] | None = None) -> dict[str, LedgerLine]:
    """Return the ledger lines of the place that confirmed the most of a task's images, by file name.

    The task is delivered when that is every image. The latest confirmation breaks a tie. Only a task that
    was split over the members of a group on purpose (`Task.split`) has its places taken together.

    Parameters
    ----------
    directory : Path
        The task's directory.
    task : Task
        Its model.
    files : collection of str, optional
        The names of its images, if they are known.
    """
    wanted = {image.name for image in image_files(directory)} if files is None else set(files)
    places = by_place(ledger_lines(directory))
    if task.split:
        return {file: line for place in task.split for file, line in places.get(place, {}).items() if file in wanted}
    best: dict[str, LedgerLine] = {}
    for lines in places.values():
        held = {file: line for file, line in lines.items() if file in wanted}
        if _rank(held) >= _rank(best):
            best = held
    return best


def _rank(lines: dict[str, LedgerLine]) -> tuple[int, float]:
    return len(lines), max((line.time.timestamp() for line in lines.values()), default=0.0)
