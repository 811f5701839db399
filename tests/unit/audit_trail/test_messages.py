"""Audit messages: of each kind of event the one that PS3.15 A.5.3 asks for, in the form of its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from mercure.audit_trail.messages import TYPES, MessageContext, audit_message
from mercure.event_details import DETAILS
from mercure.history.records import EventRecord, TaskRecord
from tests.support.audit_repository import assert_valid
from tests.support.box import Box

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PATIENT = {
    "PatientID": "P1",
    "PatientName": "M\u00fcller^J\u00f6rg",
    "StudyInstanceUID": "1.2.3",
    "AccessionNumber": "A1",
    "SeriesInstanceUID": "1.2.3.4",
}
ORIGIN = {"address": "10.1.2.3", "calling_aet": "CT1", "called_aet": "MERCURE"}
IMAGES = [{"file": f"{number}.dcm", "sop": f"1.2.3.4.{number}", "bytes": 1} for number in range(3)]
TASK = TaskRecord(
    id="t", node="box", action="route", target="pacs", images=3, study_uid="1.2.3", patient_id="P1",
    patient_name="M\u00fcller^J\u00f6rg", accession="A1",
)  # fmt: skip
EVENTS: dict[str, dict[str, Any]] = {
    "service.started": {"pid": 1, "version": "1"},
    "service.stopped": {"pid": 1, "version": "1"},
    "series.completed": {"identity": PATIENT, "origin": ORIGIN, "images": 3, "bytes": 3, "reason": "quiet"},
    "task.created": {
        "stage": "outgoing", "action": "route", "target": "pacs", "identity": PATIENT, "origin": ORIGIN,
        "images": IMAGES,
    },
    "task.delivered": {"target": "pacs", "images": IMAGES},
    "task.failed": {"stage": "outgoing", "reason": "the target takes no such object"},
    "audit": {"by": "alice", "verb": "config.save", "object": "rules"},
    "association.refused": {**ORIGIN, "calling_aet": "STRANGER", "reason": "not in the list", "times": 4},
}  # fmt: skip


def message(box: Box, kind: str, *, task: TaskRecord | None = TASK, names: bool = False, **changes: Any) -> str:
    pacs = {"kind": "dicom", "host": "pacs.hospital", "port": 104, "called_aet": "PACS", "calling_aet": "BOX"}
    repository = {"host": "audit.hospital", "patient_names": names}
    box.configure(targets={"pacs": pacs}, rules={}, audit={"repository": repository})
    time: datetime = box.clock.now()
    details = {**EVENTS[kind], **changes}
    event = EventRecord(id="e", node="box", time=time, service="receiver", type=kind, details=details)
    made = audit_message(event, MessageContext(box.context("notifier").config, task))
    assert made is not None
    return made.decode()


def test_each_kind_has_an_example_here() -> None:
    assert set(EVENTS) == set(TYPES) <= set(DETAILS)


def test_all_follow_the_schema(box: Box, tmp_path: Path) -> None:
    hostile = {**PATIENT, "PatientID": "<P&\"'\x00\x1b[31m\u202e", "StudyInstanceUID": "", "AccessionNumber": "\ufffe"}
    assert_valid(
        tmp_path,
        [
            *(message(box, kind) for kind in TYPES),
            message(box, "series.completed", identity=hostile, names=True),
            message(box, "series.completed", identity={}, origin={}),
            message(box, "task.delivered", task=None),
            message(box, "association.refused", reason="\x00\ud800", calling_aet=""),
            message(box, "audit", by="", object="\x07"),
        ],
    )


def test_the_schema_finds_what_is_wrong(box: Box, tmp_path: Path) -> None:
    good = message(box, "series.completed")
    for wrong in (
        good.replace('EventActionCode="C"', 'EventActionCode="X"'),
        good.replace("<AuditSourceIdentification", "<Source"),
        good.replace('UserIsRequestor="true"', ""),
    ):
        assert wrong != good
        with pytest.raises(AssertionError, match="error"):
            assert_valid(tmp_path, [wrong])


@pytest.mark.parametrize(
    ("kind", "event", "users"),
    [
        ("service.started", ("110100", "E", "0"), ["receiver"]),
        ("series.completed", ("110104", "C", "0"), ["CT1", "MERCURE"]),
        ("task.created", ("110102", "E", "0"), ["BOX", "PACS"]),
        ("task.delivered", ("110104", "R", "0"), ["BOX", "PACS"]),
        ("task.failed", ("110104", "R", "8"), ["BOX", "PACS"]),
        ("audit", ("110113", "E", "0"), ["alice"]),
        ("association.refused", ("110113", "E", "4"), ["STRANGER"]),
    ],
)
def test_who_did_what(box: Box, kind: str, event: tuple[str, str, str], users: list[str]) -> None:
    root = ET.fromstring(message(box, kind))  # noqa: S314 - made here
    (found,), (code,) = root.findall("EventIdentification"), root.iter("EventID")
    assert (code.get("csd-code"), found.get("EventActionCode"), found.get("EventOutcomeIndicator")) == event
    assert [item.get("UserID") for item in root.iter("ActiveParticipant")] == users
    assert [item.get("AuditSourceID") for item in root.iter("AuditSourceIdentification")] == ["mercure"]


@pytest.mark.parametrize("kind", ["series.completed", "task.created", "task.delivered", "task.failed"])
def test_of_which_study_and_patient(box: Box, kind: str) -> None:
    root = ET.fromstring(message(box, kind))  # noqa: S314 - made here
    study, patient = root.iter("ParticipantObjectIdentification")
    assert (study.get("ParticipantObjectID"), patient.get("ParticipantObjectID")) == ("1.2.3", "P1")
    assert [item.get("Number") for item in study.iter("Accession")] == ["A1"]
    assert [item.get("NumberOfInstances") for item in study.iter("SOPClass")] == ["3"]
    assert "ller" not in message(box, kind), "patients are named only by choice"
    assert "M\u00fcller^J\u00f6rg" in message(box, kind, names=True)


@pytest.mark.parametrize(
    ("kind", "task", "changes"),
    [
        ("task.created", TASK, {"action": "discard"}),
        ("task.created", TASK, {"target": None}),
        ("task.failed", TASK.model_copy(update={"action": "process"}), {}),
        ("task.failed", None, {}),
    ],
)
def test_what_leaves_for_no_target_has_no_message(
    box: Box, kind: str, task: TaskRecord | None, changes: dict[str, Any]
) -> None:
    details = {**EVENTS[kind], **changes}
    event = EventRecord(id="e", node="box", time=box.clock.now(), service="router", type=kind, details=details)
    assert audit_message(event, MessageContext(box.context("notifier").config, task)) is None
