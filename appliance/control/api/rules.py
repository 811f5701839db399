"""The rules."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from appliance.control.api.base import Nothing, Problem, Saved, Verb
from mercure.config.rule import Rule
from mercure.event_details import Identity
from mercure.model import Model
from mercure.routing.dry_run import DryRunReport


class RuleState(Model):
    """A rule and its name; they are looked at in the order listed."""

    name: str
    rule: Rule


class RuleFinding(Model):
    """Something about a rule: an error (it must not be saved) or a warning, with two lines that point at the place.

    ``rule`` is None for an expression that is not in the configuration; ``because_of`` names the other rule where two
    do not go together.
    """

    rule: str | None
    severity: Literal["error", "warning"]
    column: int
    text: str
    advice: str = ""
    caret: str = ""
    because_of: str | None = None


class RuleCheck(Model):
    """What was checked, and what was found."""

    checked: int
    findings: tuple[RuleFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything may be saved."""
        return all(finding.severity != "error" for finding in self.findings)


class ExplainedPart(Model):
    """One part of an expression: its text, its columns, what it came to, and whether it decided.

    ``outcome`` is ``value``, ``error`` or ``not reached``; ``depth`` says how far inside other parts it stands.
    """

    text: str
    columns: str
    outcome: str
    value: str
    decided: bool
    depth: int


class Explained(Model):
    """What an expression said of a series, part by part; ``page`` is the same for a terminal.

    ``differs`` says for how many images it is otherwise: the series is divided along the answers.
    """

    expression: str
    result: bool
    error: str | None
    parts: tuple[ExplainedPart, ...]
    page: str
    differs: str = ""


RuleTable = dict[str, dict[str, JsonValue]]
"""Rules by name in their order, each as it stands in ``mercure.json``."""


class Rules(Model):
    """All rules in the order in which they are looked at, and the revision of the configuration."""

    rules: tuple[RuleState, ...]
    revision: int
    character_set: str = ""
    """What the receiver assumes where an image names none; empty: none."""


class CheckRules(Model):
    """An expression, or a table of rules; without either, the rules in force."""

    expression: Annotated[str, Field(max_length=100_000)] | None = None
    rules: RuleTable | None = None


class Checked(RuleCheck):
    """What was found; ``problems`` is what would keep the table from being saved."""

    problems: tuple[Problem, ...] = ()


class ExplainRule(Model):
    """A rule by name or an expression, and the series to ask it of.

    The series is one of `rules.series` or any in the spool (`series`: its UID; `task`: a routed series or a task), or
    tag records as `getdcmtags` prints them. `columns` is the width of the answer's page.
    """

    rule: str | None = None
    expression: Annotated[str, Field(max_length=100_000)] | None = None
    series: str | None = None
    task: str | None = None
    records: tuple[dict[str, JsonValue], ...] = ()
    columns: Annotated[int, Field(ge=1, le=1000)] = 80


class DryRun(Model):
    """A changed table of rules, or a whole changed ``mercure.json``, tried on the last series that were routed."""

    rules: RuleTable = {}
    config: dict[str, JsonValue] | None = None
    last: Annotated[int, Field(ge=1, le=100_000)] = 100


class ListSeries(Model):
    """How many of the last routed series whose tags are kept."""

    last: Annotated[int, Field(ge=1, le=10_000)] = 50


class KnownSeries(Model):
    """A routed series that rules can be tried on."""

    task: str
    routed: datetime
    images: int
    identity: Identity


class SeriesKnown(Model):
    """The last routed series, the newest first."""

    series: tuple[KnownSeries, ...]


class SaveRules(Model):
    """The whole table of rules as it is to be: what is not in it goes, and its order is the order that counts."""

    rules: RuleTable
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class SaveRule(Model):
    """One rule as it is to be; a new one comes last. `rename_from` gives one that is there a new name at its place."""

    name: str
    rule: dict[str, JsonValue]
    rename_from: str | None = None
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class DeleteRule(Model):
    """A rule that is to be removed."""

    name: str
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class OrderRules(Model):
    """All names of rules in their new order."""

    names: tuple[str, ...]
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


LIST: Final = Verb("rules.list", Nothing, Rules, "viewer", "List the rules in the order in which they are looked at.")
CHECK: Final = Verb(
    "rules.check", CheckRules, Checked, "viewer", "Check an expression or a table of rules without saving it."
)
EXPLAIN: Final = Verb(
    "rules.explain", ExplainRule, Explained, "viewer", "Tell what a rule says of a series, part by part."
)
DRY_RUN: Final = Verb(
    "rules.dry_run",
    DryRun,
    DryRunReport,
    "viewer",
    "Tell what changed rules would have done to the last series.",
    long=True,
)
SERIES: Final = Verb(
    "rules.series", ListSeries, SeriesKnown, "viewer", "List the last routed series that rules can be tried on."
)
SAVE: Final = Verb("rules.save", SaveRules, Saved, "admin", "Save the whole table of rules.", changes=True)
SAVE_ONE: Final = Verb("rules.save_one", SaveRule, Saved, "admin", "Add or change one rule.", changes=True)
DELETE: Final = Verb("rules.delete", DeleteRule, Saved, "admin", "Remove a rule.", changes=True)
ORDER: Final = Verb("rules.order", OrderRules, Saved, "admin", "Put the rules into another order.", changes=True)
