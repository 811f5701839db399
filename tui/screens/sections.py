"""All settings by section: forms and tables made from the schema, so that none needs an editor and a JSON file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from appliance.control.rpc.client import Nothing, api
from appliance.presentation.phrases import plural, when_it_counts
from appliance.presentation.setting_fields import Field, fields_of_schema
from mercure.printable import printable
from tui.actions import bindings_of
from tui.screens.form import FormPage
from tui.screens.settings_form import SettingsForm
from tui.screens.settings_page import SettingsPage, name_column, settings_lines
from tui.screens.table_page import TablePage
from tui.screens.task import pair
from tui.styles import Line, Span
from tui.widgets.dialogs import Choose
from tui.widgets.grid import Column

if TYPE_CHECKING:
    from textual.binding import BindingType

Section = api.configuration.SectionState
_PAGE: Final = "sections"
_NOWHERE: Final = ""


def whole_schema(section: Section, definitions: Mapping[str, Any], kind: str = "") -> dict[str, Any]:
    """Return a schema of a section with the definitions that it names."""
    return {"$defs": dict(definitions), **section.schemas[kind]}


class SectionsPage(TablePage[Section]):
    """Each with how much of it is set, and what it is about."""

    NAME: ClassVar[str] = _PAGE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(_PAGE)]
    WORDS: ClassVar[tuple[str, str]] = ("section", "sections")

    def __init__(self) -> None:
        super().__init__()
        self._definitions: Mapping[str, Any] = {}
        self._revision = 0

    def columns(self) -> Sequence[Column[Section]]:
        """Return the columns."""
        return (
            Column("section", lambda row: (printable(row.title), "bold"), 24, lambda row: row.title),
            Column("set", _amount, 10),
            Column("", lambda row: (printable(row.text), "")),
        )

    def key_of(self, row: Section) -> object:
        """Return its place."""
        return row.place

    def text_of(self, row: Section) -> str:
        """Return title, place, and the names of its settings."""
        names = [name for schema in row.schemas.values() for name in _properties(schema)]
        return " ".join((row.title, row.place, *names, *row.values))

    def about(self) -> str:
        """Return where the others are."""
        return "targets, rules and modules have their own pages"

    def below(self, row: Section) -> Iterable[Line]:
        """Return what it is about, and what is set in it."""
        yield from pair("about", row.text, self.below_columns)
        if row.kind == "table":
            yield from pair("entries", ", ".join(row.values) or "none", self.below_columns)
        else:
            yield from settings_lines(row.values, self.below_columns)

    def refresh_data(self) -> None:
        """Ask for the sections."""
        if self.router.connected:
            self.ask(api.configuration.SECTIONS, Nothing(), self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when somebody saved."""
        if event.type.startswith("config."):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.configuration.Sections) -> None:
        self._definitions, self._revision = answer.definitions, answer.revision
        self.fill(answer.sections)

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"open": self.with_row(self._open), "history-of": lambda: self.mercure.open_page("config")}

    def _open(self, row: Section) -> None:
        if row.kind == "table":
            self.app.push_screen(EntriesPage(row.place, row.title))
        else:
            self.app.push_screen(SectionForm(row, self._definitions, self._revision))


def _properties(schema: Mapping[str, Any]) -> Iterable[str]:
    found = schema.get("properties", {})
    return found if isinstance(found, Mapping) else ()


def _amount(row: Section) -> Span:
    number = len(row.values)
    if row.kind == "table":
        return (plural(number, "entry", "entries"), "" if number else "dim")
    return (f"{number} set", "") if number else ("defaults", "dim")


