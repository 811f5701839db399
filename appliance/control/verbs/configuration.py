"""``config.*``."""

from __future__ import annotations

from appliance.control.api import configuration as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.configuration import changes, files, revisions
from appliance.control.verbs import Asked, carries_out


@carries_out(api.SHOW)
def show(asked: Asked, wanted: Nothing) -> api.Configuration:
    """Show what is in force."""
    return files.show(asked.session)


@carries_out(api.REVISIONS)
def list_(asked: Asked, wanted: api.ListRevisions) -> api.Revisions:
    """List the revisions."""
    return revisions.list_revisions(asked.session, wanted.file, wanted.limit)


@carries_out(api.COMPARE)
def compare(asked: Asked, wanted: api.CompareRevisions) -> api.Comparison:
    """Compare two."""
    return revisions.compare(asked.session, wanted.file, wanted.before, wanted.after)


@carries_out(api.ROLLBACK)
def rollback(asked: Asked, wanted: api.RollBack) -> Saved:
    """Bring an old one back."""
    change = changes.Change(
        verb="config.rollback",
        object=f"{wanted.file} to revision {wanted.revision}",
        content=revisions.content_of(asked.session, wanted.file, wanted.revision),
        edited_from=wanted.edited_from,
        comment=wanted.comment or f"rolled back to revision {wanted.revision}",
        file=wanted.file,
    )
    return changes.save(asked.session, change)


@carries_out(api.SAVE)
def save(asked: Asked, wanted: api.SaveConfig) -> Saved:
    """Save a whole file."""
    session = asked.session
    if wanted.check_only:
        changed = changes.compare_with(session, wanted.file, wanted.content, wanted.edited_from)
        return Saved(file=wanted.file, revision=wanted.edited_from, difference=changed)
    change = changes.Change(
        verb="config.save",
        object=wanted.file,
        content=wanted.content,
        edited_from=wanted.edited_from,
        comment=wanted.comment,
        file=wanted.file,
    )
    return changes.save(session, change)
