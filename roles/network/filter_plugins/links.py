"""Filters for addresses: what is wrong with the links of an inventory, and the files that make them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}")
_NOTE: Final = "# Made by the playbook (role network, network_links); a change here is lost.\n"

Link = Mapping[str, Any]


def link_problems(links: Iterable[Link], interfaces: Iterable[str]) -> list[str]:
    """Say what is wrong with links.

    Parameters
    ----------
    links : iterable of mapping
        ``network_links`` of the inventory.
    interfaces : iterable of str
        The NICs of the host.
    """
    links, there = list(links), set(interfaces)
    problems = list(_twice(links))
    for link in links:
        problems += _about_name(link, links, there)
        problems += _about_addresses(link)
    return problems


def _twice(links: list[Link]) -> Iterator[str]:
    used = [link["name"] for link in links] + [nic for link in links for nic in link.get("bond") or []]
    yield from sorted(f"{name} is used twice" for name in set(used) if used.count(name) > 1)
    addresses = [text for link in links for text in link.get("addresses") or []]
    yield from sorted(f"{text} is given twice" for text in set(addresses) if addresses.count(text) > 1)
    gateways = [_version(link["gateway"]) for link in links if link.get("gateway")]
    if len(gateways) != len(set(gateways)):
        yield "there is more than one gateway of a kind"


def _about_name(link: Link, links: list[Link], there: set[str]) -> Iterator[str]:
    name, bond = link["name"], link.get("bond") or []
    if not _NAME.fullmatch(name):
        yield f"{name!r} is no name of a link"
    needed = bond or [name]
    for nic in needed:
        if nic not in there:
            yield f"there is no NIC {nic}; there are {', '.join(sorted(there - {'lo'}))}"


def _about_addresses(link: Link) -> Iterator[str]:
    name, texts, networks = link["name"], link.get("addresses") or [], []
    if bool(link.get("dhcp")) == bool(texts):
        yield f"{name} needs either addresses or dhcp: true"
    for text in texts:
        try:
            networks.append(ipaddress.ip_interface(text).network)
        except ValueError:
            yield f"{text!r} is no address"
            continue
        if "/" not in text:
            yield f"{text} needs the length of its network, such as {text}/24"
    gateway = link.get("gateway")
    if not gateway:
        return
    if link.get("dhcp"):
        yield f"{name} has its gateway by DHCP"
    elif _version(gateway) is None:
        yield f"{gateway!r} is no address"
    elif not any(ipaddress.ip_address(gateway) in network for network in networks):
        yield f"the gateway {gateway} is in no network of {name}"


def _version(text: str) -> int | None:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return None


def link_files(links: Iterable[Link], manager: str) -> dict[str, str]:
    """Return the files that make these links, by their path.

    Parameters
    ----------
    links : iterable of mapping
        ``network_links`` of the inventory, without problems.
    manager : str
        ``ifupdown`` or ``networkd``.
    """
    if manager == "ifupdown":
        return {"/etc/network/interfaces": _interfaces(links)}
    folder = "/etc/systemd/network/05-mercure-"
    return {f"{folder}{name}": text for link in links for name, text in _units(link).items()}


def _interfaces(links: Iterable[Link]) -> str:
    stanzas = ["auto lo\niface lo inet loopback\n"]
    for link in links:
        stanzas.append(f"auto {link['name']}\n")
        # What belongs to the link as a whole stands at its first stanza.
        rest = _bond_options(link)
        for family, kind, lines in _stanzas(link):
            stanzas[-1] += f"iface {link['name']} {family} {kind}\n" + "".join(f"    {line}\n" for line in lines + rest)
            rest = []
    return _NOTE + "\n".join(stanzas)


def _bond_options(link: Link) -> list[str]:
    if not link.get("bond"):
        return []
    mode = link.get("bond_mode", "active-backup")
    lines = [f"bond-slaves {' '.join(link['bond'])}", f"bond-mode {mode}", "bond-miimon 100"]
    return [*lines, "bond-xmit-hash-policy layer3+4", "bond-lacp-rate fast"] if mode == "802.3ad" else lines


def _stanzas(link: Link) -> Iterator[tuple[str, str, list[str]]]:
    if link.get("dhcp"):
        yield "inet", "dhcp", []
        return
    gateway = link.get("gateway")
    for text in link["addresses"]:
        address, lines = ipaddress.ip_interface(text), [f"address {text}"]
        if gateway and ipaddress.ip_address(gateway) in address.network:
            lines.append(f"gateway {gateway}")
            gateway = None
        yield "inet" if address.version == 4 else "inet6", "static", lines  # noqa: PLR2004 - IPv4


def _units(link: Link) -> dict[str, str]:
    name, bond = link["name"], link.get("bond") or []
    lines = ["DHCP=yes"] if link.get("dhcp") else [f"Address={text}" for text in link["addresses"]]
    lines += [f"Gateway={link['gateway']}"] if link.get("gateway") else []
    network = "".join(f"{line}\n" for line in lines)
    units = {f"{name}.network": f"{_NOTE}[Match]\nName={name}\n\n[Network]\n{network}"}
    if bond:
        mode = link.get("bond_mode", "active-backup")
        more = "TransmitHashPolicy=layer3+4\nLACPTransmitRate=fast\n" if mode == "802.3ad" else ""
        kind = f"[Bond]\nMode={mode}\nMIIMonitorSec=100ms\n{more}"
        units[f"{name}.netdev"] = f"{_NOTE}[NetDev]\nName={name}\nKind=bond\n\n{kind}"
        units[f"{name}-members.network"] = f"{_NOTE}[Match]\nName={' '.join(bond)}\n\n[Network]\nBond={name}\n"
    return units


def link_addresses(links: Iterable[Link]) -> list[str]:
    """Return the addresses of links, without the length of their networks."""
    return [text.partition("/")[0] for link in links for text in link.get("addresses") or []]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names under which templates use them."""
        return {"link_addresses": link_addresses, "link_files": link_files, "link_problems": link_problems}
