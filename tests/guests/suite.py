"""Our own tests in a guest: on the Python, the DCMTK and the kernel settings of a Debian that this machine is not.

MERCURE_GUEST_TESTS='tests/unit tests/tui -k name' python -m tests.guests debian13 tests router1
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Final

from tests.guests.commands import GuestError, run

if TYPE_CHECKING:
    from tests.guests.guest import Guest

WANTED: Final = "MERCURE_GUEST_TESTS"
"""Environment variable: arguments of pytest, as a shell takes them."""

USUAL: Final = "tests/unit tests/integration"
FOLDER: Final = "/opt/checkout"
_UNPACK: Final = f"rm -rf {FOLDER} && mkdir -p {FOLDER} && tar -C {FOLDER} --no-same-owner -x"
_TRACK: Final = (
    "git init -q . && git add -A && git -c user.name=guest -c user.email=guest@example.org commit -qm snapshot"
)


def script(wanted: str) -> str:
    """Return what sets the sources up in the guest and runs tests there.

    Parameters
    ----------
    wanted
        Arguments of pytest.
    """
    arguments = shlex.join(shlex.split(wanted))
    # Some tests look at what git tracks; the copy has no history.
    return f"cd {FOLDER} && tools/setup test && {_TRACK} && .venv/bin/python -m pytest -n 2 -m 'not slow' {arguments}"


def run_suite(guest: Guest) -> None:
    """Copy the sources that were snapshot into a guest, and run tests there as root; what they say goes on as it comes.

    Raises
    ------
    GuestError
        A test failed, or it did not come to that.
    """
    source = guest.lab.folder / "source"
    if not source.is_dir():
        raise GuestError(f"there are no sources at {source}: `snapshot` copies them")
    archive = guest.lab.folder / "tests.tar"
    run("tar", "-C", source, "-cf", archive, ".")
    ssh = ("ssh", "-F", str(guest.lab.ssh_config), guest.spec.name)
    with archive.open("rb") as packed:
        subprocess.run([*ssh, f"sudo sh -c {shlex.quote(_UNPACK)}"], stdin=packed, check=True, timeout=600)
    archive.unlink()
    command = f"sudo bash -c {shlex.quote(script(os.environ.get(WANTED, USUAL)))}"
    # Without a limit: how long they take is theirs, and each test has a limit of its own.
    done = subprocess.run([*ssh, command], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise GuestError(f"the tests in {guest.spec.name} ended with {done.returncode}")
