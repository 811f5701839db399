"""The processing modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on

from appliance.control.client import Nothing, Saved, api
from tui.actions import bindings_of
from tui.format import printable, since
from tui.looks import Line, Span
from tui.screens.module_form import ModuleForm
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.binding import BindingType

Module = api.configuration.ModuleState


def _state(row: Module) -> Span:
    if row.disabled:
        return ("□ disabled", "dim")
    if row.outage is not None:
        return ("‼ cannot be run", "bad")
    return ("▲ has failed tasks", "warn") if row.failed else ("• ready", "good")


class ModulesPage(TablePage[Module]):
    """Each with what waits for it."""

    NAME: ClassVar[str] = "modules"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("modules")]
    WORDS: ClassVar[tuple[str, str]] = ("module", "modules")
    EMPTY: ClassVar[str] = "no processing module is configured"

    def __init__(self) -> None:
        super().__init__()
        self._known: api.configuration.Modules | None = None
        self._answers: dict[str, tuple[str, str]] = {}

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
        """Return what is wrong with it, what a check said, and the rules that name it."""
        columns = self.app.size.width - 2
        if row.outage is not None:
            text = f"for {since(row.outage.since, self.board.heard)}: {row.outage.error}"
            yield from pair("cannot run", text, columns, "bad")
        text, style = self._answers.get(row.name, ("", ""))
        yield from pair("last check", text, columns, style)
        yield from pair("rules", ", ".join(row.rules) or "none", columns)

    def refresh_data(self) -> None:
        """Ask for the modules."""
        if self.board.connected:
            self.ask(api.configuration.MODULES, Nothing(), self._fill, failed=self.fail)

    def board_changed(self) -> None:
        """Look with each status: outages come and go."""
        self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.configuration.Modules) -> None:
        self._known = answer
        self.fill(answer.modules)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when tasks move or the configuration changed."""
        self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "show": self._open,
            "check": self._check,
            "switch": self._switch,
            "new": self._new,
            "edit": self._edit,
            "delete": self._delete,
        }

    @on(Grid.Chosen)
    def _open(self) -> None:
        row = self.table.current
        if row is not None:
            self.app.push_screen(TextPage("modules", row.name, lambda columns: _lines(row, columns)))

    def _tell(self, name: str, text: str, style: str) -> None:
        self._answers[name] = (text, style)
        self.show_below()

    def _check(self) -> None:
        row = self.table.current
        if row is not None:
            name = row.name
            self._tell(name, "asking its runner …", "dim")
            self.ask(
                api.modules.CHECK, api.modules.CheckModule(name=name), self._checked,
                failed=lambda error: self._tell(name, f"‼ {error.text} {error.advice}", "bad"), each=True,
            )  # fmt: skip

    def _checked(self, answer: api.modules.ModuleChecked) -> None:
        self._tell(answer.module, f"{'•' if answer.ok else '‼'} {answer.text}", "good" if answer.ok else "bad")

    def _new(self) -> None:
        self._form(None)

    def _edit(self) -> None:
        if self.table.current is not None:
            self._form(self.table.current)

    def _form(self, row: Module | None) -> None:
        known = self._known
        if known is not None:
            form = ModuleForm(known.settings_schema, row, known.revision)
            self.app.push_screen(form, lambda _: self.refresh_data())

    def _switch(self) -> None:
        row, known = self.table.current, self._known
        if row is None or known is None:
            return
        name, on, revision = row.name, row.disabled, known.revision
        word = "on" if on else "off"

        def sure(comment: str | None) -> None:
            if comment is not None:
                request = api.modules.SwitchModule(name=name, on=on, edited_from=revision, comment=comment)
                self.ask(api.modules.SWITCH, request, lambda saved: self._saved(f"{name} is {word}", saved))

        texts = [
            f"{name} ({row.runner})",
            f"{row.waiting} tasks that wait for it are run then." if on else "Tasks for it wait; what runs ends.",
        ]
        self.app.push_screen(Confirm(f"Switch module {name} {word}?", texts, f"Switch {word}", reason=True), sure)

    def _delete(self) -> None:
        row, known = self.table.current, self._known
        if row is None or known is None:
            return
        name, revision = row.name, known.revision

        def sure(comment: str | None) -> None:
            if comment is not None:
                request = api.modules.DeleteModule(name=name, edited_from=revision, comment=comment)
                self.ask(api.modules.DELETE, request, lambda saved: self._saved("deleted", saved))

        texts = [f"{name} ({row.runner})", f"{row.waiting} tasks wait for it, {row.failed} have failed."]
        if row.rules:
            texts.append(f"Rules that name it must be changed before: {', '.join(row.rules)}")
        self.app.push_screen(Confirm(f"Delete module {name}?", texts, "Delete", type_name=name, reason=True), sure)

    def _saved(self, what: str, saved: Saved) -> None:
        self.say(f"{what}: revision {saved.revision}")
        self.refresh_data()


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
