"""What TLS costs: one association to our receiver and from our sender, plain and over TLS; and handshakes."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from mercure.spool import Spool
from tests.benchmarks.receive import LIMIT_SECONDS
from tests.benchmarks.rows import Result, Row, median, with_peers
from tests.support import storescu
from tests.support.binaries import tool
from tests.support.certificates import Authority, Certificate, make_authority
from tests.support.dcmtk import storescp
from tests.support.dicom_peer import Peer, associate_rq
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import running
from tests.support.series import synthetic_series
from tests.support.tls_nodes import openssl_server
from tests.support.tls_receiver import client_context

ROUNDS: Final = 5
IMAGES: Final = 400
MOST_OF_STOCK: Final = 60
"""Stock storescp waits for each delayed acknowledgement: more of it would take all day."""

HANDSHAKES: Final = 200
LEAST_OF_PLAIN: Final = 0.7
TIMES_STOCK: Final = 10.0


def run(folder: Path) -> Iterator[Result]:
    """Measure in turns, round by round, with images of half a megabyte."""
    files = synthetic_series(folder / "large", IMAGES, 512, 512, seed="large")
    hospital = make_authority(folder)
    router = hospital.sign("router")
    yield from _receiving(folder, files, hospital, router)
    yield from _sending(folder, files, hospital)
    yield from _handshakes(folder, hospital, router)


def _tls(hospital: Authority) -> tuple[str, ...]:
    return "--anonymous-tls", "--add-cert-file", str(hospital.file)


@contextmanager
def our_receiver(folder: Path, router: Certificate) -> Iterator[tuple[int, int, Path]]:
    """Run ours with both ports; give them, and where images arrive."""
    spool, port, secure = Spool(folder / "spool"), free_port(), free_port()
    spool.create()
    tls = {"tls_port": secure, "tls_certificate": str(router.file), "tls_key": str(router.key)}
    settings = {"spool": str(spool.root), "bind": "127.0.0.1", "port": port, "min_free_bytes": 0, **tls}
    config = folder / "receiver.json"
    config.write_text(json.dumps(settings))
    command: list[str | Path] = [tool("mercure-storescp"), "--config", config]
    with running(command, ready=lambda program: all(is_listening(it, pid=program.pid) for it in (port, secure))):
        yield port, secure, spool.root / "incoming"


def _rate(port: int, files: Sequence[Path], options: Sequence[str], received: Path) -> float:
    """Send by one association of stock ``storescu``; return images per second until the last is received."""
    for path in list(received.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    start = time.monotonic()
    subprocess.run(
        ["storescu", *options, "localhost", str(port), *map(str, files)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT_SECONDS, check=True,
    )  # fmt: skip
    what = "every image is received"
    eventually(lambda: _count(received) >= len(files), seconds=LIMIT_SECONDS, what=what)
    return len(files) / (time.monotonic() - start)


def _count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")


def _receiving(folder: Path, files: Sequence[Path], hospital: Authority, router: Certificate) -> Iterator[Result]:
    (folder / "ours").mkdir()
    tls, rates = _tls(hospital), {name: list[float]() for name in ("plain", "tls", "stock")}
    with ExitStack() as stack:
        plain, secure, incoming = stack.enter_context(our_receiver(folder / "ours", router))
        options = ("+tls", str(router.key), str(router.file), "--ignore-peer-cert")
        stock = stack.enter_context(storescp(folder / "stock", *options))
        for _ in range(ROUNDS):
            rates["plain"].append(_rate(plain, files, (), incoming))
            rates["tls"].append(_rate(secure, files, tls, incoming))
            if with_peers():
                rates["stock"].append(_rate(stock.port, files[:MOST_OF_STOCK], tls, stock.folder))
    what = f"receive {IMAGES} of 512x512 from storescu, 1 assoc, TLS 1.3"
    yield Row(what, median(rates["tls"]), "img/s", median(rates["plain"]), "plain", LEAST_OF_PLAIN)
    if with_peers():
        yield Row(
            what, median(rates["tls"]), "img/s", median(rates["stock"]), "storescp +tls, no settings", TIMES_STOCK
        )


def _sending(folder: Path, files: Sequence[Path], hospital: Authority) -> Iterator[Result]:
    archive = hospital.sign("archive")
    ignoring = ("--fork", "--ignore", "--max-pdu", "131072")
    nodelay = ("env", "TCP_NODELAY=1")
    options = (*ignoring, "+tls", str(archive.key), str(archive.file), "--ignore-peer-cert")
    rates: dict[str, list[float]] = {"plain": [], "tls": []}
    with ExitStack() as stack:
        plain = stack.enter_context(storescp(folder / "plain", *ignoring, prefix=nodelay)).port
        secure = stack.enter_context(storescp(folder / "secure", *options, prefix=nodelay)).port
        for _ in range(ROUNDS):
            for name, port, tls in (("plain", plain, ()), ("tls", secure, ("--tls", f"--tls-ca={hospital.file}"))):
                start = time.monotonic()
                sent = storescu.send(port, files, *tls)
                assert sent.code == 0, sent.error
                rates[name].append(len(files) / (time.monotonic() - start))
    what = f"send {IMAGES} of 512x512 to storescp, 1 assoc, TLS 1.3"
    yield Row(what, median(rates["tls"]), "img/s", median(rates["plain"]), "plain")


def _handshakes(folder: Path, hospital: Authority, router: Certificate) -> Iterator[Result]:
    """Measure what an association costs by itself, and what resumed sessions would save: our receiver has none."""
    (folder / "idle").mkdir()
    with our_receiver(folder / "idle", router) as (plain, secure, _):
        context = client_context(hospital)
        spans = {
            name: median(_associate(port, tls) for _ in range(HANDSHAKES)) * 1000
            for name, port, tls in (("plain", plain, None), ("tls", secure, context))
        }
    yield Row("an association over TLS 1.3, opened and released", spans["tls"], "ms", spans["plain"], "plain")
    with openssl_server(router, "-quiet") as port:
        full, resumed = _sessions(port, client_context(hospital))
    yield Row("a handshake of TLS 1.2, by OpenSSL", full, "ms", resumed, "resumed")


def _associate(port: int, tls: ssl.SSLContext | None) -> float:
    start = time.monotonic()
    with Peer(port, tls=tls) as peer:
        peer.associate(associate_rq())
        peer.release()
    return time.monotonic() - start


def _sessions(port: int, context: ssl.SSLContext) -> tuple[float, float]:
    """Return the milliseconds of a handshake, and of one that resumes a session."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # of TLS 1.3 a session comes only after the handshake
    spans: dict[bool, list[float]] = {False: [], True: []}
    session: ssl.SSLSession | None = None
    for number in range(2 * HANDSHAKES):
        wanted = session if number % 2 else None
        with socket.create_connection(("127.0.0.1", port)) as below:
            start = time.monotonic()
            with context.wrap_socket(below, server_hostname="localhost", session=wanted) as connection:
                spans[bool(connection.session_reused)].append((time.monotonic() - start) * 1000)
                session = connection.session
    return median(spans[False]), median(spans[True])
