"""Entries of the tables of the configuration: the same verbs for targets, rules, senders, channels and modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from appliance.control.api import configuration as api
from appliance.control.api.base import Saved
from appliance.control.api.configuration import ChangeEntry, EntryVerb, Table
from appliance.control.configuration import edits
from appliance.control.configuration.edits import ONE, PLACES, Content, Edit, entries_of
from appliance.control.configuration.renamed_tasks import rename_tasks
from appliance.control.configuration.settings import changed, with_settings
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session


@carries_out(api.ENTRY)
def change(session: Session, wanted: ChangeEntry) -> Saved:
    """Change an entry, or say what would be different; waiting tasks get the new name of what is renamed.

    A renaming that was cut short is finished by asking for it again: only tasks that have the old name are left then.

    Raises
    ------
    ControlError
        There is no such entry, or there is one already; the change cannot be used, or was made from an old revision.
    """
    name = wanted.name or wanted.table
    if wanted.verb == "rename" and _is_renamed(session, wanted):
        saved = Saved(revision=session.loaded.revision)
        return saved if wanted.check_only else rename_tasks(session, wanted.table, wanted.name, wanted.to, saved)
    edit = _EDITS[wanted.verb](wanted)
    looked_at = _by_hand(session, wanted.table, wanted.name, wanted.to) if wanted.verb == "rename" else ()
    saved = changed(session, f"{wanted.table}.{wanted.verb}", name, edit, wanted, check_only=wanted.check_only)
    saved = saved.model_copy(update={"warnings": (*saved.warnings, *looked_at)})
    if wanted.verb == "rename" and not wanted.check_only:
        return rename_tasks(session, wanted.table, wanted.name, wanted.to, saved)
    return saved


def _by_hand(session: Session, table: Table, old: str, new: str) -> tuple[str, ...]:
    """Say which rules a renaming cannot change."""
    if table != "senders":
        return ()
    content = session.config.model_dump(mode="json", include={"rules"})
    found = edits.conditions_by_hand(content, old, new)
    rules = ", ".join(found)
    text = f"these rules may mean the sender by a part of its name: look whether {new!r} is meant, too: {rules}"
    return (text,) if found else ()


class SaveRequest(edits.EditRequest, Protocol):
    """An entry that is saved whole, under its name or another one than before."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def rename_from(self) -> str | None:
        """What it was called."""


def save_entry(session: Session, verb: str, table: Table, entry: Content, wanted: SaveRequest) -> Saved:
    """Save an entry whole; waiting tasks get its new name where it has one."""
    change = edits.with_entry(table, wanted.name, entry, wanted.rename_from)
    old = wanted.rename_from or wanted.name
    looked_at = _by_hand(session, table, old, wanted.name) if old != wanted.name else ()
    saved = edits.apply(session, verb, wanted.name, change, wanted)
    if old == wanted.name:
        return saved
    saved = saved.model_copy(update={"warnings": (*saved.warnings, *looked_at)})
    return rename_tasks(session, table, old, wanted.name, saved)


def _is_renamed(session: Session, wanted: ChangeEntry) -> bool:
    entries = entries_of(session.config.model_dump(mode="json", exclude_defaults=True), wanted.table)
    return wanted.name not in entries and wanted.to in entries


def _add(wanted: ChangeEntry) -> Edit:
    def edit(content: Content) -> Content:
        entries = entries_of(content, wanted.table)
        if wanted.name in entries:
            text = f"there is a {ONE[wanted.table]} {wanted.name!r} already"
            raise ControlError("invalid", text, f"`mercure {wanted.table} set` changes it")
        given = dict(wanted.settings)
        kind = {"kind": given.pop("kind")} if "kind" in given else {}
        begun = edits.with_entry(wanted.table, wanted.name, kind)(content)
        return _settings_of(wanted, given)(begun)

    return edit


def _set(wanted: ChangeEntry) -> Edit:
    def edit(content: Content) -> Content:
        # `mercure rules set` has added the rule that is not there from its first day.
        adds = wanted.table == "rules" and wanted.name not in entries_of(content, "rules")
        begun = edits.with_entry("rules", wanted.name, {})(content) if adds else content
        return _settings_of(wanted, wanted.settings)(begun)

    return edit


def _settings_of(wanted: ChangeEntry, settings: Mapping[str, str]) -> Edit:
    place = ".".join((*PLACES[wanted.table], wanted.name))

    def edit(content: Content) -> Content:
        edits.require(content, wanted.table, wanted.name)
        return with_settings({f"{place}.{key}": text for key, text in settings.items()})(content)

    return edit


_EDITS: Final[Mapping[EntryVerb, Callable[[ChangeEntry], Edit]]] = {
    "add": _add,
    "set": _set,
    "rename": lambda wanted: edits.renamed(wanted.table, wanted.name, wanted.to),
    "copy": lambda wanted: edits.copied(wanted.table, wanted.name, wanted.to),
    "remove": lambda wanted: edits.without(wanted.table, wanted.name),
    "enable": lambda wanted: edits.switched(wanted.table, wanted.name, on=True),
    "disable": lambda wanted: edits.switched(wanted.table, wanted.name, on=False),
    "order": lambda wanted: edits.in_order(wanted.table, wanted.names),
}
"""What each verb makes of the configuration."""
