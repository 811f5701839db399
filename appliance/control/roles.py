"""Who may what: the caller as the kernel knows it, and the role by Unix groups."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.control.api.base import ROLES, Role
from appliance.control.identity import login_name, user_name

GROUPS: Final[dict[Role, str]] = {role: f"mercure-{role}" for role in ROLES}
"""The Unix group of each role."""

_CREDENTIALS: Final = struct.Struct("3i")

GroupsOf = Callable[[int], frozenset[str]]


@dataclass(frozen=True)
class Peer:
    """The process at the other end, as the kernel knew it when it connected (``SO_PEERCRED`` in unix(7))."""

    pid: int
    uid: int
    gid: int

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """Ask the kernel."""
        return cls(
            *_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        )


@dataclass(frozen=True)
class Caller:
    """Who asks, and in which role; None: may nothing."""

    user: str
    uid: int
    role: Role | None

    def may(self, needed: Role) -> bool:
        """Tell whether a role is his, or below his."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(needed)


def groups_of(uid: int) -> frozenset[str]:
    """Return which of our groups a user is in by the system's database: who was taken out has lost the role at once."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    numbers = set(os.getgrouplist(user.pw_name, user.pw_gid))
    return frozenset(name for name in GROUPS.values() if _number(name) in numbers)


def _number(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def viewers_group() -> int | None:
    """Return the number of the group that may open the socket; None where it does not exist."""
    return _number(GROUPS["viewer"])


def identify(peer: Peer, owner: int, groups: GroupsOf = groups_of) -> Caller:
    """Tell who a peer is.

    The highest group counts, but for the group of the status page: who is in that may no more than the page needs, even
    if the files of the socket and releases before this role ask for the viewers' group, too.

    root and the owner of the router are admins, also without any group: they could write its files anyway. Behind them
    (by sudo) may be somebody else, who is audited by the name of the login.

    Parameters
    ----------
    peer : Peer
        Who connected.
    owner : int
        The user as whom the router runs.
    groups : callable
        Returns the groups of ours in which a user is.
    """
    if peer.uid in (0, owner):
        return Caller(login_name(Path(f"/proc/{peer.pid}/loginuid"), peer.uid), peer.uid, "admin")
    mine = groups(peer.uid)
    role = "page" if GROUPS["page"] in mine else next((role for role in reversed(ROLES) if GROUPS[role] in mine), None)
    return Caller(user_name(peer.uid), peer.uid, role)
