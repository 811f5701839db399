"""Images of a task: which there are, their tag lines, and the ledger of what a target confirmed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.event_details import ImageRef
from mercure.model import Record
from mercure.seal import MEMBER, is_intact, sealed
from mercure.spool.task import IMAGE_SUFFIX, LEDGER_FILE, TAGS_FILE

TagRecord = dict[str, Any]
"""A tag record as in ``docs/reference/tag-record.md``; the values come from the network."""


class LedgerLine(Record):
    """One image that a target confirmed."""

    file: str
    sop: str = ""
    status: str
    time: AwareDatetime
    target: str
    group: str | None = None
    """Where the task was addressed to a group: its name; `target` is then the member that has the image."""
    destination: str | None = None
    """The place that has the image (`TargetSettings.destination`); absent in a line of an older release."""
    sent_as: str | None = None
    """UID of the transfer syntax in which the image went, where it was converted; else it went as it is kept."""


@dataclass(frozen=True)
class ImageFile:
    """One image file as the directory has it: the truth about what the task holds."""

    name: str
    bytes: int
    modified_ns: int


def image_files(directory: Path) -> list[ImageFile]:
    """List the image files of a task, in the order of their names."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if (
                entry.name.endswith(IMAGE_SUFFIX)
                and not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
            ):
                status = entry.stat(follow_symlinks=False)
                found.append(ImageFile(entry.name, status.st_size, status.st_mtime_ns))
    return sorted(found, key=lambda image: image.name)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the JSON objects of a file, one per line; nothing when there is no file.

    Passed over is what is torn, or is not as it was sealed.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for line in data.split(b"\n"):
        if not line.strip() or not is_intact(line):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            value.pop(MEMBER, None)
            lines.append(value)
    return lines


def json_line(record: TagRecord) -> bytes:
    """Write one tag line; what is no Unicode (a lone surrogate, say) is written as an escape."""
    try:
        return sealed(json.dumps(record, ensure_ascii=False).encode()) + b"\n"
    except UnicodeEncodeError:
        return sealed(json.dumps(record).encode()) + b"\n"


def by_file(records: Iterable[TagRecord], present: Iterable[str]) -> dict[str, TagRecord]:
    """Keep of `records` the first for each file that is `present`."""
    names = set(present)
    kept: dict[str, TagRecord] = {}
    for record in records:
        name = record.get("FileName")
        if isinstance(name, str) and name in names and name not in kept:
            kept[name] = record
    return kept


def read_tags(directory: Path) -> list[TagRecord]:
    """Read a task's tag lines: those whose image is there, in the order received."""
    names = [image.name for image in image_files(directory)]
    return list(by_file(read_lines(directory / TAGS_FILE), names).values())


def read_arriving_tags(directory: Path) -> list[TagRecord]:
    """Read the tag lines of a series that still arrives, of which each association has its own file.

    None where there is no such series, or it was taken just now.
    """
    lines = [line for path in sorted(directory.glob("*.jsonl")) for line in read_lines(path)]
    try:
        names = [image.name for image in image_files(directory)]
    except FileNotFoundError:
        return []
    return list(by_file(lines, names).values())


def text(record: TagRecord, keyword: str) -> str:
    """Return a tag as one text: the first of several values, empty when it is missing or no text.

    It is Unicode, whatever came: a lone surrogate, which JSON can bring, would be refused by every model it goes into.
    """
    value = record.get(keyword, "")
    if isinstance(value, list):
        value = value[0] if value else ""
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


MOST_VALUES: Final = 32
"""So many different values of one tag are kept of a series."""

LONGEST_VALUE: Final = 256


def distinct_values(records: Iterable[TagRecord], keywords: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the different values of some tags in images, each once, in the order of the images.

    Of a tag with several values (PS3.5 section 6.4) each is one; what is empty, or no text, is left out, and so is
    what comes after `MOST_VALUES`.
    """
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for keyword in keywords:
            value = record.get(keyword)
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, str) and (shown := text({keyword: each}, keyword).strip()[:LONGEST_VALUE]):
                    found.setdefault(keyword, {})[shown] = None
    return {keyword: tuple(values)[:MOST_VALUES] for keyword, values in found.items()}


def instance_of(record: TagRecord) -> str:
    """Name the SOP instance of an image: two files with one UID are one; without a UID each file is one."""
    return text(record, "SOPInstanceUID") or f"file {text(record, 'FileName')}"


def free_name(name: str, used: Collection[str]) -> str:
    """Return a name for an image file that is not used yet: two series may hold the same SOP Instance UID."""
    stem, number = name.removesuffix(IMAGE_SUFFIX), 1
    while name in used:
        number += 1
        name = f"{stem}~s{number}{IMAGE_SUFFIX}"
    return name


def image_refs(directory: Path) -> tuple[ImageRef, ...]:
    """Name the images of a task for an event, in the order received; those without a tag line come last."""
    files = {image.name: image for image in image_files(directory)}
    tags = by_file(read_lines(directory / TAGS_FILE), files)
    order = [*tags, *(name for name in files if name not in tags)]
    return tuple(
        ImageRef(
            image=text(tags.get(name, {}), "ImageID") or None,
            file=name,
            sop=text(tags.get(name, {}), "SOPInstanceUID"),
            bytes=files[name].bytes,
        )
        for name in order
    )


def ledger_lines(directory: Path) -> list[LedgerLine]:
    """Read the lines of a task's ledger, in the order written."""
    lines = []
    for line in read_lines(directory / LEDGER_FILE):
        with contextlib.suppress(ValidationError):
            lines.append(LedgerLine.model_validate(line))
    return lines


def read_ledger(directory: Path, destinations: Set[str] | None = None) -> dict[str, LedgerLine]:
    """Read what was confirmed, by file name; only at some destinations when they are named.

    A task that a person rerouted, or whose target has moved, keeps what was confirmed before. Whether a task is
    delivered says `mercure.spool.delivered`.
    """
    lines = ledger_lines(directory)
    return {line.file: line for line in lines if destinations is None or line.destination in destinations}


def add_to_ledger(directory: Path, lines: Iterable[LedgerLine]) -> None:
    """Note confirmations durably. An unfinished last line of an earlier crash is closed off first.

    Raises
    ------
    OSError
        They could not be written; the images will be sent again, which is harmless.
    """
    data = b"".join(sealed(line.model_dump_json(exclude_none=True).encode()) + b"\n" for line in lines)
    path = directory / LEDGER_FILE
    if data:
        durable.append_to(path, (b"" if _ends_well(path) else b"\n") + data)


def _ends_well(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except FileNotFoundError:
        return True
