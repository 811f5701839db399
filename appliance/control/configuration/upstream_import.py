"""Taking over the configuration of an existing mercure installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from appliance.control.configuration import changes
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import ConfigError
from mercure.config.upstream_import import import_mercure
from mercure.model import Model


class NotTaken(Model):
    """Something of the old configuration that was not taken over, or not as it was."""

    place: str
    reason: str


class ImportResult(Model):
    """The converted configuration, what to look at by hand, and the revision under which it was saved (if it was)."""

    config: dict[str, Any]
    remarks: tuple[NotTaken, ...]
    problems: tuple[str, ...] = ()
    revision: int | None = None


def import_file(session: Session, path: Path, *, save: bool) -> ImportResult:
    """Convert a ``mercure.json`` of another installation, and make it the configuration of this router where asked.

    Parameters
    ----------
    session : Session
        Whose router, and who asks.
    path : Path
        The file.
    save : bool
        Make it the configuration; the one before stays as a revision.

    Raises
    ------
    ControlError
        It is not such a file, or what came out cannot be used here (with every problem).
    """
    result = import_mercure(_read(path))
    converted = result.config
    remarks = tuple(NotTaken(place=item.place, reason=item.reason) for item in result.remarks)
    try:
        session.store.parse(converted)
    except ConfigError as error:
        problems = tuple(str(problem) for problem in error.problems)
        if save:
            raise ControlError("invalid", f"{path} cannot be taken over as it is:\n" + "\n".join(problems)) from error
        return ImportResult(config=converted, remarks=remarks, problems=problems)
    revision = None
    if save:
        loaded = session.loaded
        change = changes.Change(
            verb="config.import",
            object="mercure.json",
            content=converted,
            edited_from=loaded.revision,
            comment=f"imported from {path.name}",
            by_hand=loaded.by_hand,
        )
        revision = changes.save(session, change).revision
    return ImportResult(config=converted, remarks=remarks, revision=revision)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ControlError("not-found", f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ControlError("invalid", f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or not {"targets", "rules"} & content.keys():
        raise ControlError("invalid", f"{path} is no mercure.json: it has neither targets nor rules")
    return content
