"""``python -m tests.benchmarks.asking PORT RATE``: ask the status page so often until TERM; then print what it came to.

In the last line: answers, those other than 200, seconds, and the 99th percentile of the waits in milliseconds.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
import time
from itertools import cycle

CONNECTIONS = 4
PATHS = ("/", "/arrivals", "/targets", "/healthz", "/metrics", "/style.css", "/exam")


def main() -> None:
    """Ask until told to stop."""
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    os.nice(10)
    stop, waits, wrong = threading.Event(), list[float](), list[int]()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def ask(place: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        paths, due = cycle(PATHS), time.monotonic() + place / rate
        while not stop.wait(max(0.0, due - time.monotonic())):
            begin = time.monotonic()
            connection.request("GET", next(paths))
            answer = connection.getresponse()
            answer.read()
            waits.append(time.monotonic() - begin)
            if answer.status != http.client.OK:
                wrong.append(answer.status)
            due += CONNECTIONS / rate
        connection.close()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begin
    slow = sorted(waits)[int(len(waits) * 0.99)] * 1000 if waits else 0.0
    print(len(waits), len(wrong), f"{seconds:.2f}", f"{slow:.1f}", flush=True)


if __name__ == "__main__":
    main()
