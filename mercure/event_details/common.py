"""Details that several events share: image references, identity and origin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator

from mercure.model import Record

FailureKind = Literal[
    "unreachable", "rejected", "busy", "timeout", "aborted", "unable", "refused", "local", "altered", "unsupported"
]
"""Why an attempt failed: the target cannot be reached, rejects the association, has no room for one more association
now, does not answer in time, ended the association in the middle of an image, says that it can take nothing now,
refuses images of this task, this task cannot be sent from here, the bytes of an image on our disk are not those that
were acknowledged, or the target takes no such object in any form in which it can be had."""

WRITTEN_AS: Final[Mapping[str, str]] = {
    "altered": "local",
    "unsupported": "refused",
    "busy": "rejected",
    "unable": "rejected",
    "aborted": "unreachable",
}
"""Kinds that releases before do not know, and what is written in their place: one that goes back must read the task."""


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

    @property
    def known_as(self) -> str:
        """The sender, as people know it; empty if unknown."""
        return self.sender or "@".join(part for part in (self.calling_aet, self.address) if part)


class Try(Record):
    """How a try failed, if it did; what `kind` says more finely than releases before know is written beside it."""

    kind: FailureKind | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_finer(cls, data: Any) -> Any:  # noqa: ANN401 - whatever was written
        if isinstance(data, dict) and data.get("finer_kind") in get_args(FailureKind):
            return {**data, "kind": data["finer_kind"]}
        return data

    @model_serializer(mode="wrap")
    def _write_finer(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        if info.mode == "json" and data.get("kind") in WRITTEN_AS:
            data |= {"kind": WRITTEN_AS[data["kind"]], "finer_kind": data["kind"]}
        return data
