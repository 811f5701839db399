"""Instance table: recent SOP Instance UIDs and whose they are, so that one used twice is noticed across series.

A hint in ``state/instances/table``: a hash table of fixed size on the disk, whatever comes. Each set of it has room for
a few instances; a new one takes the place of the oldest. So what is remembered is bounded, and a lookup is one read.
It is not synced: what a power cut takes costs an alert, no image.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from mercure.names import id_time
from mercure.spool.hints import exclusive
from mercure.spool.images import TagRecord, text
from mercure.spool.layout import Spool, Stage

_ENTRY: Final = struct.Struct("<QQIIQ")
"""One instance: hashes of its UID, of series, study and patient, and of its content; the last digits of the task's id,
and its time in microseconds since 1970. All zeros where there is none."""

_WAYS: Final = 8
_SET_BYTES: Final = _WAYS * _ENTRY.size
_TIMES: Final = struct.Struct("<" + _WAYS * "24xQ")
_WORD: Final = struct.Struct("<Q")
_LEAST_SETS: Final = 2**12
_MOST_SETS: Final = 2**18
_PART_OF_DISK: Final = 4096
"""The table takes at most this part of the disk: 1 MiB (32,768 instances) to 64 MiB (two million)."""

_WHOSE: Final = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "IssuerOfPatientID")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class SeenInstance:
    """A task that held an image of a SOP Instance UID, of another series, study or patient."""

    task: str
    sops: tuple[str, ...]


class InstanceTable:
    """Remembers instances."""

    def __init__(self, spool: Spool) -> None:
        self._folder = spool.stage(Stage.STATE) / "instances"

    def note(self, task: str, records: Sequence[TagRecord]) -> list[SeenInstance]:
        """Note the images of a routed task; return the tasks before it that used one of its UIDs for another image.

        The same image from another sender is no other image.

        Parameters
        ----------
        task : str
            Its id.
        records : sequence of TagRecord
            Its tag records.
        """
        random, time = int(task[-8:], 16), (id_time(task) - _EPOCH) // _MICROSECOND
        found: dict[str, list[str]] = {}
        with self._opened() as (descriptor, sets):
            for sop, whose, content in _instances(records):
                uid = _hash(sop)
                place = uid % sets * _SET_BYTES
                known = os.pread(descriptor, _SET_BYTES, place)
                entry = _ENTRY.pack(uid, whose, content, random, time)
                way = _way_of(known, entry)
                if known[way : way + _ENTRY.size] != entry:
                    os.pwrite(descriptor, entry, place + way)
                if _WORD.pack(uid) in known:
                    for other in _others(known, uid, whose, content):
                        found.setdefault(other, []).append(sop)
        return [SeenInstance(name, tuple(dict.fromkeys(sops))) for name, sops in sorted(found.items())]

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int]]:
        """Open the table, for one process at a time: its descriptor, and how many sets it has."""
        with exclusive(self._folder) as folder:
            descriptor = os.open(folder / "table", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                size = os.fstat(descriptor).st_size
                if size < _LEAST_SETS * _SET_BYTES:
                    size = _sets_for(folder) * _SET_BYTES
                    os.truncate(descriptor, size)
                yield descriptor, size // _SET_BYTES
            finally:
                os.close(descriptor)


def _sets_for(folder: Path) -> int:
    disk = os.statvfs(folder)
    wanted = disk.f_blocks * disk.f_frsize // _PART_OF_DISK // _SET_BYTES
    return min(_MOST_SETS, max(_LEAST_SETS, 1 << max(0, wanted.bit_length() - 1)))


def _instances(records: Sequence[TagRecord]) -> Iterator[tuple[str, int, int]]:
    """Walk the instances of some images: UID, whose it is, and a hash of its content."""
    owners: dict[str, int] = {}
    for record in records:
        sop = text(record, "SOPInstanceUID")
        if not sop:
            continue
        raw = repr([record.get(keyword) for keyword in _WHOSE])
        whose = owners.get(raw) or owners.setdefault(raw, _owner(record))
        digest = text(record, "DataSetDigest")
        yield sop, whose, (_hash(digest) if digest else whose) & 0xFFFFFFFF


def _owner(record: TagRecord) -> int:
    return _hash("\0".join(text(record, keyword).strip(" \0") for keyword in _WHOSE))


def _hash(value: str) -> int:
    """Return 64 bits that are never all zero."""
    data = value.encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1


def _way_of(known: bytes, entry: bytes) -> int:
    """Return where in a set an entry goes: to that of the same image, else in place of the oldest."""
    whose = entry[: 2 * _WORD.size]
    same = known.find(whose)
    while same >= 0:
        if same % _ENTRY.size == 0:
            return same
        same = known.find(whose, same + 1)
    times = _TIMES.unpack(known)
    return times.index(min(times)) * _ENTRY.size


def _others(known: bytes, uid: int, whose: int, content: int) -> Iterator[str]:
    """Walk the tasks of a set that used a UID for another image."""
    for other_uid, other_whose, other_content, random, time in _ENTRY.iter_unpack(known):
        if other_uid == uid and other_whose != whose and other_content != content:
            yield f"{_EPOCH + time * _MICROSECOND:%Y%m%dT%H%M%S%f}-{random:08x}"
