"""What is laid into a bare root file system before its first boot: what an installer and a cable would have done."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.guests.lan import GATEWAY, PROXY_PORT
from tests.guests.registries import INDEX_SETTING, pip_settings

if TYPE_CHECKING:
    from tests.guests.spec import Spec

USER: Final = "anna"
"""Who installed Debian: may become root without a password. The test inventory names her as an admin."""
HOME: Final = Path("/", "home", USER)
NIC: Final = "host0"
DISK_LINK: Final = "disk/by-id/data-ssd0"
DISK_SERIAL: Final = "SSD0"
SECOND_SERIAL: Final = "SSD1"
CERTIFICATES: Final = "etc/ssl/test-registries.crt"
_HERE: Final = Path(__file__).resolve().parent / "root"


def lay_out(root: Path, spec: Spec, public_key: str, disk: Path) -> None:
    """Write everything.

    Parameters
    ----------
    root
        The unpacked root file system.
    spec
        Name and address of the guest.
    public_key
        The key that gets in.
    disk
        The loop device that stands for its data disk under systemd-nspawn.
    """
    shutil.copytree(_HERE, root, dirs_exist_ok=True)
    _link_unit(root, "guest-kernel-settings.service")
    for path, text in (_identity(spec) | _network(spec) | _disk_names(disk) | _registries(root)).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    _user(root, public_key)
    # mmdebstrap empties apt's lists, but leaves them a new date, and a play that asks their age would believe it.
    os.utime(root / "var/lib/apt/lists", (0, 0))


def _link_unit(root: Path, unit: str) -> None:
    wants = root / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")


def _identity(spec: Spec) -> dict[str, str]:
    return {
        "etc/hostname": f"{spec.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n",
        "etc/machine-id": "",
    }


def _network(spec: Spec) -> dict[str, str]:
    interface = f"auto {NIC}\niface {NIC} inet static\n  address {spec.address}/24\n  gateway {GATEWAY}\n"
    return {
        "etc/network/interfaces": f"auto lo\niface lo inet loopback\n\n{interface}",
        "etc/resolv.conf": "",
        # The same name under its own kernel, where the card is a virtio one.
        f"etc/systemd/network/10-{NIC}.link": f"[Match]\nDriver=virtio_net\n\n[Link]\nName={NIC}\n",
    }


def _disk_names(disk: Path) -> dict[str, str]:
    rules = (
        f'SUBSYSTEM=="block", KERNEL=="{disk.name}", SYMLINK+="{DISK_LINK}"',
        f'SUBSYSTEM=="block", ENV{{DEVTYPE}}=="disk", ENV{{ID_SERIAL_SHORT}}=="{DISK_SERIAL}", SYMLINK+="{DISK_LINK}"',
        f'SUBSYSTEM=="block", ENV{{DEVTYPE}}=="partition", ENV{{ID_SERIAL_SHORT}}=="{DISK_SERIAL}", '
        f'SYMLINK+="{DISK_LINK}-part%n"',
    )
    return {"etc/udev/rules.d/61-data-ssd.rules": "\n".join(rules) + "\n"}


def _registries(root: Path) -> dict[str, str]:
    proxy = f"http://{GATEWAY}:{PROXY_PORT}"
    settings = pip_settings()
    pip = f"[global]\nproxy = {proxy}\ndisable-pip-version-check = true\ncache-dir = {PIP_CACHE}\n"
    if settings.index:
        pip += f"{INDEX_SETTING} = {settings.index}\n"
    if settings.certificates is not None:
        (root / CERTIFICATES).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(settings.certificates, root / CERTIFICATES)
        pip += f"cert = /{CERTIFICATES}\n"
    return {
        "etc/apt/apt.conf.d/00test-registries": f'Acquire::http::Proxy "{proxy}";\nAcquire::Languages "none";\n',
        "etc/pip.conf": pip,
    }


PIP_CACHE: Final = "/var/cache/test-pip"
"""A folder of the machine, so that a second guest downloads nothing again."""


def _user(root: Path, public_key: str) -> None:
    home = root / HOME.relative_to("/")
    for file, line in (
        ("etc/passwd", f"{USER}:x:1000:1000::{HOME}:/bin/bash"),
        ("etc/shadow", f"{USER}:*:20000:0:99999:7:::"),
        ("etc/group", f"{USER}:x:1000:"),
        ("etc/gshadow", f"{USER}:!::"),
    ):
        with (root / file).open("a") as accounts:
            accounts.write(f"{line}\n")
    (root / "etc/sudoers.d" / USER).write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    (root / "etc/sudoers.d" / USER).chmod(0o440)
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh/authorized_keys").write_text(f"{public_key}\n")
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(path, 1000, 1000)
