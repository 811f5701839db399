"""Loops of a configuration: targets by which the router would send images to itself, or write into its own folders."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from mercure.config.models import Config, Receiver
from mercure.model import ConfigProblem
from mercure.names import place_of

Address = IPv4Address | IPv6Address

_HOSTS: Final = Path("/etc/hosts")
_PROC: Final = Path("/proc/self")
_LOCAL_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_MOST_LINKS: Final = 40
"""As many symbolic links as the kernel follows in one path."""

_REMOTE: Final = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "autofs", "lustre", "glusterfs", "beegfs")
"""Prefixes of file system types that may hang; nothing of ours is there, and none of them is accessed."""


@dataclass(frozen=True)
class OwnHost:
    """The names and addresses of this machine, found without asking a name server.

    Parameters
    ----------
    proc : Path
        ``/proc/self``, whose ``net`` lists the addresses of this network namespace.
    hosts : Path
        ``/etc/hosts``.
    name : str
        The host's own name.
    """

    proc: Path = _PROC
    hosts: Path = _HOSTS
    name: str = field(default_factory=socket.gethostname)

    @cached_property
    def addresses(self) -> frozenset[Address]:
        """The addresses of all interfaces."""
        return frozenset((*self._ipv4(), *self._ipv6()))

    @cached_property
    def names(self) -> Mapping[str, frozenset[Address]]:
        """The names of this machine with their addresses; none for a name that leads to every address of it."""
        own = (*_LOCAL_NAMES, self.name.lower(), self.name.lower().partition(".")[0])
        found: dict[str, set[Address]] = {name: set() for name in own if name}
        for address, names in self._listed():
            for name in names:
                if name in found or self.has(address):
                    found.setdefault(name, set()).add(address)
        return {name: frozenset(filter(self.has, addresses)) for name, addresses in found.items()}

    def has(self, address: Address) -> bool:
        """Return whether packets to an address stay on this machine."""
        address = _plain(address)
        return address.is_loopback or address.is_unspecified or address in self.addresses

    def addresses_of(self, host: str) -> frozenset[Address] | None:
        """Return the addresses of this machine that a host stands for; none: any of them; None: another machine."""
        host = host.lower().rstrip(".")
        try:
            address = ip_address(_dotted(host.strip("[]")))
        except ValueError:
            return self.names.get(host)
        return frozenset({_plain(address)}) if self.has(address) else None

    def _listed(self) -> Iterator[tuple[Address, list[str]]]:
        for line in _lines(self.hosts):
            words = line.partition("#")[0].lower().split()
            try:
                yield ip_address(words[0]), words[1:]
            except (IndexError, ValueError):
                continue

    def _ipv4(self) -> Iterator[Address]:
        """Read the kernel's table of routes: below each local address it says ``host LOCAL``."""
        address = ""
        for line in _lines(self.proc / "net/fib_trie"):
            words = line.split()
            if words[:1] == ["|--"]:
                address = words[1]
            elif words[1:] == ["host", "LOCAL"] and address:
                yield IPv4Address(address)

    def _ipv6(self) -> Iterator[Address]:
        for line in _lines(self.proc / "net/if_inet6"):
            yield IPv6Address(bytes.fromhex(line.split()[0]))


def _dotted(host: str) -> str:
    """Write a short form of an IPv4 address (``127.1``, ``0x7f000001``, ``0``) in full, as ``connect`` reads it."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return host


def _plain(address: Address) -> Address:
    """Return the IPv4 address that stands in an IPv6 one."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def real_path(path: Path, remote: Iterable[Path] = ()) -> Path:
    """Follow the symbolic links of a path, also where its end is missing; a remote file system is not accessed.

    `os.path.realpath` would wait for a file server that is away, and every service with it.
    """
    left, found, links = list(reversed((Path.cwd() / path).parts[1:])), Path("/"), 0
    beyond = set(remote)
    while left:
        part = left.pop()
        if part == "..":
            found = found.parent
            continue
        found /= part
        if found in beyond:
            return Path(os.path.normpath(found.joinpath(*reversed(left))))
        try:
            target = os.readlink(found)
        except OSError:
            continue  # no link, or not there
        links += 1
        if links > _MOST_LINKS:
            return found
        found = Path("/") if target.startswith("/") else found.parent
        left += reversed([word for word in target.split("/") if word not in ("", ".")])
    return found


