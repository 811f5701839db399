"""Instead of half a page: what is needed to show a whole one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from tui.widgets.lines import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult

LEAST_COLUMNS = 80
LEAST_LINES = 24


class TooSmall(ModalScreen[None]):
    """Goes by itself when the terminal is large enough; a dialog under it stays as it was."""

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Static(id="small")

    def on_resize(self) -> None:
        """Say how large it is and how large it should be."""
        size = self.app.size
        self.query_one(Static).show(
            [
                (("Terminal too small", "bad"),),
                ((f"{size.width} x {size.height}", ""),),
                ((f"needed: {LEAST_COLUMNS} x {LEAST_LINES}", ""),),
                (("ctrl+q leaves", "dim"),),
            ]
        )
