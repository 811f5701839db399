"""What a person can ask of the configuration: what it is, and whether a file would do."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import ConfigError, RevisionedFile
from mercure.model import Model

SERVICES_NAME: Final = "services.json"


class ProblemFound(Model):
    """One thing that is wrong with a configuration: where, what, and what to do (may be empty)."""

    place: str
    text: str
    advice: str = ""


class Validation(Model):
    """Whether a file is a configuration that can be used, and all that is wrong with it."""

    file: str
    valid: bool
    problems: tuple[ProblemFound, ...] = ()


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
    problems: tuple[ProblemFound, ...] = ()


class Configuration(Model):
    """Both configuration files."""

    mercure: FileState
    services: FileState


def show(session: Session) -> Configuration:
    """Return the configuration in force.

    Raises
    ------
    ControlError
        There is none.
    """
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    services = session.services.value.model_dump(mode="json")
    return Configuration(
        mercure=_state(session.store.mercure, session.loaded.revision, content),
        services=_state(session.store.services, session.services.revision, services),
    )


def _state(file: RevisionedFile[Any], revision: int, content: dict[str, Any]) -> FileState:
    problems: tuple[ProblemFound, ...] = ()
    by_hand = False
    try:
        by_hand = file.load().by_hand
    except ConfigError as error:
        problems = _problems(error)
    saved = file.revision(revision) if revision in file.revisions() else None
    return FileState(
        file=str(file.path),
        revision=revision,
        author=saved.author if saved else None,
        saved=saved.time if saved else None,
        comment=saved.comment if saved else "",
        by_hand=by_hand,
        content={"version": 1, **content},
        problems=problems,
    )


def validate(session: Session, path: Path | None = None) -> list[Validation]:
    """Check configuration files.

    Parameters
    ----------
    session : Session
        Whose, when no file is given: both of the root.
    path : Path, optional
        A file to check; it counts as ``services.json`` when that is its name, else as ``mercure.json``.

    Raises
    ------
    ControlError
        The file cannot be read.
    """
    if path is None:
        return [_checked(session.store.mercure), _checked(session.store.services)]
    parse = session.store.parse_services if path.name == SERVICES_NAME else session.store.parse
    file: RevisionedFile[Any] = RevisionedFile(path, parse)
    if not path.exists():
        raise ControlError("not-found", f"there is no file {path}")
    return [_checked(file)]


def _checked(file: RevisionedFile[Any]) -> Validation:
    try:
        file.load()
    except ConfigError as error:
        return Validation(file=str(file.path), valid=False, problems=_problems(error))
    return Validation(file=str(file.path), valid=True)


def _problems(error: ConfigError) -> tuple[ProblemFound, ...]:
    return tuple(ProblemFound(place=item.place, text=item.text, advice=item.advice) for item in error.problems)


def pretty(content: dict[str, Any]) -> str:
    """Write a configuration as it stands in its file."""
    return json.dumps(content, indent=1, ensure_ascii=False)
