"""The configuration and its revisions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

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


FileName = Literal["mercure", "services"]


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

    With `check_only` nothing is saved: the answer says what would be different.
    """

    file: FileName = "mercure"
    content: dict[str, JsonValue]
    edited_from: int
    comment: Annotated[str, Field(max_length=2000)] = ""
    check_only: bool = False


class RollBack(Model):
    """Make an old revision the newest one again."""

    file: FileName = "mercure"
    revision: int
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


SHOW: Final = Verb("config.show", Nothing, Configuration, "viewer", "Show the configuration in force.")
REVISIONS: Final = Verb("config.revisions", ListRevisions, Revisions, "viewer", "List the saved revisions of a file.")
COMPARE: Final = Verb(
    "config.compare", CompareRevisions, Comparison, "viewer", "Tell what is different between two revisions."
)
ROLLBACK: Final = Verb(
    "config.rollback", RollBack, Saved, "admin", "Make an old revision the newest one again.", changes=True
)
SAVE: Final = Verb("config.save", SaveConfig, Saved, "admin", "Save a whole configuration file.", changes=True)
MODULES: Final = Verb(
    "modules.list", Nothing, Modules, "viewer", "List the processing modules and what waits for them."
)
