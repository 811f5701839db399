"""Changes of parts of ``mercure.json``, each a function from content to content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

from appliance.control.api.base import Saved
from appliance.control.configuration import changes
from appliance.control.errors import ControlError, no_such
from appliance.control.session import Session
from mercure.config import Config

Content = dict[str, Any]
Edit = Callable[[Content], Content]
Table = Literal["targets", "rules", "modules"]
_ONE: dict[str, str] = {"targets": "target", "rules": "rule", "modules": "module"}


class EditRequest(Protocol):
    """Which revision a change was made from, and why."""

    @property
    def edited_from(self) -> int:
        """The revision."""

    @property
    def comment(self) -> str:
        """Why."""


def apply(session: Session, verb: str, object: str, edit: Edit, wanted: EditRequest) -> Saved:
    """Save the configuration with a change.

    Raises
    ------
    ControlError
        ``stale``, ``invalid``, or ``not-found`` for the name that is to be changed.
    """
    content = edit(changes.current(session, "mercure", wanted.edited_from))
    change = changes.Change(
        verb=verb, object=object, content=content, edited_from=wanted.edited_from, comment=wanted.comment
    )
    return changes.save(session, change)


def tried(session: Session, edit: Edit) -> Config:
    """Return the configuration in force with a change, and save nothing.

    Raises
    ------
    ControlError
        ``invalid``: it cannot be used; with every problem.
    """
    content = edit(session.config.model_dump(mode="json", exclude_defaults=True))
    config: Config = changes.checked(session, "mercure", content)
    return config


def with_target(name: str, settings: Content, rename_from: str | None) -> Edit:
    """Make the change that adds or replaces a target, and renames it in the rules and groups where it is renamed."""

    def edit(content: Content) -> Content:
        new = _with(content, "targets", name, settings, rename_from)
        return _renamed(new, rename_from, name) if rename_from not in (None, name) else new

    return edit


def with_rule(name: str, rule: Content, rename_from: str | None) -> Edit:
    """Make the change that adds or replaces a rule; a new one comes last."""
    return lambda content: _with(content, "rules", name, rule, rename_from)


def with_module(name: str, settings: Content, rename_from: str | None) -> Edit:
    """Make the change that adds or replaces a module, and renames it in the rules where it is renamed."""

    def edit(content: Content) -> Content:
        new = _with(content, "modules", name, settings, rename_from)
        if rename_from in (None, name):
            return new
        rules = {
            rule: {**content, "modules": _other(content["modules"], rename_from, name)}
            if "modules" in content
            else content
            for rule, content in new.get("rules", {}).items()
        }
        return {**new, "rules": rules}

    return edit


def module_switched(name: str, *, on: bool) -> Edit:
    """Make the change that switches a module on or off."""

    def edit(content: Content) -> Content:
        modules = content.get("modules", {})
        _there("modules", name, modules)
        settings = {key: value for key, value in modules[name].items() if key != "disabled"}
        changed = settings if on else {**settings, "disabled": True}
        return {**content, "modules": {**modules, name: changed}}

    return edit


def with_channel(name: str, settings: Content) -> Edit:
    """Make the change that adds or replaces a channel of notifications."""

    def edit(content: Content) -> Content:
        notifications = content.get("notifications", {})
        channels = {**notifications.get("channels", {}), name: settings}
        return {**content, "notifications": {**notifications, "channels": channels}}

    return edit


def with_rules(table: Content) -> Edit:
    """Make the change that puts another table of rules in the place of all rules."""
    return lambda content: {**content, "rules": table}


def without(table: Table, name: str) -> Edit:
    """Make the change that removes an entry of a table."""

    def edit(content: Content) -> Content:
        entries = content.get(table, {})
        _there(table, name, entries)
        return {**content, table: {key: value for key, value in entries.items() if key != name}}

    return edit


def in_order(names: Iterable[str]) -> Edit:
    """Make the change that puts the rules into an order."""
    wanted = list(names)

    def edit(content: Content) -> Content:
        rules = content.get("rules", {})
        if sorted(wanted) != sorted(rules):
            text = "the order must name every rule once"
            raise ControlError("invalid", text, f"the rules are: {', '.join(rules)}")
        return {**content, "rules": {name: rules[name] for name in wanted}}

    return edit


def _with(content: Content, table: Table, name: str, entry: Content, rename_from: str | None) -> Content:
    entries = content.get(table, {})
    if rename_from is None or rename_from == name:
        return {**content, table: {**entries, name: entry}}
    _there(table, rename_from, entries)
    if name in entries:
        raise ControlError("invalid", f"there is a {_ONE[table]} {name!r} already", "choose another name")
    changed = {(name if key == rename_from else key): value for key, value in entries.items()}
    return {**content, table: {**changed, name: entry}}


def _there(table: Table, name: str, entries: Content) -> None:
    if name not in entries:
        raise no_such(_ONE[table], name, entries)


def _other(names: Any, old: str | None, new: str) -> Any:  # noqa: ANN401 - a name or names, as a person may write it
    if isinstance(names, list):
        return [new if name == old else name for name in names]
    return new if names == old else names


def _renamed(content: Content, old: str | None, new: str) -> Content:
    """Name a target anew where rules and groups name it."""
    rules = {
        name: {**rule, "targets": _other(rule["targets"], old, new)} if "targets" in rule else rule
        for name, rule in content.get("rules", {}).items()
    }
    targets = {
        name: {**settings, "members": _other(settings["members"], old, new)} if "members" in settings else settings
        for name, settings in content.get("targets", {}).items()
    }
    modules = {
        name: {**settings, "routes_to": _other(settings["routes_to"], old, new)}
        if "routes_to" in settings
        else settings
        for name, settings in content.get("modules", {}).items()
    }
    changed = {**content, "rules": rules, "targets": targets}
    return {**changed, "modules": modules} if modules else changed
