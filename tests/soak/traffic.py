"""Mixed traffic: three kinds of scanner, and somebody who sends garbage."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from tests.support.account import Sent
from tests.support.data_sets import ct_image, element, nested_sequences, text
from tests.support.dicom_peer import Peer, PeerError, associate_rq, pdu

if TYPE_CHECKING:
    from collections.abc import Callable

CT, MR, OT = "CT", "MR", "OT"
MODALITIES = (CT, MR, OT)
LARGEST_SERIES = 12
PIXELS = (256, 20_000, 120_000)
REPETITION, UNREADABLE = 0.1, 0.05
LONG_BREAK = 1.0


def scanner(modality: str, seed: int) -> Callable[[int], list[Sent]]:
    """Return what makes the series of one scanner: of all sizes, with repetitions, some with an unreadable object."""

    def series(number: int) -> list[Sent]:
        chance = random.Random(f"{modality} {seed} {number}")
        uid = f"1.2.{MODALITIES.index(modality) + 1}.{seed}.{number}"
        made = [_image(modality, uid, place, chance) for place in range(1, chance.randint(2, LARGEST_SERIES))]
        if chance.random() < REPETITION:
            made.append(made[0])
        if chance.random() < UNREADABLE:
            made.append(Sent(f"{uid}.0", nested_sequences(2_000), readable=False))
        return made

    return series


def _image(modality: str, series: str, number: int, chance: random.Random) -> Sent:
    sop = f"{series}.{number}"
    data = ct_image(sop, series, study=f"{series}.9", pixels=chance.randbytes(chance.choice(PIXELS)))
    return Sent(sop, data.replace(text(0x00080060, b"CS", CT), text(0x00080060, b"CS", modality)))


class Vandal:
    """Connects and sends what no scanner would, now and then, until it is ended."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self.visits = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._chance.uniform(0, LONG_BREAK)):
            try:
                with Peer(self._port, timeout=5) as peer:
                    self._chance.choice((self._noise, self._half_an_image, self._nothing))(peer)
            except (PeerError, OSError):
                pass  # that it is thrown out is as it should be
            self.visits += 1

    def _noise(self, peer: Peer) -> None:
        peer.send(self._chance.randbytes(self._chance.randint(1, 5000)))

    def _half_an_image(self, peer: Peer) -> None:
        peer.associate(associate_rq(calling=b"VANDAL"))
        peer.send(pdu(4, element(0x00100010, b"PN", b"half")))

    def _nothing(self, peer: Peer) -> None:
        peer.associate()

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join(30)
