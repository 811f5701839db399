"""What removing tasks would free: an image that another task links to takes its room until the last link goes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mercure.retention.finished import Finished
from mercure.spool import image_files


def families(tasks: Iterable[Finished]) -> list[list[Finished]]:
    """Put tasks that were derived from the same one together; the families keep the order of their first members."""
    found: dict[str, list[Finished]] = {}
    for task in tasks:
        found.setdefault(task.parent or task.id, []).append(task)
    return list(found.values())


def freed_bytes(directories: Sequence[Path]) -> int:
    """Return how many bytes of images are freed when all these tasks are removed; 0 for those that are gone."""
    links: Counter[int] = Counter()
    found: dict[int, os.stat_result] = {}
    for directory in directories:
        try:
            for image in image_files(directory):
                status = os.stat(directory / image.name)
                links[status.st_ino] += 1
                found[status.st_ino] = status
        except FileNotFoundError:
            continue
    return sum(status.st_size for inode, status in found.items() if links[inode] >= status.st_nlink)
