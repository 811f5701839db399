"""The stream of the router, kept up: read in a thread, begun again when it breaks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from appliance.control.rpc.client import ControlError, Nothing, api
from tui.messages import Connected, Disconnected, Streamed

if TYPE_CHECKING:
    from textual.message import Message

    from tui.source import Source

WAITS: Final = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Seconds before the first, second … try; then always the last."""

WANTED: Final = api.streams.Subscribe(
    topics=("status", "counters", "events"), types=("task.", "config.", "service.", "study.")
)


class Feed:
    """Reads the stream until it is told to end.

    Parameters
    ----------
    source : Source
        The router.
    post : callable
        Takes messages from this thread.
    """

    def __init__(self, source: Source, post: Callable[[Message], object]) -> None:
        self._source = source
        self._post = post
        self._end = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """End; a wait is cut short."""
        self._end.set()

    def run(self) -> None:
        """Connect, read, and connect again after each end."""
        while not self._end.is_set():
            try:
                self._read()
                why = "the stream ended"
            except ControlError as error:
                why = error.text
            if self._end.is_set():
                return
            seconds = WAITS[min(self._failures, len(WAITS) - 1)]
            self._failures += 1
            self._tell(Disconnected(why, seconds))
            self._end.wait(seconds)

    def _read(self) -> None:
        who = self._source.call(api.status.WHO_AM_I, Nothing())
        with self._source.stream(WANTED) as items:
            self._failures = 0
            self._tell(Connected(who))
            for item in items:
                if self._end.is_set():
                    return
                if not isinstance(item, api.streams.Heartbeat):
                    self._tell(Streamed(item))

    def _tell(self, message: Message) -> None:
        """Post a message; when the app has ended meanwhile nobody wants it."""
        with contextlib.suppress(RuntimeError):
            self._post(message)
