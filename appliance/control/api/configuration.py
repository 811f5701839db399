"""The configuration and its revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, JsonValue

from appliance.control.api.base import Difference, Nothing, Problem, Saved, Verb
from mercure.model import Model
from mercure.processing.module_outage import ModuleOutage


class Validation(Model):
    """Whether a file is a configuration that can be used, and all that is wrong with it."""

    file: str
    valid: bool
    problems: tuple[Problem, ...] = ()


class FileState(Model):
    """One configuration file: what is in force, and its revision.

    ``by_hand``: it was edited since that revision. ``problems``: why the file itself cannot be used; ``content`` is
    then the last revision that can.
    """

    file: str
    revision: int
    author: str | None = None
    saved: datetime | None = None
    comment: str = ""
    by_hand: bool = False
    content: dict[str, Any]
    problems: tuple[Problem, ...] = ()


class Configuration(Model):
    """Both configuration files."""

    mercure: FileState
    services: FileState


class PageSettings(Model):
    """What the status page must know of the configuration, by section."""

    content: dict[str, Any]


FileName = Literal["mercure", "services"]
Table = Literal["targets", "rules", "senders", "channels", "modules"]
TABLES: Final[tuple[Table, ...]] = get_args(Table)
EntryVerb = Literal["add", "set", "rename", "copy", "remove", "enable", "disable", "order"]


class ListRevisions(Model):
    """Of which file."""

    file: FileName = "mercure"
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100


class RevisionState(Model):
    """A saved state of a file, without its content."""

    revision: int
    time: datetime | None = None
    author: str = ""
    comment: str = ""
    problem: str = ""


class Revisions(Model):
    """The saved states of a file, the newest first; ``current`` is the one in force."""

    file: FileName
    current: int
    by_hand: bool
    revisions: tuple[RevisionState, ...]


class CompareRevisions(Model):
    """Two revisions of a file; an absent `after` is what is in force now."""

    file: FileName = "mercure"
    before: int
    after: int | None = None


class Comparison(Model):
    """What is different between two revisions."""

    file: FileName
    before: int
    after: int
    difference: tuple[Difference, ...]


class SaveConfig(Model):
    """A whole file as it is to be, and the revision that it was edited from.

    With `check_only` nothing is saved: the answer says what would be different. `by_hand`: it was made from the file as
    somebody edited it since that revision (`config.show`).
    """

    file: FileName = "mercure"
    content: dict[str, JsonValue]
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""
    check_only: bool = False
    by_hand: bool = False


class RollBack(Model):
    """Make an old revision the newest one again."""

    file: FileName = "mercure"
    revision: int
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class GetSettings(Model):
    """A setting by its place (``retention.success_seconds``), or all below a place; an empty one: all."""

    place: Annotated[str, Field(max_length=500)] = ""


class SettingState(Model):
    """One setting: its place, its value and default, both as JSON and as a person types them, and what it means.

    ``restart`` names the service that must be restarted before a change counts; ``renews`` the one that restarts by
    itself.
    """

    place: str
    value: JsonValue = None
    default: JsonValue = None
    text: str = ""
    default_text: str = ""
    given: bool = False
    meaning: str = ""
    choices: tuple[str, ...] = ()
    restart: str = ""
    renews: str = ""


class SettingsFound(Model):
    """The settings at a place, and the revision they are of."""

    settings: tuple[SettingState, ...]
    revision: int


class SetSettings(Model):
    """Settings by their places, each as a person types it; an empty text brings the default back.

    With `check_only` nothing is saved: the answer says what would be different.
    """

    settings: Annotated[dict[str, str], Field(min_length=1, max_length=1000)]
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""
    check_only: bool = False


class ChangeEntry(Model):
    """A change of one entry of a table: a target, rule, sender, channel or module.

    ``settings`` are as a person types them, for ``add`` and ``set``; ``to`` is the new name, for ``rename`` and
    ``copy``; ``names`` is the whole order, for ``order``.
    """

    table: Table
    verb: EntryVerb
    name: Annotated[str, Field(max_length=200)] = ""
    to: Annotated[str, Field(max_length=200)] = ""
    settings: Annotated[dict[str, str], Field(max_length=1000)] = {}
    names: Annotated[tuple[str, ...], Field(max_length=10_000)] = ()
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""
    check_only: bool = False


class SectionState(Model):
    """A section of the configuration: a form, or a table of entries with a form each.

    ``schemas`` has the JSON schema of the form, or of an entry by its kind (an empty one where all are alike), whose
    definitions are those of the answer where it has none itself. ``names`` are those that an entry may have; without
    any, it may have every name. ``restart`` and ``renews`` name the services by setting, as in `config.get`.
    """

    place: str
    title: str
    text: str = ""
    kind: Literal["form", "table"]
    schemas: dict[str, dict[str, JsonValue]]
    values: dict[str, JsonValue]
    names: tuple[str, ...] = ()
    restart: dict[str, str] = {}
    renews: dict[str, str] = {}


class Sections(Model):
    """All sections but targets, rules and modules, and the revision that they are of."""

    sections: tuple[SectionState, ...]
    definitions: dict[str, JsonValue] = {}
    revision: int


class SaveSection(Model):
    """What is in the form of a section, or in an entry of a table; an entry without settings is removed."""

    place: Annotated[str, Field(max_length=500)]
    name: Annotated[str, Field(max_length=200)] = ""
    rename_from: str | None = None
    values: dict[str, JsonValue] | None = None
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""


class ModuleState(Model):
    """A processing module, what waits for it or failed in it, and the rules that name it."""

    name: str
    runner: str
    image: str
    disabled: bool
    settings: dict[str, Any]
    waiting: int = 0
    failed: int = 0
    rules: tuple[str, ...] = ()
    outage: ModuleOutage | None = None


class Modules(Model):
    """All modules, the revision of the configuration, and the JSON schema of a module's settings."""

    modules: tuple[ModuleState, ...]
    revision: int
    settings_schema: dict[str, JsonValue] = {}


PAGE: Final = Verb("config.page", Nothing, PageSettings, "page", "Tell the settings of the status page.")
SHOW: Final = Verb("config.show", Nothing, Configuration, "viewer", "Show the configuration in force.")
REVISIONS: Final = Verb("config.revisions", ListRevisions, Revisions, "viewer", "List the saved revisions of a file.")
COMPARE: Final = Verb(
    "config.compare", CompareRevisions, Comparison, "viewer", "Tell what is different between two revisions."
)
ROLLBACK: Final = Verb(
    "config.rollback", RollBack, Saved, "admin", "Make an old revision the newest one again.", changes=True
)
SAVE: Final = Verb("config.save", SaveConfig, Saved, "admin", "Save a whole configuration file.", changes=True)
GET: Final = Verb(
    "config.get", GetSettings, SettingsFound, "viewer", "Tell settings, what they mean and when they count."
)
SET: Final = Verb("config.set", SetSettings, Saved, "admin", "Change settings by their places.", changes=True)
ENTRY: Final = Verb(
    "config.entry", ChangeEntry, Saved, "admin",
    "Add, change, rename, copy, remove, switch or order entries of a table of the configuration.", changes=True,
)  # fmt: skip
SECTIONS: Final = Verb(
    "config.sections", Nothing, Sections, "viewer", "Tell the sections of the configuration, with schemas for forms."
)
SAVE_SECTION: Final = Verb(
    "config.section", SaveSection, Saved, "admin", "Save the form of a section, or an entry of a table.", changes=True
)
MODULES: Final = Verb("modules.list", Nothing, Modules, "page", "List the processing modules and what waits for them.")
