"""Two network namespaces joined by a veth pair: a real network, with nobody else on it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.permission import command_or_skip
from tests.support.processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.processes import Running

PREFIX = 24
CABLE = "cable"
SENDER, RECEIVER = "10.99.0.1", "10.99.0.2"


@dataclass(frozen=True)
class Namespace:
    """One end. It lives as long as the process that holds it."""

    holder: int
    address: str

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """Return a command that runs ``arguments`` inside."""
        return ("nsenter", f"--net={self._path}", "--", *arguments)

    def run(self, *arguments: str) -> None:
        """Run a short command inside, which must succeed: ``ip``, ``tc``, ``nft``."""
        result = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, f"{' '.join(arguments)}: {result.stderr.strip()}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread be inside for the length of a block: a socket that it makes there stays there."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self._path, "rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    @property
    def _path(self) -> str:
        return f"/proc/{self.holder}/ns/net"

    # --- what befalls the cable at this end

    def pull(self) -> None:
        """Pull the cable: nothing goes through, and nobody is told."""
        self.run("ip", "link", "set", CABLE, "down")

    def plug(self) -> None:
        """Plug it in again."""
        self.run("ip", "link", "set", CABLE, "up")

    def narrow(self, rate: str) -> None:
        """Let no more than a rate (``8mbit``) leave at this end, by a token bucket."""
        queue = ("burst", "32kb", "latency", "200ms")
        self.run("tc", "qdisc", "replace", "dev", CABLE, "root", "tbf", "rate", rate, *queue)

    def widen(self) -> None:
        """Take that back."""
        self.run("tc", "qdisc", "del", "dev", CABLE, "root")

    def drop(self, *what: str) -> None:
        """Drop what leaves at this end and fits (``tcp sport 104``), without a word."""
        self.run("nft", "add", "table", "inet", "faults")
        self.run("nft", "add chain inet faults out { type filter hook output priority 0; }")
        self.run("nft", "add", "rule", "inet", "faults", "out", *what, "drop")

    def drop_nothing(self) -> None:
        """Let everything through again."""
        self.run("nft", "delete", "table", "inet", "faults")


@dataclass(frozen=True)
class NamespacePair:
    """Both ends; each reaches the other by its address, and nothing else but its own loopback."""

    sender: Namespace
    receiver: Namespace


@contextmanager
def namespace_pair() -> Iterator[NamespacePair]:
    """Make two namespaces and the cable between them; both vanish at the end of the block.

    The namespaces have no names (``ip netns add``), only a process each that holds them: whatever happens, nothing
    of them outlives the test, and parallel tests use the same addresses without noticing each other.
    """
    purpose = "making network namespaces"
    command_or_skip(["unshare", "--net", "true"], purpose=purpose)
    with ExitStack() as stack:
        ends = []
        for address in (SENDER, RECEIVER):
            holder = stack.enter_context(running(["unshare", "--net", "sleep", "infinity"], ready=_is_inside))
            ends.append(Namespace(holder.pid, address))
        sender, receiver = ends
        cable = ("ip", "link", "add", CABLE, "type", "veth", "peer", CABLE, "netns", str(receiver.holder))
        command_or_skip(sender.command(*cable), purpose=purpose)
        for end in ends:
            for step in (
                ("address", "add", f"{end.address}/{PREFIX}", "dev", CABLE),
                ("link", "set", CABLE, "up"),
                ("link", "set", "lo", "up"),
            ):
                command_or_skip(end.command("ip", *step), purpose=purpose)
        yield NamespacePair(sender, receiver)


def _is_inside(holder: Running) -> bool:
    ours = Path("/proc/self/ns/net").readlink()
    return Path(f"/proc/{holder.pid}/ns/net").readlink() != ours


def _enter(namespace: int) -> None:
    """Go into a network namespace, this thread alone (``os.setns`` is in Python from 3.12 on)."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
