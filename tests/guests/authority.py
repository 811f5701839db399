"""An authority that gives certificates by ACME (RFC 8555), on the test network: ``pebble`` from Debian.

It asks the guests for what they promise on port 80, by names that it alone knows: the test network has no name server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.guests.cgroups import Group
from tests.guests.commands import run, succeeds
from tests.guests.lan import NETWORKS, Lan
from tests.guests.spec import Spec
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.places import Lab

ADDRESS: Final = NETWORKS["administration"].partition("/")[0]
PORT: Final = 14000
MANAGEMENT_PORT: Final = 15000
DOMAIN: Final = "hospital.test"
"""The guests are known to it as NAME.DOMAIN."""
_OWN_HOSTS: Final = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass(frozen=True)
class Authority:
    """The authority of one lab."""

    lab: Lab

    @property
    def folder(self) -> Path:
        """All its files; ``ca.pem`` is what it is known by."""
        return self.lab.folder / "authority"

    def start(self) -> None:
        """Start it, unless it runs. It must know the guests by then."""
        group = Group(f"{self.lab.id}/authority")
        if group.is_populated():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._certify()
        specs = [Spec.load(file) for file in sorted(self.lab.folder.glob("*/guest.json"))]
        hosts = self.folder / "hosts"
        hosts.write_text("".join(f"{spec.address} {spec.name}.{DOMAIN}\n" for spec in specs))
        settings = {
            "listenAddress": f"{ADDRESS}:{PORT}",
            "managementListenAddress": f"{ADDRESS}:{MANAGEMENT_PORT}",
            "certificate": str(self.folder / "server.pem"),
            "privateKey": str(self.folder / "server.key"),
            "httpPort": 80,
            "tlsPort": 443,
        }
        config = self.folder / "config.json"
        config.write_text(json.dumps({"pebble": settings}))
        pebble = ("env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "pebble", "-config", config)
        lan = Lan(self.lab)
        command = lan.inside("unshare", "--mount", "sh", "-c", _OWN_HOSTS, "sh", hosts, *pebble)
        group.spawn(command, self.lab.folder / "authority.log")
        wait_until(
            lambda: succeeds(*lan.inside("nc", "-z", ADDRESS, str(PORT))),
            seconds=30,
            what=f"the authority; see {self.lab.folder}/authority.log",
        )

    def _certify(self) -> None:
        """Make what the authority itself is known by: it speaks HTTPS as any other server."""
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
        folder = self.folder
        run("openssl", "req", "-x509", *key, "-subj", "/CN=test authority", "-keyout", folder / "ca.key",
            "-out", folder / "ca.pem")  # fmt: skip
        run("openssl", "req", "-x509", *key, "-subj", f"/CN={ADDRESS}", "-addext", f"subjectAltName=IP:{ADDRESS}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-keyout", folder / "server.key", "-out", folder / "server.pem")  # fmt: skip
