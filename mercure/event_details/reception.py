"""Events of senders and of the images that they send."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from mercure.model import Record


class AssociationOpened(Record):
    """A sender was let in; `implementation_uid` and `implementation_version` name its software (PS3.7 D.3.3.2).

    `tls`: version and cipher, where it came over TLS. `certificate_subject`, `certificate_names` (subject alternative
    names) and `certificate_ends` (its last moment) are of the certificate that it showed, which was believed.
    """

    association: str
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    implementation_uid: str = ""
    implementation_version: str = ""
    contexts: int = 0
    tls: str = ""
    certificate_subject: str = ""
    certificate_names: tuple[str, ...] = ()
    certificate_ends: str = ""


class AssociationClosed(Record):
    """A sender is gone; `how` is released, aborted, timeout, lost or crashed."""

    association: str
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    how: str
    images: int = 0
    bytes: int = 0
    refused: int = 0
    seconds: float = 0.0
    reason: str = ""


class AssociationRefused(Record):
    """A sender was rejected; `times`: how often since the last such event, `held`: places by their holders."""

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    reason: str
    times: int = 1
    held: dict[str, int] | None = None


class ContextRefused(Record):
    """A presentation context was not accepted as proposed; `what` of it, and how often since the last such event.

    `transfer_syntax` is the first one that was proposed for it.
    """

    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    what: str
    abstract_syntax: str = ""
    transfer_syntax: str = ""
    reason: str
    times: int = 1


class SenderUncompressed(Record):
    """A sender gets an uncompressed transfer syntax from now on where it proposes both kinds in one context.

    It was given `transfer_syntax` there for `abstract_syntax`, and sent nothing in it or aborted.
    """

    association: str
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    abstract_syntax: str = ""
    transfer_syntax: str = ""


class ImageReceived(Record):
    """An image is on stable storage and will be acknowledged."""

    image: str
    association: str
    file: str
    folder: str
    sop: str = ""
    sop_class: str = ""
    study: str = ""
    series: str = ""
    patient: str = ""
    accession: str = ""
    modality: str = ""
    bytes: int = 0
    transfer_syntax: str = ""
    repetition: bool = False
    address: str = ""
    calling_aet: str = ""
    called_aet: str = ""
    durable: bool = True


class ImageRefused(Record):
    """An image was answered with a failure status; the sender still has it."""

    association: str
    sop: str = ""
    status: str
    reason: str
    address: str = ""
    calling_aet: str = ""


class ImageQuarantined(Record):
    """Bytes that cannot be read were kept aside; the sender got a failure status."""

    image: str
    association: str
    entry: str
    repetition: bool = False
    """The same bytes of the same sender were in `entry` already, and were counted."""
    bytes: int = 0
    reason: str
    address: str = ""
    calling_aet: str = ""


class QuarantineLeft(Record):
    """An object left the quarantine, by a person (`by`) or because it was kept long enough.

    `target` is where it was sent as it is; `series` and `file` are as what it goes on, once it could be read.
    """

    entry: str
    by: str = ""
    reason: str = ""
    target: str = ""
    series: str = ""
    file: str = ""


class ImageTruncated(Record):
    """An image was kept and acknowledged, although its pixel data is not whole; `reason` says what is missing."""

    image: str
    association: str
    sop: str = ""
    reason: str
    address: str = ""
    calling_aet: str = ""


class SenderQuota(Record):
    """Most of a quota of a sender is used; what comes beyond it is refused. `quota` is its setting in `senders`."""

    association: str = ""
    sender: str
    quota: str
    limit: int
    address: str = ""
    calling_aet: str = ""


class SenderChanged(Record):
    """A sender uses what it did not use before: told once for each.

    `kind` is ``class`` (SOP class), ``syntax`` (transfer syntax), ``implementation`` (UID) or ``version``.
    """

    sender: str
    kind: str
    value: str
    since: AwareDatetime


class ImageAltered(Record):
    """An image on our disk is not what was received (`altered`), or cannot be read any more (`unreadable`).

    `file` is where it was found, in the spool; `target` where it was to go then; `found_by` what looked at it.
    """

    file: str
    sop: str = ""
    state: Literal["altered", "unreadable"]
    text: str
    target: str | None = None
    found_by: Literal["delivery", "processing", "scrub"]
