"""The processing modules, and the form of their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from appliance.control.rpc.client import Nothing, api
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.settings_form import SettingsForm
from tui.screens.settings_page import ReachedPage, name_column, named_by, settings_lines
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line, Span
from tui.widgets.dialogs import Confirm
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Module = api.configuration.ModuleState


def _state(row: Module) -> Span:
    if row.disabled:
        return ("□ disabled", "dim")
    if row.outage is not None:
        return ("‼ cannot be run", "bad")
    return ("▲ has failed tasks", "warn") if row.failed else ("• ready", "good")


class ModulesPage(ReachedPage[Module]):
    """Each with what waits for it."""

    NAME: ClassVar[str] = "modules"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("modules")]
    WORDS: ClassVar[tuple[str, str]] = ("module", "modules")
    EMPTY: ClassVar[str] = "no processing module is configured: n adds one"
    OUTAGE: ClassVar[str] = "cannot run"
    ANSWER: ClassVar[str] = "last check"

    def __init__(self) -> None:
        super().__init__()
        self._schema: Mapping[str, Any] = {}

    def columns(self) -> Sequence[Column[Module]]:
        """Return the columns."""
        return (
            name_column("module", 18),
            Column("state", _state, 18),
            Column("runner", lambda row: (printable(row.runner), ""), 8, lambda row: row.runner),
            *self.counts(),
            Column("image", lambda row: (printable(row.image), "")),
        )

    def text_of(self, row: Module) -> str:
        """Return name, image and rules."""
        return f"{row.name} {row.runner} {row.image} {' '.join(row.rules)}"

    def refresh_data(self) -> None:
        """Ask for the modules."""
        if self.router.connected:
            self.ask(api.configuration.MODULES, Nothing(), self._fill, failed=self.fail)

    def _fill(self, answer: api.configuration.Modules) -> None:
        self.revision, self._schema = answer.revision, answer.settings_schema
        self.fill(answer.modules)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when tasks move or the configuration changed."""
        self.mercure.soon(self, self.refresh_data)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "show": self.with_row(self._open),
            "check": self.with_row(self._check),
            "switch": self.with_row(self._switch),
            "new": lambda: self._form(None),
            "edit": self.with_row(self._form),
            "delete": self.with_row(self._delete),
        }

    def _open(self, row: Module) -> None:
        self.app.push_screen(TextPage("modules", row.name, lambda columns: _lines(row, columns)))

    def _check(self, row: Module) -> None:
        self.tell(row.name, "asking its runner …", "dim")
        request = api.modules.CheckModule(name=row.name)
        self.ask(api.modules.CHECK, request, self._checked, failed=self.not_asked(row.name), each=True)

    def _checked(self, answer: api.modules.ModuleChecked) -> None:
        self.tell_outcome(answer.module, answer.text, ok=answer.ok)

    def _form(self, row: Module | None) -> None:
        self.app.push_screen(ModuleForm(self._schema, row, self.revision), self.go_to)

    def _switch(self, row: Module) -> None:
        name, on, revision = row.name, row.disabled, self.revision
        word = "on" if on else "off"
        texts = [
            f"{name} ({row.runner})",
            f"{row.waiting} tasks that wait for it are run then." if on else "Tasks for it wait; what runs ends.",
        ]
        self.change(
            Confirm(f"Switch module {name} {word}?", texts, f"Switch {word}", reason=True), api.modules.SWITCH,
            lambda comment: api.modules.SwitchModule(name=name, on=on, edited_from=revision, comment=comment),
            f"{name} is {word}",
        )  # fmt: skip

    def _delete(self, row: Module) -> None:
        name, revision = row.name, self.revision
        texts = [f"{name} ({row.runner})", f"{row.waiting} tasks wait for it, {row.failed} have failed."]
        self.delete(
            name, [*texts, *named_by(row.rules)], api.modules.DELETE,
            lambda comment: api.modules.DeleteModule(name=name, edited_from=revision, comment=comment),
        )  # fmt: skip


def _lines(row: Module, columns: int) -> Iterator[Line]:
    yield ()
    yield from pair("image", row.image, columns)
    yield from pair("runner", row.runner, columns)
    yield from pair("rules", ", ".join(row.rules), columns)
    yield from settings_lines(row.settings, columns)


class ModuleForm(SettingsForm):
    """The settings of a module.

    Parameters
    ----------
    schema : mapping
        The JSON schema of a module's settings.
    module : ModuleState or None
        What is changed; None: a new one.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "module-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("module-form")]
    ASKING: ClassVar[str] = "asking its runner …"

    def __init__(self, schema: Mapping[str, Any], module: api.configuration.ModuleState | None, revision: int) -> None:
        title = f"Module {module.name}" if module else "New module"
        super().__init__("modules", title, schema, module, revision)

    def try_out(self, name: str, settings: dict[str, Any]) -> None:
        """Ask its runner."""
        request = api.modules.CheckModule(name=name, settings=settings)
        self.ask(api.modules.CHECK, request, self._checked, failed=self.failed)

    def _checked(self, answer: api.modules.ModuleChecked) -> None:
        self.show_outcome(answer.text, ok=answer.ok)

    def save(self, name: str, settings: dict[str, Any]) -> None:
        """Save the module."""
        request = api.modules.SaveModule(name=name, settings=settings, rename_from=self.old, edited_from=self.revision)
        self.save_by(api.modules.SAVE, request)
