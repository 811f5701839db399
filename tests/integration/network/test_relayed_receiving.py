"""A sender's connection ends after any number of bytes, in any way, in either direction: nothing is lost or half."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.account import Account, ct_series
from tests.support.received import judge_received
from tests.support.relay import Way, relay, wherever

if TYPE_CHECKING:
    from tests.support.account import Sent
    from tests.support.receiver import Receiver, StartReceiver
    from tests.support.relay import Ending

IMAGES = 3
SHORT = 0.7
"""Seconds that the receiver waits for a silent sender; the sender waits longer."""


def series(name: str) -> list[Sent]:
    return ct_series(name, IMAGES, repeated=800)


def lengths(receiver: Receiver, account: Account) -> tuple[int, int]:
    """Return how many bytes an undisturbed association takes in each direction."""
    with relay(receiver.port) as way:
        assert account.send(way.port, series("1.2.0")) == []
        return way.passed["there"], way.passed["back"]


def places(total: int, count: int) -> list[int]:
    """Return the first bytes, the last ones, and some evenly between."""
    return sorted({1, 6, total - 1, total, *(number * total // (count + 1) for number in range(1, count + 1))})


def cut(receiver: Receiver, account: Account, name: str, there: Way, back: Way) -> None:
    """Send over a line that ends, then what is left over a good one."""
    objects = series(name)
    with relay(receiver.port, there=there, back=back) as way:
        left = account.send(way.port, objects)
    account.send_all(receiver.port, left)


def all_is_there(receiver: Receiver, account: Account) -> None:
    receiver.until_idle()
    assert sorted(receiver.data_sets()) == sorted({sent.data for sent in account.acknowledged}), "once, and bit by bit"
    judge_received(receiver, account)
    assert {"PEER"} == {event["details"]["calling_aet"] for event in receiver.events("association.closed")}
    assert not [line for line in receiver.log() if "crashed" in line["message"]]


@wherever({"reset": 12, "close": 4, "stall": 1}, {"reset": 150, "close": 150, "stall": 40})
def test_wherever_it_ends(start_receiver: StartReceiver, ending: Ending, count: int) -> None:
    receiver = start_receiver(idle_timeout_seconds=SHORT, acse_timeout_seconds=SHORT)
    account = Account(timeout=2 * SHORT)
    there, back = lengths(receiver, account)
    for place in places(there, count):
        cut(receiver, account, f"1.2.1.{place}", Way(place, ending), Way())
    for place in places(back, count):
        cut(receiver, account, f"1.2.2.{place}", Way(), Way(place, ending))
    all_is_there(receiver, account)
    how = Counter(event["details"]["how"] for event in receiver.events("association.closed"))
    assert how["timeout" if ending == "stall" else "lost"] > 0, how


@pytest.mark.parametrize(
    "way",
    [Way(piece=1), Way(piece=100, delay=0.0005), Way(delay=0.02), Way(piece=1448, delay=0.001)],
    ids=["byte by byte", "in crumbs", "from far away", "in packets"],
)
def test_however_it_is_fragmented(start_receiver: StartReceiver, way: Way) -> None:
    receiver = start_receiver()
    account = Account()
    with relay(receiver.port, there=way, back=way) as line:
        assert account.send(line.port, ct_series("1.2.3", 2, repeated=400)) == []
    all_is_there(receiver, account)
