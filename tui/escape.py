"""Esc, and the keys that come after it in the same moment: from a quick hand, or over a slow link.

A terminal sends Esc and a key just as it sends Alt and the key. Textual reads both as Alt, or as what a Mac types by it
(``¡`` for Esc 1). Nothing here is bound to Alt, so they are Esc and the key; and the key is for where Esc has led.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver

if TYPE_CHECKING:
    from collections.abc import Iterable

ESC: Final = "\x1b"
NOT_APART: Final = frozenset("[O]P_^XN\\" + "bf" + "\t\b\x7f" + ESC)
"""What after Esc begins a sequence of the terminal, moves or deletes by words in a text, or is shift+tab."""

LONGEST_SECONDS: Final = 2.0
"""So long the keys after an Esc wait for it at the most: nothing of ours stops it, and a machine may be busy."""


class Parser(XTermParser):
    """Reads keys out of what the terminal sends."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        first, rest = sequence[:1], sequence[1:]
        if first == ESC and len(rest) == 1 and rest not in NOT_APART:
            yield events.Key("escape", ESC)
            sequence = rest
        yield from super()._sequence_to_key_events(sequence, alt=alt)


def read_escape_apart() -> None:
    """Let the driver of the terminal read by `Parser`: it makes its own, and a driver of ours would be a copy of it."""
    vars(linux_driver)["XTermParser"] = Parser


class EscapeFirst(App[None]):
    """An app in which a key that comes after Esc waits until that is done.

    Textual does keys that are bound before all others at once, and all others when they have come up from the widget
    that has the keys: a number typed after Esc would overtake it, and be for the dialog that Esc closes.
    """

    def __init__(self, *, ansi_color: bool = False) -> None:
        super().__init__(ansi_color=ansi_color)
        self._keys: deque[events.Key] = deque()
        self._escape: events.Key | None = None
        self._escape_since = 0.0

    async def on_event(self, event: events.Event) -> None:
        """Take an event; keys in their order."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._keys.append(event)
            await self._take_keys()
            return
        await super().on_event(event)
        if event is self._escape:
            self._escape = None
            await self._take_keys()

    async def _take_keys(self) -> None:
        """Take the keys that wait, up to an Esc that is not done yet."""
        while self._keys and not self._waits():
            key = self._keys.popleft()
            if key.key == "escape":
                self._escape, self._escape_since = key, time.monotonic()
                self.set_timer(LONGEST_SECONDS, self._take_keys)
            await super().on_event(key)

    def _waits(self) -> bool:
        """Tell whether an Esc is on its way; one that does not come back was stopped by somebody."""
        return self._escape is not None and time.monotonic() - self._escape_since < LONGEST_SECONDS
