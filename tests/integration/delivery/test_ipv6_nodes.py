"""IPv6 on both sides: our receiver is the node, and everything that speaks to a target reaches it there."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from mercure.clock import Clock
from mercure.config.tls import TargetTls
from mercure.dicom.association import DicomNode
from mercure.dicom.capabilities import Capabilities, CapabilityQuery, probe
from mercure.dicom.echo import echo, echo_of
from mercure.spool import Stage, read_ledger
from tests.integration.delivery.nodes import Office, dicom_target
from tests.support.certificates import make_authority
from tests.support.data_sets import ct_image, data_set_of, uid
from tests.support.dicom_peer import CT_IMAGE, EXPLICIT_LITTLE, Peer
from tests.support.permission import command_or_skip
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.receiver import receivers
from tests.support.series import synthetic_series
from tests.support.storescu import command, listing, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.receiver import Receiver, StartReceiver

HERE = "::1"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartReceiver]:
    with receivers(tmp_path / "receiver") as start:
        yield start


@pytest.fixture
def receiver(start: StartReceiver) -> Receiver:
    return start(bind=HERE)


def test_a_target_by_its_address_gets_all_images_and_the_ledger_says_where(
    office: Callable[..., Office], receiver: Receiver
) -> None:
    desk = office(pacs=dicom_target(receiver.port, host="[::1]", called_aet="MERCURE", associations=2))
    task = desk.wait_for("pacs", 6)
    wanted = sorted(data_set_of(path.read_bytes()) for path in task.glob("*.dcm"))
    desk.settle()
    assert receiver.data_sets() == wanted
    destination = f"dicom:[::1]:{receiver.port}:MERCURE"
    done = desk.box.spool.entry(Stage.SUCCESS, task.name)
    assert {line.status for line in read_ledger(done, {destination}).values()} == {"0x0000"}
    assert {line["SenderAddress"] for line in receiver.tag_lines()} == {HERE}


def test_a_node_that_is_away_is_waited_for(office: Callable[..., Office], start: StartReceiver) -> None:
    port = free_port()
    desk = office(pacs=dicom_target(port, host=HERE, called_aet="MERCURE"))
    desk.wait_for("pacs", 1)
    desk.settle()
    (down,) = desk.box.events("target.down")
    assert f"[::1]:{port}" in str(down.details)
    start(bind=HERE, port=port)
    desk.box.clock.advance(60)
    desk.settle()
    desk.settle()
    assert desk.count(Stage.SUCCESS) == 1


def test_echo_and_probe_reach_it(receiver: Receiver) -> None:
    answer = echo(HERE, receiver.port, called_aet="MERCURE", calling_aet="CT1")
    assert (answer.ok, answer.text) == (True, f"MERCURE at [::1]:{receiver.port} answered")
    node = DicomNode(HERE, receiver.port, "MERCURE", "CT1", 5.0)
    few = CapabilityQuery(node, "here", classes=[CT_IMAGE], syntaxes=[EXPLICIT_LITTLE], pause_seconds=0)
    found = probe(few, lambda *_: None, Clock())
    assert isinstance(found, Capabilities)
    assert found.classes == {CT_IMAGE: (EXPLICIT_LITTLE,)}
    refused = echo(HERE, free_port(), called_aet="MERCURE", calling_aet="CT1")
    assert (refused.kind, refused.text.partition(" ")[0][:6]) == ("unreachable", "[::1]:")


def test_over_tls_the_name_in_the_certificate_may_be_the_address(start: StartReceiver, tmp_path: Path) -> None:
    hospital = make_authority(tmp_path)
    router = hospital.sign("router", purpose="server", hosts=("router.example",))
    receiver = start(bind=HERE, tls_port=0, tls_certificate=str(router.file), tls_key=str(router.key))
    lines = eventually(lambda: [line for line in receiver.log() if line["message"] == "listening for TLS"])
    port = int(lines[-1]["port"])
    files = synthetic_series(tmp_path, 2)
    tls = ("--tls", f"--tls-ca={hospital.file}")
    assert send(port, files, *tls, "--tls-name=router.example", host=HERE).outcomes == {"confirmed": 2}
    wrong = send(port, files, *tls, host=HERE)
    assert wrong.error is not None
    assert f"no TLS with [::1]:{port}" in wrong.error["text"]
    named = TargetTls(ca=hospital.file, server_name="router.example")
    assert echo_of(DicomNode(HERE, port, "MERCURE", "CT1", 5.0, named)).ok


def test_nobody_there_is_told_and_a_silent_one_ends_in_time() -> None:
    refused = send(free_port(), [], "--probe", host=HERE)
    assert (refused.code, refused.error and refused.error["kind"]) == (60, "unreachable")
    assert refused.error is not None
    assert refused.error["text"].endswith("Connection refused")
    with socket.create_server((HERE, 0), family=socket.AF_INET6) as silent:
        mute = send(silent.getsockname()[1], [], "--probe", "--acse-timeout=0.3", host=HERE)
    assert (mute.code, mute.error and mute.error["kind"]) == (62, "timeout")


@pytest.mark.parametrize(
    ("host", "code"), [("::1", 0), ("::ffff:127.0.0.1", 0), ("[::1]", 1), ("::1::", 1), ("a:b", 1)]
)
def test_what_the_sender_takes_for_a_host(start: StartReceiver, host: str, code: int) -> None:
    receiver = start(bind="::")
    assert send_probe(receiver.port, host) == code


def send_probe(port: int, host: str) -> int:
    return subprocess.run(command(port, "--probe", host=host), capture_output=True, timeout=30, check=False).returncode


def test_a_name_that_has_only_an_address_of_ipv6(start: StartReceiver, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 archive\n127.0.0.1 both\n::1 both\n")
    command_or_skip(["unshare", "--mount", "true"], purpose="another table of names")
    (file,) = synthetic_series(tmp_path, 1)
    over_6, over_4 = start(bind=HERE, folder=tmp_path / "6"), start(folder=tmp_path / "4")
    for receiver, host in ((over_6, "archive"), (over_4, "both")):
        script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, "sh", *command(receiver.port, host=host)]
        subprocess.run(words, input=listing([file]), capture_output=True, timeout=30, check=True)
        assert len(receiver.data_sets()) == 1, host


@pytest.mark.parametrize(("bind", "at"), [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_senders_call_over_either_and_are_known_by_their_address(start: StartReceiver, bind: str, at: str) -> None:
    listed = {"name": "ct", "ae_titles": ["PEER"], "addresses": ["::1/128", "127.0.0.0/8"]}
    receiver = start(bind=bind, access="listed", senders=[listed])
    with Peer(receiver.port, host=at) as peer:
        peer.associate()
        assert peer.store(ct_image(sop := uid(), "1.2.3"), sop).status == 0
        peer.release()
    (line,) = receiver.tag_lines()
    assert (line["SenderAddress"], line["SenderName"]) == (at, "ct")


def test_the_limit_for_connecting_holds() -> None:
    with socket.create_server((HERE, 0), family=socket.AF_INET6, backlog=1) as full, contextlib.ExitStack() as stack:
        address = full.getsockname()[:2]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(address)
        sent = send(address[1], [], "--probe", "--connect-timeout=0.3", host=HERE, seconds=10)
    assert sent.error is not None
    assert sent.error["kind"] == "unreachable"
    assert "Timeout" in sent.error["text"]
