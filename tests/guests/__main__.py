"""The commands on test guests: ``python -m tests.guests SCENARIO COMMAND ...``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING

from tests.guests import image, sources
from tests.guests.archive import Archive
from tests.guests.authority import Authority
from tests.guests.cgroups import Group
from tests.guests.commands import GuestError
from tests.guests.guest import Guest
from tests.guests.lan import Lan
from tests.guests.places import Lab, labs
from tests.guests.sending import all_arrived, cut, some_missing, traffic_goes_on, traffic_off, traffic_on
from tests.guests.spec import Spec
from tests.guests.suite import run_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ON_A_GUEST: dict[str, tuple[str, Callable[[Guest], object]]] = {
    "start": ("boot it, where it is down", Guest.start),
    "off": ("shut it down in order", Guest.switch_off),
    "kill": ("end it without a word", Guest.kill),
    "cut": ("cut its power: what was not synced to the data disk is lost", cut),
    "to-vm": ("boot the same disks again, emulated, with Debian's own kernel", Guest.to_vm),
    "destroy": ("remove it", Guest.destroy),
    "traffic-on": ("send images to it, on and on, and keep account of those that it acknowledges", traffic_on),
    "traffic-goes-on": ("wait until each scanner has got more images acknowledged", traffic_goes_on),
    "traffic-off": ("stop sending", traffic_off),
    "archive-off": ("end the archive, so that the spool fills", lambda guest: Archive(guest.lab).stop()),
    "archive-on": ("start it again, with what it had", lambda guest: Archive(guest.lab).start()),
    "some-missing": ("see that images that were acknowledged are not at the archive yet", some_missing),
    "tests": ("copy the sources into it and run our own tests there (MERCURE_GUEST_TESTS)", run_suite),
    "all-arrived": ("wait until the archive has every image that was acknowledged", all_arrived),
}


def remove(lab: Lab) -> None:
    """Remove everything of a scenario, whatever state it is in."""
    for folder in sorted({disk.parent for disk in lab.folder.glob("*/*.img")}):
        # Also a guest whose creation was interrupted before it was written down.
        Guest(lab, Spec(folder.name, "10.66.0.254")).destroy()
    Lan(lab).down()
    Group(lab.id).kill()
    shutil.rmtree(lab.folder, ignore_errors=True)


_ON_A_LAB: dict[str, tuple[str, Callable[[Lab], object]]] = {
    "where": ("print the folder of the scenario", lambda lab: sys.stdout.write(f"{lab.folder}\n")),
    "snapshot": ("copy this checkout, for the guests to run", sources.snapshot),
    "before": (
        "unpack the version before this one (MERCURE_BEFORE, else the newest ancestor of another release)",
        sources.before,
    ),
    "archive": ("start the archive that images are delivered to", lambda lab: Archive(lab).start()),
    "authority": ("start the authority that gives certificates by ACME", lambda lab: Authority(lab).start()),
    "clean": ("remove everything of the scenario", remove),
    "registries-off": ("cut the guests off from all package registries", lambda lab: Lan(lab).close_registries()),
    "registries-on": ("let them reach the registries again", lambda lab: Lan(lab).open_registries("bookworm")),
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(prog="python -m tests.guests", description=__doc__)
    whole.add_argument("scenario", help="the scenario that the guests belong to; 'all' with 'clean'")
    commands = whole.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a bare Debian and boot it")
    create.add_argument("name")
    create.add_argument("address")
    create.add_argument("--release", default="bookworm")
    create.add_argument("--disk", default="8G", metavar="SIZE")
    create.add_argument("--second", default="", metavar="SIZE", help="of a second data disk, for an emulated guest")
    fetch = commands.add_parser("image", help="make the root file system and the kernel of a release, for later")
    fetch.add_argument("--release", default="bookworm")
    for name, (text, _) in _ON_A_GUEST.items():
        commands.add_parser(name, help=text).add_argument("name")
    for name, (text, _) in _ON_A_LAB.items():
        commands.add_parser(name, help=text)
    return whole


def perform(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    lab = Lab(arguments.scenario)
    command = arguments.command
    if command == "create":
        spec = Spec(arguments.name, arguments.address, arguments.release, arguments.disk, arguments.second)
        Guest(lab, spec).create()
    elif command == "image":
        image.root_archive(arguments.release)
        image.kernel(arguments.release)
    elif command in _ON_A_GUEST:
        _ON_A_GUEST[command][1](Guest.named(lab, arguments.name))
    else:
        for each in labs() if arguments.scenario == "all" else [lab]:
            _ON_A_LAB[command][1](each)


def main(arguments: Sequence[str]) -> int:
    """Perform one command; 0 when it is done, 1 when it failed."""
    parsed = parser().parse_args(arguments)
    if os.geteuid() != 0:
        sys.stderr.write("only root can boot guests\n")
        return 1
    try:
        perform(parsed)
    except GuestError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
