"""The rules in their order: explain, rehearse, edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import ControlError, Nothing, Progress, Saved, api
from appliance.presentation.figures import short_moment
from appliance.presentation.phrases import plural
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.dry_run import dry_run_lines, explained_lines
from tui.screens.long_actions import bar_line
from tui.screens.rule_form import RuleForm
from tui.screens.settings_page import SettingsPage, name_column
from tui.screens.task import pair
from tui.screens.text_page import TextPage
from tui.styles import Line, Span
from tui.widgets.dialogs import Choose
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Rule = api.rules.RuleState
_LAST: Final = 100


def _to(row: Rule) -> str:
    rule = row.rule
    return ", ".join((*rule.modules, *rule.targets)) or rule.action


def _state(row: Rule) -> Span:
    if row.rule.disabled:
        return ("□ off", "dim")
    return ("• last", "warn") if row.rule.fallback else ("• on", "good")


class RulesPage(SettingsPage[Rule]):
    """As they are looked at, from the first to the last."""

    NAME: ClassVar[str] = "rules"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("rules")]
    WORDS: ClassVar[tuple[str, str]] = ("rule", "rules")
    EMPTY: ClassVar[str] = "no rule is configured: n adds one"

    def __init__(self) -> None:
        super().__init__()
        self._order: list[str] = []
        self._findings: Sequence[api.rules.RuleFinding] = ()
        self._on_its_way: tuple[Line, ...] = ()
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def columns(self) -> Sequence[Column[Rule]]:
        """Return the columns."""
        return (
            Column("#", lambda row: (str(self._place(row)), "dim"), 3, self._place, right=True),
            name_column("rule", 16),
            Column("", _state, 6),
            Column("on", lambda row: (row.rule.trigger, ""), 6, lambda row: row.rule.trigger),
            Column("to", lambda row: (printable(_to(row)), ""), 18, _to),
            Column("condition", lambda row: (printable(" ".join(row.rule.rule.split())), "")),
        )

    def _place(self, row: Rule) -> int:
        return self._order.index(row.name) + 1 if row.name in self._order else 0

    def text_of(self, row: Rule) -> str:
        """Return all of it."""
        return f"{row.name} {row.rule.action} {_to(row)} {row.rule.rule} {row.rule.comment} {' '.join(row.rule.tags)}"

    def about(self) -> str:
        """Return whether the order was changed, and what was found."""
        if self._moved:
            return "the order was changed: ^s saves it, d tries it, esc drops it"
        if not self._findings:
            return "no problems found"
        errors = sum(finding.severity == "error" for finding in self._findings)
        warnings = len(self._findings) - errors
        return f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"

    @property
    def _moved(self) -> bool:
        return [row.name for row in self.table.rows] != self._order

    def below(self, row: Rule) -> Iterable[Line]:
        """Return the whole condition and what is wrong with it."""
        columns = self.below_columns
        yield from list(pair("condition", row.rule.rule, columns))[:3]
        yield from list(pair("comment", row.rule.comment, columns))[:2]
        for finding in self._findings:
            if finding.rule == row.name:
                yield from pair(
                    finding.severity, finding.text, columns, "bad" if finding.severity == "error" else "warn"
                )
                yield from pair("", finding.advice, columns, "notice")

    def below_all(self) -> Iterable[Line]:
        """Return how far a dry run is."""
        return self._on_its_way

    def refresh_data(self) -> None:
        """Ask for the rules, unless an order waits to be saved."""
        if self.router.connected and not self._moved:
            self.ask(api.rules.LIST, Nothing(), self._fill, failed=self.fail)
            self.ask(api.rules.CHECK, api.rules.CheckRules(), self._checked)
            self.ask(api.targets.LIST, Nothing(), self._know_targets, failed=lambda _: None)
            self.ask(api.configuration.MODULES, Nothing(), self._know_modules, failed=lambda _: None)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when somebody saved."""
        if event.type.startswith("config."):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.rules.Rules) -> None:
        self.revision = answer.revision
        self._order = [row.name for row in answer.rules]
        self.fill(answer.rules)

    def _checked(self, answer: api.rules.Checked) -> None:
        self._findings = answer.findings
        self.show_note()
        self.show_below()

    def _know_targets(self, answer: api.targets.Targets) -> None:
        self._names = tuple(target.name for target in answer.targets), self._names[1]

    def _know_modules(self, answer: api.configuration.Modules) -> None:
        self._names = self._names[0], tuple(module.name for module in answer.modules)

    # Actions.

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "explain": self.with_row(self._explain),
            "dry-run": self._rehearse,
            "edit": self.with_row(self._edit),
            "new": self._new,
            "up": self.with_row(lambda row: self._move(row, -1)),
            "down": self.with_row(lambda row: self._move(row, 1)),
            "save": self._save_order,
            "delete": self.with_row(self._delete),
        }

    def go_back(self) -> None:
        """Drop a changed order before anything else."""
        if self._moved:
            self._order = [row.name for row in self.table.rows]
            self.table.fill([])
            self.ask(api.rules.LIST, Nothing(), self._fill)
        else:
            super().go_back()

    def _table(self) -> api.rules.RuleTable:
        return {row.name: _content(row) for row in self.table.rows}

    def _explain(self, row: Rule) -> None:
        name = row.name
        request = api.rules.ListSeries(last=200)
        self.ask(api.rules.SERIES, request, lambda answer: self._choose_series(name, answer))

    def _choose_series(self, name: str, answer: api.rules.SeriesKnown) -> None:
        if not answer.series:
            self.say("no series was routed yet that rules could be explained on", "warning")
            return
        names = []
        for series in answer.series:
            who = series.identity
            what = " ".join(text for text in (who.PatientID, who.Modality, who.SeriesDescription) if text)
            names.append((series.task, f"{short_moment(series.routed)} {plural(series.images, 'image')}  {what}"))

        def chosen(task: str) -> None:
            request = api.rules.ExplainRule(rule=name, task=task)
            self.ask(api.rules.EXPLAIN, request, lambda explained: self._explained(name, explained))

        self.when_answered(Choose(f"Explain {name} on which series?", [], names, brief=True), chosen)

    def _explained(self, name: str, explained: api.rules.Explained) -> None:
        self.app.push_screen(TextPage("rules", f"rule {name}", lambda columns: explained_lines(explained, columns)))

    def _rehearse(self) -> None:
        request = api.rules.DryRun(rules=self._table(), last=_LAST)
        self._rehearsing(Progress(text=f"the last {_LAST} series"))
        self.ask(api.rules.DRY_RUN, request, self._rehearsed, failed=self._not_rehearsed, progress=self._rehearsing)

    def _rehearsing(self, progress: Progress | None) -> None:
        self._on_its_way = () if progress is None else (bar_line("dry run", progress),)
        self.show_below()

    def _not_rehearsed(self, error: ControlError) -> None:
        self._rehearsing(None)
        self.say_error(error)

    def _rehearsed(self, answer: Any) -> None:  # noqa: ANN401 - `Rehearsal`, by what the API hands out
        self._rehearsing(None)
        self.app.push_screen(TextPage("rules", "Dry run", lambda columns: dry_run_lines(answer, columns)))

    def _edit(self, row: Rule) -> None:
        self._open(row.name, _content(row))

    def _new(self) -> None:
        self._open(None, {})

    def _must_save_first(self) -> bool:
        if self._moved:
            self.say("save the order first (^s), or drop it (esc)", "warning")
        return self._moved

    def _open(self, name: str | None, rule: Mapping[str, Any]) -> None:
        if not self._must_save_first():
            form = RuleForm(name, rule, self._table(), self.revision, self._names)
            self.app.push_screen(form, self.go_to)

    def _move(self, row: Rule, by: int) -> None:
        rows = list(self.table.rows)
        at = rows.index(row)
        if not 0 <= at + by < len(rows):
            return
        rows[at], rows[at + by] = rows[at + by], rows[at]
        self.table.sort_by(None)
        self.fill(rows)

    def _save_order(self) -> None:
        if not self._moved:
            self.say("the order was not changed", "warning")
            return
        names = tuple(row.name for row in self.table.rows)
        self.ask(api.rules.ORDER, api.rules.OrderRules(names=names, edited_from=self.revision), self._ordered)

    def _ordered(self, saved: Saved) -> None:
        self._order = [row.name for row in self.table.rows]
        self.say(f"saved as revision {saved.revision}")
        self.refresh_data()

    def _delete(self, row: Rule) -> None:
        if self._must_save_first():
            return
        name, revision = row.name, self.revision
        texts = [
            f"{name}: {row.rule.rule}",
            f"It sends to {_to(row)}. Series that match no other rule are unmatched then.",
        ]
        self.delete(
            name, texts, api.rules.DELETE,
            lambda comment: api.rules.DeleteRule(name=name, edited_from=revision, comment=comment),
        )  # fmt: skip


def _content(row: Rule) -> dict[str, Any]:
    """Return a rule as it stands in the configuration: without what is as it is anyway."""
    return row.rule.model_dump(mode="json", exclude_defaults=True)
