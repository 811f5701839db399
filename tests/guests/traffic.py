"""A scanner that never stops, and keeps account: which images the router has acknowledged.

    python -m tests.guests.traffic HOST PORT SOURCE ACCOUNT [IMAGES]

Several associations at once, each with one series after the other. An image is written into ACCOUNT after its response
of success has come, so every line there is an image that the router must have for ever; the file is outside the guest.
Refused or broken associations are tried again at once: a router that restarts refuses for a moment, and that loses
nothing. It ends after IMAGES images, or when it is killed.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support import data_sets
from tests.support.dicom_peer import Peer, PeerError, associate_rq

ASSOCIATIONS: Final = 4
IMAGES_OF_A_SERIES: Final = 20
PIXELS: Final = b"\1\2" * 32_768
BETWEEN: Final = 0.1
"""Seconds from one image of an association to its next: traffic for minutes must not fill the disks."""
SUCCESS: Final = 0x0000
PAUSE: Final = 0.2
"""Seconds until a refused association is tried again."""


@dataclass
class Scanner:
    """Where to send, and the account."""

    host: str
    port: int
    source: str
    account: Path
    images: int | None = None
    calling: bytes = b"SCANNER"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun: itertools.count[int] = field(default_factory=itertools.count)

    def run(self) -> None:
        """Send until there is no more to send."""
        threads = [threading.Thread(target=self._work) for _ in range(ASSOCIATIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while self.images is None or next(self._begun) * IMAGES_OF_A_SERIES < self.images:
            waiting = {data_sets.uid() for _ in range(IMAGES_OF_A_SERIES)}
            series, study = data_sets.uid(), data_sets.uid()
            while waiting:
                try:
                    self._send(waiting, series, study)
                except (PeerError, OSError):
                    time.sleep(PAUSE)

    def _send(self, waiting: set[str], series: str, study: str) -> None:
        with Peer(self.port, self.host, timeout=30, source=self.source) as peer:
            peer.associate(associate_rq(calling=self.calling))
            for image in sorted(waiting):
                data = data_sets.ct_image(image, series, study=study, pixels=PIXELS)
                if peer.store(data, image).status == SUCCESS:
                    self._note(image)
                    waiting.discard(image)
                time.sleep(BETWEEN)
            peer.release()

    def _note(self, image: str) -> None:
        with self._lock, self.account.open("a") as account:
            account.write(f"{image}\n")


def acknowledged(account: Path) -> set[str]:
    """Return the SOP Instance UIDs in an account; a last line that was cut short is none."""
    if not account.exists():
        return set()
    whole, _, _ = account.read_text().rpartition("\n")
    return set(whole.split())


def main(host: str, port: str, source: str, account: str, images: str = "") -> None:
    """Send from a network of the lab."""
    Scanner(host, int(port), source, Path(account), int(images) if images else None).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
