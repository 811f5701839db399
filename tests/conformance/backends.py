"""The kinds of target, each with a real server behind it that can be asked what it has, taken away and brought back."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.support.data_sets import data_set_of
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.orthanc import Orthanc


class Backend(Protocol):
    """One kind of target and the server behind it.

    A new kind adds a class here and a line in `BACKENDS`, and has to pass every test of this folder.
    """

    settings: dict[str, Any]
    """What the configuration says of the target."""

    def data_sets(self) -> list[bytes]:
        """Return the data set of every image that the server has."""

    def entries(self) -> list[str]:
        """Name everything that the server has, images or not."""

    def down(self) -> None:
        """Take the server away."""

    def up(self) -> None:
        """Bring it back, with what it had."""


class FolderBackend:
    """A folder; down means that its mount is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "target"
        self.folder.mkdir()
        self.settings: dict[str, Any] = {"kind": "folder", "path": str(self.folder)}

    def data_sets(self) -> list[bytes]:
        return [data_set_of(path.read_bytes()) for path in self.folder.rglob("*.dcm")]

    def entries(self) -> list[str]:
        return [str(path) for path in self.folder.rglob("*")]

    def down(self) -> None:
        self.folder.rename(self.folder.with_name("away"))

    def up(self) -> None:
        self.folder.with_name("away").rename(self.folder)


class StoreScpBackend:
    """DCMTK's ``storescp``, which writes what it gets bit by bit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "storescp"
        self.port = free_port()
        self._stack = ExitStack()
        self.settings: dict[str, Any] = {
            "kind": "dicom",
            "host": "127.0.0.1",
            "port": self.port,
            "called_aet": "STORESCP",
            "connect_timeout_seconds": 5,
        }
        self.up()

    def data_sets(self) -> list[bytes]:
        return [data_set_of(path.read_bytes()) for path in self.folder.iterdir()]

    def entries(self) -> list[str]:
        return os.listdir(self.folder)

    def down(self) -> None:
        self._stack.close()

    def up(self) -> None:
        options = ("--bit-preserving", "--promiscuous", "--accept-all")
        self._stack.enter_context(storescp(self.folder, *options, port=self.port))


class OrthancBackend:
    """Orthanc, asked over REST. Taken away, it is only halted: it neither answers nor refuses."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.server: Orthanc = self._stack.enter_context(orthanc(folder / "orthanc"))
        self.settings: dict[str, Any] = {
            "kind": "dicom",
            "host": "127.0.0.1",
            "port": self.server.port,
            "called_aet": self.server.aet,
            "connect_timeout_seconds": 1,
            "acse_timeout_seconds": 1,
            "dimse_timeout_seconds": 20,
        }

    def data_sets(self) -> list[bytes]:
        return [data_set_of(self.server.image_bytes(sop)) for sop in self.server.images()]

    def entries(self) -> list[str]:
        return list(self.server.images())

    def down(self) -> None:
        os.kill(self.server.program.pid, signal.SIGSTOP)

    def up(self) -> None:
        os.kill(self.server.program.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self.up()
        self._stack.close()


@contextmanager
def _closing(backend: Any) -> Iterator[Any]:
    try:
        yield backend
    finally:
        getattr(backend, "close", backend.down)()


BACKENDS: Final[dict[str, Callable[[Path], AbstractContextManager[Backend]]]] = {
    "folder": lambda folder: _closing(FolderBackend(folder)),
    "dicom storescp": lambda folder: _closing(StoreScpBackend(folder)),
    "dicom orthanc": lambda folder: _closing(OrthancBackend(folder)),
}


def kinds_covered() -> Sequence[str]:
    """Name the kinds of which a server is here."""
    return sorted({name.split()[0] for name in BACKENDS})
