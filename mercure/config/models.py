"""Models of ``config/mercure.json`` and ``config/services.json``.

``docs/reference/configuration.md`` is made from them.
"""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from mercure.config.alerts import AlertSettings
from mercure.config.audit import AuditSettings
from mercure.config.basics import BYTES_MOST, AETitle, Name, PathOrNothing, PositiveSeconds, Seconds
from mercure.config.character_sets import CharacterSet
from mercure.config.completion import Completion, CompletionTimes
from mercure.config.notifications import NotificationSettings
from mercure.config.processing import ModuleSettings, Processing
from mercure.config.rule import Rule
from mercure.config.secrets import Secret
from mercure.config.senders import (
    AddressOrNetwork,
    ReceivedSyntaxes,
    Sender,
    character_set_of,
    is_in,
    is_loopback,
    sender_of,
)
from mercure.config.site import SiteSettings, TimeZone
from mercure.config.status_page import StatusPage
from mercure.model import Model


class Receiver(Model):
    """How images are received (``mercure-storescp``)."""

    bind: str = "0.0.0.0"  # noqa: S104 - a receiver is there to be reached; the firewall decides by whom
    """Address on which senders are heard, IPv4 or IPv6; `::` takes both."""
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    """TCP port; 0 takes a free one, which the log names (for tests)."""
    plain: bool = True
    """Whether senders may call without TLS, on `port`. ``false``: only on `tls_port`."""
    tls_port: Annotated[int, Field(ge=0, le=65535)] = 2762
    """TCP port for senders that speak TLS; it is open where `tls_certificate` is set."""
    tls_certificate: PathOrNothing = ""
    """A file (PEM) with the certificate of this router and its chain; empty: nobody can call by TLS. A file that is put
    into its place counts for the next association, without a restart."""
    tls_key: PathOrNothing = ""
    """The file (PEM) with its private key; only the router may be able to read it (mode 0600)."""
    tls_ca: PathOrNothing = ""
    """A file (PEM) with the certificates of the authorities that may have signed those of senders."""
    tls_crl: PathOrNothing = ""
    """A file (PEM) with the lists of certificates that these authorities have revoked (CRL); empty: none is asked. A
    list that has expired, or is not there, lets nobody in whom it would have to name."""
    tls_clients: Literal["none", "wanted", "required"] = "none"
    """Certificates of senders. ``none``: they are not asked for. ``wanted``: who shows one must show a good one.
    ``required``: who shows none is not let in."""
    proxies: tuple[AddressOrNetwork, ...] = ()
    """Addresses (`10.20.0.4`) or networks of the proxies before this router that tell who calls by way of them, by the
    PROXY protocol, version 2 (`send-proxy-v2` of HAProxy). A connection from one of them must begin with its header,
    and counts as one from the address in it; a header of anybody else is refused as garbage."""
    ae_title: AETitle = "MERCURE"
    """Our AE title. Senders may always call by it."""
    access: Literal["open", "learn", "listed"] = "open"
    """Who may send. ``open``: everybody. ``learn``: everybody, while a person enters in `senders` whom `mercure history
    senders` shows. ``listed``: only `senders`; all others are rejected. AE titles and addresses can be forged: this
    keeps out mistakes, not attackers."""
    called_aets: tuple[AETitle, ...] = ()
    """AE titles by which senders may call; empty: any."""
    max_pdu: Annotated[int, Field(ge=4096, le=131072)] = 131072
    """Longest P-DATA PDU taken, in bytes."""
    durability: Literal["image", "none"] = "image"
    """``image``: Success only after the image is on stable storage. ``none``: a power cut may lose what was
    acknowledged."""
    min_free_bytes: Annotated[int, Field(ge=0, le=BYTES_MOST)] = 1_000_000_000
    """Below this much free space in the spool, images are refused with 0xA700."""
    max_associations: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Open associations at the same time, those that have not spoken yet included."""
    max_associations_per_sender: Annotated[int, Field(ge=1, le=10_000)] = 50
    """The same from one address."""
    acse_timeout_seconds: PositiveSeconds = 30
    """From the connection to the end of the association request."""
    idle_timeout_seconds: PositiveSeconds = 300
    """From one whole PDU to the next. Neither silence within a PDU nor single bytes prolong it."""
    max_association_seconds: Seconds = 0
    """After this time an association is ended; 0: never."""
    max_object_bytes: Annotated[int, Field(ge=1024, le=BYTES_MOST)] = 16 * 1024**3
    """Larger data sets are refused."""
    quarantine_bytes: Annotated[int, Field(ge=0, le=BYTES_MOST)] = 10_000_000_000
    """Most that may lie in ``quarantine/``, and never more than a twentieth of its disk. What comes beyond is refused
    like any object that cannot be read, and not kept."""
    quarantine_objects: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """The same as a number of objects."""
    sop_classes: tuple[str, ...] = ()
    """SOP classes to accept; empty: every storage class, private ones too."""
    transfer_syntaxes: ReceivedSyntaxes = "as-the-sender-holds-it"
    """``as-the-sender-holds-it``: the first compressed one that is proposed for a presentation context, so that no side
    re-codes an image. ``uncompressed``: one without compression where the sender offers one for the SOP class."""
    character_set: CharacterSet = ""
    """What texts are in where an image names no character set (0008,0005) and they are not plain ASCII: terms of that
    element, such as ``ISO_IR 100``. Empty: only what is valid UTF-8, or has escape sequences, is read."""
    stop_timeout_seconds: Seconds = 60
    """When stopping, open associations have this long to end by themselves."""

    @model_validator(mode="after")
    def _can_be_called(self) -> Receiver:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("'tls_certificate' and 'tls_key' go together")
        if self.tls_clients != "none" and not self.tls_ca:
            raise ValueError("'tls_clients' needs 'tls_ca': who may have signed the certificates of senders")
        if self.tls_crl and self.tls_clients == "none":
            raise ValueError("'tls_crl' is for certificates of senders, and 'tls_clients' is none: nobody shows one")
        if not self.plain and not self.tls_certificate:
            raise ValueError("'plain' is false, so 'tls_certificate' is needed: else nobody could call")
        return self

    @property
    def is_open_to_all(self) -> bool:
        """Return whether anybody may send from anywhere."""
        return self.access != "listed" and not is_loopback(self.bind)

    def is_proxy(self, address: str) -> bool:
        """Return whether a connection from an address must begin with a header of the PROXY protocol."""
        return is_in(self.proxies, address)

    def listens_on(self, port: int) -> bool:
        """Return whether senders may call on a port."""
        return (self.plain and port == self.port) or (bool(self.tls_certificate) and port == self.tls_port)


class Retry(Model):
    """When a failed delivery is tried again, and when it is given up."""

    first_seconds: PositiveSeconds = 10
    """Wait after the first failure; it doubles with each further one."""
    cap_seconds: PositiveSeconds = 900
    """The longest wait between two attempts."""
    probe_seconds: PositiveSeconds = 30
    """A target that is down is probed at least this often."""
    max_refusals: Annotated[int, Field(ge=1, le=1000)] = 10
    """After this many attempts that the target refused (or that failed on our side) a task goes to ``error/``.
    Attempts that did not reach the target do not count."""
    give_up_seconds: PositiveSeconds = 7 * 86400
    """From the first attempt to giving up, whatever the reason."""


Order = Literal["none", "study", "received"]


class TargetSettings(Model):
    """What every target has; a kind of target adds its own (`mercure.targets`)."""

    kind: str
    """Which kind of target it is; it decides the other keys."""
    disabled: bool = False
    """Nothing is sent; tasks wait."""
    comment: str = ""
    """What it is for."""
    contact: str = ""
    """Whom to ask about it."""
    order: Order = "study"
    """Which tasks go out one after the other, in the order received: those of one study, or all of the target's. A
    series that the target does not take lets the others of its study pass after a minute."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Tasks delivered at the same time, over all dispatchers."""
    retry: Retry = Retry()
    """When a failed delivery is tried again."""
    timeout_seconds: PositiveSeconds = 3600
    """The longest that one attempt may take as a whole."""

    def leads_to(self) -> tuple[str, ...]:
        """Name the targets that take its tasks in its place; none for a target that takes them itself."""
        return ()

    def destination(self) -> str:
        """Say which place this is: what was delivered under the same text is there.

        It stands in each line of a ledger. A kind of target names what identifies it, and nothing that may change
        while the images stay where they are.
        """
        return f"{self.kind}:"

    def node(self) -> tuple[str, int] | None:
        """Return host and port of a DICOM node; None for other kinds."""
        return None

    def folder(self) -> Path | None:
        """Return the folder of this machine that images are written into; None for other kinds."""
        return None


