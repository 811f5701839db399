"""What verbs are made of: name, request, answer, role; and what an error carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, JsonValue

from mercure.model import Model

Role = Literal["page", "viewer", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = ("page", "viewer", "operator", "admin")
"""From the lowest: each may do what those before it may. ``page`` is no person: what the status page asks for."""

Q = TypeVar("Q", bound=BaseModel)
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class Verb(Generic[Q, A]):
    """One thing that can be asked of the router.

    Parameters
    ----------
    name : str
        ``group.verb``.
    request, answer : type
        The models of both.
    role : Role
        The lowest that may.
    text : str
        What it does, in a sentence.
    changes : bool
        It changes something, and is audited.
    long : bool
        It may take long: it tells of its progress, goes on when the connection is lost, and can be joined again
        (`jobs.join`).
    """

    name: str
    request: type[Q]
    answer: type[A]
    role: Role
    text: str
    changes: bool = False
    long: bool = False


AnyVerb = Verb[Any, Any]


class Nothing(Model):
    """A request without parameters."""


class Progress(Model):
    """How far a long action has come; ``total`` is 0 where nobody can tell.

    ``unit`` is what is counted where that matters on a screen; ``job`` is by what it can be joined again when
    the connection is lost (`jobs.join`), empty where it cannot.
    """

    done: int = 0
    total: int = 0
    text: str = ""
    unit: Literal["", "bytes"] = ""
    job: str = ""


class ProgressOf(Progress):
    """The notification ``progress``: how far the request with this id has come."""

    id: int | str


class Problem(Model):
    """One thing that is wrong with a configuration: where, what, and what to do (may be empty)."""

    place: str
    text: str
    advice: str = ""


class Difference(Model):
    """A place where two configurations differ; a value that is not there is null."""

    place: str
    how: Literal["added", "removed", "changed", "order"]
    before: JsonValue = None
    after: JsonValue = None


class Saved(Model):
    """The new revision of a configuration file, what is different in it, and when it counts.

    ``restart`` names the services that must be restarted before all of it counts, ``renews`` those that restart by
    themselves; without any, all of it counts within seconds. ``tasks`` waiting tasks got the new name of what was
    renamed; those in ``busy`` are being worked on and have the old one. ``warnings``: which senders of the last
    days it refuses.
    """

    file: Literal["mercure", "services"] = "mercure"
    revision: int
    difference: tuple[Difference, ...] = ()
    restart: tuple[str, ...] = ()
    renews: tuple[str, ...] = ()
    tasks: int = 0
    busy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ErrorData(Model):
    """What an error tells beside its message.

    ``advice`` is what to do next; ``role`` the one that is needed; ``problems`` what is wrong with a configuration;
    ``difference`` what somebody else changed meanwhile.
    """

    kind: str
    advice: str = ""
    role: Role | None = None
    problems: tuple[Problem, ...] = ()
    difference: tuple[Difference, ...] = ()
