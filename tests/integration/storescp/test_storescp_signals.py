"""How the receiver stops, and how it takes a new configuration."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.support.binaries import tool
from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import (
    RELEASE,
    Aborted,
    Closed,
    Peer,
    Rejected,
    associate_rq,
    message,
    pdu,
    store_command,
    value,
)
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import running
from tests.support.receiver import read_events, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.receiver import StartReceiver

SHORT = 0.6


def store_for_ever(peer: Peer) -> NoReturn:
    """Send images until the receiver ends it."""
    while True:
        sop = uid()
        peer.store(ct_image(sop, "1.2.3"), sop)


def test_term_lets_an_association_end_and_takes_no_new_one(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(stop_timeout_seconds=30)
    sops, series = [uid(), uid()], uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        peer.send(message(1, store_command(sops[0])))  # in the middle of an image
        receiver.program.signal(signal.SIGTERM)
        eventually(lambda: not is_listening(receiver.port), what="the port is closed")
        data = ct_image(sops[0], series)
        peer.send(pdu(4, value(1, data, command=False, last=True)))
        assert peer.response().status == 0
        assert peer.store(ct_image(sops[1], series), sops[1]).status == 0
        assert receiver.program.is_alive
        peer.release()
    assert receiver.program.wait() == 0
    assert {image.stem for image in receiver.images()} == set(sops)
    assert receiver.events("service.stopped")[0]["details"]["reason"] == "signal Terminated"
    assert receiver.events()[-1]["type"] == "service.stopped"


@pytest.mark.parametrize("busy", [True, False])
def test_term_ends_associations_that_do_not_end(start_receiver: StartReceiver, *, busy: bool) -> None:
    receiver = start_receiver(stop_timeout_seconds=SHORT)
    with Peer(receiver.port) as peer:
        peer.associate()
        receiver.program.signal(signal.SIGTERM)
        if busy:
            with pytest.raises((Closed, Aborted)):
                store_for_ever(peer)
        else:
            assert peer.until_closed()[:1] == b"\7"
    assert receiver.program.wait() == 0
    assert receiver.event("association.closed")["details"]["how"] == "aborted"
    assert len(receiver.events("image.received")) == len(receiver.images())


def test_signals_to_the_whole_group_leave_the_associations_to_the_server(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(stop_timeout_seconds=30)
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            for child in receiver.children():
                os.kill(child, number)
        assert peer.store(ct_image(sop, uid()), sop).status == 0
        peer.release()


def test_hup_takes_a_new_configuration_for_new_associations(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(revision=1)
    assert receiver.event("config.loaded")["details"]["revision"] == 1
    with Peer(receiver.port) as before:
        before.associate()
        receiver.configure(called_aets=["ARCHIVE"], max_object_bytes=2000, revision=2)
        assert receiver.event("config.loaded", count=2)["details"]["revision"] == 2
        sop = uid()
        assert before.store(ct_image(sop, uid()), sop).status == 0
        with Peer(receiver.port) as stranger, pytest.raises(Rejected):
            stranger.associate(associate_rq(called=b"OTHER"))
        with Peer(receiver.port) as after:
            after.associate(associate_rq(called=b"ARCHIVE"))
            sop = uid()
            assert after.store(ct_image(sop, uid()), sop).status == 0xA700


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "JSON"),
        ('{"spool": "/somewhere/else"}', "spool"),
        ('{"spool": "relative"}', "absolute"),
        ("[]", "object"),
        (None, "max_pdus: is not a setting"),
    ],
)
def test_a_broken_configuration_leaves_the_old_one_in_force(
    start_receiver: StartReceiver, content: str | None, complaint: str
) -> None:
    receiver = start_receiver(revision=7)
    if content is None:
        content = json.dumps({**json.loads(receiver.config.read_text()), "max_pdus": 1})
    receiver.config.write_text(content)
    receiver.program.signal(signal.SIGHUP)
    event = receiver.event("config.rejected")
    assert complaint in event["details"]["reason"]
    assert event["details"]["using"] == 7
    assert any(line["level"] == "error" and complaint in line["reason"] for line in receiver.log())
    sop = uid()
    with Peer(receiver.port) as peer:
        peer.associate()
        assert peer.store(ct_image(sop, uid()), sop).status == 0
        peer.release()


def test_hup_with_another_port_listens_there(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    port = free_port()
    receiver.configure(port=port)
    eventually(lambda: is_listening(port), what="the new port")
    assert not is_listening(receiver.port)
    with Peer(port) as peer:
        peer.associate()
        peer.send(RELEASE)


def test_hup_with_a_port_that_is_taken_keeps_the_old_one(start_receiver: StartReceiver) -> None:
    first = start_receiver()
    second = start_receiver(folder=first.spool.parent.parent / "second")
    second.configure(port=first.port)
    assert "in use" in second.event("config.rejected")["details"]["reason"]
    with Peer(second.port) as peer:
        peer.associate()
        peer.release()


LAUNCHER = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"


@pytest.mark.parametrize("option", [["--end-with-parent"], []], ids=["asked to", "not asked to"])
def test_with_its_launcher_killed_it_stops_in_order_when_asked_to(tmp_path: Path, option: list[str]) -> None:
    port = free_port()
    config = write_config(tmp_path, port=port)
    command = [sys.executable, "-c", LAUNCHER, str(tool("mercure-storescp")), *option, "--config", str(config)]
    with running(command, ready=lambda _: is_listening(port)) as launcher:
        sop = uid()
        with Peer(port) as peer:
            peer.associate()
            os.kill(launcher.pid, signal.SIGKILL)
            if option:
                eventually(lambda: not is_listening(port), what="the port is free for another")
            assert peer.store(ct_image(sop, uid()), sop).status == 0
            peer.release()
        assert is_listening(port) == (not option)
        if option:
            eventually(lambda: read_events(tmp_path / "spool", "service.stopped"), what="an orderly end")


def test_a_new_receiver_waits_for_the_port_of_the_one_before(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as holder:
        config = write_config(tmp_path, port=port)
        waiting = running([tool("mercure-storescp"), "--config", config], ready=lambda program: program.is_alive)
        with waiting as program:
            holder.close()
            eventually(lambda: "listening" in program.output(), what="the port is taken over")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 1),
        (["--config"], 1),
        (["--nonsense", "x"], 1),
        (["--config", "/none"], 20),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    result = subprocess.run([tool("mercure-storescp"), *arguments], capture_output=True, timeout=30, check=False)
    assert result.returncode == code


def test_a_configuration_can_be_checked_alone(tmp_path: Path) -> None:
    program = tool("mercure-storescp")
    good = write_config(tmp_path)
    assert subprocess.run([program, "--check", good], timeout=30, check=False).returncode == 0
    good.write_text('{"spool": "/s", "prot": 1}')
    result = subprocess.run([program, "--check", good], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 20
    assert "prot: is not a setting" in json.loads(result.stderr)["reason"]


def test_a_port_in_use_is_told(start_receiver: StartReceiver, tmp_path: Path) -> None:
    first = start_receiver()
    config = write_config(tmp_path / "second", port=first.port)
    command: list[str | Path] = [tool("mercure-storescp"), "--config", config]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 40
    assert f"port {first.port}" in json.loads(result.stderr)["reason"]
