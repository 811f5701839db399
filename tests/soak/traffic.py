"""Somebody who sends garbage; the scanners are those of `tests.oracle.hospital`."""

from __future__ import annotations

import random
import threading

from tests.support.data_sets import element
from tests.support.dicom_peer import Peer, PeerError, associate_rq, pdu

PIXELS = (256, 20_000, 120_000)
LONG_BREAK = 1.0


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
