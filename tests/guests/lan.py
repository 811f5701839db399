"""The test network of a scenario: a namespace with a switch, several networks on it, and no way out but the proxy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.guests import registry_proxy
from tests.guests.cgroups import Group
from tests.guests.commands import run, succeeds
from tests.guests.places import Lab, cache
from tests.guests.registries import registry_hosts
from tests.guests.waiting import wait_until

SWITCH: Final = "switch"
GATEWAY: Final = "10.66.0.1"
NETWORKS: Final = {
    "administration": f"{GATEWAY}/24",
    "scanners": "10.66.1.1/24",
    "archives": "10.66.2.1/24",
    "strangers": "10.66.3.1/24",
}
"""Where a station may sit: its address in each network. A guest is in the first; the others are behind its gateway."""
PROXY_PORT: Final = 3128


@dataclass(frozen=True)
class Lan:
    """The network of one lab."""

    lab: Lab

    @property
    def namespace(self) -> Path:
        """The file of the network namespace."""
        return Path("/run/netns") / self.lab.id

    @property
    def _proxy(self) -> Group:
        return Group(f"{self.lab.id}/proxy")

    def inside(self, *command: str | Path) -> tuple[str | Path, ...]:
        """Return a command that runs as a station on the switch."""
        return ("nsenter", f"--net={self.namespace}", "--", *command)

    def up(self) -> None:
        """Make what is missing of it."""
        if not self.namespace.exists():
            run("ip", "netns", "add", self.lab.id)
            steps = [f"link add {SWITCH} type bridge", "link set lo up", f"link set {SWITCH} up"]
            steps += [f"address add {address} dev {SWITCH}" for address in NETWORKS.values()]
            for step in steps:
                run("ip", "-netns", self.lab.id, *step.split())

    def open_registries(self, release: str) -> None:
        """Start the proxy to the registries, unless it runs."""
        if self._proxy.is_populated():
            return
        self._proxy.spawn(
            [
                sys.executable,
                registry_proxy.__file__,
                self.lab.id,
                GATEWAY,
                str(PROXY_PORT),
                cache() / "debs",
                *registry_hosts(release),
            ],
            self.lab.folder / "proxy.log",
        )
        wait_until(
            lambda: succeeds(*self.inside("nc", "-z", GATEWAY, str(PROXY_PORT))),
            seconds=30,
            what=f"the registry proxy; see {self.lab.folder}/proxy.log",
        )

    def close_registries(self) -> None:
        """End the proxy: the guests are alone then."""
        self._proxy.kill()

    def down(self) -> None:
        """Remove the network; the guests must be gone."""
        self.close_registries()
        if self.namespace.exists():
            run("ip", "netns", "delete", self.lab.id)
