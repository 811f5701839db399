"""Audit messages (PS3.15 A.5) made of events.

Only what has an event is in the trail: images received, begun to be sent, sent or given up, changes by people, refused
senders, start and stop of services. That a person looked at a patient's data leaves no event, so it is not.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from pydantic import BeforeValidator

from mercure.config import Config
from mercure.event_details import AssociationRefused, Audit, Identity, Origin, TaskFailed
from mercure.history.records import EventRecord, TaskRecord
from mercure.model import Record
from mercure.printable import printable
from mercure.targets.dicom import DicomSettings

Code = tuple[str, str, str]
"""Code, coding scheme, meaning (PS3.16 CID 400 to 405)."""

_APPLICATION_ACTIVITY: Final = ("110100", "DCM", "Application Activity")
_BEGIN_TRANSFERRING: Final = ("110102", "DCM", "Begin Transferring DICOM Instances")
_TRANSFERRED: Final = ("110104", "DCM", "DICOM Instances Transferred")
_SECURITY_ALERT: Final = ("110113", "DCM", "Security Alert")
_START: Final = ("110120", "DCM", "Application Start")
_STOP: Final = ("110121", "DCM", "Application Stop")
_NODE_AUTHENTICATION: Final = ("110126", "DCM", "Node Authentication")
_SOFTWARE_CONFIGURATION: Final = ("110131", "DCM", "Software Configuration")
_RESTRICTED_FUNCTION: Final = ("110132", "DCM", "Use of Restricted Function")
_APPLICATION: Final = ("110150", "DCM", "Application")
_DESTINATION: Final = ("110152", "DCM", "Destination Role ID")
_SOURCE: Final = ("110153", "DCM", "Source Role ID")

_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>'
_SUCCESS, _MINOR, _SERIOUS = "0", "4", "8"
_CONFIGURATION_VERBS: Final = ("config.", "rules.", "targets.", "senders.", "channels.", "modules.")
_ANONYMOUS: Final = "unknown"


@dataclass(frozen=True)
class _Kind:
    """What a participant object is: type and role (PS3.15 table A.5.2-1), and of what its id is one."""

    type: str
    role: str
    code: Code


_PATIENT: Final = _Kind("1", "1", ("2", "RFC-3881", "Patient Number"))
_STUDY: Final = _Kind("2", "3", ("110180", "DCM", "Study Instance UID"))
_NODE: Final = _Kind("2", "13", ("110182", "DCM", "Node ID"))


@dataclass(frozen=True)
class MessageContext:
    """What a message needs beside its event.

    Parameters
    ----------
    config : Config
        The configuration in force.
    task : TaskRecord or None
        The task of the event, as the history has it.
    """

    config: Config
    task: TaskRecord | None

    @property
    def has_names(self) -> bool:
        """Whether patients are named."""
        repository = self.config.audit.repository
        return repository is not None and repository.patient_names


@dataclass(frozen=True)
class _Participant:
    """An active participant: a node or a person."""

    user: str
    role: Code | None = None
    address: str = ""
    is_requestor: bool = False


class _Images(Record):
    """What the history keeps of an event about images: of the images themselves their number."""

    identity: Identity = Identity()
    origin: Origin = Origin()
    images: Annotated[int, BeforeValidator(lambda value: value if isinstance(value, int) else len(value))]
    action: str = ""
    target: str | None = None
    destinations: tuple[str, ...] = ()


def audit_message(event: EventRecord, context: MessageContext) -> bytes | None:
    """Return the audit message of an event, XML by PS3.15 A.5.1; None where there is none of it.

    Raises
    ------
    pydantic.ValidationError
        The details are not those of its type.
    """
    make = _MAKERS.get(event.type)
    root = make(event, context) if make is not None else None
    return _DECLARATION + tostring(root, encoding="unicode").encode() if root is not None else None


def _application(event: EventRecord, context: MessageContext) -> Element:
    kind = _START if event.type == "service.started" else _STOP
    root = _begin(event, _APPLICATION_ACTIVITY, "E", kind=kind)
    _add(root, _Participant(event.service, _APPLICATION))
    return _source(root, context)


def _received(event: EventRecord, context: MessageContext) -> Element:
    details = _Images.model_validate(event.details)
    origin = details.origin
    root = _begin(event, _TRANSFERRED, "C")
    _add(root, _Participant(origin.calling_aet, _SOURCE, origin.address, is_requestor=True))
    _add(root, _Participant(origin.called_aet, _DESTINATION))
    return _images(_source(root, context), details.identity, details.images, context)


def _begun(event: EventRecord, context: MessageContext) -> Element | None:
    details = _Images.model_validate(event.details)
    if details.action != "route" or details.target is None:
        return None
    root = _sending(_begin(event, _BEGIN_TRANSFERRING, "E"), details.target, context)
    return _images(root, details.identity, details.images, context)


def _sent(event: EventRecord, context: MessageContext) -> Element:
    details = _Images.model_validate(event.details)
    target = details.destinations[0] if details.destinations else details.target
    root = _sending(_begin(event, _TRANSFERRED, "R"), target or "", context)
    return _images(root, _identity(context.task), details.images, context)


def _given_up(event: EventRecord, context: MessageContext) -> Element | None:
    task = context.task
    if task is None or task.action != "route" or task.target is None:
        return None
    details = TaskFailed.model_validate(event.details)
    root = _sending(_begin(event, _TRANSFERRED, "R", outcome=_SERIOUS, why=details.reason), task.target, context)
    return _images(root, _identity(task), task.images or 0, context)


def _changed(event: EventRecord, context: MessageContext) -> Element:
    details = Audit.model_validate(event.details)
    is_configuration = details.verb.startswith(_CONFIGURATION_VERBS)
    kind = _SOFTWARE_CONFIGURATION if is_configuration else _RESTRICTED_FUNCTION
    root = _begin(event, _SECURITY_ALERT, "E", kind=kind)
    _add(root, _Participant(details.by, is_requestor=True))
    return _alert(root, f"{details.verb} {details.object}", context)


def _refused(event: EventRecord, context: MessageContext) -> Element:
    details = AssociationRefused.model_validate(event.details)
    root = _begin(event, _SECURITY_ALERT, "E", kind=_NODE_AUTHENTICATION, outcome=_MINOR, why=details.reason)
    _add(root, _Participant(details.calling_aet, address=details.address, is_requestor=True))
    return _alert(root, f"refused {details.times} times: {details.reason}", context)


Maker = Callable[[EventRecord, MessageContext], Element | None]
_MAKERS: Final[dict[str, Maker]] = {
    "service.started": _application,
    "service.stopped": _application,
    "series.completed": _received,
    "task.created": _begun,
    "task.delivered": _sent,
    "task.failed": _given_up,
    "audit": _changed,
    "association.refused": _refused,
}
TYPES: Final = tuple(_MAKERS)
"""Events of which there are messages."""


def _begin(
    event: EventRecord, code: Code, action: str, *, kind: Code | None = None, outcome: str = _SUCCESS, why: str = ""
) -> Element:
    root = Element("AuditMessage")
    time = event.time.isoformat()
    found = SubElement(
        root, "EventIdentification", EventActionCode=action, EventDateTime=time, EventOutcomeIndicator=outcome
    )
    _code(found, "EventID", code)
    if kind is not None:
        _code(found, "EventTypeCode", kind)
    if why:
        SubElement(found, "EventOutcomeDescription").text = printable(why)
    return root


def _add(root: Element, participant: _Participant) -> None:
    made = SubElement(
        root,
        "ActiveParticipant",
        UserID=printable(participant.user) or _ANONYMOUS,
        UserIsRequestor="true" if participant.is_requestor else "false",
    )
    if participant.address:
        made.set("NetworkAccessPointID", printable(participant.address))
        made.set("NetworkAccessPointTypeCode", _kind_of(participant.address))
    if participant.role is not None:
        _code(made, "RoleIDCode", participant.role)


def _kind_of(address: str) -> str:
    """Return 2 for an IP address, 1 for a machine's name (PS3.15 A.5.2.4)."""
    return "2" if address.replace(".", "").isdigit() or ":" in address else "1"


