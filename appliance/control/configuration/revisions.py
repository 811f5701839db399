"""The saved revisions of a configuration file: which there are, what is in them, how they differ."""

from __future__ import annotations

from typing import Any

from appliance.control.api import configuration as api
from appliance.control.api.base import Saved
from appliance.control.api.configuration import (
    CompareRevisions,
    Comparison,
    FileName,
    ListRevisions,
    Revisions,
    RevisionState,
    RollBack,
    SaveConfig,
)
from appliance.control.configuration import changes
from appliance.control.configuration.changes import file_of
from appliance.control.configuration.differences import differences
from appliance.control.errors import ControlError
from appliance.control.registry import carries_out
from appliance.control.session import Session
from mercure.config import ConfigError, RevisionedFile


@carries_out(api.REVISIONS)
def list_revisions(session: Session, wanted: ListRevisions) -> Revisions:
    """List the revisions of a file, the newest first."""
    name = wanted.file
    file = file_of(session, name)
    loaded = session.loaded if name == "mercure" else session.services
    numbers = list(reversed(file.revisions()))[: wanted.limit]
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


@carries_out(api.COMPARE)
def compare(session: Session, wanted: CompareRevisions) -> Comparison:
    """Compare a revision with another, or with what is in force.

    Raises
    ------
    ControlError
        There is no such revision.
    """
    name, before, after = wanted.file, wanted.before, wanted.after
    old = content_of(session, name, before)
    loaded = session.loaded if name == "mercure" else session.services
    now = {"version": 1, **loaded.value.model_dump(mode="json", exclude_defaults=True)}
    new, number = (now, loaded.revision) if after is None else (content_of(session, name, after), after)
    return Comparison(file=name, before=before, after=number, difference=differences(old, new, now))


@carries_out(api.ROLLBACK)
def roll_back(session: Session, wanted: RollBack) -> Saved:
    """Make an old revision the newest one again; what was edited by hand is kept as a revision, too."""
    loaded = session.loaded if wanted.file == "mercure" else session.services
    change = changes.Change(
        verb="config.rollback",
        object=f"{wanted.file} to revision {wanted.revision}",
        content=content_of(session, wanted.file, wanted.revision),
        edited_from=wanted.edited_from,
        comment=wanted.comment or f"rolled back to revision {wanted.revision}",
        file=wanted.file,
        by_hand=loaded.by_hand,
    )
    return changes.save(session, change)


@carries_out(api.SAVE)
def save_file(session: Session, wanted: SaveConfig) -> Saved:
    """Save a whole file, or say what would be different in it."""
    if wanted.check_only:
        return changes.foreseen(session, wanted.file, wanted.content, wanted.edited_from)
    change = changes.Change(
        verb="config.save",
        object=wanted.file,
        content=wanted.content,
        edited_from=wanted.edited_from,
        comment=wanted.comment,
        file=wanted.file,
        by_hand=wanted.by_hand,
    )
    return changes.save(session, change)
