"""Sockets of the status page: those that systemd opened, or the configured address."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.control.rpc.client import ControlError, DisconnectedError
from appliance.status_page.source import RouterLook
from mercure.config.status_page import StatusPage

SETTINGS_SECONDS: Final = 10.0
"""The control service has this long to say where to listen, before the command line counts."""

_PAUSE: Final = 0.2
_FIRST_INHERITED: Final = 3
_log = logging.getLogger(__name__)


def where(root: Path, listen: str | None, environment: Mapping[str, str] = os.environ) -> tuple[dict[str, Any], str]:
    """Return where to listen as arguments of waitress, and as text.

    Parameters
    ----------
    root : Path
        Root of the router.
    listen : str or None
        ``ADDRESS:PORT`` that counts while the control service does not answer.
    environment : mapping
        Environment in which systemd announces its sockets.
    """
    sockets = inherited(environment)
    if sockets:
        return {"sockets": sockets}, ", ".join(str(item.getsockname()) for item in sockets)
    bind, port = _configured(root, listen)
    return {"host": bind, "port": port}, f"http://[{bind}]:{port}/" if ":" in bind else f"http://{bind}:{port}/"


def inherited(environment: Mapping[str, str]) -> list[socket.socket]:
    """Return the sockets that systemd opened for this process (sd_listen_fds(3)); an ancestor's are not meant."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    last = _FIRST_INHERITED + int(environment.get("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=descriptor) for descriptor in range(_FIRST_INHERITED, last)]
    for item in sockets:
        item.set_inheritable(False)
    return sockets


def _configured(root: Path, listen: str | None) -> tuple[str, int]:
    """Return where to listen: by the configuration, else by the command line, else the default."""
    end = time.monotonic() + SETTINGS_SECONDS
    while True:
        try:
            settings, _ = RouterLook(root)()
        except (ControlError, DisconnectedError, OSError) as error:
            if time.monotonic() < end:
                time.sleep(_PAUSE)
                continue
            _log.warning("the control service does not say where to listen: %s", error)
            settings = StatusPage()
            if listen is not None:
                host, _, port = listen.rpartition(":")
                settings = StatusPage(bind=host.strip("[]"), port=int(port))
        return settings.bind, settings.port
