"""``python -m tests.benchmarks.answering PORT``: answers each request at once with the same page, until TERM.

What asking costs by itself, on a machine that does both: other computers ask in a hospital.
"""

from __future__ import annotations

import os
import socketserver
import sys

BODY = b"x" * 12_000
"""About as much as the first page."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer all its requests, which have no body."""
        for line in self.rfile:
            if line == b"\r\n":
                self.wfile.write(ANSWER)


def main() -> None:
    """Serve."""
    os.nice(10)
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    main()
