"""Add or change a processing module; its fields come from the schema of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.client import api
from tui.actions import bindings_of
from tui.format import printable
from tui.screens.form import FormPage
from tui.widgets.fields import Field, fields_of_schema

if TYPE_CHECKING:
    from textual.binding import BindingType

_NAME: Final = Field("name", "text", "What rules call it: letters, digits, - _ .", needed=True)


class ModuleForm(FormPage):
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

    def __init__(self, schema: Mapping[str, Any], module: api.configuration.ModuleState | None, revision: int) -> None:
        values = {**module.settings, "name": module.name} if module else {}
        title = f"Module {module.name}" if module else "New module"
        super().__init__("modules", title, [_NAME, *fields_of_schema(schema)], values, revision)
        self._old = module.name if module else None

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self._save, "try": self._try}

    def _settings(self) -> tuple[str, dict[str, Any]] | None:
        values = self.read()
        return None if values is None else (values.pop("name"), values)

    def _try(self) -> None:
        read = self._settings()
        if read is not None:
            self.say_first("asking its runner …")
            request = api.modules.CheckModule(name=read[0], settings=read[1])
            self.ask(api.modules.CHECK, request, self._told, failed=self.failed)

    def _told(self, answer: api.modules.ModuleChecked) -> None:
        glyph, style = ("•", "good") if answer.ok else ("‼", "bad")
        self.show_wrong([((f" {glyph} {printable(answer.text)}", style),)])

    def _save(self) -> None:
        read = self._settings()
        if read is not None:
            request = api.modules.SaveModule(
                name=read[0], settings=read[1], rename_from=self._old, edited_from=self.revision
            )
            self.save_by(api.modules.SAVE, request)
