"""What carries the verbs out: one function for each, one file for each group; and the table of all."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from appliance.control.api.base import A, AnyVerb, Progress, Q, Verb
from appliance.control.errors import ControlError
from appliance.control.roles import Caller
from appliance.control.session import Session
from mercure.config.problems import suggest
from mercure.lazy_imports import IMPORTING

if TYPE_CHECKING:
    from appliance.control.rpc.jobs import Jobs

MODULES: Final = {
    "status": "status",
    "alerts": "status",
    "whoami": "status",
    "queue": "queue",
    "history": "history",
    "audit": "history",
    "traffic": "traffic",
    "exams": "traffic",
    "notifications": "notifications",
    "rules": "rules",
    "targets": "targets",
    "services": "services",
    "config": "configuration",
    "modules": "modules",
    "verify": "verification",
    "backup": "backup",
    "selftest": "selftest",
    "jobs": "jobs",
    "subscribe": "streams",
}
"""The module here for each group of verbs; imported when one of them is asked for."""


@dataclass(frozen=True)
class Asked:
    """What a verb is carried out with.

    Parameters
    ----------
    session : Session
        At which router, and in whose name changes are audited.
    caller : Caller
        Who asks, and in which role.
    report : callable
        To be told how far a long action has come.
    jobs : Jobs, optional
        Those of the control service; without one, a long action ends with whoever asks.
    """

    session: Session
    caller: Caller
    report: Callable[[Progress], None] = field(default=lambda progress: None)
    jobs: Jobs | None = None


@dataclass(frozen=True)
class Bound:
    """A verb and the function that carries it out."""

    verb: AnyVerb
    run: Callable[[Asked, Any], Any]


_BOUND: Final[dict[str, Bound]] = {}


def carries_out(verb: Verb[Q, A]) -> Callable[[Callable[[Asked, Q], A]], Callable[[Asked, Q], A]]:
    """Enter a function into the table as the one that carries out a verb."""

    def enter(function: Callable[[Asked, Q], A]) -> Callable[[Asked, Q], A]:
        if verb.name in _BOUND:
            raise ValueError(f"{verb.name} is carried out by two functions")
        _BOUND[verb.name] = Bound(verb, function)
        return function

    return enter


def find(name: str) -> Bound:
    """Find a verb by its name.

    Raises
    ------
    ControlError
        There is none.
    """
    module = MODULES.get(name.partition(".")[0])
    if module is not None:
        _load(module)
    if name not in _BOUND:
        advice = suggest(name, table()) or "`docs/reference/control-api.md` lists them"
        raise ControlError("no-such-verb", f"there is no verb {name[:100]!r}", advice)
    return _BOUND[name]


def table() -> dict[str, Bound]:
    """Return all verbs by name."""
    for module in set(MODULES.values()):
        _load(module)
    return dict(sorted(_BOUND.items()))


def _load(module: str) -> None:
    with IMPORTING:
        importlib.import_module(f"{__name__}.{module}")


def carry_out(asked: Asked, bound: Bound, request: Any) -> Any:  # noqa: ANN401 - the verb's own models
    """Carry out a verb, if the caller may.

    Raises
    ------
    ControlError
        He may not, or it did not work.
    """
    needed = bound.verb.role
    if not asked.caller.may(needed):
        have = f"is {asked.caller.role}" if asked.caller.role else "has no role here"
        text = f"{bound.verb.name} is not allowed: it needs the role {needed}, and {asked.caller.user} {have}"
        advice = f"have an administrator add {asked.caller.user} to the group mercure-{needed}"
        raise ControlError("not-allowed", text, advice, role=needed)
    if not bound.verb.long or asked.jobs is None:
        return bound.run(asked, request)
    about = str(getattr(request, "name", ""))
    return asked.jobs.carry_out(
        bound.verb.name, about, asked.caller.user, lambda report: bound.run(replace(asked, report=report), request),
        asked.report,
    )  # fmt: skip
