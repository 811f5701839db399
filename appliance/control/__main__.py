"""The control service as a program: ``python -m appliance.control --root ROOT``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from appliance.control.alerts.monitor import AlertWatch
from appliance.control.errors import ControlError
from appliance.control.queue.resend import ResendWorker
from appliance.control.rpc.server import Server, TakenError
from appliance.control.session import Session
from mercure import __version__
from mercure.config import Root
from mercure.event_details import ServiceChanged
from mercure.services.common import StopFlag, log_to_stderr

_log = logging.getLogger(__name__)


def main() -> int:
    """Serve until TERM or INT."""
    parser = argparse.ArgumentParser(prog="python -m appliance.control", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the router (MERCURE_ROOT)")
    root = Root(parser.parse_args().root.absolute())
    log_to_stderr()
    server, stop = Server(root), StopFlag()
    stop.on_set(server.stop)
    stop.catch_signals()
    try:
        server.open()
    except TakenError as error:
        _log.error("%s", error)
        return 1
    _tell(root, "service.started")
    _log.info("the control API is there", extra={"socket": str(server.path)})
    watch = AlertWatch(lambda: Session(root, "control", service="control", index=server.index))
    watch.start()
    resends = ResendWorker(lambda: Session(root, "control", service="control"))
    resends.start()
    server.serve()
    resends.stop()
    watch.stop()
    server.close()
    _tell(root, "service.stopped", reason="asked to stop")
    return 0


def _tell(root: Root, type: str, reason: str | None = None) -> None:
    """Tell the history; a control service must be there also where the spool is not."""
    try:
        with Session(root, "control", service="control").changing() as events:
            events.emit(ServiceChanged(pid=os.getpid(), version=__version__, reason=reason), type=type)
    except (ControlError, OSError) as error:
        _log.warning("%s could not be told: %s", type, error)


if __name__ == "__main__":
    sys.exit(main())
