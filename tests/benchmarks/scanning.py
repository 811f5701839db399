"""``python -m tests.benchmarks.scanning PORT RATE COUNT SEED``: a scanner that sends an image whenever one is ready.

It keeps its pace whatever the router does: an image that is due while the one before is not answered yet waits in the
scanner. In the last line: images a second, and median and 99th percentile of the time from when an image was ready to
its answer, in milliseconds.
"""

from __future__ import annotations

import sys
import time

from tests.support.dicom_peer import STORE_CT, Peer, associate_rq
from tests.support.series import synthetic_images

SIDE = 512
FRAGMENT = 120_000
SUCCESS = 0x0000


def main() -> None:
    """Send one series."""
    port, rate, count, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    images = [(uid, _data_set(data)) for uid, data in synthetic_images(count, SIDE, SIDE, seed=seed)]
    waits = []
    with Peer(port) as scanner:
        scanner.associate(associate_rq((STORE_CT,), calling=b"PACED"))
        begin = time.monotonic()
        for number, (uid, data) in enumerate(images):
            ready = begin + number / rate
            time.sleep(max(0.0, ready - time.monotonic()))
            response = scanner.store(data, uid, fragment=FRAGMENT)
            assert response.status == SUCCESS, hex(response.status)
            waits.append(time.monotonic() - ready)
        seconds = time.monotonic() - begin
        scanner.release()
    waits.sort()
    middle, late = (1000 * waits[int(len(waits) * part)] for part in (0.5, 0.99))
    print(f"{count / seconds:.2f} {middle:.2f} {late:.2f}")


def _data_set(file: bytes) -> bytes:
    """Return what stands in a file behind its meta information (PS3.10 section 7.1), which is not sent."""
    length = int.from_bytes(file[140:144], "little")
    return file[144 + length :]


if __name__ == "__main__":
    main()
