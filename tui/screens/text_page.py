"""Something to read in full, over the page that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.page import Page
from tui.styles import Line
from tui.widgets.lines import Pager

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

Write = Callable[[int], Iterable[Line]]
"""Writes the text for a number of columns."""


class TextPage(Page):
    """A text that scrolls.

    Parameters
    ----------
    of : str
        The page it belongs to.
    title : str
        What it is.
    write : callable
        Writes it for a width.
    """

    NAME: ClassVar[str] = "text"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("text")]

    def __init__(self, of: str, title: str, write: Write) -> None:
        super().__init__()
        self.belongs_to = of
        self._heading = title
        self._write = write

    def body(self) -> ComposeResult:
        """Lay out."""
        yield Pager(id="text", classes="pane")

    def on_mount(self) -> None:
        """Show it."""
        super().on_mount()
        self.headline((printable(self._heading), "bold"))
        self._show()
        self.set_focus(self.query_one(Pager))

    def on_resize(self) -> None:
        """Break the lines anew."""
        super().on_resize()
        self._show()

    def rewrite(self, write: Write) -> None:
        """Show another text."""
        self._write = write
        self._show()

    def _show(self) -> None:
        self.query_one(Pager).show(self._write(self.app.size.width - 4))
