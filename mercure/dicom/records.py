"""Tag lines that are missing, torn or altered, made again from the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mercure.dicom.receipt import AlteredHeaderError, read_receipt
from mercure.dicom.tags import read_tag_records
from mercure.names import utc_text
from mercure.spool import TagRecord, image_files, read_tags
from mercure.spool.images import text

_UNREADABLE: Final[dict[str, str]] = {}


def _none_assumed(_calling_aet: str, _address: str) -> str:
    return ""


def records_of(directory: Path) -> dict[str, TagRecord]:
    """Return the tag record of each image of a task, by file name."""
    known = {text(record, "FileName"): record for record in read_tags(directory)}
    missing = [image.name for image in image_files(directory) if image.name not in known]
    return known | made_again(directory, missing) if missing else known


def made_again(
    directory: Path, names: Sequence[str], character_set_of: Callable[[str, str], str] = _none_assumed
) -> dict[str, TagRecord]:
    """Make the tag lines of some files: what DICOM says from the data set, what is ours from the meta header.

    Parameters
    ----------
    directory : Path
        Where they are.
    names : sequence of str
        Which.
    character_set_of : callable
        Tells from calling AE title and address what is assumed where an image names no character set.
    """
    receipts = {name: _receipt(directory / name) for name in names}
    by_set: dict[str, list[Path]] = {}
    for name, receipt in receipts.items():
        assumed = character_set_of(receipt.get("SenderAET", ""), receipt.get("SenderAddress", ""))
        by_set.setdefault(assumed, []).append(directory / name)
    found: dict[str, dict[str, Any]] = {}
    for assumed, paths in by_set.items():
        found |= read_tag_records(paths, assumed)
    records: dict[str, TagRecord] = {}
    for name in names:
        record: dict[str, Any] = dict(found.get(name, {"DecodingProblems": ["the header cannot be read again"]}))
        received = utc_text(datetime.fromtimestamp(os.stat(directory / name).st_mtime_ns / 1e9, UTC))
        records[name] = {**record, "FileName": name, "ReceivedAt": received, **_sender(receipts[name], record)}
    return records


def _receipt(path: Path) -> dict[str, str]:
    try:
        receipt = read_receipt(path)
    except (AlteredHeaderError, OSError):
        return _UNREADABLE
    return {} if receipt is None else receipt.members()


def _sender(receipt: dict[str, str], record: TagRecord) -> dict[str, str]:
    """Return what is known of the receipt of an image; without ``SenderAET`` its origin is unknown."""
    if receipt or receipt is _UNREADABLE:
        return receipt
    # An older release wrote no more of the sender than this.
    calling = text(record, "SourceApplicationEntityTitle")
    return {"SenderAET": calling} if calling else {}
