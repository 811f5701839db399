"""What senders were refused while associations began: by sender, class or transfer syntax, and reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import api
from appliance.presentation.figures import moment, short_moment
from appliance.presentation.phrases import count, refusal_in_words
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Refusal = api.traffic.RefusalRecord
_LIMIT: Final = 1000


class RefusalsPage(TablePage[Refusal]):
    """The last first; what was refused again and again for one reason is one row."""

    NAME: ClassVar[str] = "refusals"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("refusals")]
    WORDS: ClassVar[tuple[str, str]] = ("refusal", "refusals")
    EMPTY: ClassVar[str] = "nothing was refused in the last 7 days"

    def __init__(self) -> None:
        super().__init__()
        self._about = ""

    def columns(self) -> Sequence[Column[Refusal]]:
        """Return the columns."""
        return (
            Column("last", lambda row: (short_moment(row.last), ""), 15, lambda row: row.last),
            Column("times", lambda row: (count(row.times), ""), 6, lambda row: row.times, right=True),
            Column("sender", lambda row: (_said(row, 0), "bold"), 20, lambda row: _said(row, 0)),
            Column("refused", lambda row: (_said(row, 1), ""), 24, lambda row: _said(row, 1)),
            Column("reason", lambda row: (_said(row, 2), "")),
        )

    def key_of(self, row: Refusal) -> object:
        """Return what refusals are summed by."""
        return row.address, row.calling_aet, row.what, row.abstract_syntax, row.reason

    def text_of(self, row: Refusal) -> str:
        """Return all that is shown, and the UIDs."""
        return " ".join((*refusal_in_words(row), row.called_aet, row.abstract_syntax, row.transfer_syntax))

    def values(self, row: Refusal) -> Iterable[tuple[str, str]]:
        """Return who and what."""
        yield "sender", _said(row, 0)
        yield "SOP class UID", row.abstract_syntax
        yield "transfer syntax UID", row.transfer_syntax
        yield "reason", row.reason

    def about(self) -> str:
        """Return of how long, and whether there are more."""
        return self._about

    def below(self, row: Refusal) -> Iterable[Line]:
        """Return what does not fit into the line."""
        columns = self.below_columns
        _, what, reason = refusal_in_words(row)
        yield from pair("refused", what, columns)
        yield from pair("reason", reason, columns)
        yield from pair("called", row.called_aet, columns)
        yield from pair("first, last", f"{moment(row.first)}, {moment(row.last)}", columns, "dim")

    def refresh_data(self) -> None:
        """Ask for the refusals of the last days."""
        if self.router.connected:
            self.ask(api.traffic.REFUSALS, api.traffic.ListRefusals(limit=_LIMIT), self._fill, failed=self.fail)

    def _fill(self, answer: api.traffic.Refusals) -> None:
        more = "; there are more, of earlier" if answer.cut else ""
        self._about = f"of the last {answer.hours // 24} days, the last first{more}"
        self.fill(answer.refusals)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when something was refused."""
        if event.type in ("association.refused", "context.refused"):
            self.mercure.soon(self, self.refresh_data)


def _said(row: Refusal, which: int) -> str:
    return printable(refusal_in_words(row)[which])
