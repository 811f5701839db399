"""Senders: the machines that send images, each by its AE titles and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from mercure.config.alerts import SenderSilence
from mercure.config.basics import BYTES_MOST, AETitle, Name, Port, ae_title
from mercure.config.character_sets import CharacterSet
from mercure.config.completion import CompletionTimes
from mercure.model import Model

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""Addresses of IPv4, written as ones of IPv6 (RFC 4291 section 2.5.5.2)."""


def _address_or_network(text: str) -> str:
    _network(text)
    return text


AddressOrNetwork = Annotated[str, AfterValidator(_address_or_network)]

ReceivedSyntaxes = Literal["as-the-sender-holds-it", "uncompressed"]
"""Which of the transfer syntaxes that a sender proposes for a presentation context is taken."""


class Sender(Model):
    """A machine (or a group of machines) that counts as one sender.

    Without an entry, each AE title at each address is a sender of its own.
    """

    ae_titles: tuple[AETitle, ...] = ()
    """Calling AE titles; empty: any."""
    addresses: tuple[AddressOrNetwork, ...] = ()
    """Addresses (`10.0.3.17`) or networks (`10.0.3.0/24`) that it sends from; empty: any."""
    certificate_subject: str = ""
    """The subject of the certificate that it must show over TLS (`CN=ct1,O=Hospital`), or one of the names in it
    (`ct1.hospital.example`); empty: it needs none. Nobody else is taken for it, whatever AE title and address."""
    called_aets: tuple[AETitle, ...] = ()
    """AE titles by which it may call; empty: as for all."""
    disabled: bool = False
    """``true``: it is rejected, whatever `receiver.access` says."""
    max_associations: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Quota: associations at the same time; the next one is rejected for now. Absent: as for all."""
    max_images_per_second: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Quota: images per second, on the average of a minute; images beyond it are refused with 0xA700. Absent: none."""
    max_bytes_per_day: Annotated[int, Field(ge=1, le=BYTES_MOST)] | None = None
    """Quota: bytes that are kept within a day of UTC; further images are refused with 0xA700. Absent: none."""

    transfer_syntaxes: ReceivedSyntaxes | None = None
    """As in `receiver`, for this sender; absent: as there."""

    character_set: CharacterSet = ""
    """As in `receiver`, for this sender; empty: as there."""
    completion: CompletionTimes | None = None
    """When its series are complete; the whole of it replaces the times of `completion` and of its exceptions. Absent:
    as there, and the router may learn a longer time after the release."""
    silence: SenderSilence | None = None
    """When it is silent for too long, over all its addresses; goes before `alerts.silence.senders`. Absent: as there,
    and else by the habit of each machine."""
    comment: str = ""
    """For people."""
    contact: str = ""
    """Who is called when something is wrong with it."""
    port: Port | None = None
    """TCP port on which it listens itself, for an echo back. Absent: that of a target at its address, or 104."""

    @model_validator(mode="after")
    def _says_something(self) -> Sender:
        if not self.ae_titles and not self.addresses and not self.certificate_subject:
            raise ValueError("give 'ae_titles', 'addresses' or both: with neither it would be every sender")
        return self

    def matches(self, calling_aet: str, address: str) -> bool:
        """Return whether an association by this AE title from this address is of this sender, as far as these say.

        Whether it showed the certificate only the receiver knows, which keeps the name with each image.
        """
        if not self.ae_titles and not self.addresses:
            return False
        if self.ae_titles and ae_title(calling_aet) not in self.ae_titles:
            return False
        if not self.addresses:
            return True
        return is_in(self.addresses, address)

    def overlaps(self, other: Sender) -> bool:
        """Return whether some AE title and address, with some certificate, could be of both."""
        if (
            self.certificate_subject
            and other.certificate_subject
            and self.certificate_subject != other.certificate_subject
        ):
            return False
        titles = not self.ae_titles or not other.ae_titles or set(self.ae_titles) & set(other.ae_titles)
        return bool(titles) and (not self.addresses or not other.addresses or self._share_an_address(other))

    def _share_an_address(self, other: Sender) -> bool:
        theirs = [_network(text) for text in other.addresses]
        return any(_overlap(_network(text), network) for text in self.addresses for network in theirs)


def is_in(networks: Iterable[str], address: str) -> bool:
    """Return whether an address is one of these addresses, or in one of these networks."""
    found = _address(address)
    return found is not None and any(found in _network(text) for text in networks)


def is_address(text: str) -> bool:
    """Return whether a text is a numeric address, IPv4 or IPv6."""
    return _address(text) is not None


def is_loopback(bind: str) -> bool:
    """Return whether only this machine can reach an address on which senders are heard."""
    address = _address(bind)
    return address is not None and address.is_loopback


def sender_of(senders: Mapping[Name, Sender], calling_aet: str, address: str) -> str:
    """Name the sender of an association.

    Parameters
    ----------
    senders : mapping of str to Sender
        Those of the configuration.
    calling_aet, address : str
        By which AE title, and from where.

    Returns
    -------
    str
        Its name in the configuration, or ``AET@address``: no name has an ``@``.
    """
    title = ae_title(calling_aet)
    found = next((name for name, sender in senders.items() if sender.matches(title, address)), None)
    return f"{title}@{plain_address(address)}" if found is None else found


def character_set_of(senders: Mapping[Name, Sender], general: str, calling_aet: str, address: str) -> str:
    """Return the character set that is assumed for a sender, as the receiver does; empty: none."""
    title = ae_title(calling_aet)
    found = next((sender for sender in senders.values() if sender.matches(title, address)), None)
    return (found.character_set if found is not None else "") or general


def overlapping(senders: Mapping[Name, Sender]) -> Iterator[tuple[Name, Name]]:
    """Yield the pairs of senders that could both be meant."""
    for (first, one), (second, other) in combinations(senders.items(), 2):
        if one.overlaps(other):
            yield first, second


def plain_address(address: str) -> str:
    """Return how an address is written; one of IPv4 that came as one of IPv6 is the one of IPv4."""
    found = _address(address)
    return address.strip() if found is None else str(found)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    """Read an address; one of IPv4 that is written as one of IPv6 is the same address."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=4096)
def _network(text: str) -> Network:
    """Read an address or a network; one of IPv4 that is written as one of IPv6 is the same, as in `_address`."""
    try:
        network = ip_network(text)
        if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
            return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen))
        return network
    except ValueError as error:
        raise ValueError(f"{text!r} is no address and no network such as '10.0.3.0/24' ({error})") from error


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)
