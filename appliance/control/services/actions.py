"""What a person can do to the services: see them, start, stop, restart and scale them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from appliance.control.api import services as api
from appliance.control.api.base import Nothing, Progress
from appliance.control.api.services import OneService, ProcessState, Scaled, ScaleService, ServiceChanged, ServiceState
from appliance.control.api.services import ServiceVerb as Verb
from appliance.control.configuration import changes
from appliance.control.errors import ControlError, Kind, no_such
from appliance.control.identity import require_owner
from appliance.control.machine import METER
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from appliance.supervision.client import ProcessInfo, SupervisorClient
from appliance.supervision.crashes import Crashes
from appliance.supervision.errors import NotRunningError, SupervisionDeniedError, SupervisionError
from appliance.supervision.programs import OWN, Program, programs
from mercure.config import ServicesFile

Waiting = Callable[[list[ProcessInfo]], None]

START_SECONDS: Final = 90.0
"""A service that fails to start is retried for about a minute; then it is known."""

_KINDS: Final[dict[type[SupervisionError], Kind]] = {
    NotRunningError: "not-running",
    SupervisionDeniedError: "not-allowed",
}


def list_services(session: Session) -> list[ServiceState]:
    """List all services, those of a router that does not run as configured and without processes."""
    try:
        with SupervisorClient(session.root.path) as client:
            found = client.processes()
    except NotRunningError:
        found = []
    except SupervisionError as error:
        raise _control_error(session, error) from error
    crashes, now = Crashes.read(session.root.run), session.clock.now()
    return [
        ServiceState(
            name=name,
            configured=count,
            processes=tuple(_measured(info, crashes, now) for info in found if info.service == name),
        )
        for name, count in {**_instances(session.services.value), **dict.fromkeys(OWN, 1)}.items()
        # A page that is switched off, or run by somebody else under a user of its own, is nothing to worry about.
        if (name, count) != ("page", 0) or any(info.service == name for info in found)
    ]


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> api.Services:
    """List all services, with the revision of how many processes each has."""
    return api.Services(services=tuple(list_services(session)), revision=session.services.revision)


@carries_out_for_caller(api.START)
def start(asked: Asked, wanted: OneService) -> ServiceChanged:
    """Start the processes of a service that do not run."""
    return _change(asked, wanted.name, "start")


@carries_out_for_caller(api.STOP)
def stop(asked: Asked, wanted: OneService) -> ServiceChanged:
    """Stop a service."""
    return _change(asked, wanted.name, "stop")


@carries_out_for_caller(api.RESTART)
def restart(asked: Asked, wanted: OneService) -> ServiceChanged:
    """Stop a service and start it."""
    return _change(asked, wanted.name, "restart")


def _change(asked: Asked, name: str, verb: Verb) -> ServiceChanged:
    """Start, stop or restart the processes of a service, and wait until it is done.

    Raises
    ------
    ControlError
        There is no such service, no router runs, or a process did not do as told.
    """
    session, waiting = asked.session, _waiting(asked)
    program = _program(session, name)
    with _client(session) as client, session.changing() as events:
        before = [info.state for info in client.processes() if info.service == name]
        if not before:
            advice = f"give it processes: `mercure service scale {name} 1`"
            raise ControlError("invalid", f"{name} is configured to have no process", advice)
        try:
            if verb in {"stop", "restart"}:
                client.stop(name, seconds=program.stop_seconds + START_SECONDS, waiting=waiting)
            if verb in {"start", "restart"}:
                client.start(name, seconds=START_SECONDS, waiting=waiting)
        finally:
            after = [info for info in client.processes() if info.service == name]
            states = [info.state for info in after]
            session.audit(events, f"services.{verb}", name, before=list(before), after=list(states))
    return ServiceChanged(name=name, verb=verb, processes=tuple(map(_process, after)))


def _waiting(asked: Asked) -> Waiting:
    """Report the processes that are waited for, once each time they change."""
    told: set[str] = set()

    def waiting(late: list[ProcessInfo]) -> None:
        text = ", ".join(f"{info.name} ({info.state})" for info in late)
        if text not in told:
            told.add(text)
            asked.report(Progress(text=f"waiting for {text}"))

    return waiting


@carries_out_for_caller(api.SCALE)
def scale(asked: Asked, wanted: ScaleService) -> Scaled:
    """Give a service another number of processes, in the configuration and at once; no other process is restarted.

    Raises
    ------
    ControlError
        There is no such service, it cannot have so many, the configuration was changed meanwhile, or a process did not
        end in time.
    """
    session, name, instances = asked.session, wanted.name, wanted.instances
    loaded = session.services
    if wanted.edited_from is not None and wanted.edited_from != loaded.revision:
        raise changes.stale(session.store.services, wanted.edited_from)
    before = _instances(loaded.value)
    _known(name, before)
    content = changes.current(session, "services", loaded.revision)
    content[name] = {**content.get(name, {}), "instances": instances}
    services: ServicesFile = changes.checked(session, "services", content)
    require_owner(session.root.config)
    revision = loaded.revision
    if services != loaded.value:
        change = changes.Change(
            verb="services.scale",
            object=name,
            content=content,
            edited_from=revision,
            comment=f"{name}: {before[name]} to {instances} processes",
            file="services",
            defaults={name: {"instances": before[name]}},
        )
        revision = changes.save(session, change).revision
    applied = _apply(session, services, _waiting(asked))
    return Scaled(name=name, before=before[name], after=instances, revision=revision, applied=applied)


def _apply(session: Session, services: ServicesFile, waiting: Waiting) -> bool:
    wanted = programs(session.root.path, services, session.config)
    try:
        with _client(session) as client:
            client.apply(wanted, waiting=waiting)
    except ControlError as error:
        if error.kind == "not-running":
            return False
        raise
    return True


def _program(session: Session, name: str) -> Program:
    services = session.services.value
    _known(name, _instances(services))
    return next(item for item in programs(session.root.path, services, session.config) if item.name == name)


def _known(name: str, names: dict[str, int]) -> None:
    if name in OWN:
        advice = "end the router and start it again; a crash of it is repaired by itself"
        raise ControlError("invalid", f"{name} belongs to the appliance, and is neither stopped nor scaled", advice)
    if name not in names:
        raise no_such("service", name, names)


def _instances(services: ServicesFile) -> dict[str, int]:
    return {name: settings.instances for name, settings in services if name != "version"}


def _process(info: ProcessInfo) -> ProcessState:
    return ProcessState.model_validate(info.model_dump(exclude={"service"}))


def _measured(info: ProcessInfo, crashes: Crashes, now: datetime) -> ProcessState:
    """Return a process with how often it ended unasked, and what it takes."""
    return _process(info).model_copy(
        update={
            "crashes": crashes.recent(info.name, now),
            "restarts": crashes.ends.get(info.name, 0),
            "figures": None if info.pid is None else METER.process(info.pid),
        }
    )


@contextmanager
def _client(session: Session) -> Iterator[SupervisorClient]:
    """Give the supervisor of the root; its errors come out as ours."""
    try:
        with SupervisorClient(session.root.path) as client:
            yield client
    except SupervisionError as error:
        raise _control_error(session, error) from error


def _control_error(session: Session, error: SupervisionError) -> ControlError:
    kind = _KINDS.get(type(error), "failed")
    root = session.root.path
    advice: dict[Kind, str] = {
        "not-running": f"`mercure run --root {root}` starts it",
        "not-allowed": "ask as the user to whom it belongs",
        "failed": f"see {root / 'log'}",
    }
    return ControlError(kind, str(error), advice[kind])
