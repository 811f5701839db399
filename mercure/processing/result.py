"""What a module says in its ``result.json``: measurements, and what it asks the router for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

NOTIFICATION: Final = "__mercure_notification"
ROUTING: Final = "__mercure_routing"
MAX_TEXT: Final = 4000


class ResultError(Exception):
    """The result of a module cannot be used; the text says why."""


@dataclass(frozen=True)
class Notification:
    """What people are to be told.

    Parameters
    ----------
    text : str
        Words of the module.
    requested : bool
        It asks for a message; else its words only go along with one that is sent anyway.
    """

    text: str = ""
    requested: bool = False


@dataclass(frozen=True)
class ResultRouting:
    """Where the result is to go.

    Parameters
    ----------
    targets : tuple of str, optional
        In place of the rule's; None: it says nothing of that.
    discard : bool
        Nowhere.
    rules : bool
        Back to the router, to be decided on by the rules.
    """

    targets: tuple[str, ...] | None = None
    discard: bool = False
    rules: bool = False


@dataclass(frozen=True)
class Result:
    """A ``result.json``.

    Parameters
    ----------
    content : dict
        All of it; measurements are whatever the module means by them.
    notification, routing
        What it asks for.
    """

    content: dict[str, Any]
    notification: Notification | None = None
    routing: ResultRouting = ResultRouting()


def parse_result(data: bytes) -> Result:
    """Read a ``result.json``.

    Raises
    ------
    ResultError
        It is no JSON object, or asks for something in words that mean nothing.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"its result.json is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ResultError("its result.json is no JSON object")
    return Result(content, _notification(content.get(NOTIFICATION)), _routing(content.get(ROUTING)))


def _notification(asked: object) -> Notification | None:
    if asked is None:
        return None
    if not isinstance(asked, dict):
        raise ResultError(f"{NOTIFICATION} in its result.json is no object")
    text = asked.get("text", "")
    requested = asked.get("requested", False)
    if not isinstance(text, str) or not isinstance(requested, bool):
        raise ResultError(f"in {NOTIFICATION} of its result.json, 'text' is a text and 'requested' is true or false")
    return Notification(_unicode(text)[:MAX_TEXT], requested)


def _routing(asked: object) -> ResultRouting:
    if asked is None:
        return ResultRouting()
    if not isinstance(asked, dict):
        raise ResultError(f"{ROUTING} in its result.json is no object")
    target = asked.get("target")
    names = [target] if isinstance(target, str) else target
    flags = [asked.get("discard", False), asked.get("rules", False)]
    if not all(isinstance(flag, bool) for flag in flags):
        raise ResultError(f"'discard' and 'rules' of {ROUTING} in its result.json are true or false")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
        raise ResultError(f"'target' of {ROUTING} in its result.json is neither a name nor a list of names")
    if sum([bool(names), *flags]) > 1:
        raise ResultError(f"{ROUTING} in its result.json asks for several things at once")
    targets = tuple(dict.fromkeys(_unicode(name) for name in names)) if names else None
    return ResultRouting(targets, *flags)


def _unicode(text: str) -> str:
    """Return a text without lone surrogates, which JSON can bring and nothing else can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