class SectionForm(FormPage):
    """The settings of a section.

    Parameters
    ----------
    section : SectionState
        What is changed.
    definitions : mapping
        Of the schemas that its own names.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "section-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("section-form")]

    def __init__(self, section: Section, definitions: Mapping[str, Any], revision: int) -> None:
        fields = fields_of_schema(whole_schema(section, definitions))
        told = [_with_effect(field, section) for field in fields if field.kind != "table"]
        super().__init__(_PAGE, section.title, told, section.values, revision)
        self._place = section.place

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self._save}

    def _save(self) -> None:
        values = self.read()
        if values is not None:
            self.save_by(
                api.configuration.SAVE_SECTION,
                api.configuration.SaveSection(place=self._place, values=values, edited_from=self.revision),
            )


def _with_effect(field: Field, section: Section) -> Field:
    """Say with what a setting means that it does not count at once, where it does not."""
    restart, renews = section.restart.get(field.name, ""), section.renews.get(field.name, "")
    if not restart and not renews:
        return field
    said = "; ".join(when_it_counts(restart, renews)).replace("`", "")
    return replace(field, text=f"{said[:1].upper()}{said[1:]}. {field.text}")


@dataclass(frozen=True)
class TableEntry:
    """An entry of a table."""

    name: str
    settings: dict[str, Any]


class EntriesPage(SettingsPage[TableEntry]):
    """The entries of a table.

    Parameters
    ----------
    place, title : str
        Which table.
    """

    NAME: ClassVar[str] = "entries"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("entries")]
    WORDS: ClassVar[tuple[str, str]] = ("entry", "entries")
    EMPTY: ClassVar[str] = "there is no entry: n adds one"
    belongs_to = _PAGE

    def __init__(self, place: str, title: str) -> None:
        super().__init__()
        self._place = place
        self._title = title
        self._section: Section | None = None
        self._definitions: Mapping[str, Any] = {}

    def columns(self) -> Sequence[Column[TableEntry]]:
        """Return the columns."""
        return (
            name_column("name", 24),
            Column("", lambda row: ("□ disabled", "dim") if row.settings.get("disabled") else ("", ""), 10),
            Column("settings", lambda row: (printable(_summary(row.settings)), "")),
        )

    def text_of(self, row: TableEntry) -> str:
        """Return name and settings."""
        return f"{row.name} {_summary(row.settings)}"

    def about(self) -> str:
        """Return which table it is."""
        return self._title

    def below(self, row: TableEntry) -> Iterable[Line]:
        """Return its settings."""
        return settings_lines(row.settings, self.below_columns)

    def refresh_data(self) -> None:
        """Ask for the sections: one of them is this table."""
        if self.router.connected:
            self.ask(api.configuration.SECTIONS, Nothing(), self._fill, failed=self.fail)

    def told(self, event: api.streams.EventItem) -> None:
        """Look again when somebody saved."""
        if event.type.startswith("config."):
            self.mercure.soon(self, self.refresh_data)

    def _fill(self, answer: api.configuration.Sections) -> None:
        self._section = next(section for section in answer.sections if section.place == self._place)
        self._definitions, self.revision = answer.definitions, answer.revision
        values: Mapping[str, Any] = self._section.values
        self.fill([TableEntry(name, dict(settings)) for name, settings in values.items()])

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {
            "edit": self.with_row(self._edit),
            "new": self._new,
            "delete": self.with_row(self._delete),
        }

    def _edit(self, row: TableEntry) -> None:
        self._open_form(str(row.settings.get("kind", _NOWHERE)), row)

    def _new(self) -> None:
        if self._section is None:
            return
        kinds = [(kind, str(schema.get("description", ""))) for kind, schema in self._section.schemas.items()]
        if len(kinds) == 1:
            self._open_form(kinds[0][0], None)
        else:
            self.when_answered(Choose("Of which kind?", [], kinds), lambda kind: self._open_form(kind, None))

    def _open_form(self, kind: str, row: TableEntry | None) -> None:
        if self._section is not None:
            form = EntryForm(self._section, kind, self._definitions, row, self.revision)
            self.app.push_screen(form, self.go_to)

    def _delete(self, row: TableEntry) -> None:
        place, revision = self._place, self.revision
        self.delete(
            row.name, [f"{self._title}: {row.name}"], api.configuration.SAVE_SECTION,
            lambda comment: api.configuration.SaveSection(
                place=place, name=row.name, edited_from=revision, comment=comment
            ),
        )  # fmt: skip


def _summary(settings: Mapping[str, Any]) -> str:
    return ", ".join(_parts(settings))


def _parts(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if name != "disabled":
            yield f"{name} {text}"


class EntryForm(SettingsForm):
    """The settings of an entry of a table.

    Parameters
    ----------
    section : SectionState
        The table.
    kind : str
        Of which kind the entry is; empty: there is only one.
    definitions : mapping
        Of the schemas that its own names.
    entry : TableEntry or None
        What is changed; None: a new one.
    revision : int
        Of the configuration that this is edited from.
    """

    NAME: ClassVar[str] = "entry-form"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("entry-form")]

    def __init__(
        self, section: Section, kind: str, definitions: Mapping[str, Any], entry: TableEntry | None, revision: int
    ) -> None:
        title = f"{section.title}: {entry.name}" if entry else f"{section.title}: new {kind}".strip()
        super().__init__(_PAGE, title, whole_schema(section, definitions, kind), entry, revision, names=section.names)
        self._place = section.place
        self._kind = kind

    def handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for each action."""
        return {"save": self.with_values(self.save)}

    def save(self, name: str, settings: dict[str, Any]) -> None:
        """Save the entry."""
        kind = {"kind": self._kind} if self._kind else {}
        self.save_by(
            api.configuration.SAVE_SECTION,
            api.configuration.SaveSection(
                place=self._place,
                name=name,
                rename_from=self.old,
                values={**kind, **settings},
                edited_from=self.revision,
            ),
        )