class Retention(Model):
    """How long what is finished is kept."""

    success_seconds: Seconds = 3 * 86400
    """How long a task stays in `success/` after it was delivered."""
    discard_seconds: Seconds = 7 * 86400
    """How long a task stays in `discard/`, from where a person can bring back what a person discarded."""
    quarantine_seconds: Seconds = 90 * 86400
    """How long an object that could not be read stays in `quarantine/` after it came last."""
    pressure_free_bytes: Annotated[int, Field(ge=0)] = 5_000_000_000
    """Below this much free space delivered and discarded tasks are removed before their time, oldest first.

    Nothing else ever is.
    """
    keep_percent: Annotated[float, Field(ge=0, le=90)] = 20
    """Most of the disk, in per cent, that people may have kept beyond this (`mercure keep`), all of it together."""


class ScrubSettings(Model):
    """How kept images are read and compared with their digests, slowly and all the time they are kept."""

    every_days: Annotated[float, Field(ge=0, le=365)] = 7
    """Time from the end of one scrub to the begin of the next; 0: no scrub."""
    bytes_per_second: Annotated[int, Field(ge=100_000)] = 20_000_000
    """At most so much is read, and only when the disk has nothing else to do."""


class NightlyVerifySettings(Model):
    """The proof that nothing acknowledged is lost (`mercure verify`), made every night by the router itself."""

    enabled: bool = True
    """``false``: no proof by night; `mercure verify` can still be run."""
    hour: Annotated[int, Field(ge=0, le=23)] = 3
    """In this hour of the machine's clock; one that was missed, because the machine was off, is made when it is on."""


