"""C-ECHO against real nodes, well and unwell: each answer names the cause and the next step."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.acse import ACSE
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from mercure.dicom.echo import EchoResult, echo
from tests.support.fixtures import MakeStoreScp
from tests.support.polling import eventually
from tests.support.raw_target import REJECT, REQUEST, Peer, pdu, raw_target

FreePort = Callable[[], int]


def ask(port: int, *, host: str = "127.0.0.1", called: str = "ARCHIVE", timeout: float = 10.0) -> EchoResult:
    return echo(host, port, called_aet=called, calling_aet="MERCURE", timeout=timeout)


@contextmanager
def node(port: int, *, context: str = Verification, handlers: Any = (), **settings: Any) -> Iterator[None]:
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(context)
    for name, value in settings.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A TCP server that is no DICOM node."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    serve(connection)
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_node_that_answers_is_well(storescp: MakeStoreScp) -> None:
    result = ask(storescp().port)
    assert result.ok
    assert (result.kind, result.advice) == ("answered", "")
    assert 0 < result.seconds < 10


def test_nothing_on_the_port(free_port: FreePort) -> None:
    result = ask(free_port())
    assert (result.ok, result.kind) == (False, "unreachable")
    assert "refuses the connection" in result.text
    assert "'port'" in result.advice


def test_a_name_that_does_not_exist() -> None:
    result = ask(11112, host="archive.invalid")
    assert (result.ok, result.kind) == (False, "unreachable")
    assert "'archive.invalid'" in result.text
    assert "DNS" in result.advice


def test_a_node_that_refuses_every_association(storescp: MakeStoreScp) -> None:
    result = ask(storescp("--refuse").port)
    assert (result.ok, result.kind) == (False, "rejected")
    assert "gives no reason" in result.text
    assert result.advice


@pytest.mark.parametrize(
    ("settings", "text", "advice"),
    [
        ({"require_calling_aet": ["SCANNER"]}, "does not know our AE title 'MERCURE'", "calling_aet"),
        ({"require_called_aet": True}, "is not called 'OTHER'", "called_aet"),
    ],
)
def test_a_node_that_rejects_a_title_says_which(
    free_port: FreePort, settings: dict[str, Any], text: str, advice: str
) -> None:
    port = free_port()
    with node(port, **settings):
        result = ask(port, called="OTHER")
    assert (result.ok, result.kind) == (False, "rejected")
    assert text in result.text
    assert advice in result.advice


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"\0\1\2\7", "reason 7 of source 2"), (b"", "reason 0 of source 0"), (b"\0\1\2", "reason 0 of source 0")],
)
def test_a_reason_that_the_standard_does_not_know_is_told_as_a_number(body: bytes, text: str) -> None:
    def reject(peer: Peer) -> None:
        kind, _ = peer.read_pdu()
        if kind == REQUEST:  # the first connection only looks whether somebody listens
            peer.write(pdu(REJECT, body))  # PS3.8 table 9-21
            peer.read_pdu()

    with raw_target(reject) as node:
        result = ask(node.port)
    assert (result.ok, result.kind) == (False, "rejected")
    assert text in result.text


def test_a_rejection_that_is_quicker_than_our_thread_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, storescp: MakeStoreScp
) -> None:
    send = ACSE.send_request

    def send_and_come_late(self: ACSE) -> None:
        send(self)
        connection = self.socket
        assert connection is not None
        eventually(lambda: connection._ready.is_set() and not connection._is_connected, what="the end")

    monkeypatch.setattr(ACSE, "send_request", send_and_come_late)
    result = ask(storescp("--refuse").port)
    assert (result.ok, result.kind) == (False, "rejected")
    assert "gives no reason" in result.text


def test_a_node_without_the_echo_service(free_port: FreePort) -> None:
    port = free_port()
    with node(port, context=CTImageStorage):
        result = ask(port)
    assert (result.ok, result.kind) == (False, "unsupported")
    assert "test send" in result.advice


def test_an_echo_answered_with_a_failure(free_port: FreePort) -> None:
    port = free_port()
    with node(port, handlers=[(evt.EVT_C_ECHO, lambda event: 0x0122)]):
        result = ask(port)
    assert (result.ok, result.kind) == (False, "failed")
    assert "0x0122" in result.text


def test_an_echo_that_is_never_answered(free_port: FreePort) -> None:
    released = threading.Event()

    def hang(event: evt.Event) -> int:
        released.wait(20)
        return 0x0000

    port = free_port()
    with node(port, handlers=[(evt.EVT_C_ECHO, hang)]):
        result = ask(port, timeout=0.5)
        released.set()
    assert (result.ok, result.kind) == (False, "timeout")
    assert "accepted the association" in result.text


def test_a_node_that_aborts_instead_of_answering(free_port: FreePort) -> None:
    def abort(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    port = free_port()
    with node(port, handlers=[(evt.EVT_C_ECHO, abort)]):
        result = ask(port)
    assert (result.ok, result.kind) == (False, "aborted")


def test_a_server_that_takes_the_connection_and_says_nothing() -> None:
    held: list[socket.socket] = []
    with listener(held.append) as port:
        result = ask(port, timeout=0.3)
        for connection in held:
            connection.close()
    assert (result.ok, result.kind) == (False, "timeout")
    assert "did not answer the association request" in result.text
    assert "DICOM server" in result.advice


def test_a_server_that_hangs_up() -> None:
    with listener(lambda connection: connection.close()) as port:
        result = ask(port)
    assert (result.ok, result.kind) == (False, "aborted")
    assert "closed it" in result.text


def test_a_server_that_speaks_something_else() -> None:
    def greet(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.recv(65536)

    with listener(greet) as port:
        result = ask(port, timeout=2)
    assert not result.ok
    assert result.advice


def test_an_ae_title_that_is_none() -> None:
    with pytest.raises(ValueError, match="no AE title"):
        ask(11112, called="MUCH TOO LONG AN AE TITLE")
