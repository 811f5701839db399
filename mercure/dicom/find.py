"""C-FIND: which instances of a study a DICOM node names, level by level (Study Root, PS3.4 section C.6.2).

Every answer says whether it is complete: what a node did not name is missing there only where it named all it has.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from mercure.clock import Clock
from mercure.dicom.association import (
    ACCEPTED,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    SEE_LOG,
    AssociationFailure,
    DicomNode,
    Opened,
    request,
)
from mercure.lazy_imports import IMPORTING
from mercure.model import Record

STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS: Final = ((STUDY_ROOT, IMPLICIT_LITTLE), (STUDY_ROOT, EXPLICIT_LITTLE))

PAUSE_SECONDS: Final = 0.1
"""Between two queries."""

EXAM_SECONDS: Final = 900.0
"""After this time no more is asked about one exam."""

MOST_ANSWERS: Final = 50_000
"""Read about one exam; a node that goes on is cut off."""

AGAIN_SECONDS: Final = (1.0, 4.0)
"""Waits before the next request to a node that refused an association for now."""

_PENDING: Final = (0xFF00, 0xFF01)
_SUCCESS: Final = 0x0000
_UID: Final = re.compile(r"[0-9.]{1,64}")
_NO_KEY: Final = re.compile(r"[*?\\\x00-\x1f\x7f]")
"""Wildcards, the sign between values (PS3.4 section C.2.2.2), and what no identifier holds."""

_TAGS: Final = {
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "SOPInstanceUID": 0x00080018,
    "NumberOfSeriesRelatedInstances": 0x00201209,
}
_SERIES_SIZE: Final = "NumberOfSeriesRelatedInstances"

_STATUSES: Final[tuple[tuple[int, int, str], ...]] = (
    (0x0122, 0x0122, "does not know the query class, although it took it: ask who runs it"),
    (0x0124, 0x0124, "does not allow us to query: have our AE title allowed to there"),
    (0xA700, 0xA7FF, "is out of resources: ask again later"),
    (0xA900, 0xA900, "says that the query is not of its class: ask who runs it"),
    (0xC000, 0xCFFF, f"cannot process the query: {SEE_LOG}"),
    (0xFE00, 0xFE00, "broke the query off by itself (cancelled): ask again"),
    (0x0000, 0xFFFF, f"ended the query with an error: {SEE_LOG}"),
)
"""First and last status (PS3.4 table C.4-1, PS3.7 annex C), and what it means; the first that fits counts."""


@dataclass(frozen=True)
class InstanceQuery:
    """What is asked of a node, and for how long.

    Parameters
    ----------
    node : DicomNode
        The node.
    answer_seconds : float
        The longest wait for one answer.
    exam_seconds : float
        The longest time for one exam.
    pause_seconds : float
        Between two queries.
    most_answers : int
        Read about one exam.
    again_seconds : sequence of float
        Waits before the next request to a node that refused an association for now.
    """

    node: DicomNode
    answer_seconds: float
    exam_seconds: float = EXAM_SECONDS
    pause_seconds: float = PAUSE_SECONDS
    most_answers: int = MOST_ANSWERS
    again_seconds: Sequence[float] = AGAIN_SECONDS


class StudyAnswer(Record):
    """What a node named of a study.

    ``instances`` has for each SOP Instance UID its series. ``complete``: the node named all series, and all instances
    except those of the ``open_series``. ``problems`` says why not, and what else was odd.
    """

    study_uid: str
    instances: dict[str, str] = {}
    complete: bool = True
    open_series: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def is_complete(self, series_uid: str) -> bool:
        """Return whether the node named all that it has of a series."""
        return self.complete and series_uid not in self.open_series


def is_uid(text: str) -> bool:
    """Return whether a text can be a UID (PS3.5 section 9.1); leading zeros are let pass, as some nodes have them."""
    return _UID.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Return whether a text stands for itself in a query, and for no pattern or list."""
    return bool(text.strip()) and _NO_KEY.search(text) is None


