"""Settings that are not saved make the router connect anywhere: who could save them may try them, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from appliance.control.api.notifications import TEST, TestChannel
from appliance.control.api.senders import ECHO as SENDER_ECHO
from appliance.control.api.senders import EchoSender
from appliance.control.rpc.client import Client, ControlError, api
from appliance.control.session import Session
from tests.support.control_server import AsRole, Served
from tests.support.sender_past import came
from tests.support.tasks import events_of


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Listen where nothing of the configuration leads."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(0.2)
        yield listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def nobody_came(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        return True
    connection.close()
    return False


def node(listener: socket.socket) -> dict[str, Any]:
    return {"kind": "dicom", "host": "127.0.0.1", "port": port_of(listener), "called_aet": "X"}


def test_an_operator_echoes_targets_that_are_saved_alone(
    served: Served, as_role: AsRole, elsewhere: socket.socket, session: Session
) -> None:
    as_role("operator")
    with Client(served.root, seconds=20) as client:
        assert client.call(api.targets.ECHO, api.targets.EchoTarget(name="delivered")).ok
        for name in ("new", "delivered"):
            request = api.targets.EchoTarget(name=name, settings=node(elsewhere))
            with pytest.raises(ControlError, match="it needs the role admin") as refused:
                client.call(api.targets.ECHO, request)
            assert (refused.value.kind, refused.value.role) == ("not-allowed", "admin")
    assert nobody_came(elsewhere)
    assert not events_of(session)


def test_an_operator_tests_channels_that_are_saved_alone(
    served: Served, as_role: AsRole, elsewhere: socket.socket
) -> None:
    as_role("operator")
    hook = {"kind": "webhook", "url": f"http://127.0.0.1:{port_of(elsewhere)}/"}
    with Client(served.root, seconds=20) as client, pytest.raises(ControlError, match="it needs the role admin"):
        client.call(TEST, TestChannel(channel="new", settings=hook))
    assert nobody_came(elsewhere)


def test_an_operator_does_not_choose_the_port_of_a_sender(
    served: Served, as_role: AsRole, elsewhere: socket.socket, client: Client, session: Session
) -> None:
    came(session, "CT1", "127.0.0.1")
    shown = client.call(api.configuration.SHOW).mercure
    content = {**shown.content, "senders": {"CT1": {"ae_titles": ["CT1"], "addresses": ["127.0.0.1"], "port": 1}}}
    client.call(api.configuration.SAVE, api.configuration.SaveConfig(content=content, edited_from=shown.revision))
    as_role("operator")
    with Client(served.root, seconds=20) as operator:
        assert operator.call(SENDER_ECHO, EchoSender(name="CT1")).port == 1
        assert operator.call(SENDER_ECHO, EchoSender(name="CT1", port=1)).port == 1
        with pytest.raises(ControlError, match="it needs the role admin"):
            operator.call(SENDER_ECHO, EchoSender(name="CT1", port=port_of(elsewhere)))
    assert nobody_came(elsewhere)


def test_an_admin_tries_what_he_could_save(client: Client, elsewhere: socket.socket) -> None:
    settings = {**node(elsewhere), "acse_timeout_seconds": 1}
    assert not client.call(api.targets.ECHO, api.targets.EchoTarget(name="new", settings=settings)).ok
    assert not nobody_came(elsewhere)
