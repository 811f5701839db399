"""Crash listener: tells the history of services that crash (an ``eventlistener`` of supervisor).

Supervisor writes events to its standard input and reads the protocol from its standard output: nothing else may be
printed there. What is wrong now shows in `alerts.list`, which asks supervisor itself; this keeps what was wrong.

A process that crashes every twenty seconds is never in supervisor's own loop state, for each of its starts was a good
one. So ends are counted here: three within five minutes are a loop, told once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

from appliance.control.api.services import CRASH_LOOP
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.supervision.crashes import WITHIN, Crashes
from mercure.clock import Clock
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
        Takes the event.
    run : Path
        The folder in which crashes are noted for who shows the services.
    """

    def __init__(self, tell: Tell, run: Path, clock: Clock) -> None:
        self._tell = tell
        self._run = run
        self._clock = clock
        self._crashes = Crashes.read(run)
        self._crashing: set[str] = set()
        self._looping: set[str] = set()

    def on_event(self, name: str, payload: Mapping[str, str]) -> None:
        """Take one event.

        Parameters
        ----------
        name : str
            Its type, one of `appliance.supervision.programs.LISTENED`.
        payload : mapping
            ``processname``, and ``expected`` for one that has ended.
        """
        take = _TAKEN.get(name)
        if take is not None:
            take(self, payload.get("processname", ""), payload)
        self._see_ends()

    def _running(self, process: str, payload: Mapping[str, str]) -> None:
        if process in self._crashing:
            self._crashing.discard(process)
            if process not in self._looping:
                self._tell(Recovered(what=f"{process} runs again after it had crashed"))

    def _exited(self, process: str, payload: Mapping[str, str]) -> None:
        if payload.get("expected") == "0" and not self._note(process):
            self._tell(Warned(text=f"{process} ended unasked and is started again", advice=_log_of(process)))

    def _backoff(self, process: str, payload: Mapping[str, str]) -> None:
        if not self._note(process) and process not in self._crashing:
            text = f"{process} ended as soon as it was started, and is tried again"
            self._tell(Warned(text=text, advice=_log_of(process)))
        self._crashing.add(process)

    def _fatal(self, process: str, payload: Mapping[str, str]) -> None:
        self._crashing.add(process)
        text = f"{process} crashes again and again; next try in some minutes"
        self._tell(Warned(text=text, advice=_log_of(process)))

    def _note(self, process: str) -> bool:
        """Note that a process ended; tell of a loop when it becomes one, and return whether it is in one."""
        now = self._clock.now()
        self._crashes = self._crashes.with_end(process, now)
        try:
            self._crashes.write(self._run)
        except OSError as error:
            _log.error("a crash could not be noted: %s", error)
        ends = self._crashes.recent(process, now)
        if ends < CRASH_LOOP:
            return False
        if process not in self._looping:
            self._looping.add(process)
            text = f"{process} crashes again and again: {ends} times within {WITHIN.total_seconds() / 60:.0f} minutes"
            self._tell(Warned(text=text, advice=_log_of(process)))
        return True

    def _see_ends(self) -> None:
        """Tell of loops that are over: nothing crashed for so long that they count as none."""
        for process in sorted(self._looping - self._crashes.looping(self._clock.now())):
            self._looping.discard(process)
            if process not in self._crashing:
                self._tell(Recovered(what=f"{process} has not crashed for some minutes"))


def _log_of(process: str) -> str:
    return f"see log/{process}.log"


_TAKEN: Final[dict[str, Callable[[Listener, str, Mapping[str, str]], None]]] = {
    "PROCESS_STATE_RUNNING": Listener._running,
    "PROCESS_STATE_EXITED": Listener._exited,
    "PROCESS_STATE_BACKOFF": Listener._backoff,
    "PROCESS_STATE_FATAL": Listener._fatal,
}
"""What each type of event means; a tick of the clock only lets loops end."""


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

    listen(sys.stdin.buffer, sys.stdout.buffer, Listener(tell, root.run, Clock()).on_event)


if __name__ == "__main__":
    main()