@dataclass
class _Rows:
    """The answers to one query."""

    rows: list[dict[str, str]] = field(default_factory=list)
    complete: bool = False
    problems: list[str] = field(default_factory=list)
    silent: bool = False
    unreadable: bool = False
    nameless: int = 0
    foreign: int = 0


class NodeFinder:
    """An association over which a node is asked about one exam; a context manager that ends it.

    Parameters
    ----------
    question : InstanceQuery
        The node, and the limits.
    opened : Opened
        The association.
    clock : Clock
        How long it takes.
    """

    def __init__(self, question: InstanceQuery, opened: Opened, clock: Clock) -> None:
        self._question = question
        self._opened = opened
        self._clock = clock
        self._end = clock.monotonic() + question.exam_seconds
        self._left = question.most_answers
        self._asked = 0
        self._stopped = False

    @classmethod
    def open(cls, question: InstanceQuery, clock: Clock) -> Self | AssociationFailure:
        """Ask for the association; whatever the network does is a result."""
        opened = request(question.node, CONTEXTS)
        for seconds in question.again_seconds:
            if isinstance(opened, AssociationFailure) and opened.transient:
                time.sleep(seconds)
                opened = request(question.node, CONTEXTS)
        if isinstance(opened, AssociationFailure):
            return opened
        if opened.stands and any(opened.answers.get(context) == ACCEPTED for context in CONTEXTS):
            return cls(question, opened, clock)
        opened.close()
        text = "{node} accepts associations, but no queries (Study Root Query/Retrieve, FIND)"
        advice = "many nodes answer queries under another port or AE title only, or after our AE title was allowed to"
        return AssociationFailure("rejected", question.node.words(text), advice, opened.seconds)

    def __enter__(self) -> Self:
        """Return the finder itself."""
        return self

    def __exit__(self, *details: object) -> None:
        """End the association."""
        self._opened.close()

    def studies(self, accession: str) -> tuple[list[str], list[str]]:
        """Return the studies that the node has under an accession number, and what was odd."""
        found = self._ask("STUDY", {"AccessionNumber": accession}, "StudyInstanceUID")
        return list(dict.fromkeys(row["StudyInstanceUID"] for row in found.rows)), _problems(found, "studies")

    def study(self, study_uid: str) -> StudyAnswer:
        """Ask for all instances of a study: the study, its series, and the instances of each."""
        key = {"StudyInstanceUID": study_uid}
        study = self._ask("STUDY", key, "StudyInstanceUID")
        problems = _problems(study, f"study {study_uid}")
        if not study.rows:
            return StudyAnswer(study_uid=study_uid, complete=study.complete, problems=tuple(problems))
        series = self._ask("SERIES", key, "SeriesInstanceUID")
        problems += _problems(series, f"the series of study {study_uid}")
        sizes = {row["SeriesInstanceUID"]: _number(row[_SERIES_SIZE]) for row in series.rows}
        instances: dict[str, str] = {}
        not_whole: set[str] = set()
        for uid, size in sizes.items():
            if self._stopped:
                not_whole.add(uid)
                continue
            images = self._ask("IMAGE", {**key, "SeriesInstanceUID": uid}, "SOPInstanceUID")
            named = {row["SOPInstanceUID"]: uid for row in images.rows}
            problems += _problems(images, f"series {uid}")
            if images.complete and len(named) < size:
                problems.append(f"it says that series {uid} has {size} instances, and names {len(named)}")
            if not images.complete or len(named) < size:
                not_whole.add(uid)
            instances |= named
        return StudyAnswer(
            study_uid=study_uid,
            instances=instances,
            complete=study.complete and series.complete,
            open_series=frozenset(not_whole),
            problems=tuple(problems),
        )

    def _ask(self, level: str, keys: Mapping[str, str], wanted: str) -> _Rows:
        """Send one query and read its answers, as long as the limits allow."""
        found = _Rows()
        if self._asked:
            time.sleep(self._question.pause_seconds)
        left = self._end - self._clock.monotonic()
        if left <= 0 or self._left <= 0:
            self._stop(found, self._over())
            return found
        self._asked += 1
        association = self._opened.association
        association.dimse_timeout = min(self._question.answer_seconds, left)
        begun = self._clock.monotonic()
        try:
            for status, identifier in association.send_c_find(
                _identifier(level, keys, wanted), STUDY_ROOT, self._asked
            ):
                if not self._take(found, status, identifier, keys, wanted):
                    break
        except (RuntimeError, ValueError):
            self._stop(found, "the association had ended before it was asked")
        if found.silent:
            self._stop(found, self._silence(self._clock.monotonic() - begun))
        # A node whose answers cannot be told apart has not named all it has.
        if found.unreadable or found.nameless or (found.foreign and not found.rows):
            found.complete = False
        return found

    def _take(self, found: _Rows, status: Any, identifier: Any, keys: Mapping[str, str], wanted: str) -> bool:  # noqa: ANN401
        """Take up one answer; False when no more is wanted."""
        code = status.get("Status")
        if code is None:
            found.silent = True
            return True
        if code not in _PENDING:
            found.complete = code == _SUCCESS
            if not found.complete:
                found.problems.append(_meaning(code, status.get("ErrorComment")))
            return True
        self._left -= 1
        if self._left < 0 or self._clock.monotonic() > self._end:
            self._stop(found, self._over())
            self._opened.association.abort()
            return False
        if identifier is None:
            found.unreadable = True
            return True
        row = _row(identifier)
        if any(row[key] not in ("", value) for key, value in keys.items() if key in row):
            found.foreign += 1
        elif not is_uid(row[wanted]):
            found.nameless += 1
        else:
            found.rows.append(row)
        return True

    def _stop(self, found: _Rows, why: str) -> None:
        """Ask no more."""
        self._stopped = True
        found.problems.append(why)

    def _over(self) -> str:
        if self._left <= 0:
            return f"it gave more than {self._question.most_answers} answers: no more were read"
        return f"it took longer than {self._question.exam_seconds:g} s: no more was asked"

    def _silence(self, seconds: float) -> str:
        """Say why no answer came, which pynetdicom tells by an empty status."""
        if seconds >= min(self._question.answer_seconds, self._question.exam_seconds):
            return f"it did not answer within {self._question.answer_seconds:g} s"
        return f"it ended the association instead of answering: it may not let our AE title query; {SEE_LOG}"


