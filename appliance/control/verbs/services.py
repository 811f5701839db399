"""``services.*``."""

from __future__ import annotations

from collections.abc import Callable

from appliance.control.api import services as api
from appliance.control.api.base import Nothing, Progress
from appliance.control.services import actions, logs
from appliance.control.verbs import Asked, carries_out
from appliance.supervision.client import ProcessInfo


def _waiting(asked: Asked) -> Callable[[list[ProcessInfo]], None]:
    """Tell of the processes that are waited for, once each time they change."""
    told: set[str] = set()

    def waiting(late: list[ProcessInfo]) -> None:
        text = ", ".join(f"{info.name} ({info.state})" for info in late)
        if text not in told:
            told.add(text)
            asked.report(Progress(text=f"waiting for {text}"))

    return waiting


@carries_out(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Services:
    """List them."""
    found = actions.list_services(asked.session)
    return api.Services(services=tuple(found), revision=asked.session.services.revision)


@carries_out(api.START)
def start(asked: Asked, wanted: api.OneService) -> api.ServiceChanged:
    """Start a service."""
    return actions.change(asked.session, wanted.name, "start", _waiting(asked))


@carries_out(api.STOP)
def stop(asked: Asked, wanted: api.OneService) -> api.ServiceChanged:
    """Stop a service."""
    return actions.change(asked.session, wanted.name, "stop", _waiting(asked))


@carries_out(api.RESTART)
def restart(asked: Asked, wanted: api.OneService) -> api.ServiceChanged:
    """Stop a service and start it."""
    return actions.change(asked.session, wanted.name, "restart", _waiting(asked))


@carries_out(api.SCALE)
def scale(asked: Asked, wanted: api.ScaleService) -> api.Scaled:
    """Give a service another number of processes."""
    waiting = _waiting(asked)
    return actions.scale(asked.session, wanted.name, wanted.instances, waiting, edited_from=wanted.edited_from)


@carries_out(api.LOG)
def log(asked: Asked, wanted: api.ReadLog) -> api.Log:
    """Read the end of a log."""
    return logs.tail(asked.session, wanted.name, wanted.lines)