def remote_mounts(proc: Path = _PROC) -> frozenset[Path]:
    """Return where file systems of other machines are mounted."""
    found = set()
    for line in _lines(proc / "mountinfo"):
        words = line.split()
        if "-" in words and words[words.index("-") + 1].startswith(_REMOTE):
            found.add(Path(words[4].encode().decode("unicode_escape")))
    return frozenset(found)


def loop_problems(config: Config, root: Path, spool: Path, host: OwnHost | None = None) -> list[ConfigProblem]:
    """Find the targets that lead back to the router.

    Parameters
    ----------
    config : Config
        What is to be used.
    root, spool : Path
        The router's own folder, and that of its spool.
    host : OwnHost, optional
        This machine.
    """
    host = host or OwnHost()
    return [*_own_address(config, host), *_own_folders(config, root, spool)]


def _own_address(config: Config, host: OwnHost) -> Iterator[ConfigProblem]:
    for name, settings in config.targets.items():
        node = settings.node()
        if node is None or not config.receiver.listens_on(node[1]):
            continue
        addresses = host.addresses_of(node[0])
        if addresses is not None and _is_heard(config.receiver, addresses):
            text = f"{place_of(*node)} is this router itself: every image would come back and be sent again"
            advice = "name another node; for a second round of rules use one rule with a module, or another router"
            yield ConfigProblem(f"targets.{name}.host", text, advice)


def _is_heard(receiver: Receiver, addresses: frozenset[Address]) -> bool:
    """Return whether the receiver listens at one of these addresses of this machine; none of them: any."""
    try:
        bound = _plain(ip_address(receiver.bind))
    except ValueError:
        return True
    if not addresses or bound.is_unspecified:
        return True
    return bound in addresses or (bound.is_loopback and any(address.is_unspecified for address in addresses))


def _own_folders(config: Config, root: Path, spool: Path) -> Iterator[ConfigProblem]:
    folders = {name: folder for name, settings in config.targets.items() if (folder := settings.folder()) is not None}
    if not folders:
        return
    remote = remote_mounts()
    own = {
        "the spool": spool,
        "the configuration": root / "config",
        "the log files": root / "log",
        "the sockets": root / "run",
        "the backups": root / "backup",
        "the history": _history_file(config, root),
    }
    real = {what: real_path(path, remote) for what, path in own.items()}
    marks = {mark: what for what, path in real.items() for mark in _marks(path, deep=what == "the spool")}
    for name, folder in folders.items():
        there = real_path(folder, remote)
        found = next((what for what, path in real.items() if there.is_relative_to(path)), None)
        mark = None if any(map(there.is_relative_to, remote)) else _mark(there)
        found = found or (marks.get(mark) if mark else None)
        place, advice = f"targets.{name}.path", "name a folder of its own for delivered images"
        if found:
            yield ConfigProblem(place, f"{folder} is in {found} of this router ({own[found]})", advice)
            continue
        # Further up nothing of ours can be met: what is delivered goes into folders named by UIDs.
        inside = next((what for what, path in real.items() if path.parent == there), None)
        if inside:
            yield ConfigProblem(place, f"{folder} contains {inside} of this router ({own[inside]})", advice)


def _history_file(config: Config, root: Path) -> Path:
    url = config.history.url
    return Path(url.removeprefix("sqlite:///")) if url and url.startswith("sqlite:////") else root / "history.db"


def _mark(path: Path) -> tuple[int, int] | None:
    """Return what tells a folder whatever the path: a bind mount has the device and inode of its source."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None


def _marks(path: Path, *, deep: bool) -> Iterator[tuple[int, int]]:
    """Return the marks of a folder, and on request of those in it."""
    try:
        below = [Path(entry.path) for entry in os.scandir(path)] if deep else []
    except OSError:
        below = []
    yield from (mark for each in (path, *below) if (mark := _mark(each)) is not None)
