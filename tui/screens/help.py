"""All keys, from the table of actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen

from tui.actions import ACTIONS, PAGES, Action, page_title
from tui.format import fit, wrap
from tui.styles import Line
from tui.widgets.lines import Pager, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_INDENT = 22
_DANGER = {"none": "", "asks": " Asks before.", "type the name": " Asks for the name."}


def help_lines(page: str, columns: int) -> Iterator[Line]:
    """Write the help of a page: its own keys, those of all pages, the pages, how to move."""
    own = [action for action in ACTIONS if action.page == page]
    title = page_title(page)
    if own:
        yield ((f"{title}", "title"),)
        for action in own:
            yield from _action(action, columns)
        yield ()
    yield (("Every page", "title"),)
    for action in ACTIONS:
        if not action.page:
            yield from _action(action, columns)
    yield ()
    yield (("Pages", "title"),)
    for entry in PAGES:
        yield (("  ", ""), (fit(entry.key or ":", 8), "key"), (fit(entry.name, 12), ""), (entry.text, ""))
    yield ()
    yield (("In tables and texts", "title"),)
    for keys, text in (("↑ ↓ k j", "Up and down."), ("PgUp PgDn", "A page."), ("g G", "To the first, to the last.")):
        yield (("  ", ""), (fit(keys, 20), "key"), (text, ""))
    yield ()
    yield (("On the command line :NAME does what its key does, :filter TEXT filters.", "dim"),)


def _action(action: Action, columns: int) -> Iterator[Line]:
    for number, text in enumerate(wrap(action.text.replace("`", "") + _DANGER[action.danger], columns - _INDENT)):
        if number == 0:
            yield (("  ", ""), (fit(action.key_text, 8), "key"), (fit(action.name, 12), ""), (text, ""))
        else:
            yield ((" " * _INDENT, ""), (text, ""))


class HelpScreen(ModalScreen[None]):
    """A page of keys over the page that they are for.

    Parameters
    ----------
    page : str
        Whose keys come first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "close", show=False)]
    DEFAULT_CSS = """
    HelpScreen { layout: vertical; }
    HelpScreen Static { height: 1; }
    HelpScreen #foot { dock: bottom; }
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        """Lay out."""
        yield Static(id="head")
        yield Pager(id="pager")
        yield Static(id="foot")

    def on_mount(self) -> None:
        """Show the keys."""
        self.query_one("#head", Static).show([((" Help", "here"),)])
        self.query_one("#foot", Static).show([((" esc", "key"), (" close", ""))])
        self.query_one(Pager).show(help_lines(self._page, self.app.size.width - 2))
