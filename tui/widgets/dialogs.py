"""Dialogs: to be sure, to choose, to type.

A dialog names what it is about. It opens on Cancel, so that Enter pressed once too often does nothing; the worst make
one type the name of what will be gone. Esc is Cancel everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from textual import on
from textual.actions import SkipAction
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from mercure.printable import printable
from tui.format import fit, printable_lines
from tui.styles import Line
from tui.widgets.button import PushButton
from tui.widgets.grid import Column, Grid
from tui.widgets.lines import Static
from tui.widgets.typed_keys import TypedLine, when_taken

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

T = TypeVar("T")
WIDTH = 72
MOST_LETTERS: Final = 2000
"""Of a reason: more the router does not take."""


def text_lines(texts: Sequence[str], style: str = "") -> list[Line]:
    """Break texts into the lines of a dialog; what they hold from elsewhere is made printable."""
    return [((line, style),) for text in texts for line in printable_lines(text, WIDTH)]


class Dialog(ModalScreen[T]):
    """What all dialogs share: title, Cancel by Esc, keys between the buttons.

    Keys that move are bound before those of what has them now, and done at once: what is typed in the same moment, as
    over a slow link, is for where they lead.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("tab", "step(1)", show=False, priority=True),
        Binding("shift+tab", "step(-1)", show=False, priority=True),
        Binding("right", "sideways(1)", show=False, priority=True),
        Binding("left", "sideways(-1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Dialog Input { height: 1; border: none; padding: 0 1; width: 72; background: ansi_default;
                   text-style: underline; }
    Dialog Input:focus { border: none; text-style: underline bold; }
    Dialog Grid { width: 72; height: 10; }
    """

    def action_step(self, by: int) -> None:
        """Go to the next or the one before."""
        (self.focus_next if by > 0 else self.focus_previous)()

    def action_sideways(self, by: int) -> None:
        """Go to the button beside this one; in a text the arrows move in it."""
        if isinstance(self.focused, Input):
            raise SkipAction
        self.action_step(by)

    def action_cancel(self) -> None:
        """Leave without doing anything."""
        self.dismiss(None)

    @on(PushButton.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.action_cancel()


class Confirm(Dialog[str]):
    """Are you sure? Answers with the reason (may be empty), or None.

    Parameters
    ----------
    title : str
        What is going to be done.
    texts : sequence of str
        To what, and what follows from it.
    verb : str
        The word on the button.
    type_name : str
        Must be typed; empty: nothing must.
    reason : bool
        Ask why; it is kept with the change.
    needed : bool
        Without a reason it is not done.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "to_buttons", show=False, priority=True)]

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        verb: str,
        *,
        type_name: str = "",
        reason: bool = False,
        needed: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._texts = texts
        self._verb = verb
        self._type_name = type_name
        self._reason = reason
        self._needed = needed

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="box danger"):
            yield Static(id="text")
            if self._type_name:
                yield Static(id="ask-name")
                yield TypedLine(id="name", select_on_focus=False)
            if self._reason:
                yield Static(id="ask-reason")
                yield TypedLine(id="reason", select_on_focus=False)
            with Horizontal(classes="buttons"):
                yield PushButton("Cancel", id="cancel")
                yield PushButton(self._verb, id="do", waiting=bool(self._type_name) or self._needed)

    def on_mount(self) -> None:
        """Show what it is about, and wait on Cancel."""
        self.query_one("#text", Static).show([((printable(self._title), "bold"),), (), *text_lines(self._texts)])
        if self._type_name:
            self._ask_name("To go on, type its name: ")
        if self._reason:
            self._ask_reason("Reason:" if self._needed else "Reason (optional):")
        self.set_focus(self.query_one("#cancel"))

    def _ask_name(self, text: str) -> None:
        self.query_one("#ask-name", Static).show([(), ((text, ""), (printable(self._type_name), "bad"))])

    def _ask_reason(self, text: str, style: str = "") -> None:
        self.query_one("#ask-reason", Static).show([(), ((text, style),)])

    @on(Input.Changed)
    def _compare(self) -> None:
        self.query_one("#do", PushButton).waiting = not (self._is_named() and self._has_reason())

    def _has_reason(self) -> bool:
        return not self._needed or bool(self.query_one("#reason", Input).value.strip())

    def _is_named(self) -> bool:
        return not self._type_name or self.query_one("#name", Input).value == self._type_name

    def action_to_buttons(self) -> None:
        """Leave a text for the buttons; at once, so that the next key of the same moment is for them."""
        if not isinstance(self.focused, Input):
            raise SkipAction
        self.set_focus(self.query_one("#cancel"))

    @on(PushButton.Pressed, "#do")
    def _confirmed(self) -> None:
        when_taken(self, self._agreed)

    def _agreed(self) -> None:
        if not self._is_named():
            self._ask_name("That is not its name; type: ")
            self.set_focus(self.query_one("#name"))
        elif not self._has_reason():
            self._ask_reason("A reason is needed; type it:", "notice")
            self.set_focus(self.query_one("#reason"))
        else:
            self.dismiss(self.query_one("#reason", Input).value[:MOST_LETTERS] if self._reason else "")


