"""Filters that find mistakes in an inventory before anything is changed."""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

_OF_ANSIBLE: Final = re.compile(r"ansible_|molecule_|site_")
"""Keys of Ansible and of molecule; ``site_`` is left to the people who write an inventory."""

_OF_EVERY_HOST: Final = re.compile(
    r"(environment|group_names|groups|hostvars|inventory_(dir|file|hostname|hostname_short)|omit|play_hosts|playbook_dir"
    r"|role_names?|roles?_path|vars)$"
)
_KEY_TYPES: Final = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-")


def unknown_keys(given: Iterable[str], specs: Mapping[str, Any]) -> list[str]:
    """Name the keys of a host that no role knows, each with what it may have been meant to be.

    Parameters
    ----------
    given : iterable of str
        The keys that the inventory sets for a host.
    specs : mapping
        For each role its ``argument_specs``.
    """
    known = {name for spec in specs.values() for name in spec["argument_specs"]["main"].get("options", {})}
    problems = []
    for key in sorted(given):
        if key in known or _OF_EVERY_HOST.match(key) or _OF_ANSIBLE.match(key):
            continue
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
        # The same letters in another order are the likeliest slip.
        near.sort(key=lambda name: sorted(name) != sorted(key))
        problems.append(f"{key} is no key of the playbook" + (f"; did you mean {near[0]}?" if near else ""))
    return problems


def role_specs(roles: str) -> dict[str, Any]:
    """Read the ``argument_specs`` of every role in a folder."""
    import yaml  # noqa: PLC0415 - Ansible has it; the tests of the rest run without

    found = sorted(Path(roles).glob("*/meta/argument_specs.yml"))
    return {path.parents[1].name: yaml.safe_load(path.read_text()) for path in found}


def roles_that_judge(roles: str) -> list[str]:
    """Name the roles in a folder that judge the ranges of their settings (``tasks/judge.yml``)."""
    return sorted(path.parents[1].name for path in Path(roles).glob("*/tasks/judge.yml"))


def bad_networks(texts: Iterable[Any]) -> list[str]:
    """Name what is no address and no range of addresses (``192.0.2.0/24``, ``2001:db8::/32``)."""
    problems = []
    for text in texts:
        try:
            ipaddress.ip_network(str(text), strict=True)
        except ValueError as error:
            problems.append(str(error))
    return problems


def of_version(networks: Iterable[Any], version: int) -> list[str]:
    """Return the ranges of IPv4 or of IPv6 only."""
    return [str(text) for text in networks if ipaddress.ip_network(str(text)).version == version]


def bad_ssh_keys(people: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the people whose SSH keys are missing or are none."""
    problems = []
    for person in people:
        keys = person.get("ssh_keys") or []
        if not keys:
            problems.append(f"{person.get('name')} has no SSH key and could not log in")
        problems += [f"{person.get('name')}: {key[:20]!r}… is no public SSH key" for key in keys if not _is_key(key)]
    return problems


def _is_key(text: str) -> bool:
    """Tell whether a line is a public key: its type, and the same type at the beginning of what is encoded."""
    words = text.split()
    if len(words) < 2 or not words[0].startswith(_KEY_TYPES):  # noqa: PLR2004 - type and content
        return False
    try:
        content = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return False
    return content[4 : 4 + len(words[0])] == words[0].encode()


def in_networks(address: str, networks: Iterable[Any]) -> bool:
    """Tell whether an address is in one of the ranges; one that is written oddly is in none."""
    try:
        place = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(place, "ipv4_mapped", None)
    return any((mapped or place) in ipaddress.ip_network(str(text)) for text in networks)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names under which templates use them."""
        return {
            "bad_networks": bad_networks,
            "bad_ssh_keys": bad_ssh_keys,
            "in_networks": in_networks,
            "of_version": of_version,
            "role_specs": role_specs,
            "roles_that_judge": roles_that_judge,
            "unknown_keys": unknown_keys,
        }
