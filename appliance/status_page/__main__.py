"""The status page as a program: ``python -m appliance.status_page --root ROOT``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from waitress.server import create_server

from appliance.status_page.site import Site
from appliance.status_page.sockets import where
from appliance.status_page.source import RouterLook, SnapshotSource, find_exam
from mercure.printable import json_text

_NICE: Final = 10
"""When there is not enough processor time, receiver and router go first."""

_THREADS: Final = 8
_MOST_CONNECTIONS: Final = 200
_MOST_HEADER_BYTES: Final = 16 * 1024
_MOST_BODY_BYTES: Final = 1024
"""A GET has no body; what is longer is refused before it is read."""

_IDLE_SECONDS: Final = 30
_log = logging.getLogger("appliance.status_page")


def main() -> int:
    """Serve until TERM or INT."""
    parser = argparse.ArgumentParser(prog="python -m appliance.status_page", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the router (MERCURE_ROOT)")
    parser.add_argument(
        "--listen", metavar="ADDRESS:PORT", help="where to listen while the control service does not say"
    )
    options = parser.parse_args()
    root: Path = options.root.absolute()
    _log_to_stderr()
    os.nice(_NICE)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    place, address = where(root, options.listen)
    site = Site(SnapshotSource(RouterLook(root)), partial(find_exam, root))
    try:
        server = create_server(
            site.application,
            **place,
            threads=_THREADS,
            connection_limit=_MOST_CONNECTIONS,
            channel_timeout=_IDLE_SECONDS,
            max_request_header_size=_MOST_HEADER_BYTES,
            max_request_body_size=_MOST_BODY_BYTES,
            ident=None,
            clear_untrusted_proxy_headers=False,  # read by `access`, which knows networks of proxies
        )
    except OSError as error:
        _log.error("cannot listen on %s: %s; set status_page.bind and status_page.port", address, error)
        return 1
    _log.info("the status page is there: %s", address)
    server.run()
    return 0


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)  # waitress ends its threads and closes


def _log_to_stderr() -> None:
    """Log as the services do: one JSON object to a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # It would tell of each client that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class _JsonLines(logging.Formatter):
    """Formats a record as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": os.getpid(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json_text(line)


if __name__ == "__main__":
    sys.exit(main())
