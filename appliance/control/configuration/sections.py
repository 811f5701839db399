"""Sections of the configuration for forms: every setting is in one of them, made from the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from appliance.control.api import configuration as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.api.configuration import SaveSection, Sections, SectionState
from appliance.control.configuration import edits
from appliance.control.configuration.edits import PLACES, Content, Edit
from appliance.control.configuration.effects import RENEWS, RESTART
from appliance.control.configuration.entries import save_entry
from appliance.control.configuration.hidden_values import HiddenValues
from appliance.control.configuration.setting_paths import KINDS, Node, configuration, node_at
from appliance.control.errors import ControlError, no_such
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import Config
from mercure.model import Model, described_schema

OWN_PAGES: Final = ("targets", "rules", "modules")
"""Tables that have pages of their own."""

BY_PART: Final = ("alerts",)
"""Sections whose parts are sections of their own: a form of a hundred settings helps nobody."""

_TITLES: Final[Mapping[str, str]] = {
    "": "Router", "senders": "Senders", "completion.senders": "Completion by sender", "off_peak": "Off-peak hours",
    "notifications.channels": "Channels", "notifications.templates": "Templates of messages",
    "alerts.silence.senders": "Silence by sender", "rehearsal": "Dry run", "nightly_verify": "Nightly verify",
    "status_page": "Status page", "scrub": "Scrub", "loops": "Loops",
}  # fmt: skip
"""What sections are called whose places say it badly."""

_ROOT_TEXT: Final = "Name of this router, and where its spool is."
_VERSION: Final = "version"


@carries_out(api.SECTIONS)
def sections(session: Session, wanted: Nothing) -> Sections:
    """Tell all sections, with their schemas and what is in them."""
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    shown = HiddenValues.of(content).shown((), content)
    return Sections(
        sections=tuple(_sections(configuration(shown))),
        definitions=described_schema(Config).get("$defs", {}),
        revision=session.loaded.revision,
    )


def _sections(root: Node) -> Iterator[SectionState]:
    yield _form(root, _ROOT_TEXT)
    for child in root.children():
        if child.name not in OWN_PAGES:
            yield from _section(child)


def _section(node: Node) -> Iterator[SectionState]:
    if node.is_table:
        yield _table(node)
        return
    if node.field is not None:
        return  # of the section above
    if any(child.field is not None and not child.is_table for child in _with_nested(node)):
        yield _form(node, node.text)
    by_part = node.name in BY_PART
    for child in node.children() if by_part else _with_nested(node):
        if by_part or child.is_table:
            yield from _section(child)


def _with_nested(node: Node) -> Iterator[Node]:
    """Yield what is below a section, and in what is nested in it; not what is in its tables."""
    for child in node.children():
        yield child
        if child.field is None:
            yield from _with_nested(child)


def _form(node: Node, text: str) -> SectionState:
    properties = {name: of for name, of in node.schema["properties"].items() if _is_of_form(node, name)}
    prefix = f"{node.name}." if node.name else ""
    return SectionState(
        place=node.name,
        title=title_of(node.name),
        text=text,
        kind="form",
        schemas={"": {**node.schema, "properties": properties}},
        values={name: value for name, value in node.value.items() if name in properties},
        restart=_below(RESTART, prefix),
        renews=_below(RENEWS, prefix),
    )


def _is_of_form(node: Node, name: str) -> bool:
    child = node.setting(name)
    if child.is_table or name == _VERSION:
        return False
    return child.field is not None or bool(node.name and node.name not in BY_PART)


def _below(services: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {place.removeprefix(prefix): service for place, service in services.items() if place.startswith(prefix)}


def _table(node: Node) -> SectionState:
    kinds = KINDS.get(node.place)
    entry = node.entry_schema()
    schemas = {kind: described_schema(model) for kind, model in kinds.items()} if kinds else {"": dict(entry)}
    names = node.schema.get("propertyNames", {}).get("enum", ())
    return SectionState(
        place=node.name,
        title=title_of(node.name),
        text=node.text,
        kind="table",
        schemas=schemas,
        values=dict(node.value),
        names=tuple(names),
    )


def title_of(place: str) -> str:
    """Return what a section is called."""
    above, _, last = place.rpartition(".")
    words = last.replace("_", " ").capitalize()
    return _TITLES.get(place) or (f"{title_of(above)}: {words.lower()}" if above else words)


@carries_out(api.SAVE_SECTION)
def save_section(session: Session, wanted: SaveSection) -> Saved:
    """Save the form of a section, or an entry of a table.

    Raises
    ------
    ControlError
        There is no such section or entry; the settings cannot be used; or somebody else saved meanwhile.
    """
    node = node_at(session.config.model_dump(mode="json", exclude_defaults=True), wanted.place)
    table = next((table for table, place in PLACES.items() if place == node.place), None)
    if table is not None and wanted.values is not None and wanted.name:
        return save_entry(session, f"{table}.save", table, wanted.values, _Entry.of(wanted))
    edit = _entry_edit(node, wanted) if node.is_table else _form_edit(node, wanted)
    return edits.apply(session, "config.section", ".".join(filter(None, (wanted.place, wanted.name))), edit, wanted)


def _form_edit(node: Node, wanted: SaveSection) -> Edit:
    """Make the change of a form: what is in other forms and tables of the section stays."""
    if wanted.values is None or wanted.name:
        raise ControlError("invalid", f"{node.name or 'the router'} is a section with one form", "give its settings")
    other = [name for name in node.schema["properties"] if not _is_of_form(node, name)]
    kept = {name: value for name, value in node.value.items() if name in other}
    return _in_place(node, {**kept, **wanted.values})


def _entry_edit(node: Node, wanted: SaveSection) -> Edit:
    """Make the change of an entry of a table, or remove it."""
    entries, name, old = dict(node.value), wanted.name, wanted.rename_from or wanted.name
    if not name or (old not in entries and (wanted.values is None or old != name)):
        raise no_such("entry", old, entries)
    if name != old and name in entries:
        raise ControlError("invalid", f"there is an entry {name!r} already", "choose another name")
    if wanted.values is None:
        del entries[name]
        return _in_place(node, entries)
    kept = {(name if key == old else key): value for key, value in entries.items()}
    return _in_place(node, {**kept, name: wanted.values})


def _in_place(node: Node, value: Content) -> Edit:
    return lambda content: edits.put_at(content, node.place, value) if node.place else {**value}


class _Entry(Model):
    """An entry that is saved whole."""

    name: str
    rename_from: str | None
    edited_from: int
    comment: str

    @classmethod
    def of(cls, wanted: SaveSection) -> _Entry:
        """Return what of a request is about its entry."""
        return cls(**{name: getattr(wanted, name) for name in cls.model_fields})
