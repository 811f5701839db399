"""The status page as systemd runs it: on a socket that was opened before."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What systemd does for a service with a socket unit (sd_listen_fds(3)).
_OPENED_BEFORE: Final = """
import os, pathlib, socket, sys
listener = socket.socket(socket.AF_UNIX)
pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@contextmanager
def page_on_socket(path: Path, root: Path) -> Iterator[Running]:
    """Run the page of a root on a Unix socket; who connects before it is up waits."""
    page = (sys.executable, "-c", _OPENED_BEFORE, path, "-m", "appliance.status_page", "--root", root)
    with running(page, ready=lambda _: _is_open(path), seconds=60) as program:
        yield program


def _is_open(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(str(path)) == 0
