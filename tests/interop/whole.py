"""``make interop``: everything, and the page ``docs/interoperability.md``."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import warnings
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from tests.interop.judge import Judge
from tests.interop.matrix import Matrix
from tests.interop.receivers import GDCM_PLUGIN, NEEDS_GDCM, RECEIVERS
from tests.interop.report import page
from tests.interop.samples import NAMES, samples
from tests.interop.senders import AS_IT_IS, DCMJS, SENDERS, can_install_dcmjs
from tests.support.memory import memory_folder

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE: Final = Path("docs/interoperability.md")
PROGRAMS: Final = {
    "DCMTK": ("storescp", "--version"),
    "GDCM": ("gdcmconv", "--version"),
    "Orthanc": ("Orthanc", "--version"),
}
PACKAGES: Final = ("pynetdicom", "pydicom", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg")


def main(arguments: list[str]) -> int:
    """Run it; the exit code is 1 when a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("--triples", type=int, default=50, help="how many ways through the router are drawn")
    parser.add_argument("--seed", type=int, default=1, help="of the lot")
    parser.add_argument("--files", default="*", help="names of files, such as 'JPEG*'; no page is then written")
    parser.add_argument("--peers", default="*", help="names of senders and receivers; no page is then written")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    with memory_folder() as folder:
        (folder / "judge").mkdir()
        chosen = tuple(name for name in NAMES if fnmatch(name, options.files))
        matrix = Matrix(folder, Judge(folder / "judge"), samples(folder / "samples", chosen))
        began = monotonic()
        _run(matrix, options)
        troubles = matrix.troubles()
        if not troubles and (options.files, options.peers) == ("*", "*"):
            PAGE.write_text(page(matrix, [each for each in RECEIVERS if _is_there(each.name)], _versions()))
    for trouble in troubles:
        _say(f"WRONG {trouble}")
    cells = len(matrix.brought) + len(matrix.delivered) + len(matrix.triples)
    _say(f"{cells} cells, {len(troubles)} wrong, in {(monotonic() - began) / 60:.0f} min")
    return int(bool(troubles))


def _run(matrix: Matrix, options: argparse.Namespace) -> None:
    for sender in SENDERS:
        if sender.name == AS_IT_IS or fnmatch(sender.name, options.peers):
            if sender.name == DCMJS and not can_install_dcmjs():
                _leave_out(matrix, f"{DCMJS}, which needs node and npm")
            else:
                _step(sender.name, partial(matrix.run_sender, sender))
    receivers = [
        receiver for receiver in RECEIVERS if fnmatch(receiver.name, options.peers) and _is_there(receiver.name)
    ]
    if not _is_there(NEEDS_GDCM):
        _leave_out(matrix, f"{NEEDS_GDCM}: the package orthanc-gdcm is not installed")
    drawn = matrix.drawn(receivers, options.triples, options.seed) if receivers else {}
    for receiver in receivers:
        ways = drawn.get(receiver.name, [])
        _step(receiver.name, partial(matrix.run_receiver, receiver, ways))


def _is_there(receiver: str) -> bool:
    return receiver != NEEDS_GDCM or Path(GDCM_PLUGIN).is_file()


def _leave_out(matrix: Matrix, what: str) -> None:
    matrix.left_out.append(what)
    _say(f"left out: {what}")


def _step(name: str, work: Callable[[], None]) -> None:
    began = monotonic()
    with contextlib.redirect_stdout(io.StringIO()):  # programs show what they wrote when they end
        work()
    _say(f"{name}: {monotonic() - began:.0f} s")


def _versions() -> dict[str, str]:
    found = {}
    for name, command in PROGRAMS.items():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        numbers = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        found[name] = numbers[0] if numbers else ""
    return {**found, **{package: version(package) for package in PACKAGES}}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
