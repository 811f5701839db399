"""Event stream of the router, read in a thread; it connects again when it breaks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from appliance.control.rpc.client import ControlError, Nothing, api
from tui.messages import Connected, Disconnected, Streamed

if TYPE_CHECKING:
    from textual.message import Message

    from tui.router_client import RouterProtocol

WAITS: Final = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Seconds before the first, second … try; then always the last."""

WANTED: Final = api.streams.Subscribe(
    topics=("status", "counters", "events"),
    types=(
        "task.",
        "config.",
        "service.",
        "study.",
        "target.",
        "module.",
        "alert.",
        "image.quarantined",
        "quarantine.",
    ),
)  # fmt: skip


class EventStream:
    """Reads the stream until it is stopped.

    Parameters
    ----------
    source : RouterProtocol
        The router.
    post : callable
        Takes messages from this thread.
    """

    def __init__(self, source: RouterProtocol, post: Callable[[Message], object]) -> None:
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
            self._post_message(Disconnected(why, seconds))
            self._end.wait(seconds)

    def _read(self) -> None:
        who = self._source.call(api.status.WHO_AM_I, Nothing())
        with self._source.stream(WANTED) as items:
            self._failures = 0
            self._post_message(Connected(who))
            for item in items:
                if self._end.is_set():
                    return
                if not isinstance(item, api.streams.Heartbeat):
                    self._post_message(Streamed(item))

    def _post_message(self, message: Message) -> None:
        """Post a message; once the app has ended there is nobody to take it."""
        with contextlib.suppress(RuntimeError):
            self._post(message)