class Choose(Dialog[str]):
    """One of several names, each with a word about it. Answers with the name, or None.

    With `brief` the names are ids that say nothing to people, and only the words are shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", show=False)]

    def __init__(
        self, title: str, texts: Sequence[str], names: Sequence[tuple[str, str]], *, brief: bool = False
    ) -> None:
        super().__init__()
        self._brief = brief
        self._title = title
        self._texts = texts
        self._names = names

    def compose(self) -> ComposeResult:
        """Lay out."""
        name = Column[tuple[str, str]]("name", lambda row: (printable(row[0]), "bold"), 24)
        about = Column[tuple[str, str]]("", lambda row: (printable(row[1]), ""))
        columns = (about,) if self._brief else (name, about)
        with Vertical(classes="box"):
            yield Static(id="text")
            yield Grid[tuple[str, str]](columns, lambda row: row[0], lambda row: " ".join(row).casefold())
            yield Static(id="hint")

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one("#text", Static).show([((printable(self._title), "bold"),), *text_lines(self._texts), ()])
        self.query_one("#hint", Static).show([(("enter", "key"), (" choose   ", ""), ("esc", "key"), (" cancel", ""))])
        grid = self.query_one(Grid)
        grid.fill(self._names)
        self.set_focus(grid)

    def action_choose(self) -> None:
        """Take the one under the cursor."""
        row = self.query_one(Grid).current
        self.dismiss(None if row is None else row[0])


class Type(Dialog[str]):
    """One line of text. Answers with it, or None."""

    def __init__(self, title: str, texts: Sequence[str] = (), value: str = "") -> None:
        super().__init__()
        self._title = title
        self._texts = texts
        self._value = value

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="box"):
            yield Static(id="text")
            yield TypedLine(self._value, select_on_focus=False)
            yield Static(id="hint")

    def on_mount(self) -> None:
        """Show what is wanted."""
        self.query_one("#text", Static).show([((printable(self._title), "bold"),), *text_lines(self._texts)])
        self.query_one("#hint", Static).show([(("enter", "key"), (" ok   ", ""), ("esc", "key"), (" cancel", ""))])
        self.set_focus(self.query_one(Input))

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Show(Dialog[None]):
    """Something to read, until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "cancel", "close", show=False)]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Lay out."""
        with Vertical(classes="box"):
            yield Static(id="text")

    def on_mount(self) -> None:
        """Show it."""
        hint: Line = (("esc", "key"), (" close", ""))
        self.query_one("#text", Static).show(
            [((fit(printable(self._title), WIDTH), "bold"),), (), *self._lines[:16], (), hint]
        )
