"""Base of all pages: frame, keys, command line, filter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.actions import SkipAction
from textual.widgets import Input, TextArea

from tui.actions import (
    ACTIONS,
    OPENS_A_LINE,
    Action,
    bindings_everywhere,
    commands_of,
    keys_of,
    matching_commands,
    page_bindings,
    page_title,
)
from tui.format import fit, printable_lines
from tui.screens.requests import RequestScreen
from tui.styles import Span
from tui.widgets.chrome import Keys, banner_lines, top_lines
from tui.widgets.grid import Grid
from tui.widgets.lines import Pager, Static
from tui.widgets.pane import Pane
from tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer
    from textual.widget import Widget

    from appliance.control.rpc.client import api
    from tui.widgets.dialogs import Dialog

_SAID = {"information": ("•", "good", 5.0), "warning": ("▲", "notice", 8.0), "error": ("‼", "banner", 15.0)}
"""How something is said, by how bad it is: glyph, style, and for how many seconds."""


class Page(RequestScreen[str]):
    """A screen that a number opens, or one of its details.

    A subclass gives `NAME`, `body` and `handlers`: what is called for each action of its own.
    """

    NAME: ClassVar[str] = ""
    """As in the table of actions."""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_everywhere(), *page_bindings()]
    belongs_to: str = ""
    """The page whose number is shown as open; empty: it is a page itself."""
    _silence: Timer | None = None
    _ahead: str = ""

    def compose(self) -> ComposeResult:
        """Lay out the frame and what is in it."""
        yield Static(id="top")
        yield Static(id="banner")
        yield from self.body()
        yield Static(id="said")
        yield Prompt()
        yield Keys(id="keys")

    def body(self) -> ComposeResult:
        """Lay out what is in the frame."""
        raise NotImplementedError

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is to be called for each action of this page."""
        return {}

    def refresh_data(self) -> None:
        """Ask for what is shown: when the page is opened, when a person wants it, when the router is back."""

    def router_changed(self) -> None:
        """Show what the stream brought."""

    def status_came(self) -> None:
        """Do what is due every few seconds."""

    def narrow(self, text: str) -> None:
        """Show only what contains a text."""
        if self.filtered is not None:
            self.filtered.select(text)
            self.show_note()

    def told(self, event: api.streams.EventItem) -> None:
        """React to an event: what is shown may have changed."""

    # The frame.

    @property
    def is_laid_out(self) -> bool:
        """Whether its frame is there: not before it is mounted, and not any more when the app is being left."""
        return self.is_mounted and bool(self.query("#top"))

    @property
    def grid(self) -> Grid[object] | None:
        """The table of the page, if it has one."""
        return next(iter(self.query(Grid)), None)

    @property
    def filtered(self) -> Grid[object] | Pager | None:
        """What a filter is for: the table of the page, else its text."""
        return self.grid or next(iter(self.query(Pager)), None)

    def on_mount(self) -> None:
        """Bring the page to life."""
        self.show_frame()

    def on_screen_resume(self) -> None:
        """Show the state of now: while the page was not seen, nothing was drawn."""
        self.show_frame()
        self.router_changed()
        self.refresh_data()

    def on_resize(self) -> None:
        """Lay the frame out for the new width; before the page is mounted there is nothing to lay out."""
        if self.is_laid_out:
            self.show_frame()
            self.router_changed()

    def show_frame(self) -> None:
        """Show what surrounds the page."""
        columns = self.app.size.width
        self.query_one("#top", Static).show(top_lines(self.router, self.belongs_to or self.NAME, columns))
        self.query_one("#banner", Static).show(banner_lines(self.router, columns))
        self.query_one(Keys).show_keys(self.keys_shown(), self.router)

    def keys_shown(self) -> Sequence[Action]:
        """Return what stands at the bottom; a detail of a page is left by esc."""
        return keys_of(self.NAME, detail=bool(self.belongs_to))

    def show_said(self, text: str, severity: str) -> None:
        """Show a message above the keys for some seconds: words, glyph and colour, no box over the page."""
        glyph, style, seconds = _SAID[severity]
        columns = self.app.size.width - 4
        lines = printable_lines(text, columns)
        said = self.query_one("#said", Static)
        said.show(
            [
                ((f" {glyph if number == 0 else ' '} {fit(line, columns)}", style),)
                for number, line in enumerate(lines[:6])
            ]
        )
        if self._silence is not None:
            self._silence.stop()
        self._silence = self.set_timer(seconds, lambda: said.show(()))

    def headline(self, *about: Span) -> None:
        """Write on the border of the page's pane: which page it is, and what it shows."""
        pane = next(iter(self.query("Grid.pane, Pager.pane, FieldList.pane").results(Pane)), None)
        if pane is not None:
            pane.entitle((page_title(self.belongs_to or self.NAME), "title"), (" · ", "line"), *about)

    # Actions.

    def action_act(self, name: str) -> None:
        """Run an action of the table, or say why it cannot be done."""
        if not self.is_mounted or (name in OPENS_A_LINE and isinstance(self.focused, Input | TextArea)):
            raise SkipAction  # a key typed ahead waits for the page; a `/` that is typed belongs where it is typed
        action = next(action for action in ACTIONS if action.name == name and action.page in {self.NAME, ""})
        reason = self.why_not(action)
        if reason:
            self.say(reason, "warning")
            return
        if action.page and self.grid is not None and not self.grid.filled:
            self._ahead = name  # the page is shown and its rows are still on their way
            return
        {**self._everywhere(), **self.handlers()}[name]()

    @on(Grid.Filled)
    def _caught_up(self) -> None:
        """Run the action requested before the rows had arrived."""
        ahead, self._ahead = self._ahead, ""
        if ahead:
            self.action_act(ahead)

    def why_not(self, action: Action) -> str:
        """Say why an action cannot be done now; empty: it can."""
        router = self.router
        if action.verb and not router.connected:
            return f"{action.word}: there is no connection to the router"
        if not router.allows(action.verb):
            needed = self.mercure.role_of(action.verb)
            mine = router.who.role if router.who and router.who.role else "none"
            return f"{action.word}: this needs the role {needed}, and yours is {mine}"
        return ""

    def _everywhere(self) -> Mapping[str, Callable[[], None]]:
        return {
            "help": self.mercure.open_help,
            "command": self._open_command,
            "back": self.go_back,
            "refresh": self.refresh_data,
            "quit": self.app.exit,
            "theme": self.mercure.next_theme,
            "filter": self._open_filter,
            "sort": self._sort,
            "copy": self.copy,
            "write": self.write,
        }

    def when_answered(self, dialog: Dialog[str], then: Callable[[str], object]) -> None:
        """Open a dialog, and go on with its answer; after Cancel not at all."""

        def go_on(answer: str | None) -> None:
            if answer is not None:
                then(answer)

        self.app.push_screen(dialog, go_on)

    def action_open(self, name: str) -> None:
        """Open a page."""
        self.mercure.open_page(name)

    def go_back(self) -> None:
        """Close the innermost thing open: prompt, marks, filter, detail."""
        prompt, grid, filtered = self.query_one(Prompt), self.grid, self.filtered
        if prompt.is_open:
            if prompt.kind == "/" and filtered:
                filtered.select("")
            prompt.close()
        elif grid and grid.marked:
            grid.marked = set()
            grid.fill(grid.rows)
        elif filtered and filtered.filter:
            filtered.select("")
        elif self.belongs_to:
            self.dismiss()
        else:
            self.mercure.go_back()
        self.show_note()

    def show_note(self) -> None:
        """Say which part of a table is shown; pages with a table do."""

    # Command line, filter, order.

    def _open_command(self) -> None:
        self.query_one(Prompt).open(":", words=[text for text, _, _ in commands_of(self.NAME)])

    def _open_filter(self) -> None:
        if self.filtered is not None:
            self.query_one(Prompt).open("/", self.filtered.filter)
        else:
            self.say("filter: there is nothing to filter on this page", "warning")

    def _sort(self) -> None:
        if self.grid is not None:
            self.say(f"order: {self.grid.sort_next()}")

    @on(Prompt.Typed)
    def _typed(self, event: Prompt.Typed) -> None:
        if isinstance(event, Prompt.Entered):
            return
        if event.kind == "/" and self.filtered is not None:
            self.filtered.select(event.text)
            self.show_note()
        elif event.kind == ":":
            self._show_commands(event.text.partition(" ")[0])

    def _show_commands(self, word: str) -> None:
        """List above the command line what the text typed there may mean."""
        found = ", ".join(name for _, name in matching_commands(self.NAME, word))
        columns = self.app.size.width - 3
        self.query_one("#said", Static).show([((f" {fit(found, columns)}", "dim"),)] if found else ())

    @on(Prompt.Entered)
    def _entered(self, event: Prompt.Entered) -> None:
        if event.kind == ":":
            self.query_one("#said", Static).show(())
            self.run_command(event.text.strip())

    @on(Prompt.Left)
    def _left(self) -> None:
        self.focus_main()

    def copy(self) -> None:
        """Copy something; pages with a table do."""
        self.say("copy: there is no row to copy from on this page", "warning")

    def write(self) -> None:
        """Write what is shown to a file; pages with a table do."""
        self.say("write CSV: there is no table on this page", "warning")

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on a row of the table, now or when it comes."""
        if self.grid is not None:
            self.grid.go_to(key)

    def focus_main(self) -> None:
        """Give the keys back to what the page is about."""
        main: Widget | None = self.grid or next((widget for widget in self.query("*") if widget.can_focus), None)
        if main is not None:
            self.set_focus(main)

    def run_command(self, text: str) -> None:
        """Do what was typed on the command line."""
        word, _, rest = text.partition(" ")
        found = matching_commands(self.NAME, word)
        if not word:
            return
        if len(found) != 1:
            which = f": {', '.join(name for _, name in found)}" if found else "; ? shows all"
            text = f"{word!r} can mean several commands" if found else f"there is no command {word!r} here"
            self.say(f"{text}{which}", "warning")
            return
        kind, meant = found[0]
        if kind == "page":
            self.mercure.open_page(meant)
        elif meant == "filter" and rest and self.filtered is not None:
            self.filtered.select(rest)
            self.show_note()
        else:
            self.action_act(meant)
