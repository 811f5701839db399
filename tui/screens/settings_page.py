"""Tables of what is configured: rules, targets, modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from appliance.presentation.figures import since, until
from mercure.printable import printable
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.control.rpc.client import ControlError, Saved, Verb, api


class ShownCertificate(Protocol):
    """The certificate of a target or a sender."""

    @property
    def subject(self) -> str:
        """Whose it is."""

    @property
    def ends(self) -> datetime:
        """When it ends."""


class Named(Protocol):
    """An entry of the configuration."""

    @property
    def name(self) -> str:
        """What it is called."""


class RouterOutage(Protocol):
    """Since when something does not work, and why."""

    @property
    def since(self) -> datetime:
        """When it was first seen."""

    @property
    def error(self) -> str:
        """What was seen last."""


class Reached(Named, Protocol):
    """An entry that stands for something elsewhere, for which tasks wait."""

    @property
    def waiting(self) -> int:
        """How many tasks wait for it."""

    @property
    def failed(self) -> int:
        """How many have failed at it."""

    @property
    def outage(self) -> RouterOutage | None:
        """What keeps it from working, if anything does."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that name it."""


R = TypeVar("R", bound=Named)
E = TypeVar("E", bound=Reached)


class SettingsPage(TablePage[R]):
    """Entries of the configuration. A change is made from the revision that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.revision = 0

    def key_of(self, row: R) -> object:
        """Return the name."""
        return row.name

    def change(
        self, dialog: Confirm, verb: Verb[api.base.Q, Saved], request: Callable[[str], api.base.Q], done: str
    ) -> None:
        """Change the configuration when the person is sure of it, and say what came of it.

        Parameters
        ----------
        dialog : Confirm
            Asks; for the reason too.
        verb : Verb
            What is then asked of the router.
        request : callable
            Makes the request, with that reason.
        done : str
            What is said then, before the revision.
        """

        def told(saved: Saved) -> None:
            told = (f"{done}: revision {saved.revision}", *saved.warnings)
            self.say("; ".join(told), "warning" if saved.warnings else "information")
            self.refresh_data()

        self.when_answered(dialog, lambda comment: self.ask(verb, request(comment), told))

    def delete(
        self, name: str, texts: Iterable[str], verb: Verb[api.base.Q, Saved], request: Callable[[str], api.base.Q]
    ) -> None:
        """Remove an entry when its name is typed."""
        title = f"Delete {self.WORDS[0]} {name}?"
        self.change(Confirm(title, [*texts], "Delete", type_name=name, reason=True), verb, request, "deleted")


class ReachedPage(SettingsPage[E]):
    """Entries that can be asked: what each said last stays below the table while it is not left."""

    OUTAGE: ClassVar[str]
    """What it is called when one does not work."""
    ANSWER: ClassVar[str]
    """What that is called which one has said."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[str, tuple[str, str]] = {}

    def answer_of(self, name: str) -> tuple[str, str]:
        """Return what an entry said last, and its style."""
        return self._answers.get(name, ("", ""))

    def tell(self, name: str, text: str, style: str) -> None:
        """Show what an entry said."""
        self._answers[name] = (text, style)
        if self.table.filled:  # what a job of before came to may be known before the rows are
            self.table.fill(self.table.rows)
        self.show_below()

    def tell_outcome(self, name: str, text: str, *, ok: bool, what: str = "") -> None:
        """Show how it went to ask an entry; before it, what was asked."""
        self.tell(name, f"{what}{'•' if ok else '‼'} {text}", "good" if ok else "bad")

    def not_asked(self, name: str) -> Callable[[ControlError], None]:
        """Make what shows why an entry was not asked."""
        return lambda error: self.tell(name, f"‼ {error.text} {error.advice}", "bad")

    def counts(self) -> tuple[Column[E], Column[E]]:
        """Return the columns of what waits and what failed."""
        return (
            Column("wait", lambda row: (str(row.waiting), "warn" if row.outage and row.waiting else ""), 6,
                   lambda row: row.waiting, right=True),
            Column("failed", lambda row: (str(row.failed), "bad" if row.failed else ""), 6, lambda row: row.failed,
                   right=True),
        )  # fmt: skip

    def below(self, row: E) -> Iterable[Line]:
        """Return what is wrong with it, what it said, and the rules that name it."""
        columns = self.below_columns
        if row.outage is not None:
            text = f"for {since(row.outage.since, self.router.heard)}: {row.outage.error}"
            yield from pair(self.OUTAGE, text, columns, "bad")
        text, style = self.answer_of(row.name)
        yield from pair(self.ANSWER, text, columns, style)
        yield from pair("rules", ", ".join(row.rules) or "none", columns)

    def router_changed(self) -> None:
        """Look with each status: outages come and go."""
        self.mercure.soon(self, self.refresh_data)


def named_by(rules: tuple[str, ...]) -> list[str]:
    """Say in a dialog which rules keep an entry from being removed."""
    return [f"Rules that name it must be changed before: {', '.join(rules)}"] if rules else []


def name_column(title: str, width: int) -> Column[Any]:
    """Return the column of the names."""
    return Column(title, lambda row: (printable(row.name), "bold"), width, lambda row: row.name)


def certificate_lines(shown: ShownCertificate | None, now: datetime | None, columns: int) -> Iterator[Line]:
    """Write what certificate was shown over TLS and when it ends; nothing where there is none."""
    if shown is not None:
        text, style = until(shown.ends, now)
        yield from pair("certificate", f"{shown.subject} {text}", columns, style)


def settings_lines(settings: Mapping[str, object], columns: int) -> Iterator[Line]:
    """Write settings, one to a line."""
    for name, value in settings.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        yield from pair(name, text, columns)