def _source(root: Element, context: MessageContext) -> Element:
    SubElement(root, "AuditSourceIdentification", AuditSourceID=context.config.name)
    return root


def _sending(root: Element, target: str, context: MessageContext) -> Element:
    """Add who sends, and to whom: a DICOM node by its AE title and address, everything else by its name here."""
    settings = context.config.targets.get(target)
    called, calling, host = target, context.config.receiver.ae_title, ""
    if isinstance(settings, DicomSettings):
        called, calling, host = settings.called_aet, settings.calling_aet, settings.host
    _add(root, _Participant(calling, _SOURCE, is_requestor=True))
    _add(root, _Participant(called, _DESTINATION, host))
    return _source(root, context)


def _identity(task: TaskRecord | None) -> Identity:
    if task is None:
        return Identity()
    return Identity(
        PatientID=task.patient_id or "",
        PatientName=task.patient_name or "",
        StudyInstanceUID=task.study_uid or "",
        AccessionNumber=task.accession or "",
    )


def _images(root: Element, of: Identity, count: int, context: MessageContext) -> Element:
    """Add the study and the patient."""
    study = _object(root, of.StudyInstanceUID, _STUDY, of.StudyInstanceUID)
    if of.AccessionNumber:
        SubElement(study, "Accession", Number=printable(of.AccessionNumber))
    SubElement(study, "SOPClass", NumberOfInstances=str(count))
    _object(root, of.PatientID, _PATIENT, of.PatientName if context.has_names else "")
    return root


def _alert(root: Element, text: str, context: MessageContext) -> Element:
    node = context.config.name
    alert = _object(_source(root, context), node, _NODE, node)
    value = b64encode(printable(text).encode()).decode()
    SubElement(alert, "ParticipantObjectDetail", type="Alert Description", value=value)
    return root


def _object(root: Element, identifier: str, kind: _Kind, name: str) -> Element:
    made = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=printable(identifier) or _ANONYMOUS,
        ParticipantObjectTypeCode=kind.type,
        ParticipantObjectTypeCodeRole=kind.role,
    )
    _code(made, "ParticipantObjectIDTypeCode", kind.code)
    SubElement(made, "ParticipantObjectName").text = printable(name)
    return made


def _code(parent: Element, name: str, code: Code) -> None:
    attributes: dict[str, Any] = {"csd-code": code[0], "codeSystemName": code[1], "originalText": code[2]}
    SubElement(parent, name, attributes)
