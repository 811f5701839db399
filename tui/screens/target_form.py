"""Add or change a target; its fields come from the schema of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.client import api
from tui.actions import bindings_of
from tui.format import duration, printable, wrap
from tui.screens.form import FormPage
from tui.widgets.fields import Field, fields_of_schema

if TYPE_CHECKING:
    from textual.binding import BindingType

_NAME: Final = Field("name", "text", "What rules call it: letters, digits, - _ .", needed=True)


class TargetForm(FormPage):
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

    def __init__(
        self, kind: str, schema: Mapping[str, Any], target: api.targets.TargetState | None, revision: int
    ) -> None:
        values = {**target.settings, "name": target.name} if target else {}
        title = f"Target {target.name}" if target else f"New target of kind {kind}"
        super().__init__("targets", title, [_NAME, *fields_of_schema(schema)], values, revision)
        self._kind = kind
        self._old = target.name if target else None

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self._save, "try": self._try}

    def _settings(self) -> tuple[str, dict[str, Any]] | None:
        values = self.read()
        if values is None:
            return None
        return values.pop("name"), {"kind": self._kind, **values}

    def _try(self) -> None:
        read = self._settings()
        if read is not None:
            self.say_first("asking the target …")
            request = api.targets.EchoTarget(name=read[0], settings=read[1])
            self.ask(api.targets.ECHO, request, self._told, failed=self.failed)

    def _told(self, answer: api.targets.EchoAnswer) -> None:
        glyph, style = ("•", "good") if answer.ok else ("‼", "bad")
        texts = wrap(printable(f"{answer.text} ({duration(answer.seconds)})"), self.app.size.width - 5)
        self.show_wrong([((f" {glyph if number == 0 else ' '} {text}", style),) for number, text in enumerate(texts)])

    def _save(self) -> None:
        read = self._settings()
        if read is not None:
            request = api.targets.SaveTarget(
                name=read[0], settings=read[1], rename_from=self._old, edited_from=self.revision
            )
            self.save_by(api.targets.SAVE, request)
