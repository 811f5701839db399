"""What several events tell: whose images these are, which, and from where."""

from __future__ import annotations

from datetime import datetime

from mercure.model import Record


class ImageRef(Record):
    """One image of a task: its id given at receipt (None when a crash lost it), file name, SOP Instance UID, bytes."""

    image: str | None = None
    file: str
    sop: str = ""
    bytes: int = 0
    status: str | None = None


class Identity(Record):
    """Whose images these are: the tags that people search by, empty where missing."""

    PatientID: str = ""
    IssuerOfPatientID: str = ""
    PatientName: str = ""
    AccessionNumber: str = ""
    StudyInstanceUID: str = ""
    SeriesInstanceUID: str = ""
    Modality: str = ""
    StudyDescription: str = ""
    SeriesDescription: str = ""
    StudyDate: str = ""


class Origin(Record):
    """Where a series came from and when its first and last image arrived."""

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    sender: str = ""
    """What the configuration calls this sender, or ``AET@address``; empty until the router has looked."""
    associations: tuple[str, ...] = ()
    first_received: datetime | None = None
    last_received: datetime | None = None
