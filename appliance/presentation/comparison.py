"""What a comparison with a target came to, in words: for the command line and the terminal UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.compare import Compared, ComparedExam
    from mercure.history.comparison import MissingImage


def verdict(found: Compared) -> str:
    """Say in one line what came of it."""
    meant = sum(exam.meant - exam.unclear for exam in found.exams)
    others = sum(exam.missing_there - exam.meant for exam in found.exams)
    told = [
        (meant, "that were meant for it are missing there"),
        (sum(exam.unclear for exam in found.exams), "may be missing there"),
        (others, "were not meant for it"),
        (sum(exam.missing_here for exam in found.exams), "are there and not here"),
    ]
    words = [f"{count} instances {text}" for count, text in told if count]
    whole = "" if found.ok or words else "; not all could be asked"
    return f"{len(found.exams)} exams, {'; '.join(words) or f'no difference{whole}'}"


def exam_in_words(exam: ComparedExam) -> str:
    """Say which exam it is, and how much of it is on each side."""
    known = [("accession", exam.accession), ("patient", exam.patient_id)]
    who = "".join(f", {name} {value}" for name, value in known if value)
    return printable(f"study {exam.study_uid}{who}: {exam.here} here, {exam.there} there")


def finding_in_words(finding: MissingImage) -> str:
    """Say which instance is missing where, and why; ``!``: it was meant for the target."""
    where = "missing there" if finding.missing_at == "target" else "missing here"
    mark = "!" if finding.was_meant else "-"
    return printable(f"{mark} {where}: {finding.sop}: {finding.text} (series {finding.series_uid})")
