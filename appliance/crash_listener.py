"""Tells the history of services that crash: an event listener of supervisor (``eventlistener`` in its documentation).

Supervisor writes events to its standard input and reads the protocol from its standard output: nothing else may be
printed there. What is wrong now is told by `alerts.list`, which asks supervisor itself; this keeps what has been wrong.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Root
from mercure.event_details import Recovered, Warned
from mercure.model import Record
from mercure.services.common import log_to_stderr

_READY: Final = b"READY\n"
_DONE: Final = b"RESULT 2\nOK"
_log = logging.getLogger(__name__)

Tell = Callable[[Record], None]


class Listener:
    """Turns what supervisor says of processes into events of ours: once for each crash loop, and once for its end.

    Parameters
    ----------
    tell : callable
        Takes what is to be told.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._crashing: set[str] = set()

    def on_event(self, name: str, payload: Mapping[str, str]) -> None:
        """Take one event.

        Parameters
        ----------
        name : str
            Its type, one of `appliance.supervision.programs.LISTENED`.
        payload : mapping
            ``processname``, and ``expected`` for one that has ended.
        """
        process = payload.get("processname", "")
        log = f"see log/{process}.log"
        if name == "PROCESS_STATE_RUNNING":
            if process in self._crashing:
                self._crashing.discard(process)
                self._tell(Recovered(what=f"{process} runs again after it had crashed"))
        elif name == "PROCESS_STATE_EXITED":
            if payload.get("expected") == "0":
                self._tell(Warned(text=f"{process} ended unasked and is started again", advice=log))
        elif name == "PROCESS_STATE_FATAL":
            self._crashing.add(process)
            self._tell(Warned(text=f"{process} crashes again and again; next try in some minutes", advice=log))
        elif process not in self._crashing:
            self._crashing.add(process)
            self._tell(Warned(text=f"{process} ended as soon as it was started, and is tried again", advice=log))


def listen(reading: IO[bytes], writing: IO[bytes], on_event: Callable[[str, Mapping[str, str]], None]) -> None:
    """Speak supervisor's protocol until it closes our input.

    Parameters
    ----------
    reading, writing : binary files
        Standard input and output.
    on_event : callable
        Takes the type and the tokens of each event.
    """
    while True:
        writing.write(_READY)
        writing.flush()
        header = _tokens(reading.readline())
        if not header:
            return
        payload = _tokens(reading.read(int(header["len"])))
        on_event(header.get("eventname", ""), payload)
        writing.write(_DONE)
        writing.flush()


def _tokens(data: bytes) -> dict[str, str]:
    """Read ``key:value`` pairs, as supervisor writes them."""
    pairs = (word.partition(":") for word in data.decode("utf-8", "replace").split())
    return {key: value for key, _, value in pairs}


def main() -> None:
    """Listen on standard input."""
    parser = argparse.ArgumentParser(prog="python -m appliance.crash_listener", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the router (MERCURE_ROOT)")
    root = Root(parser.parse_args().root.absolute())
    log_to_stderr()

    def tell(details: Record) -> None:
        _log.warning("%s", details)
        try:
            with Session(root, "control", service="control").changing() as events:
                events.emit(details)
        except (ControlError, OSError) as error:
            _log.error("it could not be told to the history: %s", error)

    listen(sys.stdin.buffer, sys.stdout.buffer, Listener(tell).on_event)


if __name__ == "__main__":
    main()
