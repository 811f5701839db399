"""A router whose services are real loops in processes of their own, started and killed all at once."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from mercure.clock import OFFSET_FILE
from mercure.services import NAMES, main
from tests.support import killing
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.procfs import descendants, is_alive

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path


def run_service(root: Path, name: str, offset: str = "") -> None:
    """Run a service until it is told to stop; `offset` is the file that says how wrong its clock is."""
    os.environ[OFFSET_FILE] = offset
    main([name, "--root", str(root)])


class Living:
    """All services of a root.

    Parameters
    ----------
    root
        Whose configuration names `port` for the receiver.
    offset
        The file that says how wrong their clock is, in seconds.
    """

    def __init__(self, root: Path, port: int, offset: Path | None = None) -> None:
        self._offset = str(offset or "")
        self._root = root
        self._port = port
        self._stack = ExitStack()
        self._processes: list[ForkServerProcess] = []

    def start(self) -> None:
        """Start them, and wait until images can be received."""
        for name in NAMES:
            started = killing.started(run_service, self._root, name, self._offset)
            self._processes.append(self._stack.enter_context(started))
        eventually(lambda: is_listening(self._port), seconds=60, what="the receiver listens")

    def kill(self) -> None:
        """End all of them at once, and what they started."""
        pids = {process.pid for process in self._processes if process.pid is not None}
        pids |= {child for pid in pids for child in descendants(pid)}
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stack.close()
        self._processes.clear()
        eventually(lambda: not any(is_alive(pid) for pid in pids), seconds=30, what="all have ended")
