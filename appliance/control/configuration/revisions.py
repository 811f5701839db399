"""The saved revisions of a configuration file: which there are, what is in them, how they differ."""

from __future__ import annotations

from typing import Any

from appliance.control.api.configuration import Comparison, FileName, Revisions, RevisionState
from appliance.control.configuration.changes import file_of
from appliance.control.configuration.differences import differences
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import ConfigError, RevisionedFile


def list_revisions(session: Session, name: FileName, limit: int) -> Revisions:
    """List the revisions of a file, the newest first."""
    file = file_of(session, name)
    loaded = session.loaded if name == "mercure" else session.services
    numbers = list(reversed(file.revisions()))[:limit]
    return Revisions(
        file=name,
        current=loaded.revision,
        by_hand=loaded.by_hand,
        revisions=tuple(_state(file, number) for number in numbers),
    )


def _state(file: RevisionedFile[Any], number: int) -> RevisionState:
    try:
        found = file.revision(number)
    except ConfigError as error:
        return RevisionState(revision=number, problem=str(error))
    return RevisionState(revision=number, time=found.time, author=found.author, comment=found.comment)


def content_of(session: Session, name: FileName, number: int) -> dict[str, Any]:
    """Return the content of a revision.

    Raises
    ------
    ControlError
        There is none of this number, or it cannot be read.
    """
    file = file_of(session, name)
    known = file.revisions()
    if number not in known:
        advice = f"there are {known[0]} to {known[-1]}" if known else "there are none yet"
        raise ControlError("not-found", f"{file.path.name} has no revision {number}", advice)
    try:
        return file.revision(number).content
    except ConfigError as error:
        raise ControlError("failed", str(error)) from error


def compare(session: Session, name: FileName, before: int, after: int | None) -> Comparison:
    """Compare a revision with another, or with what is in force.

    Raises
    ------
    ControlError
        There is no such revision.
    """
    old = content_of(session, name, before)
    if after is not None:
        new, number = content_of(session, name, after), after
    else:
        loaded = session.loaded if name == "mercure" else session.services
        new = {"version": 1, **loaded.value.model_dump(mode="json", exclude_defaults=True)}
        number = loaded.revision
    return Comparison(file=name, before=before, after=number, difference=differences(old, new))
