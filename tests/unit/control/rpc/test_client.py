"""The client: light to import, and clear about what went wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.control.rpc import jsonrpc
from appliance.control.rpc.client import Client, ControlError, DisconnectedError, Stream, api
from mercure.config import Root

HEAVY = ("peewee", "psycopg", "supervisor", "pynetdicom", "pydicom", "inotify_simple", "mercure.rules", "re2", "click")


def test_to_import_it_costs_little() -> None:
    code = f"import sys, appliance.control.rpc.client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_without_a_server_it_says_so(root: Root, tmp_path: Path) -> None:
    for path in (root.path, tmp_path):
        with pytest.raises(DisconnectedError, match="no control service answers"):
            Client(path).whoami()
        with pytest.raises(DisconnectedError, match="no control service answers"):
            Stream(path, "events")


@pytest.mark.parametrize(
    "line",
    [b"[]\n", b'{"jsonrpc":"2.0","id":99,"result":{}}\n', b""],
)
def test_an_answer_that_is_none_ends_the_connection(root: Root, line: bytes) -> None:
    with answering(root, line), Client(root.path, seconds=10) as client, pytest.raises(DisconnectedError):
        client.whoami()


@contextmanager
def answering(root: Root, line: bytes) -> Iterator[None]:
    """Answer the first request with a line."""
    with socket.socket(socket.AF_UNIX) as listener, jsonrpc.short_path(root.run) as folder:
        listener.bind(f"{folder}/{jsonrpc.SOCKET_NAME}")
        listener.listen()

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(10_000)
                accepted.sendall(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10)


def test_a_service_of_a_later_release_may_say_more(client: Client, root: Root) -> None:
    status = client.status().model_dump(mode="json")
    status["of_the_next_release"] = 1
    status["stages"][0]["of_the_next_release"] = {"a": 1}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "result": status}).encode() + b"\n"
    other = Root(root.path.parent / "other")
    other.run.mkdir(parents=True)
    with answering(other, line), Client(other.path, seconds=10) as asking:
        read = asking.status().model_dump(mode="json")
    del status["of_the_next_release"], status["stages"][0]["of_the_next_release"]
    assert read == status


def test_one_of_an_older_release_says_too_little(root: Root) -> None:
    line = b'{"jsonrpc":"2.0","id":1,"result":{"user":"alice"}}\n'
    with answering(root, line), Client(root.path, seconds=10) as client:
        with pytest.raises(ControlError, match=r"the answer to .* cannot be read: Field required") as failed:
            client.whoami()
        assert "another release" in failed.value.advice


def test_a_server_that_does_not_answer_is_given_up(root: Root) -> None:
    with socket.socket(socket.AF_UNIX) as listener, jsonrpc.short_path(root.run) as folder:
        listener.bind(f"{folder}/{jsonrpc.SOCKET_NAME}")
        listener.listen()
        with Client(root.path, seconds=0.1) as client, pytest.raises(DisconnectedError, match="does not answer"):
            client.whoami()


def test_an_error_does_not_end_the_connection(client: Client) -> None:
    client.whoami()
    connection = client._socket
    with pytest.raises(ControlError):
        client.call(api.queue.SHOW, api.queue.OneTask(task="12345678"))
    client.status()
    assert client.alerts()[0].kind == "not-running"
    assert client._socket is connection
