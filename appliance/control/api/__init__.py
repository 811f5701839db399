"""The verbs of the control API: names, requests, answers, roles; `appliance.control.registry` says what does each.

Whoever talks to the router imports this and no more, so it is light: no database, no network library, no supervisor.
Each group is imported when it is first used (`api.queue`): to build the models of all takes a tenth of a second.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from appliance.control.api import (
        backup,
        compare,
        configuration,
        exams,
        history,
        jobs,
        keep,
        modules,
        notifications,
        quarantine,
        queue,
        receipt,
        resend,
        rules,
        selftest,
        senders,
        services,
        status,
        streams,
        targets,
        tls,
        traffic,
        verification,
    )
    from appliance.control.api.base import AnyVerb

GROUPS: Final = (
    "status",
    "queue",
    "quarantine",
    "keep",
    "resend",
    "history",
    "exams",
    "traffic",
    "senders",
    "receipt",
    "notifications",
    "rules",
    "targets",
    "tls",
    "modules",
    "services",
    "configuration",
    "verification",
    "compare",
    "backup",
    "selftest",
    "jobs",
    "streams",
)
"""Modules of this package, in the order of the reference page."""


def __getattr__(name: str) -> ModuleType:
    """Import a group when it is first used."""
    if name in GROUPS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def all_verbs() -> tuple[AnyVerb, ...]:
    """Return every verb, group by group."""
    from appliance.control.api.base import Verb  # noqa: PLC0415 - as the groups

    modules = [importlib.import_module(f"{__name__}.{group}") for group in GROUPS]
    values = [value for module in modules for value in vars(module).values()]
    each = [one for value in values for one in (value.values() if isinstance(value, dict) else (value,))]
    return tuple({verb.name: verb for verb in each if isinstance(verb, Verb)}.values())


__all__ = [
    "GROUPS",
    "all_verbs",
    "backup",
    "compare",
    "configuration",
    "exams",
    "history",
    "jobs",
    "keep",
    "modules",
    "notifications",
    "quarantine",
    "queue",
    "receipt",
    "resend",
    "rules",
    "selftest",
    "senders",
    "services",
    "status",
    "streams",
    "targets",
    "tls",
    "traffic",
    "verification",
]
