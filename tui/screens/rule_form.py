"""Add or change a rule: its condition is checked while it is typed, and the whole rehearsed before it is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.widgets import TextArea

from appliance.control.rpc.client import Progress, api, described_schema
from appliance.presentation.setting_fields import Field, fields_of_schema
from tui.actions import bindings_of
from tui.screens.differences import finding_lines, problem_lines
from tui.screens.dry_run import dry_run_lines
from tui.screens.form import FormPage
from tui.screens.long_actions import bar_line
from tui.screens.text_page import TextPage

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.timer import Timer

_CHECK_AFTER: Final = 0.3
"""Seconds of rest in typing after which the condition is checked."""
_LAST: Final = 100
_MOST_LETTERS: Final = 100_000
"""Of a condition: more the router does not check."""


_FIRST: Final = ("rule", "action", "targets", "modules", "trigger", "priority", "fallback", "disabled", "late",
                 "module_settings", "contact", "comment", "tags")  # fmt: skip
"""The settings that are wanted most, in the order in which a rule is thought of; all others follow."""


def rule_fields(targets: tuple[str, ...], modules: tuple[str, ...]) -> list[Field]:
    """Return the fields of a rule; targets and modules are suggested by their names.

    What a rule can have is what its schema says, so that nothing is lost when a rule is saved.
    """
    state = described_schema(api.rules.RuleState)
    fields = {field.name: field for field in fields_of_schema({**state["$defs"]["Rule"], "$defs": state["$defs"]})}
    condition = "The condition, as tags.Modality == 'MR' (docs: rule language)."
    fields["rule"] = replace(fields["rule"], kind="long", text=condition)
    fields["targets"] = replace(fields["targets"], choices=targets)
    fields["modules"] = replace(fields["modules"], choices=modules)
    first = [fields.pop(name) for name in _FIRST]
    return [Field("name", "text", "Letters, digits, - _ .", needed=True), *first, *fields.values()]


class RuleForm(FormPage):
    """A rule.

    Parameters
    ----------
    name : str or None
        What is changed; None: a new one.
    rule : mapping
        As in the configuration.
    table : mapping
        All rules in their order: the rehearsal needs them.
    revision : int
        Of the configuration that this is edited from.
    names : tuple of tuple of str
        The names of all targets and modules.
    """

    NAME: ClassVar[str] = "rule-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("rule-form")]

    def __init__(
        self,
        name: str | None,
        rule: Mapping[str, Any],
        table: api.rules.RuleTable,
        revision: int,
        names: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> None:
        title = f"Rule {name}" if name else "New rule"
        super().__init__("rules", title, rule_fields(*names), {**rule, "name": name}, revision)
        self._old = name
        self._table = table
        self._check: Timer | None = None
        self._checked_text = ""

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self.with_values(self._save), "dry-run": self.with_values(self._rehearse)}

    def on_mount(self) -> None:
        """Begin, and check what is there."""
        super().on_mount()
        if self._old:
            self._check_now()

    def edited(self) -> None:
        """Check the condition when the typing rests, if it is another one."""
        text = self.query_one(TextArea).text.strip()
        if text != self._checked_text:
            self.stop_looking()
            self._checked_text = text
            self._check = self.set_timer(_CHECK_AFTER, self._check_now)

    def stop_looking(self) -> None:
        """End the check that waits too: its answer would hide what comes of saving."""
        super().stop_looking()
        if self._check is not None:
            self._check.stop()
        self._checked_text = ""

    def _check_now(self) -> None:
        text = self._checked_text = self.query_one(TextArea).text.strip()
        if not text:
            self.show_wrong([((" type a condition, as tags.Modality == 'MR'", "dim"),)])
        elif len(text) > _MOST_LETTERS:
            self.show_wrong([((f" ‼ a condition has at most {_MOST_LETTERS:,} letters", "bad"),)])
        elif self.router.connected:
            self.ask(api.rules.CHECK, api.rules.CheckRules(expression=text), self._checked, failed=self.failed)

    def _checked(self, answer: api.rules.Checked) -> None:
        columns = self.app.size.width - 2
        lines = [line for finding in answer.findings for line in finding_lines(finding, columns)]
        lines += problem_lines(answer.problems, columns)
        self.show_wrong(lines or [((" • the condition is good", "good"),)])

    def _rehearse(self, name: str, rule: dict[str, Any]) -> None:
        table = dict(self._table)
        if self._old in table:
            table = {name if key == self._old else key: rule if key == self._old else old for key, old in table.items()}
        else:
            table[name] = rule
        self.say_first(f"dry run on the last {_LAST} series …")
        request = api.rules.DryRun(rules=table, last=_LAST)
        self.ask(api.rules.DRY_RUN, request, self._rehearsed, failed=self.failed, progress=self._progress)

    def _progress(self, progress: Progress) -> None:
        self.show_wrong([bar_line("dry run", progress)])

    def _rehearsed(self, answer: Any) -> None:  # noqa: ANN401 - `Rehearsal`, by what the API hands out
        self.show_wrong([])
        self.app.push_screen(
            TextPage("rules", "Dry run: nothing is saved yet", lambda columns: dry_run_lines(answer, columns))
        )

    def _save(self, name: str, rule: dict[str, Any]) -> None:
        request = api.rules.SaveRule(name=name, rule=rule, rename_from=self._old, edited_from=self.revision)
        self.save_by(api.rules.SAVE_ONE, request)
