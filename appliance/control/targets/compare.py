"""Comparison with a target: what of an exam, or of all exams of a time, one side has and the other has not."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Final

from appliance.control.api import compare as api
from appliance.control.api.base import Progress
from appliance.control.api.compare import Compare, Compared, ComparedExam
from appliance.control.errors import ControlError
from appliance.control.history.search import reading
from appliance.control.registry import Asked, carries_out_for_caller
from appliance.control.session import Session
from appliance.control.targets.targets import find_node
from mercure.dicom.association import AssociationFailure
from mercure.dicom.find import InstanceQuery, NodeFinder, StudyAnswer, is_key, is_uid
from mercure.history.comparison import KnownImage, MissingImage, Refusal, compare
from mercure.history.fates import ComparedTarget, Ledgers, known_images
from mercure.history.whereabouts import MOST_IMAGES, StudyImages, Whereabouts
from mercure.names import is_id
from mercure.spool import Spool
from mercure.spool.images import ledger_lines

MOST_EXAMS: Final = 5000
MOST_FINDINGS: Final = 20_000
"""Named in one answer; more are counted."""

LONGEST_SECONDS: Final = 6 * 3600.0
"""After this time no further exam is asked."""

FAILURES: Final = 3
"""Exams in a row for which there was no association, after which no more are tried."""

_LONGEST_ACCESSION: Final = 16
"""Characters of an SH (PS3.5 section 6.2): a longer key is no accession number."""

_REFUSED_DAYS: Final = 30


@carries_out_for_caller(api.RUN)
def run(asked: Asked, wanted: Compare) -> Compared:
    """Ask a target about one exam, or about all exams of a time, and compare.

    Raises
    ------
    ControlError
        There is no such target, it is no DICOM node, neither side knows the exam, or the history cannot be asked.
    """
    session, name = asked.session, wanted.name
    settings = find_node(session, name)
    groups = frozenset(other for other, it in session.config.targets.items() if name in it.leads_to())
    target = ComparedTarget(name, settings.destination(), groups)
    inquiry = _Inquiry(session, settings.instance_query(), target)
    exam = (wanted.exam or "").strip()
    if bool(exam) == (wanted.since is not None):
        raise ControlError("bad-parameters", "give either an exam or a time", "one of `exam` and `since`")
    if wanted.since is None:
        inquiry.one(exam)
    else:
        with reading(session, Whereabouts) as history:
            studies = history.studies_since(wanted.since, MOST_EXAMS + 1)
        inquiry.all(studies, asked)
    found = inquiry.answer()
    about = exam or f"since {wanted.since}"
    counts = {"exams": len(found.exams), "missing": len(found.missing) + found.not_named, "ok": found.ok}
    with session.changing() as events:
        session.audit(events, "compare.run", name, after={"about": about, **counts, "unfinished": found.unfinished})
    return found


@dataclass
class _Inquiry:
    """What is asked of a target, and what came of it so far."""

    session: Session
    question: InstanceQuery
    target: ComparedTarget
    exams: list[ComparedExam] = field(default_factory=list)
    missing: list[MissingImage] = field(default_factory=list)
    not_named: int = 0
    unfinished: str = ""
    not_asked: int = 0

    def answer(self) -> Compared:
        """Return what was found."""
        return Compared(
            target=self.target.name,
            destination=self.target.destination,
            time=self.session.clock.now(),
            ok=not self.unfinished and all(exam.complete and not exam.meant for exam in self.exams),
            exams=tuple(self.exams),
            missing=tuple(self.missing),
            not_named=self.not_named,
            unfinished=self.unfinished,
            not_asked=self.not_asked,
        )

    def one(self, exam: str) -> None:
        """Ask about one exam: its studies here, and those that the target has under the same accession number.

        Raises
        ------
        ControlError
            It is no key for a query, neither side knows it, or the target cannot be asked.
        """
        if not is_key(exam):
            advice = "wildcards are not taken: `mercure history series --accession …` finds whole numbers"
            raise ControlError("bad-parameters", f"{exam!r} is no accession number and no UID", advice)
        with reading(self.session, Whereabouts) as history:
            studies = history.studies(exam)
        finder = NodeFinder.open(self.question, self.session.clock)
        if isinstance(finder, AssociationFailure):
            raise ControlError("failed", finder.text, finder.advice)
        odd: list[str] = []
        with finder:
            if exam not in studies and len(exam) <= _LONGEST_ACCESSION:
                there, odd = finder.studies(exam)
                studies = list(dict.fromkeys([*studies, *there]))
            for study in studies or ([exam] if is_uid(exam) else []):
                self._compare(finder, study, odd)
                odd = []
        known = [it for it in self.exams if it.here or it.there or it.problems]
        if odd or not known:
            text = "; ".join(odd) or f"neither this router nor {self.target.name} knows an exam {exam}"
            advice = "give a whole accession number or Study Instance UID"
            raise ControlError("failed" if odd else "not-found", text, "" if odd else advice)

    def all(self, studies: Sequence[str], asked: Asked) -> None:
        """Ask about some studies, one association after the other, as long as the target answers."""
        end = self.session.clock.monotonic() + LONGEST_SECONDS
        failed = 0
        for number, study in enumerate(studies):
            asked.report(Progress(done=number, total=len(studies), text="exams"))
            if number == MOST_EXAMS:
                self._stop(f"there are more than {MOST_EXAMS} exams: ask for less time", len(studies) - number)
                return
            if self.session.clock.monotonic() > end:
                self._stop(f"it took longer than {LONGEST_SECONDS / 3600:g} h", len(studies) - number)
                return
            if number:
                time.sleep(self.question.pause_seconds)
            finder = NodeFinder.open(self.question, self.session.clock)
            if isinstance(finder, AssociationFailure):
                failed += 1
                self.exams.append(ComparedExam(study_uid=study, complete=False, problems=(finder.text,)))
                if failed == FAILURES:
                    self._stop(f"{finder.text}; {finder.advice}", len(studies) - number - 1)
                    return
                continue
            failed = 0
            with finder:
                self._compare(finder, study)

    def _stop(self, why: str, left: int) -> None:
        self.unfinished, self.not_asked = why, left

    def _compare(self, finder: NodeFinder, study_uid: str, odd: Iterable[str] = ()) -> None:
        """Look at one study on both sides: here first, so that what comes meanwhile is not missed there."""
        here, known = self._here(study_uid)
        answer = finder.study(study_uid)
        found = compare(known, answer)
        if any(finding.missing_at == "router" for finding in found):
            # It may have come, and be there, since we looked.
            ours = {image.sop for image in self._here(study_uid)[1]}
            found = [it for it in compare(known, answer, self._refusals) if not _came(it, ours)]
        self._note(here, len(known), answer, found, odd)

    def _here(self, study_uid: str) -> tuple[StudyImages, list[KnownImage]]:
        with reading(self.session, Whereabouts) as history:
            study = history.study(study_uid)
        return study, known_images(study, self.target, _ledgers(self.session.spool, study))

    def _note(
        self, here: StudyImages, known: int, answer: StudyAnswer, found: list[MissingImage], odd: Iterable[str]
    ) -> None:
        there = [finding for finding in found if finding.missing_at == "target"]
        problems = [*odd, *answer.problems]
        if here.nameless:
            problems.append(f"{here.nameless} images that came have no SOP Instance UID and cannot be compared")
        if here.cut:
            problems.append(f"it has more than {MOST_IMAGES} images, or very many tasks: not all were compared")
        self.exams.append(
            ComparedExam(
                study_uid=answer.study_uid,
                accession=here.accession,
                patient_id=here.patient_id,
                here=known,
                there=len(answer.instances),
                missing_there=len(there),
                meant=sum(finding.was_meant for finding in there),
                unclear=sum(finding.why == "unclear" for finding in there),
                missing_here=len(found) - len(there),
                complete=answer.complete and not answer.open_series and not here.cut,
                problems=tuple(problems),
            )
        )
        room = MOST_FINDINGS - len(self.missing)
        self.missing += found[:room]
        self.not_named += max(0, len(found) - room)

    @cached_property
    def _refusals(self) -> dict[str, Refusal]:
        """What was not taken here lately, by SOP Instance UID; the last time counts."""
        since = self.session.clock.now() - timedelta(days=_REFUSED_DAYS)
        found: dict[str, Refusal] = {}
        with reading(self.session, Whereabouts) as history:
            for event in history.refusals(since):
                told = {name: str(event.details.get(name, "")) for name in ("sop", "status", "reason")}
                found.setdefault(told["sop"], Refusal(status=told["status"], reason=told["reason"], time=event.time))
        return found


def _came(finding: MissingImage, ours: Collection[str]) -> bool:
    return finding.missing_at == "router" and finding.sop in ours


def _ledgers(spool: Spool, study: StudyImages) -> Ledgers:
    """Read the ledgers of the tasks that the spool still holds."""
    found = {}
    for held in study.tasks:
        is_kept = held.task.retired is None and is_id(held.task.id)
        stage = spool.find(held.task.id) if is_kept else None
        if stage is not None:
            found[held.task.id] = ledger_lines(spool.entry(stage, held.task.id))
    return found
