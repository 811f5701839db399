"""The processing modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on

from appliance.control.client import Nothing, api
from tui.actions import bindings_of
from tui.format import printable
from tui.looks import Line, Span
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

Module = api.configuration.ModuleState


def _state(row: Module) -> Span:
    if row.disabled:
        return ("□ disabled", "dim")
    return ("▲ has failed tasks", "warn") if row.failed else ("• ready", "good")


class ModulesPage(TablePage[Module]):
    """Each with what waits for it."""

    NAME: ClassVar[str] = "modules"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("modules")]
    WORDS: ClassVar[tuple[str, str]] = ("module", "modules")
    EMPTY: ClassVar[str] = "no processing module is configured"

    def columns(self) -> Sequence[Column[Module]]:
        """Return the columns."""
        return (
            Column("module", lambda row: (printable(row.name), "bold"), 18, lambda row: row.name),
            Column("state", _state, 18),
            Column("runner", lambda row: (printable(row.runner), ""), 8, lambda row: row.runner),
            Column("wait", lambda row: (str(row.waiting), ""), 6, lambda row: row.waiting, right=True),
            Column("failed", lambda row: (str(row.failed), "bad" if row.failed else ""), 6, lambda row: row.failed,
                   right=True),
            Column("image", lambda row: (printable(row.image), "")),
        )  # fmt: skip

    def key_of(self, row: Module) -> object:
        """Return the name."""
        return row.name

    def text_of(self, row: Module) -> str:
        """Return name, image and rules."""
        return f"{row.name} {row.runner} {row.image} {' '.join(row.rules)}"

    def below(self, row: Module) -> Iterable[Line]:
        """Return the rules that name it."""
        return pair("rules", ", ".join(row.rules) or "none", self.app.size.width - 2)

    def refresh_data(self) -> None:
        """Ask for the modules."""
        if self.board.connected:
            self.ask(api.configuration.MODULES, Nothing(), lambda answer: self.fill(answer.modules), failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when tasks move or the configuration changed."""
        self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"show": self._open}

    @on(Grid.Chosen)
    def _open(self) -> None:
        row = self.table.current
        if row is not None:
            self.app.push_screen(TextPage("modules", row.name, lambda columns: _lines(row, columns)))


def _lines(row: Module, columns: int) -> Iterator[Line]:
    yield ()
    yield from pair("image", row.image, columns)
    yield from pair("runner", row.runner, columns)
    yield from pair("rules", ", ".join(row.rules), columns)
    yield from settings_lines(row.settings, columns)


def settings_lines(settings: Mapping[str, object], columns: int) -> Iterator[Line]:
    """Write settings, one to a line."""
    for name, value in settings.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        yield from pair(name, text, columns)
