"""A button of one line: three lines each would leave a dialog no room at 80 by 24."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.format import width
from tui.widgets.lines import strip_of

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.strip import Strip


class PushButton(Widget, can_focus=True):
    """A word in brackets; Enter or space presses it.

    Parameters
    ----------
    word : str
        What stands on it.
    id : str
        Which one it is.
    waiting : bool
        What it needs is not there yet. It looks so, and can be reached and pressed all the same: who pressed it says
        what is missing. One that cannot be reached would let a key that came with the last letter go elsewhere.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "press", show=False)]
    DEFAULT_CSS = "PushButton { height: 1; margin-right: 2; }"

    class Pressed(Message):
        """It was pressed."""

        def __init__(self, button: PushButton) -> None:
            super().__init__()
            self.button = button

        @property
        def control(self) -> PushButton:
            """Which one, for handlers of one of several."""
            return self.button

    waiting = reactive(False)

    def __init__(self, word: str, *, id: str, waiting: bool = False) -> None:
        super().__init__(id=id)
        self.set_reactive(PushButton.waiting, waiting)
        self._text = f"[ {word} ]"
        self.styles.width = width(self._text)

    def action_press(self) -> None:
        """Press it."""
        self.post_message(self.Pressed(self))

    def on_click(self) -> None:
        """Press it by mouse; nobody needs one."""
        self.action_press()

    def on_focus(self) -> None:
        """Show that Enter would press it."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that it would not."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw it."""
        style = "here" if self.has_focus else "dim" if self.waiting else "bold"
        return strip_of(((self._text, style),), self.size.width)
