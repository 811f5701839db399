"""Comparing what the router knows of exams with what a target has of them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Verb
from mercure.history.comparison import MissingImage
from mercure.model import Model


class Compare(Model):
    """A DICOM target by its name, and either an exam or a time.

    `exam`: whole accession number or Study Instance UID; `since`: all exams of which an image came since then.
    """

    name: str
    exam: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    since: AwareDatetime | None = None


class ComparedExam(Model):
    """One study: how many instances came here or were made here (`here`), how many the target names (`there`).

    `missing_there` are those it does not name; of these `meant` should be there, or nobody can tell (`unclear`).
    `missing_here` are those that only the target has. `complete`: the target named all it has; `problems` says why not,
    and what else was odd.
    """

    study_uid: str
    accession: str = ""
    patient_id: str = ""
    here: int = 0
    there: int = 0
    missing_there: int = 0
    meant: int = 0
    unclear: int = 0
    missing_here: int = 0
    complete: bool = True
    problems: tuple[str, ...] = ()


class Compared(Model):
    """What came of a comparison: exam by exam, and each instance that one side has and the other has not.

    `ok`: all was asked and answered whole, and nothing that was meant for the target is missing there.
    `not_named` are more than are listed; `unfinished` says why not all exams were asked; `not_asked` of how
    many that is so.
    """

    target: str
    destination: str
    time: AwareDatetime
    ok: bool
    exams: tuple[ComparedExam, ...] = ()
    missing: tuple[MissingImage, ...] = ()
    not_named: int = 0
    unfinished: str = ""
    not_asked: int = 0


RUN: Final = Verb(
    "compare.run",
    Compare,
    Compared,
    "operator",
    "Ask a DICOM target which instances of exams it has, and name those that one side lacks, and why.",
    changes=True,
    long=True,
)
