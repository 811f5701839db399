"""A computer in one of the networks of the lab: the guests as they look from outside."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.guests.lan import NETWORKS, STATIONS, Lan
from tests.guests.spec import patience

if TYPE_CHECKING:
    from tests.guests.places import Lab

SECONDS: Final = 120.0


@dataclass(frozen=True)
class Station:
    """One computer."""

    lab: Lab
    network: str
    """A key of `NETWORKS`."""

    @property
    def address(self) -> str:
        """Its address."""
        return STATIONS.get(self.network) or NETWORKS[self.network].partition("/")[0]

    def run(self, *command: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command there, to its end, whatever that is; ``seconds`` are those of a guest at full speed."""
        words = (str(word) for word in Lan(self.lab).at(self.network, *command))
        return _run(*words, seconds=seconds * patience(self.lab))

    def ssh(self, guest: str, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Log in to a guest, or try to; ``options`` are ssh's, and win over the configuration of the lab."""
        return _run(
            "ssh", *options, "-F", str(self.lab.ssh_config), guest, *words, seconds=SECONDS * patience(self.lab)
        )


def _run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
    )
