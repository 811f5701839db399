"""What a sender or a target can do that has found a hole in what parses its bytes: nothing but what an image needs.

The programs with a hole (getdcmtags/tests/jail/planted_hole.cc) are receiver and sender as they are installed but for
a function that does what the test asks for, in the middle of an image, and says what became of it.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.binaries import tool
from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer
from tests.support.fixtures import MakeStoreScp
from tests.support.receiver import receiver
from tests.support.series import synthetic_series
from tests.support.storescu import ACCEPT_ALL, listing

DENIED = {"Operation not permitted", "Permission denied"}
ELSEWHERE = ("exec /bin/true", "fork", "trace", "kill", "memory")
"""What no jail lets anybody do."""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "config" / "mercure.json"
    file.parent.mkdir()
    file.write_text("the password of the database")
    return file


@pytest.fixture
def database() -> Iterator[int]:
    """Listen as a database does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield int(listener.getsockname()[1])


def fates(lines: list[dict[str, object]]) -> dict[str, str]:
    """Return what became of each deed."""
    told = {str(line["hole"]): str(line.get("became")) for line in lines if "hole" in line}
    if "open" in told:
        pytest.skip("the jail is open under sanitizers")
    return told


def test_a_hole_in_the_receiver_leads_nowhere(tmp_path: Path, secret: Path, database: int) -> None:
    folder, other = tmp_path / "receiver", tmp_path / "receiver/spool/receiving/of-another"
    other.mkdir(parents=True)
    (other / "000001.part").write_text("an image of somebody else")
    waiting = folder / "spool/outgoing"
    waiting.mkdir()
    (waiting / "task.json").write_text("{}")
    denied = (
        f"read {secret}",
        f"write {tmp_path}/elsewhere",
        f"write {secret}",
        f"remove {secret}",
        f"read {folder}/receiver.json",
        f"list {folder}/spool",
        f"read {waiting}/task.json",
        f"write {waiting}/task.json",
        f"list {other}",
        f"read {other}/000001.part",
        f"list {folder}/spool/outbox",
        "read /proc/self/environ",
        "read /etc/hostname",
        f"connect {database}",
        f"send {database}",
        *ELSEWHERE,
    )
    allowed = (f"list {folder}/spool/incoming", f"list {folder}/spool/quarantine")
    hole = {"MERCURE_HOLE": "\n".join([*denied, *allowed])}
    with receiver(folder, env=hole, program="tests/receive_with_hole") as receiving:
        # It is taken for what a receiver that crashed left, were it there before: the server clears it.
        other.mkdir(exist_ok=True)
        (other / "000001.part").write_text("an image of somebody else")
        with Peer(receiving.port) as peer:
            peer.associate()
            sops = [uid() for _ in range(3)]
            assert [peer.store(ct_image(sop, "1.2.3"), sop).status for sop in sops] == [0, 0, 0]
            peer.release()
        receiving.event("association.closed")
        told = fates(receiving.log())
    assert {deed: fate for deed, fate in told.items() if fate not in DENIED} == dict.fromkeys(allowed, "done")
    assert set(told) == {*denied, *allowed}
    assert secret.read_text() == "the password of the database"
    assert sorted(image.stem for image in receiving.images()) == sorted(sops), "and every image is kept"


def test_what_the_hole_does_works_without_a_jail(tmp_path: Path, secret: Path, database: int) -> None:
    """The deeds themselves are sound: the parent, which reads nothing of what senders send, can do them."""
    deeds = (f"read {secret}", f"write {tmp_path}/elsewhere", f"connect {database}", "kill", "fork")
    command = [tool("tests/hole_without_jail")]
    done = subprocess.run(command, env={"MERCURE_HOLE": "\n".join(deeds)}, capture_output=True, check=True)
    assert fates([json.loads(line) for line in done.stderr.splitlines()]) == dict.fromkeys(deeds, "done")


def test_a_hole_in_the_sender_leads_nowhere(
    tmp_path: Path, secret: Path, database: int, storescp: MakeStoreScp
) -> None:
    task = tmp_path / "task"
    images = synthetic_series(task, 3)
    denied = (
        f"read {secret}",
        f"write {tmp_path}/elsewhere",
        f"write {images[0]}",
        f"remove {images[0]}",
        f"write {task}/ledger",
        f"list {tmp_path}",
        "read /etc/hostname",
        "read /proc/self/environ",
        f"connect {database}",
        f"send {database}",
        *ELSEWHERE,
    )
    allowed = (f"read {images[0]}", f"list {images[0].parent}")
    target = storescp(*ACCEPT_ALL)
    done = subprocess.run(
        [tool("tests/storescu_with_hole"), "--host", "127.0.0.1", "--port", str(target.port)],
        input=listing(images),
        env={"MERCURE_HOLE": "\n".join([*denied, *allowed])},
        capture_output=True,
        timeout=60,
        check=True,
    )
    told = fates([json.loads(line) for line in done.stderr.splitlines()])
    assert {deed: fate for deed, fate in told.items() if fate not in DENIED} == dict.fromkeys(allowed, "done")
    assert set(told) == {*denied, *allowed}
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result.get("outcome") for result in results[:-1]] == ["confirmed"] * 3, "and every image arrives"
    assert len(target.files()) == 3


def test_the_kernel_of_this_machine_lacks_nothing() -> None:
    done = subprocess.run([tool("mercure-storescp"), "--check-jail"], capture_output=True, check=True, timeout=30)
    assert done.stdout == b""
