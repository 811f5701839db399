"""Many connections at once that mean nothing: others get in or are told why not, and it is over when they are gone."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.account import Account, ct_series
from tests.support.dicom_peer import STORE_CT, Closed, Peer, Rejected, associate_rq, message, store_command
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.receiver import Receiver, StartReceiver

CROWD = 500
TRANSIENT_LOCAL_LIMIT = (2, 3, 2)
"""A-ASSOCIATE-RJ: for now, by the presentation part, local limit exceeded (PS3.8 table 9-21)."""

CALLERS = ("127.0.1.1",)
EVERYBODY = tuple(f"127.0.1.{number}" for number in range(1, 51))
SCANNER = "127.0.0.9"


@contextmanager
def crowd(receiver: Receiver, addresses: tuple[str, ...], *, count: int = CROWD) -> Iterator[list[Peer]]:
    """Open connections, dealt out to addresses, and leave them; those that are closed on us are left too."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(Peer(receiver.port, source=addresses[number % len(addresses)]))
            for number in range(count)
        ]


def store_from(receiver: Receiver, source: str, sop: str) -> None:
    """Store one image as a well-behaved scanner does."""
    (image,) = ct_series(sop.rpartition(".")[0], 1, first=int(sop.rpartition(".")[2]))
    with Peer(receiver.port, source=source) as peer:
        peer.associate(associate_rq((STORE_CT,), calling=b"SCANNER"))
        assert peer.store(image.data, image.sop).status == 0
        peer.release()


def took_from(receiver: Receiver, source: str, sop: str) -> bool:
    """Store one image, unless there is no place at this moment: then return False."""
    try:
        store_from(receiver, source, sop)
    except Rejected as rejected:
        if (rejected.result, rejected.source, rejected.reason) != TRANSIENT_LOCAL_LIMIT:
            raise
        return False
    return True


def answer_to(receiver: Receiver, source: str) -> str | tuple[int, int, int]:
    """Ask for an association, and say what became of it."""
    with Peer(receiver.port, source=source) as peer:
        try:
            peer.associate(associate_rq((STORE_CT,), calling=b"SCANNER"))
        except Rejected as rejected:
            return rejected.result, rejected.source, rejected.reason
        except Closed:
            return "closed without a word"
        peer.release()
        return "let in"


