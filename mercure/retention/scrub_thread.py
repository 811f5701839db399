"""The scrub in a thread of its own beside the cleaner, of the lowest priority."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from mercure.clock import Clock
from mercure.config.models import ScrubSettings as Settings
from mercure.event_details import Warned
from mercure.events import TRIES_AGAIN, EventWriter
from mercure.retention.priority import be_idle
from mercure.retention.scrub import Scrub
from mercure.spool import Spool

START_SECONDS: Final = 600.0
"""After a start, the disk is first for what waits."""

END_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class ScrubThread:
    """Begins the scrub when it is due, and lets it go on between the turns of a service.

    Parameters
    ----------
    spool, events, clock
        What is read, who is told, and when.
    settings : callable
        The settings of now.
    """

    def __init__(self, spool: Spool, events: EventWriter, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._events = events
        self._clock = clock
        self._stop = threading.Event()
        self._scrub = Scrub(spool, events, clock, settings, self._stop.wait)
        self._thread: threading.Thread | None = None
        self._not_before = clock.monotonic() + START_SECONDS
        self._failing = False

    def turn(self) -> None:
        """Begin, or go on with, what is due."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._clock.monotonic() < self._not_before or self._stop.is_set() or not self._scrub.is_due():
            return
        self._thread = threading.Thread(target=self._work, name="scrub", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop; how far it came is written down."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _work(self) -> None:
        try:
            be_idle()
            self._scrub.run()
            self._failing = False
        except OSError as error:
            self._not_before = self._clock.monotonic() + START_SECONDS
            if not self._failing:
                _log.error("the scrub cannot go on for now", exc_info=error)
                self._events.emit(Warned(text=f"the kept images cannot be read: {error}", advice=TRIES_AGAIN))
            self._failing = True
        except Exception:  # noqa: BLE001 - a mistake of the scrub must not end the cleaner; the log has it
            self._not_before = self._clock.monotonic() + START_SECONDS
            _log.exception("the scrub failed")
