"""Booting a guest under systemd-nspawn: systemd is PID 1, its own network, the machine's kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.guests.first_files import PIP_CACHE
from tests.guests.lan import SWITCH
from tests.guests.machine import need_inotify
from tests.guests.places import cache

if TYPE_CHECKING:
    from tests.guests.guest import Guest

BUILDS: Final = ("/opt/mercure/dcmtk", "/opt/mercure/programs")
"""What the playbook compiles (``dcmtk_folder``, ``router_folder``): folders of the machine, so each is built
once, also by guests that want it at the same time: its builder holds a lock in the folder."""
_BOOT: Final = Path(__file__).resolve().parent / "boot-nspawn"


def kept_folders(release: str) -> dict[Path, str]:
    """Return the folders of this machine that outlive a guest, and where a guest has them."""
    builds = {cache() / "builds" / release / Path(folder).name: folder for folder in BUILDS}
    return {cache() / "pip": PIP_CACHE, **builds}


def start(guest: Guest) -> None:
    """Boot; the guest is not up yet when this returns."""
    need_inotify()
    device = guest.disk.attach()
    guest.disk.wait_until_free()
    # PID 1 looks once, at its start, whether there is a udev. Without this file it believes there is none, and waits in
    # vain for the device of the data disk.
    udev = guest.folder / "run-udev"
    udev.mkdir(exist_ok=True)
    (udev / "control").touch()
    kept = kept_folders(guest.spec.release)
    for folder in kept:
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"--bind={device}", f"--bind={udev}:/run/udev"]
    options += [f"--bind={outside}:{inside}" for outside, inside in kept.items()]
    command = guest.lan.inside(_BOOT, guest.spec.name, guest.root, guest.group.name, SWITCH, *options)
    guest.group.spawn(command, guest.console)
