"""The programs that receive, ours and the peers, each started the same way in the receiver's namespace."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mercure.spool import Spool
from tests.support.binaries import tool
from tests.support.namespaces import Namespace
from tests.support.ports import free_port, is_listening
from tests.support.processes import running

NODELAY = {"TCP_NODELAY": "1"}


@dataclass(frozen=True)
class Receiver:
    """One receiver that runs.

    Parameters
    ----------
    port : int
        Where it listens.
    done : callable
        Tells how many images are received and their tags extracted.
    clear : callable
        Removes what was received.
    """

    port: int
    done: Callable[[], int]
    clear: Callable[[], None]


@dataclass(frozen=True, eq=False)
class Contender:
    """A way to receive.

    Parameters
    ----------
    name : str
        As the table shows it.
    start : callable
        Starts it in a namespace with a folder of its own.
    most : int
        So many images at the most: a slow one would take all day.
    """

    name: str
    start: Callable[[Namespace, Path], AbstractContextManager[Receiver]]
    most: int = 1_000_000


def _count(folder: Path, suffix: str) -> int:
    return sum(1 for path in folder.rglob(f"*{suffix}") if path.stat().st_size)


def _clear(folder: Path) -> None:
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def ours(durability: str) -> Callable[[Namespace, Path], AbstractContextManager[Receiver]]:
    """Return the start of ``mercure-storescp`` with a durability."""

    @contextmanager
    def start(where: Namespace, folder: Path) -> Iterator[Receiver]:
        spool, port = Spool(folder / "spool"), free_port()
        spool.create()
        settings = {"spool": str(spool.root), "bind": where.address, "port": port, "durability": durability}
        config = folder / "receiver.json"
        config.write_text(json.dumps({"ae_title": "MERCURE", "min_free_bytes": 0, **settings}))
        command = where.command(tool("mercure-storescp"), "--config", config)
        with running(command, ready=lambda program: is_listening(port, pid=program.pid)):
            incoming = spool.root / "incoming"
            yield Receiver(port, lambda: _count(incoming, ".dcm"), lambda: _clear(incoming))

    return start


@dataclass(frozen=True)
class Stock:
    """Stock ``storescp``.

    Parameters
    ----------
    options : tuple of str
        Its options.
    env : mapping
        Its environment beyond ours.
    extract : bool
        Start an extractor for each image, the classic way.
    """

    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    extract: bool = False

    @contextmanager
    def __call__(self, where: Namespace, folder: Path) -> Iterator[Receiver]:
        """Start it."""
        port, received = free_port(), folder / "received"
        received.mkdir(parents=True)
        options: list[str] = [*self.options]
        if self.extract:
            # dcmdump stands for the extractors of other routers: one of DCMTK's programs, which loads its dictionary
            # and stops before the pixel data. An output that is still empty is not counted.
            options += ["--exec-on-reception", "dcmdump -M +sb 7fe0,0010 #p/#f > #p/#f.json"]
        command = where.command("storescp", *options, "--output-directory", received, str(port))
        suffix = ".json" if self.extract else ""
        with running(command, ready=lambda program: is_listening(port, pid=program.pid), env=self.env):
            yield Receiver(port, lambda: _count(received, suffix), lambda: _clear(received))


@contextmanager
def orthanc(where: Namespace, folder: Path) -> Iterator[Receiver]:
    """Start Debian's Orthanc, tuned the same: no Nagle, files synced, four threads for DICOM."""
    port, storage = free_port(), folder / "storage"
    storage.mkdir(parents=True)
    settings = {
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "DicomPort": port,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 4,
        "HttpServerEnabled": False,
        "SyncStorageArea": True,
        "OverwriteInstances": True,
        "Plugins": [],
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    command = where.command("Orthanc", config)
    with running(command, ready=lambda program: is_listening(port, pid=program.pid), env=NODELAY):
        # What Orthanc has acknowledged is in its index; the sender's end is the time that counts.
        yield Receiver(port, lambda: 1_000_000_000, lambda: None)


OURS = Contender("mercure-storescp, durability image", ours("image"))
OURS_UNSYNCED = Contender("mercure-storescp, durability none", ours("none"))
UNTOUCHED = Contender("stock storescp, no settings", Stock(), most=60)
BARE = Contender("storescp --fork --bit-preserving", Stock(("--fork", "--bit-preserving"), NODELAY))
CLASSIC = Contender("storescp --fork + extractor per image", Stock(("--fork",), NODELAY, extract=True), most=200)
ORTHANC = Contender("Orthanc", orthanc, most=400)
