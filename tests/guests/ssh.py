"""Reaching the guests of a lab by SSH: one key, and one configuration file that everybody uses (``ssh -F``)."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.guests.commands import run
from tests.guests.first_files import USER
from tests.guests.lan import Lan
from tests.guests.spec import specs

if TYPE_CHECKING:
    from tests.guests.places import Lab
    from tests.guests.spec import Spec


def make_key(lab: Lab) -> None:
    """Make the key pair, unless it is there."""
    if not lab.key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "molecule", "-f", lab.key)


def public_key(lab: Lab) -> str:
    """Return the public half."""
    return lab.key.with_suffix(".pub").read_text().strip()


def write_config(lab: Lab) -> None:
    """Write how to reach each guest there is.

    A guest is made anew at every run, so its host key proves nothing and is not kept. The connection is asked for life
    signs, because a reboot does not close it.
    """
    inside = " ".join(str(word) for word in Lan(lab).inside("nc", "%h", "%p"))
    text = (
        f"Host *\n  User {USER}\n  IdentityFile {lab.key}\n  IdentitiesOnly yes\n  BatchMode yes\n"
        f"  ProxyCommand {inside}\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
        "  ServerAliveCountMax 4\n"
    )
    for spec in specs(lab):
        text += (
            f"Host {spec.name}\n  HostName {spec.address}\n"
            f"  ConnectTimeout {20 * spec.patience}\n  ServerAliveInterval {5 * spec.patience}\n"
        )
    lab.ssh_config.write_text(text)


def ask(lab: Lab, guest: Spec, command: str, *, seconds: float) -> str:
    """Run a command on a guest and return what it printed; empty where it could not be reached.

    Parameters
    ----------
    lab
        The lab of the guest.
    guest
        Its name, and how patient to be.
    command
        As a shell takes it.
    seconds
        How long it may take in a container.
    """
    try:
        done = subprocess.run(
            ["ssh", "-F", lab.ssh_config, "-o", f"ConnectTimeout={5 * guest.patience}", guest.name, command],
            capture_output=True,
            text=True,
            timeout=seconds * guest.patience,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout
