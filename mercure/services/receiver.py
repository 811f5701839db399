"""The receiver's launcher: writes the configuration of ``mercure-storescp`` and keeps it running.

The receive path is a program of its own in C++; this process only translates: ``mercure.json`` into its file, a new
revision into HUP, a stop into TERM.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from mercure import durable
from mercure.dicom.receiver_program import receiver_settings
from mercure.dicom.tools import tool_path
from mercure.services import RELIEVES
from mercure.services.common import Context
from mercure.spool import Changes

TURN_SECONDS: Final = 5.0
END_SECONDS: Final = 10.0
"""Beyond the receiver's own limit for open associations, before it is ended by force."""

CONFIG_NAME: Final = "receiver.json"
_RESTART_KEYS: Final = ("bind", "plain", "port", "spool")
"""What a running receiver cannot change; it is ended in order and started again."""

_log = logging.getLogger(__name__)


class ReceiverEndedError(Exception):
    """``mercure-storescp`` ended by itself; the supervisor starts the service again."""


def relieve(numbers: str) -> None:
    """Ask the receivers of the release before this one to end: no new associations, the open ones to their end.

    Parameters
    ----------
    numbers : str
        Their process numbers. One that is no receiver with our own parent is another program by now, and is left alone.
    """
    for number in numbers.split():
        if number.isdigit() and int(number) != os.getpid() and _is_receiver_of_ours(int(number)):
            _log.info("relieving the receiver before this one", extra={"pid": int(number)})
            os.kill(int(number), signal.SIGTERM)


def _is_receiver_of_ours(number: int) -> bool:
    try:
        stat = Path(f"/proc/{number}/stat").read_text()
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    parent = int(stat.rpartition(")")[2].split()[1])  # fields in proc(5), after the name, which may hold anything
    return parent == os.getppid() and b"mercure.services" in words and b"receiver" in words


class Launcher:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._path = context.root.run / CONFIG_NAME
        self._settings: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def watched(self) -> Iterable[Path]:
        """Only the configuration matters, and every service watches that."""
        return []

    def turn(self, changes: Changes) -> float:
        """See that the receiver runs by the configuration of now.

        Raises
        ------
        ReceiverEndedError
            It ended without being asked to.
        """
        if self._process is not None and self._process.poll() is not None:
            raise ReceiverEndedError(f"mercure-storescp ended with code {self._process.returncode}; see its log")
        loaded = self._context.live.loaded
        wanted = receiver_settings(self._context.config, self._context.spool.root)
        wanted |= {"revision": loaded.revision} if loaded is not None else {}
        if wanted != self._settings:
            self._apply(wanted)
        return TURN_SECONDS

    def end(self) -> None:
        """Let open associations end within their time."""
        self._stop()

    def _apply(self, wanted: dict[str, Any]) -> None:
        restart = any(wanted[key] != self._settings.get(key) for key in _RESTART_KEYS)
        durable.make_directory(self._path.parent)
        durable.write_file(self._path, json.dumps(wanted, indent=1).encode())
        if restart:
            self._stop()
        self._settings = wanted
        if self._process is None:
            command = [str(tool_path("mercure-storescp")), "--end-with-parent", "--config", str(self._path)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            # It waits some seconds for the port, so the present holder is asked for it only now.
            relieve(os.environ.pop(RELIEVES, ""))
        else:
            self._process.send_signal(signal.SIGHUP)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        limit = float(self._settings.get("stop_timeout_seconds", 0)) + END_SECONDS
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            _log.error("the receiver did not end in time and is ended by force", extra={"seconds": limit})
            process.kill()
            process.wait()
