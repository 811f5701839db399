"""The receivers of the matrix: what each takes, and what it has got."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pynetdicom import AE, AllStoragePresentationContexts, evt

from tests.interop import syntaxes
from tests.interop.judge import Arrival
from tests.interop.refusals import Node
from tests.interop.sample import Sample
from tests.support.dcmtk import storescp
from tests.support.orthanc import orthanc
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

GDCM_PLUGIN: Final = "/usr/share/orthanc/plugins/libOrthancGdcm.so"
NEEDS_GDCM: Final = "Orthanc, GDCM"
UNCOMPRESSED: Final = frozenset([syntaxes.IMPLICIT, syntaxes.EXPLICIT, syntaxes.BIG_ENDIAN])
KNOWN_TO_DCMTK: Final = frozenset(syntaxes.NAMES) - {
    *(syntaxes.GE_BIG_ENDIAN, *syntaxes.OF_VENDORS, syntaxes.DEFLATED_FRAMES),
    *(syntaxes.HTJ2K, syntaxes.HTJ2K_RPCL, syntaxes.HTJ2K_LOSSY, syntaxes.JPIP),
    *(syntaxes.JPEG_LOSSLESS, syntaxes.JPEG_SPECTRAL, syntaxes.JPEG_PROGRESSIVE),
}
CLASSES: Final = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)


@dataclass(frozen=True)
class Running:
    """A receiver that runs: its port, and what gives (and forgets) what came."""

    port: int
    take: Callable[[], list[Arrival]]


@dataclass(frozen=True)
class Receiver:
    """Someone who receives.

    Parameters
    ----------
    name
        For the matrix.
    node
        What it takes.
    open
        Is given a folder, and runs it.
    family
        The table in which it stands.
    settings
        The ``transfer_syntaxes`` of it as our target.
    """

    name: str
    node: Node
    open: Callable[[Path], AbstractContextManager[Running]]
    family: str
    settings: tuple[str, ...] = ("as-needed",)


def _arrival(path: Path, content: bytes) -> Arrival:
    path.write_bytes(content)
    sample = Sample("", path)
    return Arrival(sample.instance, sample.syntax, sample.data_set)


@contextmanager
def _storescp(options: tuple[str, ...], folder: Path) -> Iterator[Running]:
    with storescp(folder / "got", *options) as node:

        def take() -> list[Arrival]:
            found = [_arrival(folder / "one", path.read_bytes()) for path in node.files()]
            for path in node.files():
                path.unlink()
            return found

        yield Running(node.port, take)


@contextmanager
def _orthanc(settings: Mapping[str, object], folder: Path) -> Iterator[Running]:
    with orthanc(folder, {"OverwriteInstances": True, **settings}) as node:

        def take() -> list[Arrival]:
            found = []
            for number in node.get("/instances"):
                found.append(_arrival(folder / "one", node.request("GET", f"/instances/{number}/file")))
                node.request("DELETE", f"/instances/{number}")
            return found

        yield Running(node.port, take)


@dataclass
class _Got:
    arrivals: list[Arrival] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: Any) -> int:
        request = event.request
        arrival = Arrival(
            str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax), request.DataSet.getvalue()
        )
        with self.lock:
            self.arrivals.append(arrival)
        return 0x0000

    def take(self) -> list[Arrival]:
        with self.lock:
            found, self.arrivals = self.arrivals, []
        return found


@contextmanager
def _pynetdicom(taken: tuple[str, ...], _folder: Path) -> Iterator[Running]:
    entity, got, port = AE(ae_title="ONLY"), _Got(), free_port()
    for sop_class in CLASSES:
        entity.add_supported_context(sop_class, list(taken))
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, got.store)])
    assert server is not None
    try:
        yield Running(port, got.take)
    finally:
        server.shutdown()


def _of_dcmtk(option: str, *more: str) -> Receiver:
    name = f"storescp {option}".strip()
    node = Node(frozenset(more) | (UNCOMPRESSED if option != "+xi" else {syntaxes.IMPLICIT}))
    return Receiver(name, node, partial(_storescp, (option,) if option else ()), "storescp")


def _of_orthanc(name: str, *taken: str, **settings: object) -> Receiver:
    accepted = {"AcceptedTransferSyntaxes": list(taken)} if taken else {}
    node = Node(frozenset(taken) or KNOWN_TO_DCMTK)
    return Receiver(name, node, partial(_orthanc, {**accepted, **settings}), "Orthanc")


def _of_one(syntax: str) -> Receiver:
    name = syntaxes.NAMES[syntax]
    return Receiver(f"{name} only", Node(frozenset([syntax])), partial(_pynetdicom, (syntax,)), "one syntax")


def _that_asks(syntax: str) -> Receiver:
    node = Node(frozenset([syntax]), frozenset([syntax]))
    name = f"{syntaxes.NAMES[syntax]}, asked for"
    return Receiver(name, node, partial(_pynetdicom, (syntax,)), "asked for", (syntax,))


RECEIVERS: Final = (
    _of_dcmtk(""),
    _of_dcmtk("+xi"),
    _of_dcmtk("+xe"),
    _of_dcmtk("+xb"),
    _of_dcmtk("+xs", syntaxes.JPEG_LOSSLESS_1),
    _of_dcmtk("+xy", syntaxes.JPEG_BASELINE),
    _of_dcmtk("+xx", syntaxes.JPEG_EXTENDED),
    _of_dcmtk("+xr", syntaxes.RLE),
    _of_dcmtk("+xt", syntaxes.JPEG_LS),
    _of_dcmtk("+xu", syntaxes.JPEG_LS_NEAR),
    _of_dcmtk("+xv", syntaxes.JPEG_2000),
    _of_dcmtk("+xw", syntaxes.JPEG_2000_LOSSY),
    _of_dcmtk("+xd", syntaxes.DEFLATED),
    _of_dcmtk("+xm", syntaxes.MPEG2),
    _of_dcmtk("+xa", *KNOWN_TO_DCMTK),
    _of_orthanc("Orthanc"),
    _of_orthanc(NEEDS_GDCM, Plugins=[GDCM_PLUGIN]),
    _of_orthanc("Orthanc, implicit", syntaxes.IMPLICIT),
    _of_orthanc("Orthanc, explicit", syntaxes.EXPLICIT),
    _of_orthanc("Orthanc, uncompressed", *sorted(UNCOMPRESSED)),
    _of_orthanc("Orthanc, JPEG 2000", syntaxes.IMPLICIT, syntaxes.JPEG_2000, syntaxes.JPEG_2000_LOSSY),
    _of_orthanc("Orthanc, JPEG", syntaxes.EXPLICIT, syntaxes.JPEG_BASELINE, syntaxes.JPEG_LOSSLESS_1),
    *(
        _of_one(syntax)
        for syntax in syntaxes.NAMES
        if syntax not in (syntaxes.PRIVATE, syntaxes.MPEG2, syntaxes.HEVC, syntaxes.JPIP, syntaxes.GE_BIG_ENDIAN)
    ),
    *(_that_asks(syntax) for syntax in sorted(syntaxes.COMPRESSED_TO)),
)
