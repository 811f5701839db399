"""Add or change a processing module; its fields come from the schema of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from appliance.control.rpc.client import api
from tui.actions import bindings_of
from tui.screens.settings_form import SettingsForm

if TYPE_CHECKING:
    from textual.binding import BindingType


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
