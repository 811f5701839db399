"""Add or change a target; its fields come from the schema of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from appliance.control.rpc.client import api
from appliance.presentation.figures import duration
from tui.actions import bindings_of
from tui.screens.settings_form import SettingsForm

if TYPE_CHECKING:
    from textual.binding import BindingType


class TargetForm(SettingsForm):
    """The settings of a target.

    Parameters
    ----------
    kind : str
        Its kind.
    schema : mapping
        The JSON schema of the kind.
    target : TargetState or None
        What is changed; None: a new one.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "target-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("target-form")]
    ASKING: ClassVar[str] = "asking the target …"

    def __init__(
        self, kind: str, schema: Mapping[str, Any], target: api.targets.TargetState | None, revision: int
    ) -> None:
        title = f"Target {target.name}" if target else f"New target of kind {kind}"
        super().__init__("targets", title, schema, target, revision)
        self._kind = kind

    def try_out(self, name: str, settings: dict[str, Any]) -> None:
        """Ask the target as it is typed."""
        request = api.targets.EchoTarget(name=name, settings={"kind": self._kind, **settings})
        self.ask(api.targets.ECHO, request, self._answered_echo, failed=self.failed)

    def _answered_echo(self, answer: api.targets.EchoAnswer) -> None:
        self.show_outcome(f"{answer.text} ({duration(answer.seconds)})", ok=answer.ok)

    def save(self, name: str, settings: dict[str, Any]) -> None:
        """Save the target."""
        whole = {"kind": self._kind, **settings}
        request = api.targets.SaveTarget(name=name, settings=whole, rename_from=self.old, edited_from=self.revision)
        self.save_by(api.targets.SAVE, request)