class Loops(Model):
    """When images that come back are in a loop (``docs/reference/targets.md``)."""

    returns: Annotated[int, Field(ge=0, le=10_000)] = 3
    """How often the same image may come back from another sender than its first; beyond, it is held."""
    within_seconds: PositiveSeconds = 7 * 86400
    """Counted from the first return; after this time it is counted anew."""
    router_returns: Annotated[int, Field(ge=0, le=10_000)] = 0
    """The same for what comes back from this router itself, or from a router that is a target, within an hour after it
    came: no archive that sends prior images back does that."""


class DryRunSettings(Model):
    """What is kept for rehearsing changed rules."""

    series: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """How many of the last routed series to keep; only their tags are kept."""


class OffPeak(Model):
    """The hours in which tasks of priority ``offpeak`` are served."""

    start: time = time(20, 0)
    """When they begin, by the clock of `timezone`."""
    end: time = time(6, 0)
    """When they end; before `start`, on the next day."""
    timezone: TimeZone | None = None
    """IANA name, e.g. ``Europe/Berlin``; absent: that of `site`."""

    @field_validator("start", "end")
    @classmethod
    def _wall_time(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("write the time without an offset or 'Z'; it is by the clock of 'timezone'")
        return value

    @model_validator(mode="after")
    def _some_time(self) -> OffPeak:
        if self.start == self.end:
            raise ValueError("'start' and 'end' are the same time: off-peak tasks would never be served")
        return self

    def in_words(self, site: str = "UTC") -> str:
        """Say when they are, with the name of their time zone."""
        return f"{self.start:%H:%M} to {self.end:%H:%M} ({self.timezone or site})"

    def contains(self, instant: datetime, site: str = "UTC") -> bool:
        """Return whether an aware instant falls into the window, by the clock on the wall of its time zone."""
        wall = instant.astimezone(ZoneInfo(self.timezone or site)).time()
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


class HistorySettings(Model):
    """Where the history is kept."""

    url: str | None = None
    """``sqlite:////absolute/path`` or ``postgresql://user@host/database``; absent: SQLite in the root."""
    password: Secret | None = None
    """The password of the PostgreSQL user; absent: none is sent."""
    keep_days: Annotated[int, Field(ge=30, le=36_500)] | None = 3650
    """Days after which what was finished is forgotten; null: never. The audit is kept for good. Ten years are what
    medical records are commonly kept for; what is in the history names patients, so fewer may be right."""
    tags: Annotated[tuple[str, ...], Field(max_length=40)] = ()
    """Keywords of further tags that are kept of each series, typed by their VR: ``Manufacturer``, ``ProtocolName``,
    ``ContrastBolusAgent``. They can be searched for, exported, and asked for by SQL (the view `series_data`). Tags of
    series that are still on the disk are filled in. What tells who somebody is is refused."""
    indexed_tags: Annotated[tuple[str, ...], Field(max_length=40)] = ()
    """Those of `tags` that have an index of their own: worth its room on the disk where people search by them in a
    history of a million series."""

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("the history's URL begins with 'sqlite:///' or 'postgresql://'")
        return value


class Config(Model):
    """``config/mercure.json``: everything that a person decides about the router."""

    version: Literal[1] = 1
    """Version of this file's form."""
    name: Name = "mercure"
    """Name of this node in the history."""
    site: SiteSettings = SiteSettings()
    spool: Path | None = None
    """Where the spool is; absent: ``spool`` in the root."""
    receiver: Receiver = Receiver()
    senders: dict[Name, Sender] = {}
    """What counts as one sender, and what each may do. Changes count for new associations."""
    completion: Completion = Completion()
    targets: dict[Name, SerializeAsAny[TargetSettings]] = {}
    """Where images are sent, by name; the keys depend on the kind."""
    rules: dict[Name, Rule] = {}
    """In the order in which they are looked at."""
    modules: dict[Name, ModuleSettings] = {}
    """Processing modules, by name."""
    processing: Processing = Processing()
    retention: Retention = Retention()
    scrub: ScrubSettings = ScrubSettings()
    nightly_verify: NightlyVerifySettings = NightlyVerifySettings()
    loops: Loops = Loops()
    rehearsal: DryRunSettings = DryRunSettings()
    off_peak: OffPeak = OffPeak()
    history: HistorySettings = HistorySettings()
    audit: AuditSettings = AuditSettings()
    status_page: StatusPage = StatusPage()
    alerts: AlertSettings = AlertSettings()
    notifications: NotificationSettings = NotificationSettings()

    @field_validator("spool")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("the path of the spool is absolute")
        return value

    @property
    def is_open_to_all(self) -> bool:
        """Return whether anybody may send from anywhere."""
        return self.receiver.is_open_to_all

    def sender_of(self, calling_aet: str, address: str) -> str:
        """Name the sender of an association: a name of `senders`, or ``AET@address``."""
        return sender_of(self.senders, calling_aet, address)

    def completion_of(self, calling_aet: str, sender: str) -> CompletionTimes:
        """Return when a series of a sender counts as complete, by its name or by its AE title."""
        return self._own_completion(calling_aet, sender) or self.completion

    def longest_release(self, calling_aet: str, sender: str) -> float:
        """Return how long a sender's release time may become by itself."""
        return self.completion.longest_release(self._own_completion(calling_aet, sender))

    def _own_completion(self, calling_aet: str, sender: str) -> CompletionTimes | None:
        entry = self.senders.get(sender)
        if entry is not None and entry.completion is not None:
            return entry.completion
        return self.completion.own(calling_aet, sender)

    def character_set_of(self, calling_aet: str, address: str) -> str:
        """Return the character set that is assumed where an image of a sender names none; empty: none is."""
        return character_set_of(self.senders, self.receiver.character_set, calling_aet, address)


class ServiceSettings(Model):
    """How one service is run."""

    instances: Annotated[int, Field(ge=0, le=32)] = 1
    """Processes; 0 switches it off."""


class Single(Model):
    """How a service is run that there is only one of."""

    instances: Annotated[int, Field(ge=0, le=1)] = 1
    """1, or 0 to switch it off."""


class ServicesFile(Model):
    """``config/services.json``: how many processes each service has."""

    version: Literal[1] = 1
    """Version of this file's form."""
    receiver: Single = Single()
    """Receives images; its associations are processes of their own."""
    router: ServiceSettings = ServiceSettings()
    """Evaluates the rules and makes tasks of series."""
    processor: ServiceSettings = ServiceSettings()
    """Runs processing modules."""
    dispatcher: ServiceSettings = ServiceSettings()
    """Delivers to targets."""
    cleaner: Single = Single()
    """Removes what was kept long enough, and scrubs what is kept."""
    notifier: Single = Single()
    """Sends messages to people."""
    bookkeeper: Single = Single()
    """Records events in the history."""
    page: Single = Single()
    """The status page; 0 where systemd runs it."""