def _identifier(level: str, keys: Mapping[str, str], wanted: str) -> Any:  # noqa: ANN401 - pydicom's data set
    with IMPORTING:
        from pydicom.dataset import Dataset  # noqa: PLC0415 - as pynetdicom in `association`

    made = Dataset()
    made.QueryRetrieveLevel = level
    for key, value in {wanted: "", **({_SERIES_SIZE: None} if level == "SERIES" else {}), **keys}.items():
        setattr(made, key, value)
    return made


def _row(identifier: Any) -> dict[str, str]:  # noqa: ANN401 - pydicom's data set
    """Return what an answer says; its bytes are turned to text here, since pydicom warns of each odd one."""
    found = dict.fromkeys(_TAGS, "")
    for keyword, tag in _TAGS.items():
        if tag in identifier:
            value = identifier.get_item(tag).value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
            found[keyword] = text.strip(" \0")
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004 - as an IS goes


def _meaning(code: int, comment: object) -> str:
    text = next(text for first, last, text in _STATUSES if first <= code <= last)
    said = f" ({str(comment)[:64]})" if comment else ""
    return f"it answers status 0x{code:04X}{said}: it {text}"


def _problems(found: _Rows, about: str) -> list[str]:
    """Say what was wrong with the answers to a query."""
    told = [f"{about}: {problem}" for problem in found.problems]
    if found.unreadable:
        told.append(f"{about}: some answers cannot be read")
    if found.nameless:
        told.append(f"{about}: {found.nameless} answers have no UID that can be used")
    if found.foreign:
        told.append(f"{about}: {found.foreign} answers are about something that was not asked for, and do not count")
    return told
