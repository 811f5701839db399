"""Image walk: every image in the spool, for readers that go through them all while the router works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mercure.event_details import Origin
from mercure.names import is_id
from mercure.spool.images import TagRecord, by_file, read_lines, text
from mercure.spool.layout import Spool, Stage
from mercure.spool.task import IMAGE_SUFFIX, TaskError, load_task

KEPT_STAGES: Final = (
    Stage.INCOMING,
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.SUCCESS,
    Stage.DISCARD,
    Stage.ERROR,
)
"""In the order of an image's life: what moves on during a walk is met again further on."""

_OF_A_RUN: Final = "run-"
"""The work folder of a module: what is in it is a copy."""

_LINES_SUFFIX: Final = ".jsonl"


@dataclass(frozen=True)
class KeptImage:
    """One name of an image in the spool; other tasks may hold the same copy by other names.

    Parameters
    ----------
    inode, links : int
        By which its names know each other, and how many there are.
    bytes : int
        Its size.
    digest : str
        What its tag line says of its data set; "" when it says nothing.
    task : str or None
        The task that holds it; None in ``incoming``.
    """

    path: Path
    inode: int
    links: int
    bytes: int
    digest: str
    task: str | None

    def seen_from(self, spool: Spool) -> str:
        """Return its path relative to the root of the spool."""
        return str(self.path.relative_to(spool.root))


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image beside its bytes: SOP Instance UID, id given at receipt, series, target, sender."""

    sop: str = ""
    image: str | None = None
    series: str | None = None
    target: str | None = None
    sender: str = ""


def facts_of(image: KeptImage) -> ImageFacts:
    """Return the facts of an image from its folder, as far as they can be read."""
    folder = image.path.parent
    record = by_file(_records(sorted(folder.glob(f"*{_LINES_SUFFIX}"))), [image.path.name]).get(image.path.name, {})
    sop, given = text(record, "SOPInstanceUID"), text(record, "ImageID") or None
    try:
        task = load_task(folder)
    except (TaskError, OSError):
        origin = Origin(address=text(record, "SenderAddress"), calling_aet=text(record, "SenderAET"))
        return ImageFacts(sop, given, text(record, "SeriesInstanceUID") or None, None, origin.known_as)
    return ImageFacts(sop, given, task.identity.SeriesInstanceUID or None, task.target, task.origin.known_as)


Place = tuple[int, str]
"""How far a walk has come: the number of the stage, and the last entry of it."""


def kept_entries(spool: Spool, after: Place | None = None) -> Iterator[tuple[Place, Path]]:
    """Walk the entries of all stages that hold images, in one order; only those behind a place."""
    for number, stage in enumerate(KEPT_STAGES):
        if after is not None and number < after[0]:
            continue
        for name in spool.names(stage):
            if after is None or (number, name) > after:
                yield (number, name), spool.entry(stage, name)


def images_in(entry: Path) -> Iterator[KeptImage]:
    """Walk the images of one entry, those of the tasks inside a study too; what moves on meanwhile is passed over."""
    yield from _walk(entry, entry.name if is_id(entry.name) else None)


def _walk(folder: Path, task: str | None) -> Iterator[KeptImage]:
    images: list[tuple[Path, os.stat_result]] = []
    inside: list[Path] = []
    lines: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith((".", _OF_A_RUN)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inside.append(Path(entry.path))
                elif entry.name.endswith(IMAGE_SUFFIX) and entry.is_file(follow_symlinks=False):
                    images.append((Path(entry.path), entry.stat(follow_symlinks=False)))
                elif entry.name.endswith(_LINES_SUFFIX):
                    lines.append(Path(entry.path))
    except (FileNotFoundError, NotADirectoryError):
        return
    digests = _digests(lines, [path.name for path, _ in images]) if images else {}
    for path, status in sorted(images, key=lambda found: found[0].name):
        yield KeptImage(path, status.st_ino, status.st_nlink, status.st_size, digests.get(path.name, ""), task)
    for path in sorted(inside):
        yield from _walk(path, path.name if is_id(path.name) else task)


def _digests(lines: list[Path], names: list[str]) -> dict[str, str]:
    return {name: text(record, "DataSetDigest") for name, record in by_file(_records(sorted(lines)), names).items()}


def _records(lines: list[Path]) -> list[TagRecord]:
    return [record for path in lines for record in read_lines(path)]
