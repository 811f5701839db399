"""What an image or a connection costs the receiver is the same after one, ten and a hundred times as many before it.

Counted are calls of the system and bytes (``/proc/PID/io``), and not time.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.receiver import Receiver, StartReceiver

BEFORE = (10, 100, 1000)
MEASURED = 10
MARGIN = 1.2
COUNTED = ("rchar", "wchar", "syscr", "syscw")


def spent(process: int) -> dict[str, int]:
    """Return what a process has read and written so far."""
    lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
    told = dict(line.split(": ") for line in lines)
    return {name: int(told[name]) for name in COUNTED}


def cost_of_images(receiver: Receiver, first: int, make: Callable[[int], tuple[bytes, str]]) -> dict[str, int]:
    """Send some images over an association of their own, and return what its process spent on them."""
    with Peer(receiver.port) as peer:
        peer.associate()
        (child,) = receiver.children()
        assert peer.store(*make(first)).status == 0  # its files are open now
        before = spent(child)
        for number in range(first + 1, first + 1 + MEASURED):
            assert peer.store(*make(number)).status == 0
        after = spent(child)
        peer.release()
    receiver.until_idle()
    return {name: after[name] - before[name] for name in COUNTED}


def assert_constant(costs: list[dict[str, int]]) -> None:
    for name in COUNTED:
        told = [cost[name] for cost in costs]
        assert max(told) <= MARGIN * max(1, told[0]), f"{name} after {BEFORE}: {told}"


@pytest.mark.parametrize("one_uid", [False, True], ids=["images of one series", "versions of one image"])
def test_an_image_costs_the_same_however_many_came(start_receiver: StartReceiver, *, one_uid: bool) -> None:
    receiver = start_receiver(durability="none")
    series, same = uid(), uid()

    def make(number: int) -> tuple[bytes, str]:
        sop = same if one_uid else f"1.2.3.{number}"
        return ct_image(sop, series, pixels=f"{number:08}".encode() * 64), sop

    sent, costs = 0, []
    for before in BEFORE:
        with Peer(receiver.port) as peer:
            peer.associate()
            for number in range(sent, before):
                assert peer.store(*make(number)).status == 0
            peer.release()
        receiver.until_idle()
        costs.append(cost_of_images(receiver, before, make))
        sent = before + 1 + MEASURED
    assert_constant(costs)


def test_a_connection_of_garbage_costs_the_same_however_many_came(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()

    def knock(times: int) -> None:
        for _ in range(times):
            with socket.create_connection(("127.0.0.1", receiver.port)) as link:
                link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                link.recv(100)
        eventually(receiver.is_idle, what="no connection is open")

    sent, costs = 0, []
    for before in BEFORE:
        knock(before - sent)
        begun = spent(receiver.program.pid)
        knock(MEASURED)
        ended = spent(receiver.program.pid)
        costs.append({name: (ended[name] - begun[name]) // MEASURED for name in COUNTED})
        sent = before + MEASURED
    for name in COUNTED:
        told = [cost[name] for cost in costs]
        # The server looks after its house besides, by the clock.
        assert max(told) <= 2 * max(1, told[0]) + 2000 * name.endswith("char"), f"{name} after {BEFORE}: {told}"
    log = [line for line in receiver.log() if line["message"] == "an association was refused"]
    assert len(log) < BEFORE[-1] / 10, "they are told together"
