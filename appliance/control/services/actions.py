"""What a person can do to the services: see them, start, stop, restart and scale them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from appliance.control.api.services import ProcessState, Scaled, ServiceChanged, ServiceState
from appliance.control.api.services import ServiceVerb as Verb
from appliance.control.configuration import changes
from appliance.control.errors import ControlError, Kind
from appliance.control.identity import require_owner
from appliance.control.naming import no_such
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
            processes=tuple(_process(info, crashes.recent(info.name, now)) for info in found if info.service == name),
        )
        for name, count in {**_instances(session.services.value), **dict.fromkeys(OWN, 1)}.items()
        # A page that is switched off, or run by somebody else under a user of its own, is nothing to worry about.
        if (name, count) != ("page", 0) or any(info.service == name for info in found)
    ]


def change(session: Session, name: str, verb: Verb, waiting: Waiting) -> ServiceChanged:
    """Start, stop or restart the processes of a service, and wait until it is done.

    Parameters
    ----------
    session : Session
        Where, and who.
    name : str
        The service.
    verb : str
        ``start``, ``stop`` or ``restart``.
    waiting : callable
        Told of the processes that are waited for, a few times a second.

    Raises
    ------
    ControlError
        There is no such service, no router runs, or a process did not do as told.
    """
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
    return ServiceChanged(name=name, verb=verb, processes=tuple(_process(info, 0) for info in after))


def scale(session: Session, name: str, instances: int, waiting: Waiting, *, edited_from: int | None = None) -> Scaled:
    """Give a service another number of processes, in the configuration and at once; no other process is restarted.

    Raises
    ------
    ControlError
        There is no such service, it cannot have so many, the configuration was changed meanwhile, or a process did not
        end in time.
    """
    loaded = session.services
    if edited_from is not None and edited_from != loaded.revision:
        raise changes.stale(session.store.services, edited_from)
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
    applied = _apply(session, services, waiting)
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


def _process(info: ProcessInfo, crashes: int) -> ProcessState:
    return ProcessState.model_validate({**info.model_dump(exclude={"service"}), "crashes": crashes})


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
