"""Comparison of what we know of a study's instances with what a target names of it: who lacks which, and why.

`compare` is pure: what we know is read by `mercure.history.whereabouts`, the target asked by `mercure.dicom.find`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, Literal, get_args

from pydantic import AwareDatetime

from mercure.dicom.find import StudyAnswer
from mercure.model import Record

Side = Literal["target", "router"]
FateKind = Literal[
    "confirmed",
    "elsewhere",
    "refused",
    "failed",
    "waiting",
    "held",
    "superseded",
    "discarded",
    "processed",
    "not-sent",
    "undecided",
]
"""What became of an instance on its way to the target, the most telling first."""

Why = Literal[FateKind, "never-came", "refused-here", "unclear"]

RANKS: Final[dict[FateKind, int]] = {kind: rank for rank, kind in enumerate(get_args(FateKind))}

MEANT: Final[frozenset[Why]] = frozenset(
    {"confirmed", "elsewhere", "refused", "failed", "waiting", "held", "superseded", "undecided", "unclear"}
)
"""Of what is missing at the target: what was meant for it, or may have been."""


class Fate(Record):
    """What became of an instance in one task; `text` is what the finding says, in words."""

    kind: FateKind
    text: str
    time: AwareDatetime | None = None
    task: str = ""
    rule: str = ""
    status: str = ""


class KnownImage(Record):
    """One SOP instance as the router knows it: its series, when it came first, and what became of it.

    ``received`` is None for one that a module made.
    """

    sop: str
    series_uid: str = ""
    received: AwareDatetime | None = None
    fates: tuple[Fate, ...] = ()


class Refusal(Record):
    """An instance that the router did not take."""

    status: str
    reason: str
    time: AwareDatetime


class MissingImage(Record):
    """One SOP instance that one side has and the other has not (`missing_at`), and why, as far as is known.

    ``why`` is for programs, ``text`` for people.
    """

    missing_at: Side
    why: Why
    text: str
    study_uid: str
    series_uid: str = ""
    sop: str
    time: AwareDatetime | None = None
    task: str = ""
    rule: str = ""
    status: str = ""

    @property
    def was_meant(self) -> bool:
        """Return True if the target should have it, or may have it without naming it."""
        return self.missing_at == "target" and self.why in MEANT


def compare(
    known: Collection[KnownImage], answer: StudyAnswer, refusals: Mapping[str, Refusal] | None = None
) -> list[MissingImage]:
    """Compare two sets of instances.

    Parameters
    ----------
    known : collection of KnownImage
        What we know of the study, each SOP Instance UID once.
    answer : StudyAnswer
        What the target names of it.
    refusals : mapping of str to Refusal
        What we did not take, by SOP Instance UID.

    Returns
    -------
    list of MissingImage
        By series and instance: first what the target lacks, then what we lack.
    """
    ours = {image.sop for image in known}
    there = [_missing_there(image, answer) for image in known if image.sop not in answer.instances]
    here = [
        _missing_here(answer.study_uid, series, sop, (refusals or {}).get(sop))
        for sop, series in answer.instances.items()
        if sop not in ours
    ]
    return [*sorted(there, key=_place), *sorted(here, key=_place)]


def _place(finding: MissingImage) -> tuple[str, str]:
    return finding.series_uid, finding.sop


def _missing_there(image: KnownImage, answer: StudyAnswer) -> MissingImage:
    fate = min(image.fates, key=_rank, default=_undecided(image))
    why, text = _in_words(fate)
    if not answer.is_complete(image.series_uid):
        why, text = "unclear", f"the target did not name all it has; here: {fate.text}"
    return MissingImage(
        missing_at="target",
        why=why,
        text=text,
        study_uid=answer.study_uid,
        series_uid=image.series_uid,
        sop=image.sop,
        time=fate.time,
        task=fate.task,
        rule=fate.rule,
        status=fate.status,
    )


def _rank(fate: Fate) -> tuple[int, float]:
    """Sort by what tells most, the latest of a kind first."""
    return RANKS[fate.kind], -fate.time.timestamp() if fate.time else 0.0


def _in_words(fate: Fate) -> tuple[Why, str]:
    return fate.kind, f"{fate.text}, and gone since" if fate.kind == "confirmed" else fate.text


def _undecided(image: KnownImage) -> Fate:
    return Fate(kind="undecided", text=f"came{at(image.received)}; no task with it is known yet", time=image.received)


def _missing_here(study_uid: str, series_uid: str, sop: str, refusal: Refusal | None) -> MissingImage:
    found = MissingImage(
        missing_at="router",
        why="never-came",
        text="never came here",
        study_uid=study_uid,
        series_uid=series_uid,
        sop=sop,
    )
    if refusal is None:
        return found
    text = f"refused here with {refusal.status}{at(refusal.time)}: {refusal.reason}"
    return found.model_copy(
        update={"why": "refused-here", "text": text, "time": refusal.time, "status": refusal.status}
    )


def at(instant: datetime | None) -> str:
    """Say when, by the clock on the wall here, in words that follow others; nothing where it is not known."""
    return f" at {instant.astimezone():%Y-%m-%d %H:%M:%S %z}" if instant is not None else ""
