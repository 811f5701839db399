"""``rules.*``."""

from __future__ import annotations

from appliance.control.api import rules as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.configuration import edits
from appliance.control.configuration.changes import checked
from appliance.control.errors import ControlError
from appliance.control.rules import dry_run as dry_runs
from appliance.control.rules import rules
from appliance.control.verbs import Asked, carries_out
from mercure.routing.dry_run import DryRunReport


@carries_out(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Rules:
    """List them."""
    return api.Rules(rules=tuple(rules.list_rules(asked.session)), revision=asked.session.loaded.revision)


@carries_out(api.CHECK)
def check(asked: Asked, wanted: api.CheckRules) -> api.Checked:
    """Check without saving."""
    if wanted.expression is not None:
        return api.Checked(**dict(rules.check_expression(wanted.expression)))
    if wanted.rules is not None:
        return rules.check_table(asked.session, wanted.rules)
    return api.Checked(**dict(rules.check_rules(asked.session.config.rules.items())))


@carries_out(api.EXPLAIN)
def explain(asked: Asked, wanted: api.ExplainRule) -> api.Explained:
    """Tell what a rule says of a series."""
    expression = wanted.expression
    if expression is None:
        expression = rules.find_rule(asked.session, wanted.rule or "").rule
    records, others = dry_runs.one_unit(asked.session, dry_runs.records_wanted(asked.session, wanted))
    explanation = dry_runs.explain(expression, records)
    differs = dry_runs.divided(expression, records, asked.session.clock.now())
    return dry_runs.explained(explanation, wanted.columns, " ".join(filter(None, (differs, others))))


@carries_out(api.DRY_RUN)
def dry_run(asked: Asked, wanted: api.DryRun) -> DryRunReport:
    """Try changed rules."""
    session = asked.session
    if wanted.config is None:
        changed = edits.tried(session, edits.with_rules(wanted.rules))
    elif wanted.rules:
        raise ControlError("bad-parameters", "give either 'rules' or 'config'")
    else:
        changed = checked(session, "mercure", wanted.config)
    return dry_runs.dry_run(session, changed, wanted.last, asked.report)


@carries_out(api.SERIES)
def series(asked: Asked, wanted: api.ListSeries) -> api.SeriesKnown:
    """List what rules can be tried on."""
    return api.SeriesKnown(series=tuple(dry_runs.known_series(asked.session, wanted.last)))


@carries_out(api.SAVE)
def save(asked: Asked, wanted: api.SaveRules) -> Saved:
    """Save the whole table."""
    return _apply(asked, "rules.save", "rules", lambda content: {**content, "rules": wanted.rules}, wanted)


@carries_out(api.SAVE_ONE)
def save_one(asked: Asked, wanted: api.SaveRule) -> Saved:
    """Add or change one."""
    change = edits.with_rule(wanted.name, wanted.rule, wanted.rename_from)
    return _apply(asked, "rules.save_one", wanted.name, change, wanted)


@carries_out(api.DELETE)
def delete(asked: Asked, wanted: api.DeleteRule) -> Saved:
    """Remove one."""
    return _apply(asked, "rules.delete", wanted.name, edits.without("rules", wanted.name), wanted)


@carries_out(api.ORDER)
def order(asked: Asked, wanted: api.OrderRules) -> Saved:
    """Put them into another order."""
    return _apply(asked, "rules.order", "rules", edits.in_order(wanted.names), wanted)


def _apply(
    asked: Asked,
    verb: str,
    object: str,
    change: edits.Edit,
    wanted: api.SaveRules | api.SaveRule | api.DeleteRule | api.OrderRules,
) -> Saved:
    return edits.apply(asked.session, verb, object, change, edited_from=wanted.edited_from, comment=wanted.comment)
