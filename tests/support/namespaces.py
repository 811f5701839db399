"""Two network namespaces joined by a veth pair: a real network, with nobody else on it."""

from __future__ import annotations

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
SENDER, RECEIVER = "10.99.0.1", "10.99.0.2"


@dataclass(frozen=True)
class Namespace:
    """One end. It lives as long as the process that holds it."""

    holder: int
    address: str

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """Return a command that runs ``arguments`` inside."""
        return ("nsenter", f"--net=/proc/{self.holder}/ns/net", "--", *arguments)


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
        cable = ("ip", "link", "add", "cable", "type", "veth", "peer", "cable", "netns", str(receiver.holder))
        command_or_skip(sender.command(*cable), purpose=purpose)
        for end in ends:
            for step in (
                ("address", "add", f"{end.address}/{PREFIX}", "dev", "cable"),
                ("link", "set", "cable", "up"),
                ("link", "set", "lo", "up"),
            ):
                command_or_skip(end.command("ip", *step), purpose=purpose)
        yield NamespacePair(sender, receiver)


def _is_inside(holder: Running) -> bool:
    ours = Path("/proc/self/ns/net").readlink()
    return Path(f"/proc/{holder.pid}/ns/net").readlink() != ours
