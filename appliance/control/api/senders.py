"""Senders: who sends, what each uses, and who may send."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Saved, Verb
from mercure.model import Model
from mercure.names import place_of

Access = Literal["open", "learn", "listed"]
SenderStanding = Literal["listed", "unlisted", "disabled", "refused"]
"""``unlisted``: it has no entry and may send; ``refused``: it has none, and only listed senders may."""

Reason = Annotated[str, Field(max_length=2000)]
SenderKey = Annotated[str, Field(min_length=1, max_length=400)]


class SenderTrait(Model):
    """What a sender uses, since when, until when, and how often.

    ``kind`` is ``called`` (our AE title), ``implementation`` (UID), ``version``, ``class``, ``syntax`` or
    ``certificate`` (when it ends, and its subject). ``new``: it
    came only after the sender had been known for a week, and no longer than a month ago.
    """

    kind: str
    value: str
    first: AwareDatetime
    last: AwareDatetime
    times: int
    new: bool = False


class SenderCertificate(Model):
    """The certificate that a sender showed last over TLS: its subject, and when it ends."""

    subject: str
    ends: AwareDatetime


class SenderLine(Model):
    """A sender: an entry of `senders`, or an AE title at an address that has none (``AE_TITLE@address``).

    ``images_today`` and ``bytes_today`` count since midnight in the time zone of the site, ``images`` all that the
    history knows. ``silence`` is the text of its alert. ``refused`` is how often it was refused in the days of the
    request, ``refusal`` why at last. ``would_be_refused``: it has sent in these days, and could not with
    `receiver.access` ``listed``.
    """

    name: str
    standing: SenderStanding
    ae_titles: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    called_aets: tuple[str, ...] = ()
    first: AwareDatetime | None = None
    last: AwareDatetime | None = None
    last_image: AwareDatetime | None = None
    images: int = 0
    images_today: int = 0
    bytes_today: int = 0
    silence: str = ""
    refused: int = 0
    refused_last: AwareDatetime | None = None
    refusal: str = ""
    would_be_refused: bool = False
    changed: tuple[SenderTrait, ...] = ()
    certificate: SenderCertificate | None = None
    comment: str = ""
    contact: str = ""


class SenderLines(Model):
    """All senders, those that need a person first; with ``access`` and the revision of the configuration.

    ``not_kept``: in how many messages of senders something new came for which there was no room.
    """

    time: AwareDatetime
    access: Access
    open_to_all: bool
    revision: int
    days: int
    senders: tuple[SenderLine, ...]
    cut: bool = False
    not_kept: int = 0

    @property
    def losing(self) -> tuple[SenderLine, ...]:
        """Those of the last days that ``listed`` would refuse."""
        return tuple(sender for sender in self.senders if sender.would_be_refused)


class ListSenderLines(Model):
    """Which days count for refusals and for who would be refused; at most so many senders."""

    days: Annotated[int, Field(ge=1, le=366)] = 14
    limit: Annotated[int, Field(ge=1, le=5000)] = 1000


class OneSender(Model):
    """A sender: its name in `senders`, ``AE_TITLE@address``, or an AE title that only one has."""

    name: SenderKey


class SenderDetail(Model):
    """A sender in full.

    ``settings`` is its entry, null where it has none. ``hours`` are its images per day in each hour of the day, on the
    average of the last 28 days (or since it came first), by the time zone of the site.
    """

    sender: SenderLine
    revision: int
    settings: dict[str, Any] | None = None
    traits: tuple[SenderTrait, ...] = ()
    hours: tuple[float, ...] = ()
    timezone: str = "UTC"


class ProposeSenders(Model):
    """Of which days the senders without an entry are proposed as entries."""

    days: Annotated[int, Field(ge=1, le=366)] = 14


class ProposedSenders(Model):
    """Entries for those who have sent in these days and have none; ``skipped``: for whom none can be made, and why."""

    days: int
    revision: int
    senders: dict[str, dict[str, Any]]
    skipped: dict[str, str] = {}


class AddProposed(ProposeSenders):
    """The same entries, to be saved; the revision that they were proposed for, and why."""

    edited_from: int
    comment: Reason = ""


class AllowSender(OneSender):
    """A sender that is to be let in.

    ``into`` names its entry: one that is there gets its AE title and address too. Without it, an entry of its own is
    made.
    """

    into: str = ""
    edited_from: int
    comment: Reason = ""


class SwitchSender(OneSender):
    """A sender that is to be disabled or enabled again."""

    enabled: bool
    edited_from: int
    comment: Reason = ""


class EchoSender(OneSender):
    """A sender that is to be asked for a C-ECHO at the address that it sends from; ``port``: where it listens.

    Without a port that of its entry is taken, of a target at the same address, or 104.
    """

    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class SenderEcho(Model):
    """Whether a sender answered, where it was asked, and what was found."""

    sender: str
    ok: bool
    host: str
    port: int
    text: str
    seconds: float

    @property
    def place(self) -> str:
        """Where it was asked."""
        return place_of(self.host, self.port)


LIST: Final = Verb(
    "senders.list", ListSenderLines, SenderLines, "viewer", "List who sends, who may, and who was refused."
)
SHOW: Final = Verb(
    "senders.show", OneSender, SenderDetail, "viewer", "Show a sender: its usual hours, and what it uses since when."
)
PROPOSE: Final = Verb(
    "senders.propose", ProposeSenders, ProposedSenders, "viewer", "Propose entries for those who send and have none."
)
ADD_PROPOSED: Final = Verb(
    "senders.add_proposed", AddProposed, Saved, "admin", "Save the proposed entries of senders.", changes=True
)
ALLOW: Final = Verb(
    "senders.allow", AllowSender, Saved, "admin", "Enter a sender that was refused or learned, or enable it again.",
    changes=True,
)  # fmt: skip
SWITCH: Final = Verb("senders.switch", SwitchSender, Saved, "admin", "Disable or enable a sender.", changes=True)
ECHO: Final = Verb(
    "senders.echo", EchoSender, SenderEcho, "operator", "Ask a sender for a C-ECHO at the address that it sends from."
)
