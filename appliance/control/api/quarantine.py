"""The quarantine: objects that could not be read, and what a person can do about them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Verb
from appliance.control.api.status import QuarantineState
from mercure.model import Model

Reason = Annotated[str, Field(max_length=2000)]


class QuarantinedObject(Model):
    """An object that could not be read.

    ``received`` is when it came first, ``last`` when the same bytes came last, ``times`` how often. The UIDs are those
    of the sender's command. It is removed after ``seconds_left``.
    """

    entry: str
    sender: str
    calling_aet: str
    called_aet: str
    address: str
    received: AwareDatetime
    last: AwareDatetime
    times: int
    bytes: int
    reason: str
    sop_class: str
    sop: str
    transfer_syntax: str
    seconds_left: float


class QuarantineGroup(Model):
    """What came from one sender for one reason."""

    sender: str
    reason: str
    objects: int
    times: int
    bytes: int
    last: AwareDatetime


class Quarantine(QuarantineState):
    """What lies in quarantine: in all, by sender and reason, and each object.

    The groups and ``found`` count those that are wanted; of them ``entries`` holds as many as asked for.
    """

    found: int = 0
    groups: tuple[QuarantineGroup, ...] = ()
    entries: tuple[QuarantinedObject, ...] = ()


class ListQuarantine(Model):
    """Which are wanted: of a sender, that came since, with a text in what is known; at most so many, the latest first.

    `limit` 0: all.
    """

    sender: str | None = None
    since: AwareDatetime | None = None
    text: Annotated[str, Field(max_length=200)] = ""
    limit: Annotated[int, Field(ge=0)] = 0


class OneObject(Model):
    """An object in quarantine, by its id or the end of it."""

    entry: Annotated[str, Field(min_length=1, max_length=200)]


class QuarantineDetail(Model):
    """An object in full.

    ``tags`` is what could be read before the fault, ``fault`` what is wrong now, ``offset`` where, in bytes from the
    beginning of ``file``, where that is known. ``hex`` are lines of the bytes around it, or of the data set's first.
    """

    object: QuarantinedObject
    file: str
    fault: str
    offset: int | None = None
    tags: dict[str, Any] = {}
    hex: tuple[str, ...] = ()


class ChangeObject(OneObject):
    """What is to happen to an object, and why."""

    reason: Reason = ""


class DiscardObject(OneObject):
    """An object that is to be removed for good, and why."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class SendObject(ChangeObject):
    """An object that is to be sent to a target as it is."""

    target: str


class ObjectRead(Model):
    """What came of reading an object again.

    ``read``: it is an image now, in ``incoming/`` by ``series`` and ``file``, and goes on like any other. Else it
    stays, and ``reason`` says why.
    """

    entry: str
    read: bool
    reason: str = ""
    series: str = ""
    file: str = ""


class ObjectSent(Model):
    """What came of sending an object as it is; one that was not taken stays."""

    entry: str
    target: str
    taken: bool
    text: str


class ObjectDiscarded(Model):
    """An object that was removed."""

    entry: str
    bytes: int


LIST: Final = Verb("quarantine.list", ListQuarantine, Quarantine, "viewer", "List what could not be read.")
SHOW: Final = Verb(
    "quarantine.show",
    OneObject,
    QuarantineDetail,
    "viewer",
    "Show what can be read of an object, and where it is damaged.",
)
READ_AGAIN: Final = Verb(
    "quarantine.read_again",
    ChangeObject,
    ObjectRead,
    "operator",
    "Read an object again, as after an upgrade: what can be read now is routed.",
    changes=True,
)
SEND: Final = Verb(
    "quarantine.send",
    SendObject,
    ObjectSent,
    "admin",
    "Send an object to a target as it is, although it cannot be read.",
    changes=True,
    long=True,
)
DISCARD: Final = Verb(
    "quarantine.discard", DiscardObject, ObjectDiscarded, "operator", "Remove an object for good.", changes=True
)
