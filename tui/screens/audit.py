"""Audit trail: who changed what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import api
from appliance.presentation.figures import moment, short_moment
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Record = Any
"""`AuditRecord`: a model of the router's own, which the UI knows only by what the API hands out."""
_LIMIT: Final = 1000
_SHORT: Final = 3


def short(value: object) -> str:
    """Write a value on one line; nothing for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class AuditPage(TablePage[Record]):
    """The latest first."""

    NAME: ClassVar[str] = "audit"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("audit")]
    WORDS: ClassVar[tuple[str, str]] = ("change", "changes")
    EMPTY: ClassVar[str] = "nobody has changed anything yet"

    def columns(self) -> Sequence[Column[Record]]:
        """Return the columns."""
        return (
            Column("time", lambda row: (short_moment(row.time), ""), 15, lambda row: row.time),
            Column("by", lambda row: (printable(row.by), "bold"), 12, lambda row: row.by),
            Column("verb", lambda row: (printable(row.verb), ""), 18, lambda row: row.verb),
            Column("object", lambda row: (printable(row.object), "")),
        )

    def key_of(self, row: Record) -> object:
        """Return the id of the record."""
        return row.id

    def text_of(self, row: Record) -> str:
        """Return all that is shown."""
        return f"{row.by} {row.verb} {row.object} {row.task or ''} {short(row.before)} {short(row.after)}"

    def below(self, row: Record) -> Iterable[Line]:
        """Return before and after, a little of each."""
        columns = self.below_columns
        yield from list(pair("before", short(row.before), columns, "removed"))[:_SHORT]
        yield from list(pair("after", short(row.after), columns, "added"))[:_SHORT]

    def refresh_data(self) -> None:
        """Ask for the last changes."""
        if self.router.connected:
            request = api.history.ListAudit(limit=_LIMIT)
            self.ask(api.history.AUDIT, request, lambda answer: self.fill(answer.records), failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when something was changed."""
        if event.type.startswith(("config.", "task.")):
            self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"show": self.with_row(self._open)}

    def _open(self, row: Record) -> None:
        self.app.push_screen(TextPage("audit", f"{row.verb} {row.object}", lambda columns: _lines(row, columns)))


def _lines(row: Record, columns: int) -> Iterator[Line]:
    yield ()
    yield from pair("time", moment(row.time), columns)
    yield from pair("by", f"{row.by} at {row.node}", columns)
    yield from pair("task", row.task or "", columns)
    for name, value, style in (("before", row.before, "removed"), ("after", row.after, "added")):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        yield ()
        for number, line in enumerate((text if value is not None else "").split("\n")):
            yield from pair(name if number == 0 else "", line.replace(" ", "\N{NO-BREAK SPACE}"), columns, style)
