"""Tags that the history can keep of a series, and of what kind their values are.

What names people is refused: the history has what an exam is found by, and its other columns are exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from mercure.rules.keywords import NUMERIC_VRS, OWN_KEYWORDS, canonical, nearest, vr_of

TagKind = Literal["text", "number", "date", "time", "moment"]
"""What the values of a tag are: `moment` is a date with a time."""

KNOWN_ANYWAY: Final = {
    "PatientID": "patient_id",
    "PatientName": "patient_name",
    "AccessionNumber": "accession",
    "StudyInstanceUID": "study_uid",
    "SeriesInstanceUID": "series_uid",
    "Modality": "modality",
    "StudyDescription": "study_description",
    "SeriesDescription": "series_description",
    "StudyDate": "study_date",
}
"""What the history keeps of every series, with its column."""

_KINDS: Final[dict[str, TagKind]] = {
    "DA": "date",
    "TM": "time",
    "DT": "moment",
    **dict.fromkeys(("AE", "AT", "CS", "LO", "LT", "SH", "ST", "UC", "UI", "UR", "UT"), "text"),
    **dict.fromkeys(("AS", *sorted(NUMERIC_VRS)), "number"),
}
"""By value representation (PS3.5 section 6.2). An age is a number of years."""

_PERSONAL: Final = frozenset(
    {
        "AdditionalPatientHistory",
        "AdmissionID",
        "ClinicalTrialSubjectID",
        "CountryOfResidence",
        "InsurancePlanIdentification",
        "IssuerOfPatientID",
        "MedicalRecordLocator",
        "MilitaryRank",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientBirthDate",
        "PatientBirthDateInAlternativeCalendar",
        "PatientBirthTime",
        "PatientComments",
        "PatientDeathDateInAlternativeCalendar",
        "PatientInstitutionResidence",
        "PatientReligiousPreference",
        "PatientTelephoneNumbers",
        "PatientTelecomInformation",
        "PersonAddress",
        "PersonTelecomInformation",
        "PersonTelephoneNumbers",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "RegionOfResidence",
        "ResponsiblePersonRole",
        "ServiceEpisodeID",
    }
)
"""What tells who somebody is, besides names (PS3.15 annex E)."""


def kind_of(keyword: str) -> TagKind | None:
    """Return of what kind the values of a tag are; None when the history cannot keep them."""
    return None if keyword in OWN_KEYWORDS else _KINDS.get(vr_of(keyword))


def refusal(keyword: str) -> tuple[str, str] | None:
    """Return why the history does not keep a tag, and what to do; None when it does."""
    if canonical(keyword) != keyword:
        meant = canonical(keyword) or nearest(keyword)
        return f"{keyword!r} is no DICOM keyword", f"did you mean {meant!r}?" if meant else ""
    if keyword in KNOWN_ANYWAY:
        return f"the history keeps {keyword} of every series", "leave it out here"
    if keyword in OWN_KEYWORDS:
        return f"{keyword} is no tag of an image", "leave it out here: the history has what the receiver notes"
    if vr_of(keyword) == "PN" or keyword in _PERSONAL:
        return f"{keyword} tells who somebody is", "leave it out: an exam is found by patient and accession number"
    if kind_of(keyword) is None:
        return f"{keyword} holds no texts, numbers or dates (VR {vr_of(keyword)})", "leave it out"
    return None


def tag_problems(keywords: Iterable[str], indexed: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Find what is wrong with the lists of the configuration: place, text and advice of each."""
    known = list(keywords)
    for number, keyword in enumerate(known):
        found = refusal(keyword)
        if found is not None:
            yield (f"history.tags.{number}", *found)
        elif keyword in known[:number]:
            yield f"history.tags.{number}", f"{keyword} is there twice", "once is enough"
    for number, keyword in enumerate(indexed):
        if keyword not in known:
            yield f"history.indexed_tags.{number}", f"{keyword!r} is not in history.tags", "add it there"
