"""What goes into a step: of each image the last version, so that no two files of one image meet in a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mercure.dicom.records import made_again
from mercure.names import safe_name
from mercure.processing.steps import inputs_of
from mercure.spool import TagRecord, Task
from mercure.spool.images import text
from mercure.spool.task import IMAGE_SUFFIX
from mercure.spool.versions import FILE_VERSION, ROUTED_AS, VersionedImage, images_of, newest


@dataclass(frozen=True)
class StepInputs:
    """The images of a step.

    Parameters
    ----------
    images : tuple of VersionedImage
        Those that go in.
    superseded : tuple of VersionedImage
        Older versions of these; they stay in the task.
    by_stem : mapping of str to dict of str to VersionedImage
        Those that go in, by the name of their SOP Instance UID and there by series.
    """

    images: tuple[VersionedImage, ...]
    superseded: tuple[VersionedImage, ...]
    by_stem: Mapping[str, Mapping[str, VersionedImage]]

    @property
    def uids_repeat(self) -> bool:
        """Whether a SOP Instance UID is used in several series."""
        return any(len(series) > 1 for series in self.by_stem.values())

    def origin_of(self, record: TagRecord) -> VersionedImage | None:
        """Return the image that went in under the UIDs of one that came out; of a changed series by its own UID."""
        found = self.by_stem.get(safe_name(text(record, "SOPInstanceUID")), {})
        alone = next(iter(found.values())) if len(found) == 1 else None
        return found.get(text(record, "SeriesInstanceUID"), alone)


def step_inputs(directory: Path, task: Task, character_set_of: Callable[[str, str], str]) -> StepInputs:
    """Return what goes into the next step of a task.

    Parameters
    ----------
    directory : Path
        Its folder.
    task : Task
        Its model.
    character_set_of : callable
        Tells from calling AE title and address what is assumed where an image names no character set.

    Raises
    ------
    OSError
        As the disk says.
    """
    folder = inputs_of(directory, len(task.done) + 1)
    images = images_of(folder, task)
    torn = [image.file for image in images if not image.record]
    again = made_again(folder, torn, character_set_of)
    images = [replace(image, record=again.get(image.file, image.record)) for image in images]
    last = newest(images)
    by_stem: dict[str, dict[str, VersionedImage]] = {}
    for (series, stem), image in last.items():
        by_stem.setdefault(stem, {})[series] = image
    older = tuple(image for image in images if last[image.key] is not image)
    return StepInputs(tuple(last.values()), older, by_stem)


def image_name(image: VersionedImage) -> str:
    """Return the name under which a module finds an image: its series and itself, and nothing of its version."""
    uid = text(image.record, "SeriesInstanceUID")
    name = f"{image.key[1]}{IMAGE_SUFFIX}"
    return f"{safe_name(uid)}#{name}" if uid else name


def lineage(image: VersionedImage | None) -> TagRecord:
    """Return what a tag line of a result says of the version from which the image came, so that it is none newer."""
    if image is None:
        return {}
    routed = {ROUTED_AS: image.record[ROUTED_AS]} if ROUTED_AS in image.record else {}
    return {**routed, FILE_VERSION: image.place.number} if image.place.number > 1 else routed
