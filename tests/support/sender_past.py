"""What senders did, as the history knows it: who came with what, and who was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.event_details import AssociationOpened, AssociationRefused, ImageReceived
from mercure.events import EventWriter
from mercure.names import new_id
from mercure.spool import Stage
from tests.support.control_session import record

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.session import Session
    from mercure.model import Record

CT, MR, ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
EXPLICIT = "1.2.840.10008.1.2.1"
NOT_LISTED = "the calling AE title is not listed"


def came(
    session: Session,
    title: str,
    address: str,
    *,
    sop_class: str = CT,
    images: int = 1,
    version: str = "",
    at: datetime | None = None,
    certificate: tuple[str, str] = ("", ""),
) -> None:
    """Let images come, and the history know of them; `certificate`: the subject shown over TLS, and when it ends."""
    association = new_id()
    who = {"association": association, "address": address, "calling_aet": title, "called_aet": "MERCURE"}
    subject, ends = certificate
    shown = {"certificate_subject": subject, "certificate_ends": ends}
    _tell(session, at, AssociationOpened(**who, **shown, implementation_uid="1.2.3", implementation_version=version))
    for number in range(images):
        image = ImageReceived(
            image=new_id(), file=f"{number}.dcm", folder=association, sop=f"1.{number}", bytes=1000,
            series=association, sop_class=sop_class, transfer_syntax=EXPLICIT, **who,
        )  # fmt: skip
        _tell(session, at, image)
    record(session)


def refused(
    session: Session, title: str, address: str, reason: str = NOT_LISTED, *, at: datetime | None = None
) -> None:
    """Let a sender be refused three times, and the history know of it."""
    details = AssociationRefused(address=address, calling_aet=title, called_aet="MERCURE", reason=reason, times=3)
    _tell(session, at, details)
    record(session)


def _tell(session: Session, at: datetime | None, details: Record) -> None:
    outbox = session.spool.stage(Stage.OUTBOX)
    events = EventWriter(outbox, "receiver", ManualClock(at or session.clock.now()))
    events.emit(details)
    events.sync()
    events.close()
