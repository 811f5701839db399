"""Add or change a target or a module: its fields come from the schema of its settings, and it can be tried as typed.

A table of fields by hand would lose, at the next save, a setting that it does not know. What is nested is a field for
each of its parts, named with dots; JSON is left for what may hold any keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

from appliance.presentation.setting_fields import Field, fields_of_schema
from tui.screens.form import FormPage
from tui.widgets.lines import marked

_NAME: Final = "What rules call it: letters, digits, - _ ."
_ONE_OF: Final = "What it is for."


class Configured(Protocol):
    """What is changed."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def settings(self) -> dict[str, Any]:
        """As in the configuration."""


class SettingsForm(FormPage):
    """The settings of something that has a name. A subclass gives `ASKING`, `try_out` and `save`.

    Parameters
    ----------
    of : str
        The page it belongs to.
    title : str
        What is edited.
    schema : mapping
        The JSON schema of the settings.
    old : Configured or None
        What is changed; None: a new one.
    revision : int
        Of the configuration that this is edited from.
    names : sequence of str
        Those that it may have; every one where there is none.
    """

    ASKING: ClassVar[str]
    """What is said while it is tried."""

    def __init__(
        self,
        of: str,
        title: str,
        schema: Mapping[str, Any],
        old: Configured | None,
        revision: int,
        *,
        names: Sequence[str] = (),
    ) -> None:
        values = {**old.settings, "name": old.name} if old else {}
        name = Field("name", "choice" if names else "text", _ONE_OF if names else _NAME, tuple(names), needed=True)
        super().__init__(of, title, [name, *fields_of_schema(schema)], values, revision)
        self.old = old.name if old else None

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self.with_values(self.save), "try": self.with_values(self._try)}

    def try_out(self, name: str, settings: dict[str, Any]) -> None:
        """Ask whether it would work as it is typed."""
        raise NotImplementedError

    def save(self, name: str, settings: dict[str, Any]) -> None:
        """Ask for it to be saved."""
        raise NotImplementedError

    def _try(self, name: str, settings: dict[str, Any]) -> None:
        self.say_first(self.ASKING)
        self.try_out(name, settings)

    def show_outcome(self, text: str, *, ok: bool) -> None:
        """Show what came of trying it."""
        glyph, style = ("•", "good") if ok else ("‼", "bad")
        self.show_wrong([*marked(f" {glyph}", text, self.app.size.width - 5, style)])
