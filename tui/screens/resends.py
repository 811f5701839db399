"""Resends: the jobs that send again, how far each is; pause, resume and stop them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from appliance.control.rpc.client import Nothing, Verb, api
from appliance.presentation.figures import moment, short_moment
from appliance.presentation.phrases import plural
from appliance.presentation.resends import SHORT
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Job = api.resend.ResendState
_TONES: Final = {"running": "busy", "paused": "notice", "stopped": "dim", "done": "good"}
_HOW: Final = {"again": "to its own target", "elsewhere": "to other targets", "anew": "by the rules in force"}


class ResendsPage(TablePage[Job]):
    """The newest first."""

    NAME: ClassVar[str] = "resends"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("resends")]
    WORDS: ClassVar[tuple[str, str]] = ("job", "jobs")
    EMPTY: ClassVar[str] = "nothing is sent again just now: s on History, Queue or Finished begins it"

    def columns(self) -> Sequence[Column[Job]]:
        """Return the columns."""
        return (
            Column("job", lambda row: (row.id[-SHORT:], "bold"), 9),
            Column("state", lambda row: (row.state, _TONES[row.state]), 8, lambda row: row.state),
            Column("done", lambda row: (f"{row.done} of {row.items}", ""), 12, lambda row: row.done, right=True),
            Column("since", lambda row: (short_moment(row.at), ""), 15, lambda row: row.at),
            Column("by", lambda row: (printable(row.by), ""), 10, lambda row: row.by),
            Column("how", lambda row: (_HOW[row.how], ""), 0, lambda row: row.how),
        )

    def key_of(self, row: Job) -> object:
        """Return its id."""
        return row.id

    def text_of(self, row: Job) -> str:
        """Return all of it."""
        return f"{row.id} {row.state} {row.by} {row.reason} {row.how}"

    def below(self, row: Job) -> Iterable[Line]:
        """Return why it was begun, and what it left out."""
        columns = self.below_columns
        yield from pair("reason", row.reason, columns)
        yield from pair("begun", f"{moment(row.at)} by {row.by}", columns, "dim")
        yield from pair("on its way", f"{row.under_way} series" if row.under_way else "", columns, "busy")
        for left in row.left:
            yield from pair("left out", f"{plural(left.tasks, 'task')}: {left.why}", columns, "warn")

    def refresh_data(self) -> None:
        """Ask for the jobs."""
        if self.router.connected:
            self.ask(api.resend.LIST, Nothing(), lambda found: self.fill(found.jobs), failed=self.fail)

    def router_changed(self) -> None:
        """Look again with each status: they go on."""
        if any(row.state == "running" for row in self.table.rows):
            self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"pause": self.with_row(self._pause), "stop": self.with_row(self._stop)}

    def _change(self, verb: Verb[api.resend.OneResend, Job], row: Job, undo: str) -> None:
        def changed(job: Job) -> None:
            self.say(f"job {job.id[-SHORT:]} is {job.state}{undo}")
            self.refresh_data()

        self.ask(verb, api.resend.OneResend(job=row.id), changed)

    def _pause(self, row: Job) -> None:
        if row.state == "paused":
            self._change(api.resend.RESUME, row, " · p pauses it")
        else:
            self._change(api.resend.PAUSE, row, " · p resumes it")

    def _stop(self, row: Job) -> None:
        left = row.items - row.done
        texts = [f"{left} of {row.items} series are not sent again. What it has put into the queue is delivered."]
        question = Confirm(f"Stop job {row.id[-SHORT:]}?", texts, "Stop")
        self.when_answered(question, lambda _: self._change(api.resend.STOP, row, ""))
