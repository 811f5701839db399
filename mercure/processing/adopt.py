"""Taking a module's result into the spool: copies of its images, named as ours are, and their tag lines.

Copies, never links: a process that was forgotten somewhere could still write to a file that was sent already. What
cannot be read fails the run; a result without it would look complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mercure import durable
from mercure.config import ModuleSettings
from mercure.dicom.copies import same_image
from mercure.dicom.tags import read_tag_records
from mercure.names import safe_name
from mercure.printable import cleaned
from mercure.processing.inputs import StepInputs, lineage
from mercure.processing.result import Result, ResultError, parse_result
from mercure.processing.steps import MAX_RESULT_BYTES, RESULT_FILE
from mercure.processing.survey import Found, opened, survey
from mercure.spool import TagRecord, Task, image_files
from mercure.spool.images import free_name, json_line, text
from mercure.spool.task import IMAGE_SUFFIX, TAGS_FILE
from mercure.spool.versions import VersionedImage

_COPIED: Final = "copied"
_NAMED: Final = 20
"""So many of the files that are no images are named; the others are counted."""


@dataclass(frozen=True)
class Adopted:
    """What was taken.

    Parameters
    ----------
    images, bytes : int
        Of the step's result, with the inputs that it retains.
    result : Result or None
        The module's ``result.json``, if it wrote one.
    left_out : tuple of str
        The first files that are no images.
    left_out_files : int
        How many there are.
    replaced : tuple of str
        SOP Instance UIDs under which it wrote another image than the one that went in.
    """

    images: int
    bytes: int
    result: Result | None
    left_out: tuple[str, ...]
    left_out_files: int
    replaced: tuple[str, ...] = ()


def adopt(
    out: Path, into: Path, inputs: StepInputs, settings: ModuleSettings, task: Task, *, character_set: str
) -> Adopted:
    """Take the result of a run, which has ended.

    Parameters
    ----------
    out : Path
        The run's ``out/``.
    into : Path
        A hidden folder that exists and is empty.
    inputs : StepInputs
        The images that went in.
    settings : ModuleSettings
        What a result must have, and whether the inputs are retained.
    task : Task
        Whose.
    character_set : str
        What is assumed where an image names none, as of its sender; empty: nothing.

    Raises
    ------
    ResultError
        The result cannot be used.
    OSError
        As the disk says.
    """
    found = survey(out, settings.output_limit_bytes)
    result = _read_result(out, found)
    images = [file for file in found if file.image]
    others = [file.path for file in found if not file.image and file.path != RESULT_FILE]
    if not images and result is None:
        raise ResultError(_nothing(others))
    records = _take_images(out, into, images, inputs, task, character_set=character_set)
    _check(settings, records, inputs)
    replaced = _replaced(into, records, inputs)
    if settings.retain_inputs:
        records += _retain(into, inputs, records)
    durable.write_file(into / TAGS_FILE, b"".join(json_line(record) for record in records))
    files = image_files(into)
    return Adopted(
        images=len(files),
        bytes=sum(file.bytes for file in files),
        result=result,
        left_out=tuple(_printable(path) for path in others[:_NAMED]),
        left_out_files=len(others),
        replaced=replaced,
    )


def _nothing(others: Sequence[str]) -> str:
    if others:
        return f"it wrote no image and no {RESULT_FILE}, only {len(others)} other files ({_printable(others[0])!r} ...)"
    return f"it ended well and wrote nothing: neither an image nor a {RESULT_FILE}"


def _read_result(out: Path, found: Iterable[Found]) -> Result | None:
    for file in found:
        if file.path == RESULT_FILE:
            if file.bytes > MAX_RESULT_BYTES:
                raise ResultError(f"its {RESULT_FILE} has {file.bytes} bytes; {MAX_RESULT_BYTES} are the most")
            with opened(out, file.path) as descriptor:
                return parse_result(os.pread(descriptor, MAX_RESULT_BYTES, 0))
    return None


def _take_images(
    out: Path, into: Path, images: Sequence[Found], inputs: StepInputs, task: Task, *, character_set: str
) -> list[TagRecord]:
    """Copy the images, read their tags from the copies, and give them the names that ours have."""
    if not images:
        return []
    copied = into / _COPIED
    durable.make_directory(copied, sync=False)
    names = {f"{number:06d}{IMAGE_SUFFIX}": file.path for number, file in enumerate(images, 1)}
    for name, path in names.items():
        with opened(out, path) as descriptor:
            durable.copy_file(os.dup(descriptor), copied / name)
    read = read_tag_records([copied / name for name in names], character_set)
    records: list[TagRecord] = []
    taken: dict[tuple[str, str], str] = {}
    used: set[str] = set()
    for name, path in names.items():
        record = read.get(name)
        sop = text(record, "SOPInstanceUID") if record else ""
        if record is None or not sop:
            what = "is no readable DICOM file" if record is None else "has no SOP Instance UID"
            raise ResultError(f"the file {_printable(path)!r} that it wrote {what}")
        # A sender may give one UID in two series; then so may the module, which was given both.
        key = (text(record, "SeriesInstanceUID") if inputs.uids_repeat else "", sop)
        if key in taken:
            both = f"{_printable(taken[key])!r} and {_printable(path)!r}"
            raise ResultError(f"the files {both} that it wrote have the same SOP Instance UID {sop}")
        taken[key] = path
        final = free_name(f"{safe_name(sop)}{IMAGE_SUFFIX}", used)
        used.add(final)
        durable.link(copied / name, into / final)
        records.append(_tag_line(record, final, inputs.origin_of(record), task))
    durable.remove_tree(copied)
    return records


def _tag_line(record: dict[str, Any], name: str, given: VersionedImage | None, task: Task) -> TagRecord:
    origin = task.origin
    sender = {"SenderAddress": origin.address, "SenderAET": origin.calling_aet, "ReceiverAET": origin.called_aet}
    sender["SenderName"] = origin.sender
    # What is not known of the sender is left out, and not empty: a rule must not take it for an answer.
    known = {keyword: value for keyword, value in sender.items() if value}
    return {**record, "FileName": name, **known, **lineage(given)}


def _check(settings: ModuleSettings, records: Sequence[TagRecord], inputs: StepInputs) -> None:
    if settings.result != "any" and not records:
        raise ResultError("it ended well and wrote no image, and its setting 'result' asks for images")
    if settings.result == "same-series":
        series = {text(image.record, "SeriesInstanceUID") for image in inputs.images}
        for record in records:
            if text(record, "SeriesInstanceUID") not in series:
                sop = text(record, "SOPInstanceUID")
                raise ResultError(f"the image {sop} that it wrote is of another series, which 'result' does not allow")


def _replaced(into: Path, records: Sequence[TagRecord], inputs: StepInputs) -> tuple[str, ...]:
    """Name the images that went in and came out under the same UID with another data set.

    They are taken, with a warning: modules in use that annotate do so, and PS3.4 C.6.1 asks for a new UID only where a
    person is to tell the images apart.
    """
    return tuple(
        text(record, "SOPInstanceUID")
        for record in records
        if (given := inputs.origin_of(record)) and not same_image(into / text(record, "FileName"), given.path)
    )


def _retain(into: Path, inputs: StepInputs, records: Sequence[TagRecord]) -> list[TagRecord]:
    """Link the images that went in beside the result; where the module wrote one of the same UID, its own is sent."""
    written = {image.path for record in records if (image := inputs.origin_of(record))}
    used = {text(record, "FileName") for record in records}
    lines = []
    for image in inputs.images:
        if image.path not in written:
            name = free_name(f"{image.key[1]}{IMAGE_SUFFIX}", used)
            used.add(name)
            durable.link(image.path, into / name)
            lines.append({**image.record, "FileName": name, **lineage(image)})
    return lines


def _printable(path: str) -> str:
    return cleaned(path, lambda _: "?")[:120]
