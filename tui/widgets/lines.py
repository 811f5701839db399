"""Lines of text that redraw only what changed.

Textual's own text widgets draw themselves whole when anything in them changes. Over a slow link that is most of what
the UI would send, so ours compare line by line (`docs/decisions/0081-lines-and-tables-of-our-own.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.format import printable_lines
from tui.styles import STYLES, Line
from tui.widgets.pane import Pane

if TYPE_CHECKING:
    from textual.binding import BindingType

_EMPTY: Final[Line] = ()


def marked(mark: str, text: str, columns: int, style: str) -> Iterator[Line]:
    """Write a text in lines of so many columns, the first behind a mark and the others as far in."""
    for number, line in enumerate(printable_lines(text, columns)):
        yield ((f"{mark if number == 0 else ' ' * len(mark)} {line}", style),)


def strip_of(line: Line, columns: int, under: str = "") -> Strip:
    """Draw a line, exactly `columns` wide: each span in its style, or all of it in the style `under`.

    A row under the cursor is one bar of one style: the reversed colours of its cells would make a patchwork. What is
    longer than the line ends with an ellipsis.
    """
    base = STYLES[under or "pad"]
    strip = Strip([Segment(text, base if under else STYLES[style]) for text, style in line if text])
    if strip.cell_length > columns > 0 and cell_len("".join(text for text, _ in line).rstrip()) > columns:
        strip = Strip([*strip.crop(0, columns - 1), Segment("…", base)])
    return strip.adjust_cell_length(columns, base)


class Static(Pane):
    """A few lines that stand still, as high as they are.

    Parameters
    ----------
    id : str
        Its name in the style sheet.
    """

    DEFAULT_CSS = "Static { height: auto; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    def saying(self, *lines: Line) -> Static:
        """Return the same with these lines from the beginning."""
        self._lines = lines
        return self

    def show(self, lines: Iterable[Line]) -> None:
        """Show these lines; what stays the same is not drawn again."""
        new, old = tuple(lines), self._lines
        if new == old:
            return
        self._lines = new
        if len(new) != len(old):
            self.refresh(layout=True)
            return
        changed = [Region(0, y, self.size.width, 1) for y in range(len(new)) if new[y] != old[y]]
        self.refresh(*changed)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        return strip_of(self._lines[y] if y < len(self._lines) else _EMPTY, self.size.width)


class Pager(ScrollView, Pane, can_focus=True):
    """Lines that scroll: a task in full, a log, a page of help."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._all: list[Line] = []
        self.filter = ""

    @property
    def at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y >= self.max_scroll_y

    def show(self, lines: Iterable[Line], *, to_end: bool = False) -> None:
        """Show these lines instead of those before; of those in sight only what differs is drawn."""
        self._all = list(lines)
        self._show(self._passing(self._all), to_end=to_end)

    def select(self, filter: str) -> None:
        """Show only lines that contain a text, whatever its case; with ``!`` before it, those that do not."""
        if filter != self.filter:
            self.filter = filter
            self.scroll_to(y=0, animate=False)
            self._show(self._passing(self._all), to_end=False)

    def _passing(self, lines: Iterable[Line]) -> list[Line]:
        if not self.filter:
            return list(lines)
        wanted = self.filter.casefold()
        needle, inverse = wanted.removeprefix("!"), wanted.startswith("!")
        found = [line for line in lines if (needle in "".join(text for text, _ in line).casefold()) is not inverse]
        return [((f" {plural(len(found), 'line')}, filter: {printable(self.filter)}", "notice"),), *found]

    def _show(self, lines: list[Line], *, to_end: bool) -> None:
        old, self._lines = self._lines, lines
        if to_end or len(old) != len(self._lines) or _widest(old) != _widest(self._lines):
            self._resized(to_end)
            return
        top = self.scroll_offset.y
        in_sight = range(top, min(top + self.size.height, len(old)))
        changed = [Region(0, y - top, self.size.width, 1) for y in in_sight if old[y] != self._lines[y]]
        if changed:
            self.refresh(*changed)

    def append(self, lines: Iterable[Line], *, keep: int = 5000) -> None:
        """Add lines; who looks at the end goes on looking at the end, and others stay where they are."""
        follow = self.at_end
        self._all.extend(lines)
        del self._all[:-keep]
        self._lines = self._passing(self._all)
        self._resized(follow)

    def _resized(self, to_end: bool) -> None:
        self.virtual_size = Size(_widest(self._lines), len(self._lines))
        self.refresh()
        if to_end:
            self.call_after_refresh(self.scroll_end, animate=False)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in sight."""
        left, top = self.scroll_offset
        number = y + top
        line = self._lines[number] if number < len(self._lines) else _EMPTY
        wide = self.scrollable_content_region.width  # without the scroll bar
        return strip_of(line, left + wide).crop(left, left + wide)


def _widest(lines: Sequence[Line]) -> int:
    """Return how wide the widest of the last lines is, within reason."""
    return min(2000, max((sum(len(text) for text, _ in line) for line in lines[-1000:]), default=0))
