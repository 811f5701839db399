"""A pane: something in a border, with a title on it. The one that has the keys has the accent."""

from __future__ import annotations

from rich.text import Text
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.styles import STYLES, Line


class Pane(Widget):
    """What can stand in a border; it does where its class is ``pane``."""

    _pane_title: Line = ()
    _pane_keys: Line = ()

    def entitle(self, *title: tuple[str, str], keys: Line = ()) -> None:
        """Write on the border: what this is, and at its lower right what can be done there.

        Of the pane only these lines are drawn again, and only when they differ.

        Parameters
        ----------
        *title : tuple of str
            Printable texts and their styles.
        keys : Line
            Likewise.
        """
        if (title, keys) != (self._pane_title, self._pane_keys):
            self._pane_title, self._pane_keys = title, keys
            self.draw_title()

    def draw_title(self) -> None:
        """Draw what stands on the border, in the colours of now."""
        self._border_title = _content(self._pane_title)
        self._border_subtitle = _content(self._pane_keys)
        wide, high = self.outer_size
        self.refresh(Region(-1, -1, wide, 1), Region(-1, high - 2, wide, 1))


def _content(line: Line) -> Content | None:
    """Make a title of printable texts: none of it is markup."""
    if not line:
        return None
    return Content.from_rich_text(Text.assemble(*((text, STYLES[style]) for text, style in line)))
