"""Changes of parts of ``mercure.json``, each a function from content to content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from appliance.control.api.base import Saved
from appliance.control.api.configuration import Table
from appliance.control.configuration import changes
from appliance.control.configuration.hidden_values import HiddenValues
from appliance.control.errors import ControlError, no_such
from appliance.control.session import Session
from mercure.config import Config
from mercure.rules import renamed_sender

Content = dict[str, Any]
Edit = Callable[[Content], Content]
Place = tuple[str, ...]

PLACES: Final[Mapping[Table, Place]] = {
    "targets": ("targets",),
    "rules": ("rules",),
    "senders": ("senders",),
    "channels": ("notifications", "channels"),
    "modules": ("modules",),
}
"""Where each table stands in ``mercure.json``."""

ONE: Final[Mapping[Table, str]] = {
    "targets": "target", "rules": "rule", "senders": "sender", "channels": "channel", "modules": "module",
}  # fmt: skip
"""What one entry of each is called."""

REFERENCES: Final[Mapping[Table, tuple[Place, ...]]] = {
    "targets": (
        ("rules", "*", "targets"),
        ("targets", "*", "members"),
        ("targets", "*", "weights"),
        ("modules", "*", "routes_to"),
    ),
    "rules": (),
    "senders": (("completion", "senders"),),
    "channels": (("alerts", "channels"), ("alerts", "*", "channels"), ("rules", "*", "notifications", "*")),
    "modules": (("rules", "*", "modules"),),
}
"""Where the names of a table's entries stand elsewhere; ``*`` is any key."""


class EditRequest(Protocol):
    """Which revision a change was made from, and why."""

    @property
    def edited_from(self) -> int:
        """The revision."""

    @property
    def comment(self) -> str:
        """Why."""


