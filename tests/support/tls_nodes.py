"""Nodes that speak TLS: any server of Python's, a `storescp` over TLS, OpenSSL's `s_server`."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification  # type: ignore[attr-defined]

from tests.support.polling import eventually
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.certificates import Certificate


def server_context(certificate: Certificate, *, clients: Path | None = None) -> ssl.SSLContext:
    """Make a context that wants a certificate of clients where it is given an authority for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.contextmanager
def tls_node(context: ssl.SSLContext, handlers: Any = (), port: int = 0) -> Iterator[int]:
    """Run a DICOM node that answers echoes and takes images over TLS; its port, a free one by default."""
    entity = AE(ae_title="ARCHIVE")
    for sop_class in (Verification, CTImageStorage, MRImageStorage):
        entity.add_supported_context(sop_class)
    kept = [(evt.EVT_C_STORE, lambda event: 0x0000), *handlers]
    port = port or free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=context, evt_handlers=kept)
    assert server is not None
    try:
        yield port
    finally:
        server.shutdown()


@contextlib.contextmanager
def openssl_server(certificate: Certificate, *options: str) -> Iterator[int]:
    """Run OpenSSL's own server; its port. It knows no DICOM and waits for more."""
    port = free_port()
    command = [
        "openssl",
        "s_server",
        "-accept",
        str(port),
        "-cert",
        str(certificate.file),
        "-key",
        str(certificate.key),
    ]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            eventually(lambda: _answers(port))
            yield port
        finally:
            server.kill()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def silent_node() -> Iterator[int]:
    """Listen, take connections, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in taken:
            connection.close()
