"""Certificate of a target, as it showed it last: people are told before it ends.

In ``state/targets/NAME/certificate.json``. It is a hint and not synced: without it they are told later.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from mercure import durable
from mercure.config import TargetSettings
from mercure.delivery.target_breaker import target_folder
from mercure.dicom.tls import NodeCertificate
from mercure.model import Record, read_state
from mercure.spool import Spool
from mercure.spool.hints import make_folders


class TargetCertificate(Record):
    """The certificate of a target: whose it is, who signed it, when it ends, and since when it was seen there.

    ``node`` is the destination that showed it: a target that is another node by now has another certificate.
    """

    subject: str = ""
    issuer: str = ""
    ends: AwareDatetime
    seen: AwareDatetime
    node: str = ""


def read_certificate(spool: Spool, name: str, settings: TargetSettings) -> TargetCertificate | None:
    """Return what a target showed last; None where there is no TLS, or the target was another node then."""
    if getattr(settings, "tls", None) is None:
        return None
    found = read_state(_path(spool, name), TargetCertificate)
    return found if found is not None and found.node == settings.destination() else None


def note_certificate(spool: Spool, name: str, settings: TargetSettings, shown: NodeCertificate, now: datetime) -> None:
    """Keep what a target has just shown, believed or not, where it is another than before."""
    if not shown.ends or getattr(settings, "tls", None) is None:
        return  # there was no handshake, or it was with a member of a group
    known = read_certificate(spool, name, settings)
    seen = {"subject": shown.subject, "issuer": shown.issuer, "ends": shown.ends, "seen": now}
    try:
        found = TargetCertificate.model_validate({**seen, "node": settings.destination()})
    except ValidationError:
        return  # an unreadable date
    if known is not None and (known.subject, known.issuer, known.ends) == (found.subject, found.issuer, found.ends):
        return
    path = _path(spool, name)
    make_folders(path.parent.parent, path.parent)
    durable.write_file(path, found.model_dump_json().encode(), sync=False)


def _path(spool: Spool, name: str) -> Path:
    return target_folder(spool, name) / "certificate.json"
