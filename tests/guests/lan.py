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
"""The gateway's address in each network. A guest is in the first; the others are behind its gateway."""
STATIONS: Final = {"scanners": "10.66.1.2", "strangers": "10.66.3.2"}
"""Networks with a computer of their own, for programs that cannot choose the address they call from; and that."""
SCANNERS: Final = ("10.66.1.11", "10.66.1.12", "10.66.1.13", "10.66.1.14")
"""Addresses of scanners: a proxy that keeps each at one router tells them apart by these."""
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

    def at(self, network: str, *command: str | Path) -> tuple[str | Path, ...]:
        """Return a command that runs on a computer in one of the networks."""
        if network not in STATIONS:
            return self.inside(*command)
        return ("nsenter", f"--net={self.namespace}-{network}", "--", *command)

    def _add_station(self, network: str) -> None:
        station, gateway = f"{self.lab.id}-{network}", NETWORKS[network].partition("/")[0]
        run("ip", "netns", "add", station)
        for step in (
            f"-netns {self.lab.id} link add {network} type veth peer name uplink netns {station}",
            f"-netns {self.lab.id} link set {network} master {SWITCH} up",
            f"-netns {station} address add {STATIONS[network]}/24 dev uplink",
            f"-netns {station} link set lo up",
            f"-netns {station} link set uplink up",
            f"-netns {station} route add default via {gateway}",
        ):
            run("ip", *step.split())

    def up(self) -> None:
        """Make what is missing of it."""
        if not self.namespace.exists():
            run("ip", "netns", "add", self.lab.id)
            steps = [f"link add {SWITCH} type bridge", "link set lo up", f"link set {SWITCH} up"]
            steps += [f"address add {address} dev {SWITCH}" for address in NETWORKS.values()]
            steps += [f"address add {address}/24 dev {SWITCH}" for address in SCANNERS]
            for step in steps:
                run("ip", "-netns", self.lab.id, *step.split())
            run(*self.inside("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))
        for network in STATIONS:
            if not Path(f"{self.namespace}-{network}").exists():
                self._add_station(network)

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
        for network in STATIONS:
            if Path(f"{self.namespace}-{network}").exists():
                run("ip", "netns", "delete", f"{self.lab.id}-{network}")
        if self.namespace.exists():
            run("ip", "netns", "delete", self.lab.id)
