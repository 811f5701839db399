"""Why a verb could not do what was asked: one exception, with a kind that programs can tell apart."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    from appliance.control.api.base import Difference, ErrorData, Problem, Role

E = TypeVar("E")
Kind = Literal[
    "failed",
    "invalid",
    "not-running",
    "busy",
    "not-found",
    "not-allowed",
    "stale",
    "not-json",
    "bad-request",
    "no-such-verb",
    "bad-parameters",
    "internal",
    "too-much",
]

MEANING: Final[dict[Kind, tuple[int, str]]] = {
    "not-json": (-32700, "the line is not JSON, or nested too deep"),
    "bad-request": (-32600, "it is JSON and no request: `jsonrpc`, `id`, `method` and `params` are wanted"),
    "no-such-verb": (-32601, "there is no verb of this name"),
    "bad-parameters": (-32602, "the parameters are not those of the verb"),
    "internal": (-32603, "a mistake in the router; its log tells more"),
    "failed": (-32000, "it was tried and did not work"),
    "invalid": (-32001, "it makes no sense for this object, or would make a configuration that cannot be used"),
    "not-running": (-32002, "no router runs in this root"),
    "busy": (-32003, "somebody works on it just now; nothing was changed"),
    "not-found": (-32004, "there is no such object"),
    "not-allowed": (-32005, "not for this user; `role` names the one that is needed"),
    "stale": (-32006, "the configuration was changed since it was read; `difference` tells how"),
    "too-much": (-32007, "a limit of size, time or number was reached"),
}
"""The code of each kind of error (JSON-RPC 2.0, section 5.1), and what it means."""

_log = logging.getLogger(__name__)

KIND_OF: Final[dict[int, Kind]] = {code: kind for kind, (code, _) in MEANING.items()}


class ControlError(Exception):
    """A verb did not do what was asked.

    Parameters
    ----------
    kind : Kind
        What sort of reason.
    text : str
        What happened, and where.
    advice : str
        What to do next; empty when there is nothing to add.
    role : Role, optional
        The role that would be needed.
    problems : tuple of Problem
        What is wrong with a configuration.
    difference : tuple of Difference
        What somebody else changed meanwhile.
    """

    def __init__(
        self,
        kind: Kind,
        text: str,
        advice: str = "",
        *,
        role: Role | None = None,
        problems: tuple[Problem, ...] = (),
        difference: tuple[Difference, ...] = (),
    ) -> None:
        super().__init__(f"{text}; {advice}" if advice else text)
        self.kind = kind
        self.text = text
        self.advice = advice
        self.role = role
        self.problems = problems
        self.difference = difference

    @property
    def code(self) -> int:
        """The number of this kind in an answer."""
        return MEANING[self.kind][0]

    def data(self) -> ErrorData:
        """Return what goes with the message."""
        from appliance.control.api.base import ErrorData  # noqa: PLC0415 - `mercure --help` does without pydantic

        return ErrorData(
            kind=self.kind,
            advice=self.advice,
            role=self.role,
            problems=self.problems,
            difference=self.difference,
        )


def no_such(what: str, name: str, known: Collection[str], none: str = "") -> ControlError:
    """Return the error for it: with the nearest name that there is, else with all of them.

    Parameters
    ----------
    what : str
        The sort of thing, in the singular.
    name : str
        What was asked for.
    known : collection of str
        The names that there are.
    none : str
        What to say where there are none; absent: just that.
    """
    from mercure.config.problems import suggest  # noqa: PLC0415 - faces do without the configuration

    every = f"there are {', '.join(known)}" if known else none or f"there are no {what}s"
    return ControlError("not-found", f"there is no {what} {name!r}", suggest(name, known) or every)


def control_error(verb: str, error: Exception) -> ControlError:
    """Turn whatever went wrong in a verb into an answer; what is no answer already is logged here."""
    if isinstance(error, ControlError):
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        text = f"{verb} did not work: {where}{error.strerror or error}"
        _log.warning("%s", text)
        return ControlError("failed", text, "see that the disk has room and works")
    # A mistake in one verb must not end the service for all.
    _log.error("a verb failed", extra={"verb": verb}, exc_info=error)
    text = f"{verb} met a mistake in the router: {type(error).__name__}"
    return ControlError("internal", text, "see log/control_00.log, and report it")


def entry_named(what: str, name: str, entries: Mapping[str, E], none: str = "") -> E:
    """Return the entry of this name; the arguments are those of `no_such`.

    Raises
    ------
    ControlError
        There is none.
    """
    if name not in entries:
        raise no_such(what, name, entries, none)
    return entries[name]
