"""Traffic to a guest, started and judged from outside of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests.guests.archive import Archive
from tests.guests.cgroups import Group
from tests.guests.commands import GuestError
from tests.guests.lan import SCANNERS
from tests.guests.traffic import acknowledged, senders, under_way
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.guest import Guest
    from tests.guests.spec import Spec

DICOM_PORT: Final = 104
FIRST_IMAGES: Final = 40
IMAGES_OF_EACH: Final = 20
ANSWER_SECONDS: Final = 30
"""How long a scanner waits for an answer."""
STANDSTILL_SECONDS: Final = 180.0
"""Without one image more. Longer than the longest pause between two attempts at a target."""


def account(guest: Guest) -> Path:
    """Return the file with what a guest has acknowledged."""
    return guest.lab.folder / f"acknowledged-{guest.spec.name}"


def _group(guest: Guest) -> Group:
    return Group(f"{guest.lab.id}/traffic-{guest.spec.name}")


def traffic_on(guest: Guest) -> None:
    """Start to send, and wait until images are acknowledged."""
    before = len(acknowledged(account(guest)))
    timeout = str(ANSWER_SECONDS * guest.spec.patience)
    words = (guest.spec.address, str(DICOM_PORT), ",".join(SCANNERS), account(guest), timeout)
    command = guest.lan.inside(sys.executable, "-m", "tests.guests.traffic", *words)
    _group(guest).spawn(command, guest.lab.folder / f"traffic-{guest.spec.name}.log")
    wait_until(
        lambda: len(acknowledged(account(guest))) >= before + FIRST_IMAGES,
        seconds=120 * guest.spec.patience,
        what=f"{guest.spec.name} to acknowledge {FIRST_IMAGES} images",
    )


def traffic_goes_on(guest: Guest) -> None:
    """Wait until each scanner has got more images acknowledged."""
    before = senders(account(guest))

    def each_got_on() -> bool:
        now = senders(account(guest))
        return all(now[scanner] >= before[scanner] + IMAGES_OF_EACH for scanner in SCANNERS)

    wait_until(
        each_got_on,
        seconds=180 * guest.spec.patience,
        what=f"each scanner to have {IMAGES_OF_EACH} more images acknowledged",
    )


def traffic_off(guest: Guest) -> None:
    """Stop in the middle of whatever is being sent."""
    _group(guest).kill()


def cut(guest: Guest) -> None:
    """Cut its power, and tell how many images that took by surprise."""
    guest.cut()
    sys.stdout.write(f"{guest.spec.name}: {len(under_way(account(guest)))} images were under way when its power went\n")


def all_arrived(guest: Guest) -> None:
    """Wait until the archive has all that the guest acknowledged.

    Raises
    ------
    GuestError
        Nothing was acknowledged, so that this would prove nothing; or images are missing in the end.
    """
    wanted = acknowledged(account(guest))
    if not wanted:
        raise GuestError(f"{guest.spec.name} has acknowledged nothing: send something first")
    archive = Archive(guest.lab)
    missing = wanted - archive.images()
    while missing:
        # A long queue takes its time; one that stands still has lost what is missing.
        missing = _after_more_arrived(archive, wanted, missing, guest.spec)
    sys.stdout.write(f"{guest.spec.name}: {len(wanted)} images acknowledged, all of them at the archive\n")


def _after_more_arrived(archive: Archive, wanted: set[str], missing: set[str], guest: Spec) -> set[str]:
    """Wait until less is missing than was, and return what still is."""
    try:
        wait_until(
            lambda: len(wanted - archive.images()) < len(missing),
            seconds=STANDSTILL_SECONDS * guest.patience,
            what="the next image",
        )
    except GuestError:
        some = sorted(missing)[:5]
        text = f"{len(missing)} of {len(wanted)} images that {guest.name} acknowledged did not arrive: {some}"
        raise GuestError(text) from None
    return wanted - archive.images()


def some_missing(guest: Guest) -> None:
    """See that images which were acknowledged are not at the archive yet: who has them is the one that is away.

    Raises
    ------
    GuestError
        None is missing, so that nothing would be proved when it is back.
    """
    wanted, there = acknowledged(account(guest)), Archive(guest.lab).images()
    if wanted <= there:
        raise GuestError(f"all {len(wanted)} images are at the archive already: the lost node had none")
    sys.stdout.write(f"{guest.spec.name}: {len(wanted - there)} of {len(wanted)} acknowledged images are missing\n")
