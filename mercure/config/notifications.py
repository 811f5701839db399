"""Notification settings: channels, templates, and the occasions of a rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from mercure.config.basics import Name, Port, PositiveSeconds
from mercure.config.secrets import Secret
from mercure.model import Model

RuleOccasion = Literal["reception", "completion", "error", "request"]
Occasion = Literal[RuleOccasion, "alert_raised", "alert_cleared", "digest", "test"]
OCCASIONS: Final[tuple[Occasion, ...]] = (
    "reception",
    "completion",
    "error",
    "request",
    "alert_raised",
    "alert_cleared",
    "digest",
    "test",
)

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


def _address(text: str) -> str:
    # Narrower than RFC 5322 on purpose: no quotes, comments or display names, in which a line break could hide.
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is not an e-mail address such as 'pacs@hospital.example'")
    return text


EMailAddress = Annotated[str, AfterValidator(_address)]


class ChannelSettings(Model):
    """What every channel has."""

    disabled: bool = False
    """Nothing is sent, and nothing is put into its queue."""
    comment: str = ""
    """What it is for."""
    patient_data: bool = False
    """Messages may tell what identifies patients and exams, and what modules wrote. Otherwise these are left empty."""
    max_per_hour: Annotated[int, Field(ge=1, le=3600)] = 30
    """Single messages in an hour; what goes beyond is put together into one digest."""
    digest_seconds: PositiveSeconds = 900
    """The shortest time between two digests."""
    timeout_seconds: Annotated[float, Field(ge=1, le=300)] = 30
    """The longest that one message may take as a whole."""
    give_up_seconds: PositiveSeconds = 2 * 86400
    """How long a message is retried, with growing pauses."""


class EMail(ChannelSettings):
    """E-mail by SMTP."""

    kind: Literal["email"]
    """A channel that sends e-mail."""
    host: str
    """Name or address of the mail server."""
    port: Port = 587
    """TCP port of the mail server."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """``starttls``: the connection must become encrypted before anything is said; ``tls``: it is from the beginning."""
    ca_file: Path | None = None
    """Certificates (PEM) by which the server is believed; absent: those of the system."""
    username: str = ""
    """The login at the mail server; empty: without a login."""
    password: Secret | None = None
    """The password of the login."""
    sender: EMailAddress
    """The address that messages come from."""
    recipients: Annotated[tuple[EMailAddress, ...], Field(min_length=1, max_length=50)]
    """The addresses that each message goes to."""

    @field_validator("host")
    @classmethod
    def _a_host(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError(f"{value!r} is not the name or address of a host")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> EMail:
        if bool(self.username) != (self.password is not None):
            raise ValueError("'username' and 'password' belong together: a login needs both")
        if self.username and self.security == "none":
            raise ValueError("a login over a connection that is not encrypted shows the password to everybody")
        return self


class Webhook(ChannelSettings):
    """A POST of JSON to a web address."""

    kind: Literal["webhook"]
    """A channel that posts JSON."""
    url: str
    """``https://…``, or ``http://…`` within a trusted network. Redirects are not followed."""
    secret: Secret | None = None
    """The key of the signature in ``Mercure-Signature``; absent: not signed."""
    token: Secret | None = None
    """Sent as ``Authorization: Bearer …``."""
    ca_file: Path | None = None
    """Certificates (PEM) by which the server is believed; absent: those of the system."""

    @field_validator("url")
    @classmethod
    def _a_url(cls, value: str) -> str:
        if not _PRINTABLE.fullmatch(value):
            raise ValueError("a URL has no spaces, line breaks or letters beyond ASCII")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a URL begins with 'https://' or 'http://' and names a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL with a password in it is shown to all who see the configuration; use 'token'")
        parts.port  # noqa: B018 - raises when it is no port
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Webhook:
        if self.url.startswith("http:") and (self.patient_data or self.token is not None):
            raise ValueError("patient data and tokens go out over 'https://' only")
        return self


Channel = Annotated[EMail | Webhook, Field(discriminator="kind")]
CHANNELS: Final[dict[str, type[ChannelSettings]]] = {"email": EMail, "webhook": Webhook}
"""Every kind of channel and its settings."""


class Wording(Model):
    """How a message is worded: Jinja templates (``docs/reference/notifications.md``); an empty one: the built-in."""

    subject: Annotated[str, Field(max_length=1000)] = ""
    """Template of the subject; empty: the built-in one."""
    text: Annotated[str, Field(max_length=16_000)] = ""
    """Template of the text; empty: the built-in one."""


class NotificationSettings(Model):
    """Channels to people, and the templates of messages."""

    channels: dict[Name, Channel] = {}
    """The ways by which messages are sent, by name."""
    templates: dict[Occasion, Wording] = {}
    """Other words than the built-in ones, by occasion: ``reception`` ``completion`` ``error`` ``request``
    ``alert_raised`` ``alert_cleared`` ``digest`` ``test``."""


class RuleNotifications(Model):
    """Whom a rule notifies: names of channels, by occasion."""

    reception: tuple[Name, ...] = ()
    """A series was received and the rule applies to it."""
    completion: tuple[Name, ...] = ()
    """All that the rule wanted done with a series or study is done."""
    error: tuple[Name, ...] = ()
    """A task of the rule failed for good and waits for a person."""
    request: tuple[Name, ...] = ()
    """A module of the rule requested it (``__mercure_notification``)."""

    def channels_of(self, occasion: RuleOccasion) -> tuple[str, ...]:
        """Return the channels of an occasion."""
        found: tuple[str, ...] = getattr(self, occasion)
        return found

    @property
    def any(self) -> bool:
        """Return whether any channel is named."""
        return bool(self.reception or self.completion or self.error or self.request)