def descriptors(receiver: Receiver) -> list[str]:
    """Return what the server has open; what it closes meanwhile is left out."""
    found = []
    for descriptor in Path(f"/proc/{receiver.program.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return sorted(found)


def reasons(receiver: Receiver) -> set[str]:
    """Return why the scanner was refused."""
    told = (event["details"] for event in receiver.events("association.refused"))
    return {str(details["reason"]) for details in told if details["calling_aet"] == "SCANNER"}


def test_one_address_cannot_keep_another_out(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(acse_timeout_seconds=3)
    # It listens before it has cleared the spool; once it has served somebody, it has nothing open but what it keeps.
    assert answer_to(receiver, SCANNER) == "let in"
    receiver.until_idle()
    before = descriptors(receiver)
    with crowd(receiver, CALLERS) as callers:
        eventually(lambda: len(receiver.children()) == 50, seconds=30, what="as many processes as one sender may have")
        store_from(receiver, SCANNER, "1.2.1.1")
        assert answer_to(receiver, CALLERS[0]) == TRANSIENT_LOCAL_LIMIT
        assert len(receiver.children()) <= 51
        eventually(lambda: reasons(receiver), what="the refusal is told")
        assert reasons(receiver) == {"too many associations at once from this sender: 50"}
        # They are left open by their side; ours lets go of each.
        eventually(lambda: not receiver.children(), seconds=60, what="silent callers are let go")
        assert answer_to(receiver, CALLERS[0]) == "let in"
        for caller in callers:
            caller.until_closed()
    store_from(receiver, CALLERS[0], "1.2.1.2")
    receiver.until_idle()
    eventually(lambda: descriptors(receiver) == before, seconds=20, what="all descriptors are given back")
    assert [path.stem for path in receiver.images()] == ["1.2.1.1", "1.2.1.2"]


def test_a_crowd_from_everywhere_is_a_truthful_refusal_for_a_while(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(acse_timeout_seconds=4)
    with crowd(receiver, EVERYBODY):
        eventually(lambda: len(receiver.children()) == 100, seconds=30, what="all places are taken")
        # The places are given up by themselves at last: until then the scanner is told that it is for the moment.
        answers = {answer_to(receiver, SCANNER) for _ in range(3)}
        assert answers <= {TRANSIENT_LOCAL_LIMIT, "let in"}
        # Being let in once is no promise: those of the crowd whom nobody has answered yet take places that become free.
        eventually(lambda: took_from(receiver, SCANNER, "1.2.2.1"), seconds=60, what="the scanner's image is taken")
    receiver.until_idle()
    assert [path.stem for path in receiver.images()] == ["1.2.2.1"]
    assert any("too many associations" in line.get("reason", "") for line in receiver.log())


def test_associations_that_are_opened_and_left_are_ended(start_receiver: StartReceiver) -> None:
    """Half-open connections: their machines are gone without a word, in the middle of what they sent."""
    receiver = start_receiver(idle_timeout_seconds=3, max_associations=40, max_associations_per_sender=40)
    half = message(1, store_command("1.2.3.4"), bytes(50_000))[:20_000]
    with crowd(receiver, CALLERS, count=60) as callers:
        for caller in callers:
            with suppress(Rejected, Closed):
                caller.associate(associate_rq((STORE_CT,)))
                caller.send(half)
        assert answer_to(receiver, SCANNER) == "let in"  # one of them has to give way
        eventually(lambda: not receiver.children(), seconds=60, what="all of them are ended")
        store_from(receiver, SCANNER, "1.2.3.1")
    receiver.until_idle()
    endings = [event["details"] for event in receiver.events("association.closed")]
    assert [ending["how"] for ending in endings if ending["calling_aet"] == "PEER"] == ["timeout"] * 40
    assert [path.stem for path in receiver.images()] == ["1.2.3.1"]


def test_slow_loris(start_receiver: StartReceiver) -> None:
    """A hundred callers of two addresses that send a byte now and then hold nobody up for longer than the limit."""
    receiver = start_receiver(acse_timeout_seconds=2, max_associations=120)
    request, ended = associate_rq() * 3, threading.Event()
    with crowd(receiver, ("127.0.1.1", "127.0.1.2"), count=100) as callers:

        def dribble() -> None:
            for byte in request:
                for caller in callers:
                    with suppress(Closed):
                        caller.send(bytes([byte]))
                if ended.wait(0.05):
                    return

        dribbler = threading.Thread(target=dribble)
        dribbler.start()
        try:
            eventually(lambda: len(receiver.children()) == 100, seconds=30, what="all have a process")
            store_from(receiver, SCANNER, "1.2.4.1")
            eventually(lambda: not receiver.children(), seconds=30, what="all are thrown out")
        finally:
            ended.set()
            dribbler.join()
    assert [path.stem for path in receiver.images()] == ["1.2.4.1"]
    receiver.until_idle()


def test_without_descriptors_callers_wait_and_are_served(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(prefix=("prlimit", "--nofile=40"), acse_timeout_seconds=2)
    account = Account()
    with crowd(receiver, CALLERS, count=100):
        eventually(
            lambda: any("no descriptors left" in line["message"] for line in receiver.log()) or receiver.children(),
            seconds=30,
        )
        account.send_all(receiver.port, ct_series("1.2.5", 3))
    receiver.until_idle()
    assert sorted(receiver.data_sets()) == sorted(sent.data for sent in account.acknowledged)


@pytest.mark.parametrize("limit", [1, 5])
def test_a_scanner_that_comes_again_and_again_gets_its_turn(start_receiver: StartReceiver, limit: int) -> None:
    """Senders beyond the limit, each trying again as scanners do: all of them come to their end."""
    receiver = start_receiver(max_associations=limit)
    accounts = [Account() for _ in range(12)]
    senders = [
        threading.Thread(target=account.send_all, args=(receiver.port, ct_series(f"1.2.6.{number}", 3)))
        for number, account in enumerate(accounts)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(100)
    sent = sorted(each.data for account in accounts for each in account.acknowledged)
    assert len(sent) == 36
    receiver.until_idle()
    assert sorted(receiver.data_sets()) == sent
