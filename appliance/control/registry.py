"""Registry of the verbs: which function carries out each, by a decorator on the function that does the work."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from appliance.control.api.base import A, AnyVerb, Progress, Q, Role, Verb
from appliance.control.errors import ControlError
from appliance.control.roles import GROUPS, Caller
from appliance.control.session import Session
from mercure.config import Config
from mercure.config.problems import suggest
from mercure.lazy_imports import IMPORTING

if TYPE_CHECKING:
    from appliance.control.rpc.jobs import Jobs

MODULES: Final = {
    "status": ("control.alerts.health",),
    "alerts": ("control.alerts.health", "control.alerts.monitor"),
    "whoami": ("control.whoami",),
    "queue": (
        "control.queue.entries",
        "control.queue.task_actions",
        "control.queue.studies",
        "control.queue.tags",
    ),
    "quarantine": ("control.quarantine",),
    "keep": ("control.queue.keeps",),
    "resend": ("control.queue.resend",),
    "history": ("control.history.search", "control.history.export"),
    "audit": ("control.history.search",),
    "senders": ("control.senders.actions", "control.senders.accounts"),
    "traffic": ("control.history.traffic", "control.history.delays", "control.alerts.days"),
    "exams": ("control.history.traffic", "control.history.exams"),
    "receipt": ("control.history.receipts",),
    "notifications": ("control.notifications",),
    "rules": ("control.rules.rules", "control.rules.dry_run"),
    "tls": ("control.tls.known", "control.tls.request", "control.tls.install", "control.tls.pin"),
    "targets": ("control.targets.targets", "control.targets.probe", "control.targets.probe_send"),
    "services": ("control.services.actions", "control.services.logs"),
    "config": (
        "control.configuration.files",
        "control.configuration.revisions",
        "control.configuration.settings",
        "control.configuration.entries",
        "control.configuration.sections",
    ),
    "modules": ("control.modules.modules", "control.modules.runs"),
    "verify": ("control.verification",),
    "compare": ("control.targets.compare",),
    "backup": ("backup",),
    "selftest": ("selftest",),
    "jobs": ("control.rpc.jobs",),
    "subscribe": ("control.rpc.streams",),
}
"""Where the functions of each group of verbs are, below ``appliance``; imported when one of them is asked for."""


WARNERS: Final = ("control.senders.news",)
"""Where the functions are that look at a change of the configuration before it is saved, by `warns`."""


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
        Those of the control service; without one, a long action ends with its caller.
    """

    session: Session
    caller: Caller
    report: Callable[[Progress], None] = field(default=lambda progress: None)
    jobs: Jobs | None = None

    def require(self, needed: Role, what: str) -> None:
        """Make sure that the caller may what a verb does only for some.

        Raises
        ------
        ControlError
            It is not allowed.
        """
        if self.caller.may(needed):
            return
        have = f"is {self.caller.role}" if self.caller.role else "has no role here"
        text = f"{what} is not allowed: it needs the role {needed}, and {self.caller.user} {have}"
        advice = f"have an administrator add {self.caller.user} to the group {GROUPS[needed]}"
        raise ControlError("not-allowed", text, advice, role=needed)


@dataclass(frozen=True)
class Bound:
    """A verb and the function that carries it out."""

    verb: AnyVerb
    run: Callable[[Asked, Any], Any]


_BOUND: Final[dict[str, Bound]] = {}


def carries_out(verb: Verb[Q, A]) -> Callable[[Callable[[Session, Q], A]], Callable[[Session, Q], A]]:
    """Enter a function of session and request into the table as the one that carries out a verb."""

    def enter(function: Callable[[Session, Q], A]) -> Callable[[Session, Q], A]:
        _enter(verb, lambda asked, request: function(asked.session, request))
        return function

    return enter


def carries_out_for_caller(verb: Verb[Q, A]) -> Callable[[Callable[[Asked, Q], A]], Callable[[Asked, Q], A]]:
    """Enter one that reports its progress, or must know its caller."""

    def enter(function: Callable[[Asked, Q], A]) -> Callable[[Asked, Q], A]:
        _enter(verb, function)
        return function

    return enter


def _enter(verb: AnyVerb, run: Callable[[Asked, Any], Any]) -> None:
    if verb.name in _BOUND:
        raise ValueError(f"{verb.name} is carried out by two functions")
    _BOUND[verb.name] = Bound(verb, run)


Warner = Callable[[Session, Config], tuple[str, ...]]
_WARNERS: Final[list[Warner]] = []


def warns(function: Warner) -> Warner:
    """Enter a function that says what a configuration would do that a person may not have meant."""
    _WARNERS.append(function)
    return function


def warnings_of(session: Session, wanted: Config) -> tuple[str, ...]:
    """Say what a configuration that can be used would do that a person may not have meant."""
    for module in WARNERS:
        _load(module)
    return tuple(text for warner in _WARNERS for text in warner(session, wanted))


def find(name: str) -> Bound:
    """Find a verb by its name.

    Raises
    ------
    ControlError
        There is none.
    """
    for module in MODULES.get(name.partition(".")[0], ()):
        _load(module)
    if name not in _BOUND:
        advice = suggest(name, table()) or "`docs/reference/control-api.md` lists them"
        raise ControlError("no-such-verb", f"there is no verb {name[:100]!r}", advice)
    return _BOUND[name]


def table() -> dict[str, Bound]:
    """Return all verbs by name."""
    for module in {module for modules in MODULES.values() for module in modules}:
        _load(module)
    return dict(sorted(_BOUND.items()))


def _load(module: str) -> None:
    with IMPORTING:
        importlib.import_module(f"appliance.{module}")


def carry_out(asked: Asked, bound: Bound, request: Any) -> Any:  # noqa: ANN401 - the verb's own models
    """Carry out a verb, if the caller may.

    Raises
    ------
    ControlError
        The caller may not, or it did not work.
    """
    asked.require(bound.verb.role, bound.verb.name)
    if not bound.verb.long or asked.jobs is None:
        return bound.run(asked, request)
    about = str(getattr(request, "name", ""))
    return asked.jobs.carry_out(
        bound.verb.name, about, asked.caller, lambda report: bound.run(replace(asked, report=report), request),
        asked.report,
    )  # fmt: skip
