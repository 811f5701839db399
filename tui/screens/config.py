"""The revisions of the configuration: look, compare, roll back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from appliance.control.rpc.client import Difference, Saved, api
from appliance.presentation.figures import moment
from appliance.presentation.phrases import plural, when_it_counts
from mercure.printable import printable
from tui.actions import bindings_of
from tui.format import fit
from tui.screens.differences import difference_lines
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line, Span
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Revision = api.configuration.RevisionState
_SHORT: Final = 48
"""Columns of a value in the question whether to roll back."""


class ConfigPage(TablePage[Revision]):
    """The saved states of a file, the newest first."""

    NAME: ClassVar[str] = "config"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("config")]
    WORDS: ClassVar[tuple[str, str]] = ("revision", "revisions")
    EMPTY: ClassVar[str] = "nothing was saved yet"

    def __init__(self) -> None:
        super().__init__()
        self._file: Literal["mercure", "services"] = "mercure"
        self._current = 0
        self._by_hand = False

    def columns(self) -> Sequence[Column[Revision]]:
        """Return the columns."""
        return (
            Column("revision", lambda row: (str(row.revision), "bold"), 8, lambda row: row.revision, right=True),
            Column("", self._state, 10),
            Column("saved", lambda row: (moment(row.time), ""), 20, lambda row: row.revision),
            Column("by", lambda row: (printable(row.author), ""), 14, lambda row: row.author),
            Column("comment", lambda row: (printable(row.comment or row.problem), "bad" if row.problem else "")),
        )

    def _state(self, row: Revision) -> Span:
        return ("• in force", "good") if row.revision == self._current else ("", "")

    def key_of(self, row: Revision) -> object:
        """Return the number."""
        return row.revision

    def text_of(self, row: Revision) -> str:
        """Return all that is shown."""
        return f"{row.revision} {row.author} {row.comment}"

    def below(self, row: Revision) -> Iterable[Line]:
        """Return the whole comment."""
        return pair("comment", row.comment, self.below_columns)

    def about(self) -> str:
        """Return which file it is."""
        return f"of {self._file}.json" + (", edited by hand since" if self._by_hand else "")

    def refresh_data(self) -> None:
        """Ask for the revisions."""
        if self.router.connected:
            request = api.configuration.ListRevisions(file=self._file, limit=1000)
            self.ask(api.configuration.REVISIONS, request, self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when somebody saved."""
        if event.type.startswith("config."):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.configuration.Revisions) -> None:
        self._current, self._by_hand = answer.current, answer.by_hand
        self.fill(answer.revisions)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "changes": self.with_row(self._changes),
            "compare": self.with_row(self._compare),
            "rollback": self.with_row(self._roll_back),
            "file": self._other_file,
            "keep": lambda: self.mercure.open_page("backups"),
            "forms": lambda: self.mercure.open_page("sections"),
        }

    def _other_file(self) -> None:
        self._file = "services" if self._file == "mercure" else "mercure"
        self.refresh_data()

    def _changes(self, row: Revision) -> None:
        older = [revision.revision for revision in self.table.rows if revision.revision < row.revision]
        if not older:
            self.say(f"revision {row.revision} is the oldest that is kept: there is none to compare it with", "warning")
            return
        request = api.configuration.CompareRevisions(file=self._file, before=max(older), after=row.revision)
        self.ask(api.configuration.COMPARE, request, self._show)

    def _compare(self, row: Revision) -> None:
        request = api.configuration.CompareRevisions(file=self._file, before=row.revision)
        self.ask(api.configuration.COMPARE, request, self._show)

    def _show(self, answer: api.configuration.Comparison) -> None:
        title = f"{answer.file}.json: from revision {answer.before} to {answer.after}"
        difference = answer.difference
        self.app.push_screen(TextPage("config", title, lambda columns: difference_lines(difference, columns)))

    def _roll_back(self, row: Revision) -> None:
        if row.revision == self._current and not self._by_hand:
            self.say(f"revision {row.revision} is in force already", "warning")
            return
        # What would change is what separates the state of now from the old one.
        request = api.configuration.CompareRevisions(file=self._file, before=row.revision)
        self.ask(api.configuration.COMPARE, request, self._sure)

    def _sure(self, answer: api.configuration.Comparison) -> None:
        places = [_back(difference) for difference in answer.difference[:8]]
        if len(answer.difference) > len(places):
            places.append(f"and {len(answer.difference) - len(places)} more")
        file, current = answer.file, self._current

        def sure(comment: str) -> None:
            back = api.configuration.RollBack(file=file, revision=answer.before, edited_from=current, comment=comment)
            self.ask(api.configuration.ROLLBACK, back, self._rolled_back)

        one, many = "place changes back to what it was then:", "places change back to what they were then:"
        texts = [plural(len(answer.difference), one, many), *places, "The state of now stays as a revision of its own."]
        title = f"Roll {file}.json back to revision {answer.before}?"
        self.when_answered(Confirm(title, texts, "Roll back", reason=True), sure)

    def _rolled_back(self, saved: Saved) -> None:
        counts = "; ".join(when_it_counts(saved.restart, saved.renews))
        self.say(f"rolled back: revision {saved.revision} is in force; {counts}")
        self.refresh_data()


def _back(item: Difference) -> str:
    """Say what a place changes back to, from what it is now."""
    if item.how == "added":
        return f"- {item.place}: {_short(item.after)}"
    if item.how == "removed":
        return f"+ {item.place}: {_short(item.before)}"
    return f"~ {item.place}: {_short(item.after)} → {_short(item.before)}"


def _short(value: object) -> str:
    return fit(json.dumps(value, ensure_ascii=False), _SHORT).rstrip()
