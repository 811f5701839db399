"""Fields of a form: a line of text, one of several words, a condition over several lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, TextArea

from appliance.presentation.setting_fields import MISSING, NOTHING, Field, FieldError, read_value, text_of, word_of
from mercure.printable import printable
from tui.widgets.lines import strip_of
from tui.widgets.typed_keys import TypedLine, TypedText

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.strip import Strip

_SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "late": {
        "alone": "late images: deliver separately",
        "again": "late images: send all again",
        "hold": "late images: hold",
    },
}
"""What is shown for the words of a choice that say too little alone, by field."""


class Choice(Widget, can_focus=True):
    """One of a few words; space or the arrows take the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right,enter", "turn(1)", show=False),
        Binding("left", "turn(-1)", show=False),
    ]
    DEFAULT_CSS = "Choice { height: 1; }"

    class Changed(Message):
        """Another word was taken."""

    def __init__(self, words: tuple[str, ...], value: str, said: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._words = words
        self._said = said or {}
        self.value = value if value in words else words[0]

    def action_turn(self, by: int) -> None:
        """Take the next or the one before."""
        self.value = self._words[(self._words.index(self.value) + by) % len(self._words)]
        self.refresh()
        self.post_message(self.Changed())

    def on_focus(self) -> None:
        """Show that the keys go here."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that the keys go elsewhere."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the word between arrows."""
        style = "here" if self.has_focus else "bold"
        return strip_of(((f"◄ {printable(self._said.get(self.value, self.value))} ►", style),), self.size.width)


def widget_of(field: Field, value: object) -> Widget:
    """Make the widget of a field, with a value in it."""
    if field.kind == "choice":
        shown = field.default if value is None or value is MISSING else value
        return Choice(field.choices, NOTHING if shown is None else word_of(shown), _SAID.get(field.name))
    text = text_of(field, value)
    if field.kind == "long":
        area = TypedText(text, soft_wrap=True, tab_behavior="focus", show_line_numbers=False)
        area.styles.height = 4
        return area
    line = TypedLine(text, select_on_focus=False, placeholder=printable(_placeholder(field)))
    if field.choices:
        line.suggester = SuggestFromList(field.choices)
    return line


def raw_text(widget: Widget) -> str:
    """Return what stands in a field, as it was typed."""
    if isinstance(widget, TextArea):
        return widget.text
    return widget.value if isinstance(widget, Input | Choice) else ""


def _placeholder(field: Field) -> str:
    if field.needed:
        return "needed"
    if field.default in (None, "", [], {}, ()):
        return ""
    return f"{text_of(field, field.default)} (default)"


def value_of(field: Field, widget: Widget) -> Any:  # noqa: ANN401 - any JSON
    """Read a field; `MISSING` when nothing is in it.

    Raises
    ------
    FieldError
        It cannot be read as what it should be.
    """
    if isinstance(widget, Choice):
        return read_value(field, widget.value)
    text = raw_text(widget).strip()
    if not text:
        if field.needed:
            raise FieldError(f"{field.name}: this is needed")
        return MISSING
    return read_value(field, text)
