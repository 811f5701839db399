"""Scanners that never stop, and keep account: which images the router has acknowledged.

    python -m tests.guests.traffic HOST PORT SOURCES ACCOUNT SECONDS

SOURCES are addresses, with commas between: each has an association of its own, with one series after the other. An
image is written into ACCOUNT, and the scanner's address behind it, after its response of success has come, so every
line there is an image that the router must have for ever; the file is outside the guest. Beside it, in ACCOUNT.begun,
is what these scanners began to send.
Refused or broken associations are tried again at once: a router that restarts refuses for a moment, and that loses
nothing. A router that says nothing for SECONDS is hung up on.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support import data_sets
from tests.support.dicom_peer import Peer, PeerError, associate_rq

IMAGES_OF_A_SERIES: Final = 20
PIXELS: Final = b"\1\2" * 32_768
BETWEEN: Final = 0.1
"""Seconds from one image of an association to its next: traffic for minutes must not fill the disks."""
SUCCESS: Final = 0x0000
PAUSE: Final = 0.2
"""Seconds until a refused association is tried again."""


@dataclass
class Scanners:
    """Where to send, from which addresses, and the account."""

    host: str
    port: int
    sources: tuple[str, ...]
    account: Path
    timeout: float
    calling: bytes = b"SCANNER"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Send without end."""
        _begun(self.account).unlink(missing_ok=True)
        threads = [threading.Thread(target=self._work, args=(source,)) for source in self.sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, source: str) -> None:
        while True:
            waiting = {data_sets.uid() for _ in range(IMAGES_OF_A_SERIES)}
            series, study = data_sets.uid(), data_sets.uid()
            while waiting:
                try:
                    self._send(source, waiting, series, study)
                except (PeerError, OSError):
                    time.sleep(PAUSE)

    def _send(self, source: str, waiting: set[str], series: str, study: str) -> None:
        with Peer(self.port, self.host, timeout=self.timeout, source=source) as peer:
            peer.associate(associate_rq(calling=self.calling))
            for image in sorted(waiting):
                data = data_sets.ct_image(image, series, study=study, pixels=PIXELS)
                self._note(_begun(self.account), image, source)
                if peer.store(data, image).status == SUCCESS:
                    self._note(self.account, image, source)
                    waiting.discard(image)
                time.sleep(BETWEEN)
            peer.release()

    def _note(self, file: Path, image: str, source: str) -> None:
        with self._lock, file.open("a") as notes:
            notes.write(f"{image} {source}\n")


def _begun(account: Path) -> Path:
    return account.with_suffix(".begun")


def acknowledged(account: Path) -> set[str]:
    """Return the SOP Instance UIDs in an account; a last line that was cut short is none."""
    return _images(account)


def under_way(account: Path) -> set[str]:
    """Return the images that were begun and are not acknowledged."""
    return _images(_begun(account)) - _images(account)


def senders(account: Path) -> Counter[str]:
    """Return how many images of each scanner were acknowledged."""
    return Counter(line.partition(" ")[2] for line in _lines(account))


def _images(account: Path) -> set[str]:
    return {line.partition(" ")[0] for line in _lines(account)}


def _lines(account: Path) -> list[str]:
    if not account.exists():
        return []
    whole, _, _ = account.read_text().rpartition("\n")
    return whole.splitlines()


def main(host: str, port: str, sources: str, account: str, seconds: str) -> None:
    """Send from a network of the lab."""
    Scanners(host, int(port), tuple(sources.split(",")), Path(account), float(seconds)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
