"""Local audit records as a chain: each names the digest of the one before, so that none is changed or removed unseen.

The history holds the same records for people to search; it is a database in which anybody who can write to it can
change a row. Here a change shows, up to the last record whose digest stands elsewhere: the control service writes it
to the journal once a day, which belongs to another user (PS3.15 A.5 asks for an audit trail, and leaves its
protection to the system).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import BinaryIO, Final

from mercure import durable
from mercure.event_details import Audit
from mercure.locks import locked
from mercure.model import Model
from mercure.spool import Spool, Stage

FOLDER: Final = "audit"
FILE: Final = "records.jsonl"
"""In ``state/audit/``: one record to a line, each of them JSON."""

START: Final = "0" * 64
"""What the first record names as the one before."""

_DIGEST: Final = re.compile(rb',"digest":"([0-9a-f]{64})"\}\Z')
_TAIL: Final = 64 * 1024
_log = logging.getLogger(__name__)


class ChainEnd(Model):
    """The last record: how many there are, and its digest."""

    records: int = 0
    digest: str = START

    def __str__(self) -> str:
        """Return it as it stands in the journal."""
        return f"audit root {self.digest} of {self.records} records"


_ROOT: Final = re.compile(r"audit root ([0-9a-f]{64}) of (\d+) records")


class ChainFinding(Model):
    """A problem of the chain, and at which line of the file."""

    line: int
    text: str


class ChainReport(Model):
    """What a look at the whole chain found."""

    end: ChainEnd
    roots: int
    """How many ends of other days were given and are in it."""
    findings: tuple[ChainFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was changed or removed."""
        return not self.findings


class AuditChain:
    """The chain of a router.

    Parameters
    ----------
    spool : Spool
        In whose ``state/`` it is.
    """

    def __init__(self, spool: Spool) -> None:
        self._path = spool.stage(Stage.STATE) / FOLDER / FILE

    def append(self, audit: Audit, at: datetime, *, via: str, task: str | None) -> None:
        """Add a record; it is on stable storage on return.

        Raises
        ------
        OSError
            The disk refuses.
        """
        if not self._path.parent.is_dir():
            durable.make_directory(self._path.parent)
        with locked(self._path.parent):
            end, is_torn = self._end()
            record = {
                "number": end.records + 1,
                "at": at.isoformat(),
                "via": via,
                **audit.model_dump(mode="json", exclude_none=True),
                **({"task": task} if task else {}),
                "previous": end.digest,
            }
            body = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode()[:-1]
            line = body + f',"digest":"{hashlib.sha256(body).hexdigest()}"}}\n'.encode()
            # What a crash left of a line was never a record: it stays as a line of its own, which nothing names.
            durable.append_to(self._path, b"\n" * is_torn + line)

    def end(self) -> ChainEnd:
        """Return the last record.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        return self._end()[0]

    def check(self, roots: Collection[ChainEnd] = ()) -> ChainReport:
        """Read the whole chain, and compare it with its ends of other days.

        Parameters
        ----------
        roots : collection of ChainEnd
            What the journal says, see `roots_in`.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        end, findings = ChainEnd(), list[ChainFinding]()
        wanted = {root.records: root.digest for root in roots}
        seen: set[int] = set()
        with self._opened() as file:
            for number, line in enumerate(file or (), 1):
                found = _record(line)
                if found is not None:
                    texts = list(_contradictions(end, found, wanted))
                    end = found[0]
                    seen.add(end.records)
                else:  # what a crash left of a line, or of a record that the next one does not follow then
                    texts = ["this record was changed"] if _DIGEST.search(line.rstrip()) else []
                findings += [ChainFinding(line=number, text=text) for text in texts]
        for records in sorted(wanted.keys() - seen - {0}):
            text = f"the journal knows record {records}, and it is not here: the end was removed"
            findings.append(ChainFinding(line=0, text=text))
        return ChainReport(end=end, roots=len(wanted.keys() & seen), findings=tuple(findings))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO | None]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            yield None
            return
        with file:
            yield file

    def _end(self) -> tuple[ChainEnd, bool]:
        """Return the last record, and whether a torn line comes after it."""
        with self._opened() as file:
            if file is None:
                return ChainEnd(), False
            size = file.seek(0, os.SEEK_END)
            length = _TAIL
            while True:
                file.seek(max(0, size - length))
                tail = file.read()
                whole = [end for line in tail.split(b"\n") if (end := _record(line)) is not None]
                if whole or length >= size:
                    return (whole[-1][0] if whole else ChainEnd()), bool(tail) and not tail.endswith(b"\n")
                length *= 8


def roots_in(text: str) -> tuple[ChainEnd, ...]:
    """Find the ends of the chain in lines of the journal."""
    return tuple(ChainEnd(digest=digest, records=int(records)) for digest, records in _ROOT.findall(text))


def _contradictions(end: ChainEnd, found: tuple[ChainEnd, str], wanted: Mapping[int, str]) -> Iterator[str]:
    """Say why a record cannot come after the one before, or is not the one that the journal has."""
    this, previous = found
    if this.records != end.records + 1 or previous != end.digest:
        yield f"record {this.records} does not follow record {end.records}: some were changed or removed"
    if wanted.get(this.records, this.digest) != this.digest:
        yield f"record {this.records} is not what the journal has"


def _record(line: bytes) -> tuple[ChainEnd, str] | None:
    """Return the end that a line makes, and which digest it names as the one before; None where it is no record."""
    line = line.rstrip(b"\n")
    found = _DIGEST.search(line)
    if found is None or hashlib.sha256(line[: found.start()]).hexdigest().encode() != found[1]:
        return None
    try:
        record = json.loads(line)
        return ChainEnd(records=record["number"], digest=record["digest"]), str(record["previous"])
    except (ValueError, KeyError, TypeError):
        return None


class DailyRoot:
    """Writes the end of the chain to the journal, at the start of the control service and with each new day (UTC)."""

    def __init__(self) -> None:
        self._day: date | None = None

    def tell(self, spool: Spool, now: datetime) -> None:
        """Write it, where that was not done today.

        Raises
        ------
        OSError
            The chain cannot be read.
        """
        if now.date() == self._day:
            return
        _log.info("%s", AuditChain(spool).end())
        self._day = now.date()
