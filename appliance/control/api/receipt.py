"""Receipts: signed statements of what came from whom, and where it was delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from appliance.control.api.base import Nothing, Verb
from mercure.model import Model

FORMAT: Final = "mercure-receipt/1"

_Digest = Annotated[str, Field(max_length=64)]


class StatedCounts(Model):
    """How much is stated: an image counts once, each of its arrivals and of its deliveries once more."""

    series: int
    images: int
    arrivals: int
    on_disk: int
    deliveries: int
    tasks: int


class StatedSeries(Model):
    """A series as the last image names it, and on which router it came."""

    node: str
    series_uid: str | None
    study_uid: str | None
    accession: str | None
    patient_id: str | None
    modality: str | None
    description: str | None
    study_date: str | None


class StatedArrival(Model):
    """One receipt of an image.

    `image` is the id given at receipt, `time` when it was on stable storage. `digest` is the XXH3-128 of the data set
    as it came off the wire; of a repetition it is that of the copy that it repeats. `sha256`, of the data set again, is
    computed for this statement, and `intact` says whether the copy still has the digest of its receipt: all three are
    empty where no copy is on the disk any more. `certificate_subject` is of the certificate that the sender showed over
    TLS and that was believed, by the copy too: empty where there was none, and for a repetition.
    """

    image: str
    node: str
    time: datetime | None
    association: str | None
    address: str | None
    calling_aet: str | None
    called_aet: str | None
    certificate_subject: str = ""
    transfer_syntax: str | None
    bytes: int | None
    repetition: bool
    task: str | None
    digest: str = ""
    sha256: _Digest = ""
    intact: bool | None = None


class StatedDelivery(Model):
    """One confirmation that a target has an image.

    By the ledger: `time` and `status` (PS3.7 annex C) are those of the image. By the history, once the task is no
    longer on the disk: `time` is when the last image of the task was confirmed, and `status` is empty where the images
    of the task had several.
    """

    task: str
    target: str
    destination: str | None
    time: datetime
    status: str
    source: Literal["ledger", "history"]


class StatedImage(Model):
    """One SOP instance: when it came, and where it is."""

    sop: str
    sop_class: str | None
    series_uid: str | None
    arrivals: tuple[StatedArrival, ...]
    deliveries: tuple[StatedDelivery, ...]


class StatedAttempt(Model):
    """One try to deliver or process a task."""

    number: int
    time: datetime
    target: str | None
    outcome: str
    error: str | None
    sent: int
    confirmed: int


class StatedTask(Model):
    """A task with images of the exam, and its state; `images` counts all that it holds."""

    task: str
    node: str
    parent: str | None
    action: str | None
    target: str | None
    module: str | None
    rules: tuple[str, ...]
    images: int | None
    state: str | None
    since: datetime | None
    reason: str | None
    created: datetime | None
    delivered: datetime | None
    retired: datetime | None
    attempts: tuple[StatedAttempt, ...]


class ReceiptStatement(Model):
    """What a router knows of an exam at one moment; `recorded` says up to when each router's events were known."""

    node: str
    version: str
    made: datetime
    made_by: str
    accession: str | None
    study_uid: str | None
    recorded: dict[str, datetime]
    counts: StatedCounts
    series: tuple[StatedSeries, ...]
    images: tuple[StatedImage, ...]
    tasks: tuple[StatedTask, ...]


class SignedReceipt(Model):
    """A receipt as its file holds it; `signature` covers all other members in the canonical form of RFC 8785."""

    algorithm: Literal["Ed25519"]
    format: Literal["mercure-receipt/1"]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    statement: ReceiptStatement
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class MakeReceipt(Model):
    """Of which exam: by the whole accession number, or by the StudyInstanceUID."""

    accession: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    study: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ReceiptMade(Model):
    """A new receipt: `document` is the text of its file, which must be kept to the byte."""

    document: str
    sha256: str
    fingerprint: str
    counts: StatedCounts


class ShownKey(Model):
    """The public key of the box in PEM form, and its fingerprint: the key itself in hexadecimal."""

    public_key: str
    fingerprint: str


class ReceiptChecked(Model):
    """Whether a receipt is as the router signed it; `problem` says why not, and then nothing in it can be believed."""

    ok: bool
    problem: str = ""
    fingerprint: str = ""
    node: str = ""
    made: datetime | None = None
    made_by: str = ""
    accession: str | None = None
    study_uid: str | None = None
    counts: StatedCounts | None = None


MAKE: Final = Verb(
    "receipt.make",
    MakeReceipt,
    ReceiptMade,
    "operator",
    "Sign a statement of what was received and delivered of an exam.",
    changes=True,
    long=True,
)
KEY: Final = Verb(
    "receipt.key",
    Nothing,
    ShownKey,
    "operator",
    "Show the public key of the box; the first time it is made.",
    changes=True,
)
