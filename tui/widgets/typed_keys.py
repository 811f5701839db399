"""Typed text: a field that takes keys in the order in which they come.

Textual hands letters to a field in the order in which they came, but does what is bound to a key (backspace, an arrow)
only when the key has bubbled up to the app. When keys come in one moment, as they do over a slow link, `backspace 7`
would become `7 backspace`. These fields do in order what is bound to their own keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input, TextArea

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.screen import Screen
    from textual.widget import Widget


async def in_its_turn(field: Widget, event: events.Key) -> None:
    """Do what the field binds to the key; all other keys go their usual way."""
    for binding in field._bindings.key_to_bindings.get(event.key, ()):
        if await field.app.run_action(binding.action, field):
            event.stop()
            event.prevent_default()
            return


def when_taken(screen: Screen[Any], then: Callable[[], None]) -> None:
    """Do something as soon as the fields of a screen have taken all that was typed into them so far.

    A key that is done at once, because it leads elsewhere, overtakes the letters before it: these wait in their field.
    """
    fields = list(screen.query("TypedLine, TypedText"))

    def go_on() -> None:
        if fields:
            fields.pop().call_later(go_on)
        else:
            screen.call_later(then)

    go_on()


class TypedLine(Input):
    """One line. Its cursor stands still: each blink would be sent to the terminal, and over the network."""

    def on_mount(self) -> None:
        """Keep the cursor still."""
        self.cursor_blink = False

    async def on_key(self, event: events.Key) -> None:
        """Take a key."""
        await in_its_turn(self, event)


class TypedText(TextArea):
    """Several lines."""

    def on_mount(self) -> None:
        """Keep the cursor still, as that of a line."""
        self.cursor_blink = False

    async def on_key(self, event: events.Key) -> None:
        """Take a key."""
        await in_its_turn(self, event)
