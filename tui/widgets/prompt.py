"""The line at the bottom in which a command or a filter is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, Label

from tui.widgets.typed_keys import TypedLine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

Kind = Literal[":", "/"]


class Prompt(Horizontal):
    """Hidden until it is opened."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt Label { width: 2; }
    Prompt Input { border: none; height: 1; padding: 0; background: transparent; }
    Prompt Input:focus { border: none; }
    """

    class Typed(Message):
        """What stands in it changed."""

        def __init__(self, kind: Kind, text: str) -> None:
            super().__init__()
            self.kind = kind
            self.text = text

    class Entered(Typed):
        """Enter was pressed."""

    class Left(Message):
        """It was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.kind: Kind = ":"

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Label(":", markup=False)
        yield TypedLine(select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return bool(self.display)

    def open(self, kind: Kind, text: str = "", words: Iterable[str] = ()) -> None:
        """Show it, with a text to go on from and words to suggest."""
        self.kind = kind
        self.query_one(Label).update(kind)
        field = self.query_one(Input)
        field.suggester = SuggestFromList(words) if words else None
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.display = True
        self.screen.set_focus(field)  # at once: what is typed in the same moment belongs into it

    def close(self) -> None:
        """Hide it."""
        if self.display:
            self.display = False
            self.post_message(self.Left())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what stands in it."""
        event.stop()
        self.post_message(self.Typed(self.kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell what was entered, and hide."""
        event.stop()
        self.close()
        self.post_message(self.Entered(self.kind, event.value))
