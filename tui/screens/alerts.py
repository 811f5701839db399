"""Alerts, each with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.figures import moment, since
from appliance.presentation.states import SEVERITY
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line, Span
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Alert = api.status.Alert
_WHERE: Final = {
    "service": "services",
    "not-running": "services",
    "crash-loop": "services",
    "outage": "targets",
    "module": "modules",
    "failed": "queue",
    "quarantine": "quarantine",
    "stuck": "queue",
    "configuration": "config",
    "silence": "senders",
    "refused": "senders",
    "rule": "rules",
    "unrouted": "queue",
    "loop": "queue",
}
"""The page on which something can be done about each kind of alert."""


def page_of(alert: Alert) -> str:
    """Return the page on which something can be done about an alert."""
    return _WHERE.get(alert.kind, "overview")


def _what(row: Alert) -> Span:
    """Say what it is; what somebody knows of, or what is over, is said more quietly."""
    marks = [mark for mark, there in (("■ acknowledged", row.acknowledged), ("○ over", row.over)) if there]
    return (printable(" ".join([*marks, row.text])), "dim" if marks else "")


def _acknowledged(acknowledged: api.status.Acknowledgement) -> str:
    until = f", until {moment(acknowledged.until)}" if acknowledged.until else ""
    comment = f": {acknowledged.comment}" if acknowledged.comment else ""
    return f"by {acknowledged.by} at {moment(acknowledged.at)}{until}{comment}"


class AlertsPage(TablePage[Alert]):
    """The worst first."""

    NAME: ClassVar[str] = "alerts"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("alerts")]
    WORDS: ClassVar[tuple[str, str]] = ("alert", "alerts")
    EMPTY: ClassVar[str] = "• all is well"

    def columns(self) -> Sequence[Column[Alert]]:
        """Return the columns."""
        return (
            Column("severity", lambda row: SEVERITY[row.severity].span(), 11, lambda row: SEVERITY[row.severity].rank),
            Column("since", lambda row: (since(row.since, self.router.heard), ""), 7, right=True),
            Column("what", lambda row: (printable(row.object), "bold"), 16, lambda row: row.object),
            Column("", _what),
        )

    def key_of(self, row: Alert) -> object:
        """Return the key of the alert."""
        return row.key

    def text_of(self, row: Alert) -> str:
        """Return all of it."""
        return f"{row.severity} {row.kind} {row.object} {row.text} {row.advice}"

    def values(self, row: Alert) -> Iterable[tuple[str, str]]:
        """Return key and text."""
        return (("key", row.key), ("text", row.text))

    def below(self, row: Alert) -> Iterable[Line]:
        """Return it in full."""
        columns = self.below_columns
        yield from pair("what", row.text, columns, SEVERITY[row.severity].tone)
        yield from pair("do next", row.advice, columns, "notice")
        yield from pair("since", moment(row.since), columns)
        if row.acknowledged:
            yield from pair("acknowledged", _acknowledged(row.acknowledged), columns)
        if row.over:
            yield from pair("over since", moment(row.over), columns, "good")

    def refresh_data(self) -> None:
        """Ask for the alerts of now."""
        if self.router.connected:
            self.ask(api.status.ALERTS, Nothing(), lambda answer: self.fill(answer.alerts), failed=self.fail)

    def router_changed(self) -> None:
        """Show what the stream brought."""
        if self.router.alerts is not None:
            self.fill(self.router.alerts.alerts)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"go": self.with_row(self._go), "acknowledge": self.with_row(self._acknowledge)}

    def _go(self, row: Alert) -> None:
        self.mercure.open_page(page_of(row), at=row.object)

    def _acknowledge(self, row: Alert) -> None:
        wanted = api.status.AcknowledgeAlert(key=row.key, withdraw=row.acknowledged is not None)
        self.ask(api.status.ACKNOWLEDGE, wanted, lambda alert: self.refresh_data())
