"""The server against what clients may do: hostile, stalled, greedy, many, and gone."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.control import api
from appliance.control.api.base import Verb
from appliance.control.errors import KIND_OF, MEANING, ControlError
from appliance.control.rpc import jsonrpc
from appliance.control.rpc.client import Client, DisconnectedError
from appliance.control.rpc.server import Server, TakenError
from mercure.config import Root
from tests.support.control_server import RawConnection, Served, limits, serving
from tests.support.polling import eventually

Connect = Callable[[], RawConnection]

WHO = b'{"jsonrpc":"2.0","id":7,"method":"whoami","params":{}}\n'


def answer(connection: RawConnection, data: bytes) -> dict[str, Any]:
    connection.send(data)
    found: dict[str, Any] = {"method": "progress"}
    while found.get("method") == "progress":
        line = connection.read()
        assert line is not None
        found = json.loads(line)
    assert found["jsonrpc"] == "2.0"
    assert ("result" in found) != ("error" in found)
    return found


class TestRequests:
    def test_answers_carry_the_id(self, raw: Connect) -> None:
        connection = raw()
        for number in (1, "a", 2**40, -3):
            found = answer(
                connection, json.dumps({"jsonrpc": "2.0", "id": number, "method": "whoami"}).encode() + b"\n"
            )
            assert found["id"] == number
            assert found["result"]["role"] == "admin"

    def test_several_in_one_write_are_answered_in_order(self, raw: Connect) -> None:
        connection = raw()
        connection.send(b"".join(WHO.replace(b"7", b"%d" % number) for number in range(20)))
        found = [json.loads(connection.read() or b"{}")["id"] for _ in range(20)]
        assert found == list(range(20))

    def test_one_in_many_pieces_is_understood(self, raw: Connect) -> None:
        connection = raw()
        for byte in WHO[:-1]:
            connection.send(bytes([byte]))
        assert answer(connection, b"\n")["id"] == 7

    @pytest.mark.parametrize(
        ("line", "kind"),
        [
            (b"nonsense", "not-json"),
            (b'{"jsonrpc":"2.0","id":1,', "not-json"),
            (b'{"jsonrpc":"2.0","id":1,"method":"whoami","params":{"a":NaN}}', "not-json"),
            (b"\xff\xfe", "not-json"),
            (b'"\\ud800"', "not-json"),
            (b"[" * 100_000, "not-json"),
            (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "not-json"),
            (b"[]", "bad-request"),
            (b"7", "bad-request"),
            (b"null", "bad-request"),
            (b"{}", "bad-request"),
            (b'{"jsonrpc":"1.0","id":1,"method":"whoami"}', "bad-request"),
            (b'{"jsonrpc":"2.0","method":"whoami"}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":null,"method":"whoami"}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":1.5,"method":"whoami"}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":"%s","method":"whoami"}' % (b"x" * 200), "bad-request"),
            (b'{"jsonrpc":"2.0","id":1,"method":"whoami","params":[]}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":1,"method":"whoami","more":1}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":1,"method":7}', "bad-request"),
            (b'{"jsonrpc":"2.0","id":1,"method":"whoam"}', "no-such-verb"),
            (b'{"jsonrpc":"2.0","id":1,"method":"queue.__class__"}', "no-such-verb"),
            (b'{"jsonrpc":"2.0","id":1,"method":"whoami","params":{"a":1}}', "bad-parameters"),
            (b'{"jsonrpc":"2.0","id":1,"method":"queue.show","params":{}}', "bad-parameters"),
            (b'{"jsonrpc":"2.0","id":1,"method":"queue.show","params":{"task":"../../etc"}}', "not-found"),
            (b'{"jsonrpc":"2.0","id":1,"method":"services.log","params":{"name":"../config/mercure"}}', "not-found"),
        ],
    )
    def test_what_cannot_be_taken_is_told_and_the_connection_goes_on(
        self, raw: Connect, line: bytes, kind: str
    ) -> None:
        connection = raw()
        error = answer(connection, line + b"\n")["error"]
        assert (KIND_OF[error["code"]], error["data"]["kind"]) == (kind, kind)
        assert error["message"]
        assert answer(connection, WHO)["result"]["uid"] == os.geteuid()

    def test_a_suggestion_for_a_verb_spelled_wrong(self, client: Client) -> None:
        verb = Verb("queue.lst", api.queue.ListQueue, api.queue.Queue, "viewer", "")
        with pytest.raises(ControlError, match=r"did you mean 'queue\.list'"):
            client.call(verb)

    def test_a_mistake_in_a_verb_is_an_answer(
        self, client: Client, raw: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr("appliance.control.queue.task_actions.find_task", fail)
        with pytest.raises(ControlError) as caught:
            client.call(api.queue.SHOW, api.queue.OneTask(task="12345678"))
        assert (caught.value.kind, "secret" in str(caught.value)) == ("internal", False)
        assert client.whoami().role == "admin"

    def test_a_full_disk_is_an_answer(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device", "/somewhere")

        monkeypatch.setattr("appliance.control.queue.task_actions.find_task", fail)
        with pytest.raises(ControlError, match="No space left"):
            client.call(api.queue.SHOW, api.queue.OneTask(task="12345678"))

    def test_every_kind_of_error_has_a_code_of_its_own(self) -> None:
        assert len(KIND_OF) == len(MEANING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
VERB_NAMES = st.sampled_from(
    sorted(verb.name for verb in api.all_verbs() if not verb.changes and verb.name not in {"subscribe", "verify.run"})
)
FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestFuzz:
    @FUZZ
    @given(st.binary(max_size=300).map(lambda data: data.replace(b"\n", b" ")))
    def test_any_bytes_get_an_answer_or_are_blank(self, raw: Connect, data: bytes) -> None:
        connection = raw()
        connection.send(data + b"\n" + WHO)
        lines = [json.loads(connection.read() or b"{}")]
        if data.strip():
            assert "error" in lines[0]
            lines.append(json.loads(connection.read() or b"{}"))
        assert lines[-1]["id"] == 7
        connection.close()

    @FUZZ
    @given(VERB_NAMES, st.dictionaries(st.text(max_size=12), JSON, max_size=3))
    def test_any_parameters_get_an_answer_that_is_no_mistake(
        self, raw: Connect, name: str, params: dict[str, Any]
    ) -> None:
        connection = raw()
        request = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
        found = answer(connection, json.dumps(request).encode() + b"\n")
        assert found.get("error", {}).get("data", {}).get("kind") != "internal", found
        connection.close()

    @FUZZ
    @given(JSON)
    def test_any_json_gets_an_answer(self, raw: Connect, value: Any) -> None:
        connection = raw()
        assert "error" in answer(connection, json.dumps(value).encode() + b"\n")
        connection.close()


class TestLimits:
    def test_a_request_that_is_too_long_ends_the_connection(self, root: Root) -> None:
        with serving(root, limits(request_bytes=10_000)) as served, RawConnection(served.root) as connection:
            found = answer(connection, b"x" * 20_000)
            assert found["error"]["data"]["kind"] == "too-much"
            assert connection.read() is None

    def test_a_client_that_stalls_in_a_request_is_dropped(self, served: Served) -> None:
        with RawConnection(served.root) as connection:
            connection.send(WHO[:20])
            assert connection.read() is None

    def test_a_client_that_does_not_take_its_answer_is_dropped(
        self, root: Root, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "x" * 8_000_000
        monkeypatch.setattr("appliance.control.whoami.__version__", text)
        with serving(root) as served, Client(served.root) as other:
            connection = RawConnection(served.root)
            connection.send(WHO)
            assert len(other.whoami().version) == len(text)
            eventually(lambda: len(served.server._connections) == 1, what="the one that does not read is gone")
            connection.close()

    def test_more_connections_than_allowed_are_told_so(self, root: Root) -> None:
        with serving(root, limits(connections_of_one=2)) as served:
            first, second, third = (RawConnection(served.root) for _ in range(3))
            assert answer(first, WHO)["id"] == answer(second, WHO)["id"] == 7
            line = third.read()
            assert line is not None
            assert json.loads(line)["error"]["data"]["kind"] == "too-much"
            assert third.read() is None
            first.close()

            def served_again() -> bool:
                with Client(served.root) as client:
                    try:
                        return client.whoami().role == "admin"
                    except (ControlError, DisconnectedError):
                        return False

            eventually(served_again, what="a place is free again")
            for connection in (second, third):
                connection.close()

    def test_many_at_once_are_all_served(self, served: Served) -> None:
        found: list[str | None] = []

        def ask() -> None:
            with Client(served.root) as client:
                found.extend(client.whoami().role for _ in range(25))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == ["admin"] * 150


class TestSocket:
    def test_a_socket_that_nobody_serves_is_replaced(self, root: Root) -> None:
        with socket.socket(socket.AF_UNIX) as dead, jsonrpc.short_path(root.run) as folder:
            dead.bind(f"{folder}/{jsonrpc.SOCKET_NAME}")
        with serving(root) as served, Client(served.root) as client:
            assert client.whoami().role == "admin"

    def test_a_served_one_is_left_alone(self, served: Served, client: Client) -> None:
        with pytest.raises(TakenError, match="another control service"):
            Server(served.server.root).open()
        assert client.whoami().role == "admin"

    @pytest.mark.parametrize("make", ["file", "folder", "link"])
    def test_what_is_no_socket_is_left_alone(self, root: Root, make: str) -> None:
        path = root.run / jsonrpc.SOCKET_NAME
        make_it: dict[str, Callable[[], None]] = {
            "file": path.touch,
            "folder": path.mkdir,
            "link": lambda: path.symlink_to(root.path),
        }
        make_it[make]()
        with pytest.raises(TakenError, match="is no socket"):
            Server(root).open()
        assert os.path.lexists(path)

    def test_a_root_with_a_long_path(self, root: Root) -> None:
        long = root.path / ("x" * 100) / ("y" * 100)
        (long / "run").mkdir(parents=True)
        with serving(Root(long)) as served, Client(served.root) as client, pytest.raises(ControlError) as caught:
            client.whoami()
        assert caught.value.kind == "not-found"

    def test_a_new_server_is_found_after_the_old_one_has_ended(self, root: Root) -> None:
        client = Client(root.path)
        with serving(root):
            assert client.whoami().role == "admin"
        with pytest.raises(DisconnectedError):
            client.whoami()
        with pytest.raises(DisconnectedError, match="no control service answers"):
            client.whoami()
        with serving(root):
            assert client.whoami().role == "admin"
        client.close()