def apply(
    session: Session, verb: str, object: str, edit: Edit, wanted: EditRequest, *, on_hand_edit: bool = False
) -> Saved:
    """Save the configuration with a change.

    Parameters
    ----------
    session : Session
        At which router, and who asks.
    verb, object : str
        For the audit.
    edit : callable
        The change.
    wanted : EditRequest
        What it was made from, and why.
    on_hand_edit : bool
        True: where the file was edited by hand, the change is made in what it says now. False: it is refused then.

    Raises
    ------
    ControlError
        ``stale``, ``invalid``, or ``not-found`` for the name that is to be changed.
    """
    content = edit(changes.current(session, "mercure", wanted.edited_from))
    change = changes.Change(
        verb=verb,
        object=object,
        content=content,
        edited_from=wanted.edited_from,
        comment=wanted.comment,
        by_hand=on_hand_edit and session.loaded.by_hand,
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


def with_entry(table: Table, name: str, entry: Content, rename_from: str | None = None) -> Edit:
    """Make the change that adds or replaces an entry, and renames it where others name it; a new one comes last."""

    def edit(content: Content) -> Content:
        was = rename_from or name
        known = entries_of(content, table).get(was)
        kept = HiddenValues.of(content).restored((*PLACES[table], was), entry, known)
        begun = content if was == name else renamed(table, was, name)(content)
        return _with_table(begun, table, {**entries_of(begun, table), name: kept})

    return edit


def with_entries(table: Table, entries: Content) -> Edit:
    """Make the change that adds or replaces several entries at once."""
    return lambda content: _with_table(content, table, {**entries_of(content, table), **entries})


def renamed(table: Table, old: str, new: str) -> Edit:
    """Make the change that gives an entry another name, at its place and wherever it is named."""

    def edit(content: Content) -> Content:
        entries = entries_of(content, table)
        _there(table, old, entries)
        _free(table, new, entries)
        changed = {(new if key == old else key): value for key, value in entries.items()}
        content = _with_table(content, table, changed)
        for place in REFERENCES[table]:
            content = _renamed_at(content, place, old, new)
        return with_conditions(content, old, new) if table == "senders" else content

    return edit


def with_conditions(content: Content, old: str, new: str) -> Content:
    """Return content in which the conditions of rules compare the names of senders with a new name."""
    rules = {
        name: {**rule, "rule": renamed_sender(rule.get("rule", ""), old, new).text}
        for name, rule in content.get("rules", {}).items()
    }
    return {**content, "rules": rules} if rules else content


def conditions_by_hand(content: Content, old: str, new: str) -> tuple[str, ...]:
    """Name the rules that ask for the name of a sender in a way that cannot be renamed."""
    rules = content.get("rules", {}).items()
    return tuple(name for name, rule in rules if renamed_sender(rule.get("rule", ""), old, new).by_hand)


def copied(table: Table, name: str, copy: str) -> Edit:
    """Make the change that adds a copy of an entry under another name; it comes last."""

    def edit(content: Content) -> Content:
        entries = entries_of(content, table)
        _there(table, name, entries)
        _free(table, copy, entries)
        return _with_table(content, table, {**entries, copy: entries[name]})

    return edit


def switched(table: Table, name: str, *, on: bool) -> Edit:
    """Make the change that switches an entry on or off."""

    def edit(content: Content) -> Content:
        entries = entries_of(content, table)
        _there(table, name, entries)
        settings = {key: value for key, value in entries[name].items() if key != "disabled"}
        return _with_table(content, table, {**entries, name: settings if on else {**settings, "disabled": True}})

    return edit


def with_rules(table: Content) -> Edit:
    """Make the change that puts another table of rules in the place of all rules."""
    return lambda content: {**content, "rules": table}


def without(table: Table, name: str) -> Edit:
    """Make the change that removes an entry of a table."""

    def edit(content: Content) -> Content:
        entries = entries_of(content, table)
        _there(table, name, entries)
        return _with_table(content, table, {key: value for key, value in entries.items() if key != name})

    return edit


def in_order(table: Table, names: Iterable[str]) -> Edit:
    """Make the change that puts the entries of a table into an order."""
    wanted = list(names)

    def edit(content: Content) -> Content:
        entries = entries_of(content, table)
        if sorted(wanted) != sorted(entries):
            text = f"the order must name every {ONE[table]} once"
            raise ControlError("invalid", text, f"the {table} are: {', '.join(entries)}")
        return _with_table(content, table, {name: entries[name] for name in wanted})

    return edit


def entries_of(content: Content, table: Table) -> Content:
    """Return the entries of a table by name."""
    found: Any = content
    for key in PLACES[table]:
        found = found.get(key, {})
    return dict(found)


def require(content: Content, table: Table, name: str) -> None:
    """Make sure that a table has an entry.

    Raises
    ------
    ControlError
        It has none of this name.
    """
    _there(table, name, entries_of(content, table))


def _with_table(content: Content, table: Table, entries: Content) -> Content:
    return put_at(content, PLACES[table], entries)


def put_at(content: Content, place: Place, value: Any) -> Content:  # noqa: ANN401 - any JSON
    """Return content with a value at a place."""
    key, *rest = place
    return {**content, key: put_at(content.get(key, {}), tuple(rest), value) if rest else value}


def _there(table: Table, name: str, entries: Content) -> None:
    if name not in entries:
        raise no_such(ONE[table], name, entries)


def _free(table: Table, name: str, entries: Content) -> None:
    if name in entries:
        raise ControlError("invalid", f"there is a {ONE[table]} {name!r} already", "choose another name")


def _renamed_at(value: Any, place: Place, old: str, new: str) -> Any:  # noqa: ANN401 - any JSON
    """Give a name another one at a place: in a list, as a key, or alone, as a person may write it."""
    if place:
        if not isinstance(value, dict):
            return value
        key, rest = place[0], place[1:]
        return {
            each: _renamed_at(inner, rest, old, new) if key in ("*", each) else inner for each, inner in value.items()
        }
    if isinstance(value, list):
        return [new if name == old else name for name in value]
    if isinstance(value, dict):
        return {(new if name == old else name): inner for name, inner in value.items()}
    return new if value == old else value
