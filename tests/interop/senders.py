"""The senders of the matrix: each sends one file over one association of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import AE, _config

from tests.support.orthanc import orthanc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.interop.sample import Sample

SECONDS: Final = 30
DONE: Final = "done"
DIMSE: Final = Path(__file__).parent / "dimse"

Send = "Callable[[Sample], None]"


@dataclass(frozen=True)
class Sender:
    """Someone who sends: `open` is given a folder and the port of the router, and gives what sends a file."""

    name: str
    open: Callable[[Path, int], AbstractContextManager[Callable[[Sample], None]]]


@contextmanager
def _command(program: tuple[str, ...], _folder: Path, port: int) -> Iterator[Callable[[Sample], None]]:
    def send(sample: Sample) -> None:
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [*program, "127.0.0.1", str(port), sample.path], capture_output=True, timeout=SECONDS, check=False
            )

    yield send


@contextmanager
def _pynetdicom(as_it_is: bool, _folder: Path, port: int) -> Iterator[Callable[[Sample], None]]:
    def send(sample: Sample) -> None:
        entity = AE(ae_title="PYNETDICOM")
        entity.add_requested_context(sample.sop_class, sample.syntax)
        association = entity.associate("127.0.0.1", port, ae_title="MERCURE")
        try:
            with warnings.catch_warnings(), suppress(Exception):  # what it cannot send is told by what is on the wire
                warnings.simplefilter("ignore")
                association.send_c_store(sample.path)
        finally:
            association.release()

    before = _config.STORE_SEND_CHUNKED_DATASET
    _config.STORE_SEND_CHUNKED_DATASET = as_it_is
    try:
        yield send
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before


@contextmanager
def _orthanc(folder: Path, port: int) -> Iterator[Callable[[Sample], None]]:
    settings = {"DicomModalities": {"router": ["MERCURE", "127.0.0.1", port]}, "DicomScuTimeout": SECONDS}
    with orthanc(folder, settings) as node:

        def send(sample: Sample) -> None:
            with suppress(AssertionError):  # an answer that is no 2xx: it cannot read or send the file
                there = json.loads(node.request("POST", "/instances", sample.path.read_bytes()))["ID"]
                try:
                    node.request("POST", "/modalities/router/store", there.encode())
                finally:
                    node.request("DELETE", f"/instances/{there}")

        yield send


@contextmanager
def _dcmjs(folder: Path, port: int) -> Iterator[Callable[[Sample], None]]:
    programs = folder / "dimse"
    shutil.copytree(DIMSE, programs, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=programs, check=True, capture_output=True, timeout=300)
    started: list[subprocess.Popen[str]] = []

    def process() -> subprocess.Popen[str]:
        if not started or started[-1].poll() is not None:
            pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen(["node", "send.js", str(port)], cwd=programs, text=True, **pipes))
        return started[-1]

    def send(sample: Sample) -> None:
        node = process()
        assert node.stdin is not None
        assert node.stdout is not None
        node.stdin.write(f"{sample.path}\n")
        node.stdin.flush()
        for line in node.stdout:  # it ends where the program does
            if line.startswith(DONE):
                return

    try:
        yield send
    finally:
        for node in started:
            node.kill()
            node.communicate()


STORESCU: Final = ("storescu", "--no-halt", "--aetitle", "STORESCU", "--call", "MERCURE")
STORESCU_OPTIONS: Final = (
    "",
    "-xe",
    "-xb",
    "-xi",
    "-xs",
    "-xy",
    "-xx",
    "-xv",
    "-xw",
    "-xt",
    "-xu",
    "-xr",
    "-xm",
    "-xn",
    "-x4",
)
DCMSEND: Final = ("dcmsend", "--no-uid-checks", "--aetitle", "DCMSEND", "--call", "MERCURE")
AS_IT_IS: Final = "pynetdicom"
DCMJS: Final = "dcmjs-dimse"

SENDERS: Final = (
    Sender(AS_IT_IS, partial(_pynetdicom, True)),
    Sender("pynetdicom, written anew", partial(_pynetdicom, False)),
    Sender("dcmsend", partial(_command, DCMSEND)),
    *(
        Sender(f"storescu {option}".strip(), partial(_command, (*STORESCU, *([option] if option else []))))
        for option in STORESCU_OPTIONS
    ),
    Sender("Orthanc", _orthanc),
    Sender(DCMJS, _dcmjs),
)
"""The first one sends files byte by byte as they are: what it brings is what goes on to the receivers."""


def can_install_dcmjs() -> bool:
    """Tell whether this machine has what its sender needs."""
    return shutil.which("node") is not None and shutil.which("npm") is not None
