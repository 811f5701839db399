"""``make power-cuts``: so many cuts, half of them on ext4 and half on XFS."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final

from tests.crash.power.cuts import PowerCuts
from tests.oracle.judge import KINDS
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from tests.support.disks import Filesystem

ALONE: Final = "MERCURE_POWER_CUTS_ALONE"
FILESYSTEMS: Final[tuple[Filesystem, ...]] = ("ext4", "xfs")


def main() -> None:
    """Cut, and print one line for each file system; a lost image ends it with the names of what is lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--filesystem", choices=FILESYSTEMS, action="append")
    parser.add_argument("--goes-on", action="store_true", help="go on when something is found, to see what else is")
    options = parser.parse_args()
    if ALONE not in os.environ:
        # In a mount namespace of its own: see `CuttableDisk.mount`.
        command = ["unshare", "--mount", sys.executable, "-m", "tests.crash.power", *sys.argv[1:]]
        sys.exit(subprocess.run(command, env={**os.environ, ALONE: "yes"}, check=False).returncode)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    # The services write their log there; after a cut each of them has much to complain about.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    filesystems = options.filesystem or FILESYSTEMS
    for filesystem in filesystems:
        began = monotonic()
        with memory_folder() as folder:
            cuts = PowerCuts(folder, filesystem, options.seed, goes_on=options.goes_on)
            try:
                with cuts.running():
                    report = cuts.cut(options.cuts // len(filesystems))
            except AssertionError as error:
                out.write(f"{filesystem}: FAILED after {cuts.report.cuts} cuts: {cuts.report.trouble or error}\n")
                sys.exit(1)
        found = ", ".join(f"{report.verdicts.get(kind, 0)} {kind}" for kind in KINDS)
        out.write(
            f"{filesystem}: {report.cuts} power cuts, {report.wrong_clocks} boots under a wrong clock, "
            f"{report.damaged} images destroyed by the disk, "
            f"{report.acknowledged} images acknowledged: {found}; "
            f"settled and verified {report.settled} times, in {monotonic() - began:.0f} s\n"
        )
        if report.trouble:
            out.write(f"{filesystem}: {report.trouble}\n")


if __name__ == "__main__":
    main()
