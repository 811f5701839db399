"""What a person can ask of the configuration: what it is, and whether a file would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from appliance.control.api import configuration as api
from appliance.control.api.base import Nothing, Problem
from appliance.control.api.configuration import Configuration, FileState, Validation
from appliance.control.configuration.hidden_values import HiddenValues
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import Config, ConfigError, RevisionedFile
from mercure.config.files import read_content
from mercure.config.problems import template_problems
from mercure.notifications.template_checks import tried

SERVICES_NAME: Final = "services.json"


def show(session: Session) -> Configuration:
    """Return the configuration in force, without what is hidden in it.

    Raises
    ------
    ControlError
        There is none.
    """
    whole = session.config.model_dump(mode="json", exclude_defaults=True)
    content = HiddenValues.of(whole).shown((), whole)
    services = session.services.value.model_dump(mode="json")
    return Configuration(
        mercure=_state(session.store.mercure, session.loaded.revision, content),
        services=_state(session.store.services, session.services.revision, services),
    )


def _state(file: RevisionedFile[Any], revision: int, content: dict[str, Any]) -> FileState:
    problems: tuple[Problem, ...] = ()
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


@carries_out(api.SHOW)
def show_configuration(session: Session, wanted: Nothing) -> Configuration:
    """Show what is in force."""
    return show(session)


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
        value = file.load().value
        if isinstance(value, Config) and (problems := template_problems(value, tried)):
            raise ConfigError(str(file.path), problems)
    except ConfigError as error:
        return Validation(file=str(file.path), valid=False, problems=_problems(error))
    return Validation(file=str(file.path), valid=True)


def _problems(error: ConfigError) -> tuple[Problem, ...]:
    return tuple(Problem(place=item.place, text=item.text, advice=item.advice) for item in error.problems)


def content_of_text(data: bytes, name: str) -> dict[str, Any]:
    """Read the text of a configuration file.

    Raises
    ------
    ControlError
        ``invalid``: it is no JSON object, or only half of one; with the place.
    """
    try:
        return read_content(data, name)
    except ConfigError as error:
        raise ControlError("invalid", f"{name} cannot be read", problems=_problems(error)) from error


def pretty(content: dict[str, Any]) -> str:
    """Write a configuration as it stands in its file."""
    return json.dumps(content, indent=1, ensure_ascii=False)
