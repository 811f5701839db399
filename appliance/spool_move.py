"""Spool move: the spool of a root in which no router runs, its place, and then the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from appliance.control.configuration import changes
from appliance.control.errors import ControlError
from appliance.control.identity import require_owner
from appliance.control.session import Session
from appliance.supervision.errors import AlreadyRunningError
from appliance.supervision.foreground import sole_runner
from mercure.model import Model
from mercure.spool.identity import want_adoption
from mercure.spool.relocation import MoveError, move_spool

Progress = Callable[[int, int], None]


class SpoolMoved(Model):
    """Where the spool was, and where it is; ``revision`` is the configuration that says so."""

    was: str
    path: str
    revision: int


class SpoolAdopted(Model):
    """The name in the history, and the spool that it is given to."""

    name: str
    path: str


def adopt(session: Session) -> SpoolAdopted:
    """Give the spool of a router its name in the history, even if another spool wrote under it before.

    Raises
    ------
    ControlError
        There is no spool, or it belongs to another user.
    """
    with session.changing() as events:
        want_adoption(session.spool)
        session.audit(events, "spool.adopt", session.config.name)
    return SpoolAdopted(name=session.config.name, path=str(session.spool.root))


def move(session: Session, new: Path, progress: Progress = lambda done, total: None) -> SpoolMoved:
    """Move the spool; called again it goes on where it was cut off.

    Parameters
    ----------
    new : Path
        Where to.
    progress : callable
        Called with the bytes copied so far, and of how many.

    Raises
    ------
    ControlError
        A router runs, or the spool cannot be moved there.
    OSError
        The disk refuses; call it again when that is mended.
    """
    require_owner(session.root.path)
    try:
        with sole_runner(session.root.path):
            was = move_spool(session.root.path, new, progress)
            revision = _configure(Session(session.root, session.user, clock=session.clock), new)
    except AlreadyRunningError as error:
        raise ControlError("busy", str(error), "end the router first: nothing may be written meanwhile") from error
    except MoveError as error:
        raise ControlError("invalid", str(error)) from error
    return SpoolMoved(was=str(was), path=str(new), revision=revision)


def _configure(session: Session, new: Path) -> int:
    """Have the configuration name the place, if it does not yet; the place in force does not depend on it."""
    loaded = session.loaded
    if session.root.named_spool(loaded.value) == new:
        return loaded.revision
    content = changes.current(session, "mercure", loaded.revision)
    content.pop("spool", None)
    if new != session.root.path / "spool":
        content["spool"] = str(new)
    change = changes.Change(
        verb="spool.move", object=str(new), content=content, edited_from=loaded.revision, by_hand=loaded.by_hand
    )
    return changes.save(session, change).revision
