"""Stock DCMTK programs as peers: ``storescp`` to receive, ``dcmsend`` to send."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.ports import free_port, is_listening
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class StoreScp:
    """A running ``storescp``, and the folder into which it writes one file for each image."""

    port: int
    aet: str
    folder: Path
    program: Running

    def files(self) -> list[Path]:
        """Return the files received so far, by name."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())


KEEP_EACH_TRY = "--unique-filenames"
"""Option of `storescp` for nodes that lose connections: by itself it removes what broke off by the name of the image,
which the next try may have filled meanwhile, and was told Success for."""


@contextmanager
def storescp(
    folder: Path,
    *options: str,
    port: int | None = None,
    aet: str = "STORESCP",
    prefix: tuple[str | Path, ...] = (),
) -> Iterator[StoreScp]:
    """Run stock ``storescp``; it listens when the block begins.

    Parameters
    ----------
    folder
        Where it writes; made when it is missing.
    options
        More options, such as ``--fork``, ``--bit-preserving`` or ``--abort-after``.
    port
        Its port; default: a free one. Give the port of a server that ended to bring it back.
    aet
        Its AE title. It answers to any.
    prefix
        Put before the command, as :meth:`tests.support.namespaces.Namespace.command` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = port or free_port()
    command: list[str | Path] = ["storescp", "--output-directory", folder, "--aetitle", aet, *options, str(number)]
    with running([*prefix, *command], ready=lambda program: is_listening(number, pid=program.pid)) as program:
        yield StoreScp(number, aet, folder, program)


@dataclass(frozen=True)
class SendReport:
    """How a run of ``dcmsend`` ended; its exit code is 0 when all images were sent and all were taken."""

    code: int
    output: str


def dcmsend(
    address: str,
    port: int,
    files: Iterable[Path],
    *options: str,
    calling: str = "DCMSEND",
    called: str = "ANY-SCP",
    seconds: float = 60.0,
    prefix: tuple[str | Path, ...] = (),
) -> SendReport:
    """Send images with stock ``dcmsend`` over one association, and wait for it.

    Parameters
    ----------
    address, port
        Where to.
    files
        The files to send.
    options
        More options of ``dcmsend``.
    calling, called
        The AE titles.
    seconds
        A time limit for the whole run.
    prefix
        Put before the command, as :meth:`tests.support.namespaces.Namespace.command` does.
    """
    command = [*prefix, "dcmsend", "--verbose", "--no-uid-checks", "--aetitle", calling, "--call", called, *options]
    result = subprocess.run(
        [*command, address, str(port), *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    return SendReport(result.returncode, result.stdout)


@contextmanager
def dcmqrscp(folder: Path, *options: str, aet: str = "QRSCP") -> Iterator[StoreScp]:
    """Run stock ``dcmqrscp``, an archive with a small database that stores and answers queries.

    Parameters
    ----------
    folder
        Where its configuration and database go; made when it is missing.
    options
        More options of ``dcmqrscp``.
    aet
        Its AE title.
    """
    database = folder / "database"
    database.mkdir(parents=True)
    number = free_port()
    configuration = folder / "dcmqrscp.cfg"
    table = f"AETable BEGIN\n{aet} {database} RW (10, 64mb) ANY\nAETable END\n"
    sizes = f"NetworkTCPPort = {number}\nMaxPDUSize = 16384\nMaxAssociations = 8\n"
    configuration.write_text(f"{sizes}HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n{table}")
    command: list[str | Path] = ["dcmqrscp", "--config", configuration, *options]
    with running(command, ready=lambda program: is_listening(number, pid=program.pid)) as program:
        yield StoreScp(number, aet, database, program)
