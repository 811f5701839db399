"""A page that is a table, with a line about it above and a few about the row under the cursor below."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from textual import on
from textual.containers import Vertical

from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.screens.page import Page
from tui.styles import Line
from tui.widgets.dialogs import Choose
from tui.widgets.grid import Column, Grid
from tui.widgets.lines import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.timer import Timer

    from appliance.control.rpc.client import ControlError

R = TypeVar("R")

BESIDE: Final = 120
"""From so many columns on there is room beside a table."""

LEAST_BESIDE: Final = 40
"""So wide is what stands beside a table at least."""

TALL: Final = 30
"""From so many lines on there is room for a border around what is told below a table."""

LINES_BELOW: Final = 6
"""So many lines, at the most, are told below one."""

_STILL_SECONDS: Final = 0.3
"""So long the cursor stays on a row before more of it is asked for."""


class TablePage(Page, Generic[R]):
    """A table of `R`.

    A subclass gives `COLUMNS`, `WORDS`, `key_of`, `text_of`, asks in `refresh_data` and fills by `fill`.
    """

    WORDS: ClassVar[tuple[str, str]] = ("row", "rows")
    """What the rows are: one, many."""
    EMPTY: ClassVar[str] = ""
    """What it means that there is none."""
    _still: Timer | None = None

    def columns(self) -> Sequence[Column[R]]:
        """Return the columns."""
        raise NotImplementedError

    def key_of(self, row: R) -> object:
        """Return what stays the same of a row."""
        raise NotImplementedError

    def text_of(self, row: R) -> str:
        """Return in what the filter looks."""
        raise NotImplementedError

    def below(self, row: R) -> Iterable[Line]:
        """Return what is told of the row under the cursor."""
        _ = row
        return ()

    def beside(self, row: R) -> Iterable[Line]:
        """Return what is told of it where there is room beside the table."""
        return self.below(row)

    @property
    def asks_more(self) -> bool:
        """Whether more of a row is asked for when the cursor has stayed on it for a moment."""
        return self.is_wide

    def ask_more(self, row: R) -> None:
        """Ask for what is told beside the table of the row under the cursor."""

    def below_all(self) -> Iterable[Line]:
        """Return what is told below the table whatever the row, before what is told of it."""
        return ()

    def about(self) -> str:
        """Return what is told above the table, beside the number of rows."""
        return ""

    def body(self) -> ComposeResult:
        """Lay out: what is told of a row stands below the table, and beside it where there is room."""
        with Vertical(id="split"):
            yield Grid[R](
                self.columns(), self.key_of, lambda row: self.text_of(row).casefold(), empty="…", classes="pane"
            )
            yield Static(id="below", classes="pane")

    @property
    def is_wide(self) -> bool:
        """Whether there is room beside the table."""
        return self.app.size.width >= BESIDE

    @property
    def beside_columns(self) -> int:
        """How wide the pane beside the table is, its border included."""
        return max(LEAST_BESIDE, self.app.size.width // 3)

    @property
    def below_columns(self) -> int:
        """How many columns there are for what is told of a row."""
        return (self.beside_columns if self.is_wide else self.app.size.width) - 3

    @property
    def table(self) -> Grid[R]:
        """The table."""
        return self.query_one(Grid)

    def on_mount(self) -> None:
        """Give the keys to the table."""
        super().on_mount()
        self.set_focus(self.table)

    def fill(self, rows: Sequence[R]) -> None:
        """Show these rows."""
        self.table.say_when_empty("no match" if rows else self.EMPTY)
        self.table.fill(rows)
        self.show_note()
        self.show_below()

    def fail(self, error: ControlError) -> None:
        """Say in the place of rows why there are none; where there are some, above them."""
        text = printable(f"‼ {error.text}")
        self.table.say_when_empty(text)
        if self.table.rows:
            self.headline((text, "bad"))

    def show_note(self) -> None:
        """Show how many rows there are, and what they are."""
        table = self.table
        count = plural(len(table.rows), *self.WORDS)
        if table.filter:
            count = f"{len(table.shown)} of {count}, filter: {printable(table.filter)}"
        about = self.about()
        self.headline((f"{count}{' · ' if about else ''}{about}", "notice" if table.filter else "dim"))

    def values(self, row: R) -> Iterable[tuple[str, str]]:
        """Return what can be copied of a row: names and values; those that are empty are left out."""
        yield "name", str(self.key_of(row))

    def copy(self) -> None:
        """Copy a value of the row under the cursor; which one is asked where there are several."""
        row = self.table.current
        values = {} if row is None else {name: value for name, value in self.values(row) if value}
        if not values:
            self.say("copy: there is no row", "warning")
        elif len(values) == 1:
            self.copied(*next(iter(values.items())))
        else:
            self.when_answered(
                Choose("Copy what?", [], [*values.items()]), lambda name: self.copied(name, values[name])
            )

    def copied(self, name: str, value: str) -> None:
        """Give a value to the clipboard of the terminal, and say so."""
        self.app.copy_to_clipboard(value)
        self.say(f"copied, where your terminal allows it (OSC 52): {name} {value}")

    def write(self) -> None:
        """Write the rows shown to a new CSV file that only this user can read."""
        stamp = f"{self.router.heard:%Y%m%dT%H%M%S}" if self.router.heard else "rows"
        path = Path(f"mercure-{self.NAME}-{stamp}.csv").absolute()
        try:
            with open(path, "x", encoding="utf-8", newline="", opener=partial(os.open, mode=0o600)) as file:
                csv.writer(file).writerows(self.table.cells())
        except OSError as error:
            self.say(f"{path}: {error.strerror}", "error")
        else:
            self.say(f"{plural(len(self.table.shown), *self.WORDS)} written to {path}")

    def with_row(self, act: Callable[[R], None]) -> Callable[[], None]:
        """Make of what is done to a row what is done to the one under the cursor, if there is one."""

        def now() -> None:
            row = self.table.current
            if row is not None:
                act(row)

        return now

    @on(Grid.Moved)
    def show_below(self) -> None:
        """Tell of the row under the cursor."""
        row, told = self.table.current, self.query_one("#below", Static)
        self.set_class(self.is_wide, "-beside")
        lines = [*self.below_all(), *(() if row is None else self.beside(row) if self.is_wide else self.below(row))]
        told.display = bool(lines) or self.is_wide
        told.styles.width = self.beside_columns if self.is_wide else "1fr"
        told.set_class(self.is_wide or self.app.size.height >= TALL, "pane")
        told.show(lines if self.is_wide else lines[:LINES_BELOW])

    @on(Grid.Moved)
    def _await_rest(self) -> None:
        if self._still is not None:
            self._still.stop()
        if self.asks_more and self.table.current is not None:
            self._still = self.set_timer(_STILL_SECONDS, self._rests)

    def _rests(self) -> None:
        row = self.table.current
        if row is not None and self.router.connected:
            self.ask_more(row)

    def on_resize(self) -> None:
        """Tell of the row where there is room for it now."""
        super().on_resize()
        if self.is_laid_out:
            self.show_below()
