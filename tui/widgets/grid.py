"""A table of any number of rows: only those in sight are drawn, only those that changed are drawn again.

Textual's own table keeps, styles and measures a cell for everything: with 1,000 rows that are replaced every second it
takes 15 times as long (`docs/decisions/0081-lines-and-tables-of-our-own.md`). This one keeps the caller's objects, and
asks its columns for texts when a row comes into sight.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.format import fit
from tui.styles import Line, Span
from tui.widgets.lines import strip_of
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

R = TypeVar("R")
Key = Callable[[Any], Any]
WIDE_TABLE: Final = 160
"""From so many columns of the terminal on a table with a pane beside it has room for more."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column.

    Parameters
    ----------
    title : str
        Its head.
    cell : callable
        The text of a row, printable, and the style.
    width : int
        Columns on the terminal; 0: what is left (for one column).
    wide : int
        Columns on a terminal of `WIDE_TABLE` columns or more; 0: as many as on others.
    sort : callable, optional
        By what rows are put in order; absent: by this column nobody sorts.
    right : bool
        Numbers stand on the right.
    from_width, to_width : int
        Shown where the terminal has at least, and at most, so many columns; 0: any.
    """

    title: str
    cell: Callable[[R], Span]
    width: int = 0
    sort: Callable[[R], Any] | None = None
    right: bool = False
    from_width: int = 0
    to_width: int = 0
    wide: int = 0


class Grid(ScrollView, Pane, Generic[R], can_focus=True):
    """The table.

    Parameters
    ----------
    columns : sequence of Column
        From left to right.
    key : callable
        What stays the same of a row: the cursor and the marks follow it.
    search : callable
        The text of a row in which the filter looks, in small letters.
    heads : bool
        The heads of the columns stand above them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "jump(False)", show=False),
        Binding("end,G", "jump(True)", show=False),
    ]
    DEFAULT_CSS = "Grid { height: 1fr; overflow-x: hidden; }"

    class Moved(Message):
        """The cursor is on another row."""

        def can_replace(self, message: Message) -> bool:
            """Say that the last place is the one that counts."""
            return isinstance(message, Grid.Moved)

    class Rearranged(Message):
        """The filter or the order is another one: who holds only some of the rows may need others now."""

    class Filled(Message):
        """Rows, or that there are none, were shown for the first time."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        key: Callable[[R], Hashable],
        search: Callable[[R], str],
        *,
        empty: str = "",
        heads: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._heads = int(heads)
        self._columns = tuple(columns)
        self._key = key
        self._search = search
        self._empty = empty
        self._all: Sequence[R] = ()
        self._texts: list[str] = []
        self._shown: list[R] = []
        self._drawn: dict[int, tuple[Line, str]] = {}
        self._drawn_head: Line = ()
        self._cursor = 0
        self._awaited: Hashable = None
        self.filled = False
        """Whether it is known what is in it."""
        self.filter = ""
        self.sorted_by: str | None = None
        self.backwards = False
        self.marked: set[Hashable] = set()

    # What is in it.

    @property
    def rows(self) -> Sequence[R]:
        """All rows, shown or not."""
        return self._all

    @property
    def shown(self) -> Sequence[R]:
        """The rows that pass the filter, in their order."""
        return self._shown

    @property
    def current(self) -> R | None:
        """The row under the cursor."""
        return self._shown[self._cursor] if self._shown else None

    @property
    def chosen(self) -> list[R]:
        """The marked rows; where none is, the one under the cursor."""
        if self.marked:
            return [row for row in self._all if self._key(row) in self.marked]
        return [] if self.current is None else [self.current]

    def fill(self, rows: Sequence[R]) -> None:
        """Show other rows; cursor and marks stay on those that are still there."""
        self._all = rows
        self._texts = []
        if not self.filled:
            self.filled = True
            self.post_message(self.Filled())
        if self.marked:
            self.marked &= {self._key(row) for row in rows}
        self._arrange()

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on a row, now or when it comes; what is done before waits, for it is meant for that row."""
        self._awaited = key
        self._arrange()
        self.filled = self.filled and self._awaited is None

    def select(self, filter: str) -> None:
        """Show only rows that contain a text, whatever its case; with ``!`` before it, those that do not."""
        if filter != self.filter:
            self.filter = filter
            self._arrange()
            self.post_message(self.Rearranged())

    def show_columns(self, columns: Sequence[Column[R]]) -> None:
        """Show other columns."""
        self._columns = tuple(columns)
        self._arrange()
        self.refresh()

    def say_when_empty(self, text: str) -> None:
        """Say what it means that there is no row."""
        self._empty = text
        if not self._shown:
            self.refresh()

    def sort_by(self, title: str | None, *, backwards: bool = False) -> None:
        """Put the rows in the order of a column; None: as they were given."""
        self.sorted_by, self.backwards = title, backwards
        self._arrange()
        self.post_message(self.Rearranged())

    @property
    def orders(self) -> list[str]:
        """The titles of the columns by which it can be sorted."""
        return [column.title for column in self._columns if column.sort]

    def sort_next(self) -> str:
        """Take the next order: each sortable column upwards, then downwards, then as given; return its name."""
        titles = self.orders
        orders: list[tuple[str | None, bool]] = [(None, False)]
        orders += [(title, backwards) for title in titles for backwards in (False, True)]
        now = orders.index((self.sorted_by, self.backwards))
        title, backwards = orders[(now + 1) % len(orders)]
        self.sort_by(title, backwards=backwards)
        return "as given" if title is None else f"{title} {'downwards' if backwards else 'upwards'}"

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next."""
        if self.current is not None:
            self.marked ^= {self._key(self.current)}
            self._draw_changed()
            self.action_move(1)

    def mark_all(self) -> None:
        """Mark all rows shown; where all are marked, none."""
        keys = {self._key(row) for row in self._shown}
        self.marked = set() if keys <= self.marked else self.marked | keys
        self._draw_changed()

    def _arrange(self) -> None:
        before = self.current
        old = None if before is None else self._key(before)
        self._shown = self._ordered(self._filtered())
        if self._awaited is not None and any(self._key(row) == self._awaited for row in self._shown):
            old, self._awaited = self._awaited, None
        self._cursor = self._place_of(old)
        lines = len(self._shown) + self._heads
        if self.virtual_size.height != lines:
            self.virtual_size = Size(0, lines)
        self._show_cursor()
        self._draw_changed()
        self.post_message(self.Moved())

    def _filtered(self) -> list[R]:
        wanted = self.filter.casefold()
        if wanted in {"", "!"}:
            return list(self._all)
        if not self._texts:
            self._texts = [self._search(row) for row in self._all]
        pairs = zip(self._all, self._texts, strict=True)
        if wanted.startswith("!"):
            return [row for row, text in pairs if wanted[1:] not in text]
        return [row for row, text in pairs if wanted in text]

    def _ordered(self, rows: list[R]) -> list[R]:
        column = next((column for column in self._columns if column.title == self.sorted_by), None)
        if column is None or column.sort is None:
            return rows
        return sorted(rows, key=column.sort, reverse=self.backwards)

    def _place_of(self, key: Hashable) -> int:
        at = min(self._cursor, max(0, len(self._shown) - 1))
        if key is None or not self._shown or self._key(self._shown[at]) == key:
            return at
        return next((number for number, row in enumerate(self._shown) if self._key(row) == key), at)

    def cells(self) -> Iterator[list[str]]:
        """Yield the heads and the texts of the rows shown, in all columns, for a table of another program.

        A spreadsheet would take what begins so for a formula; texts come from images.
        """
        yield [column.title for column in self._columns]
        for row in self._shown:
            texts = (column.cell(row)[0] for column in self._columns)
            yield [f"'{text}" if text.startswith(_FORMULA) else text for text in texts]

    # How it is drawn.

    def _visible(self) -> list[Column[R]]:
        wide = self.app.size.width
        return [column for column in self._columns if column.from_width <= wide <= (column.to_width or wide)]

    def _widths(self, columns: Sequence[Column[R]]) -> list[int]:
        roomy = self.app.size.width >= WIDE_TABLE
        widths = [(roomy and column.wide) or column.width for column in columns]
        rest = self.scrollable_content_region.width - 1 - sum(wide + 1 for wide in widths if wide)
        return [wide or max(4, rest) for wide in widths]

    def _line(self, number: int) -> tuple[Line, str]:
        """Return a line of the table (0: the first row) and what lies under it."""
        if number >= len(self._shown):
            style = "good" if self._empty.startswith("•") else "dim"
            return ((f"  {self._empty}", style),) if number == 0 else (), ""
        row = self._shown[number]
        columns = self._visible()
        mark = "*" if self._key(row) in self.marked else " "
        line: list[Span] = [(mark, "notice")]
        for column, wide in zip(columns, self._widths(columns), strict=True):
            text, style = column.cell(row)
            line += [(fit(text, wide, right=column.right), style), (" ", "")]
        return tuple(line), "here" if number == self._cursor and self.has_focus else ""

    def _head(self) -> Line:
        columns = self._visible()
        line: list[Span] = [(" ", "")]
        for column, wide in zip(columns, self._widths(columns), strict=True):
            arrow = ("▼" if self.backwards else "▲") if column.title == self.sorted_by else ""
            line += [(fit(column.title + arrow, wide, right=column.right), "head"), (" ", "")]
        return tuple(line)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in sight; the head stays on top."""
        if y < self._heads:
            self._drawn_head = self._head()
            return strip_of(self._drawn_head, self.scrollable_content_region.width)
        number = y - self._heads + self.scroll_offset.y
        line, under = self._drawn[number] = self._line(number)
        return strip_of(line, self.scrollable_content_region.width, under)

    def _draw_changed(self) -> None:
        """Draw again the rows in sight that look different from when they were drawn."""
        top, high = self.scroll_offset.y, self.size.height
        in_sight = range(top, top + high)
        for number in in_sight:
            if number not in self._drawn or self._drawn[number] != self._line(number):
                self.refresh_line(number + self._heads)
        self._drawn = {number: drawn for number, drawn in self._drawn.items() if number in in_sight}
        if self._heads and self._drawn_head != self._head():
            self.refresh_line(top)

    def on_resize(self) -> None:
        """Keep the cursor in sight; everything is drawn anew."""
        self._drawn.clear()
        self._show_cursor()
        self.refresh()

    def on_focus(self) -> None:
        """Show the cursor."""
        self._draw_changed()

    def on_blur(self) -> None:
        """Hide the cursor: keys go elsewhere."""
        self._draw_changed()

    # How it is moved in.

    def _show_cursor(self) -> None:
        high = max(1, self.size.height - self._heads)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + high:
            self.scroll_to(y=self._cursor - high + 1, animate=False)

    def _move_to(self, number: int) -> None:
        if self._awaited is not None:  # the person has gone on meanwhile
            self._awaited, self.filled = None, True
        at = max(0, min(number, len(self._shown) - 1))
        if at != self._cursor:
            self._cursor = at
            self._show_cursor()
            self._draw_changed()
            self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by so many pages."""
        self._move_to(self._cursor + by * max(1, self.size.height - 1 - self._heads))

    def action_jump(self, end: bool) -> None:
        """Move the cursor to the first or the last row."""
        self._move_to(len(self._shown) - 1 if end else 0)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse clicked, or sort by the head that it clicked; nobody needs one."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y >= self._heads:
            self._move_to(at.y - self._heads + self.scroll_offset.y)
            return
        column = self._column_at(at.x)
        if column is not None and column.sort:
            self.sort_by(column.title, backwards=column.title == self.sorted_by and not self.backwards)

    def _column_at(self, x: int) -> Column[R] | None:
        columns = self._visible()
        begin = 1
        for column, wide in zip(columns, self._widths(columns), strict=True):
            if begin <= x <= begin + wide:
                return column
            begin += wide + 1
        return None
