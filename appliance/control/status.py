"""How the router is: services, what waits and since when, disk, associations, history, configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from appliance.control import configuration
from appliance.control.alerts import DISK_WORDS
from appliance.control.api.services import ServiceState
from appliance.control.api.status import (
    ConfigState,
    CopiesState,
    HistoryState,
    ModuleOutageState,
    OutageState,
    ScrubState,
    SpoolProblem,
    StageState,
    Status,
    VerifyState,
)
from appliance.control.disk import disk_state
from appliance.control.errors import ControlError
from appliance.control.locks import Held
from appliance.control.services import list_services
from appliance.control.session import Session
from appliance.wording import plural
from mercure.bookkeeping.database import HistoryError
from mercure.bookkeeping.queries import History
from mercure.config import Problem
from mercure.config.place import place_problems
from mercure.delivery.reasons import outage_of
from mercure.names import id_time, is_id
from mercure.processing.health import read_outage
from mercure.retention.nightly import read_proof
from mercure.retention.scrub import read_state
from mercure.spool import Spool, Stage
from mercure.spool.altered import AlteredBook

SHOWN_STAGES: Final = (
    Stage.INCOMING,
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.ERROR,
    Stage.QUARANTINE,
    Stage.SUCCESS,
    Stage.DISCARD,
)
_DELIVERED: Final = f"{Stage.SUCCESS.value}/"
LATE_SECONDS: Final = 60.0
"""A history that is behind by more is a matter for a person."""


def status(session: Session) -> Status:
    """Look at everything.

    Raises
    ------
    ControlError
        The root has no configuration.
    """
    unseen = ""
    try:
        services = tuple(list_services(session))
    except ControlError as error:
        # There is a supervisor; what it would say is missing, and all else is told.
        services, unseen = (), str(error)
    found = Status(
        root=str(session.root.path),
        time=session.clock.now(),
        running=bool(unseen) or any(service.processes for service in services),
        services=services,
        stages=tuple(_stage(session, stage) for stage in SHOWN_STAGES),
        associations=_associations(session.spool),
        outages=tuple(_outages(session)),
        module_outages=tuple(_module_outages(session)),
        disk=disk_state(session),
        copies=_copies(session),
        history=_history(session),
        config=_config(session),
        verify=_verified(session),
        spool=tuple(SpoolProblem(text=problem.text, advice=problem.advice) for problem in _spool_problems(session)),
    )
    problems = [f"the services cannot be seen: {unseen}"] if unseen else []
    return found.model_copy(update={"problems": (*problems, *_problems(found))})


def _stage(session: Session, stage: Stage) -> StageState:
    spool = session.spool
    if stage is Stage.STUDIES:
        names = sorted(task for _, task in spool.studies())
    else:
        names = [name for name in spool.names(stage) if stage is Stage.INCOMING or is_id(name)]
    if not names:
        return StageState(stage=stage, count=0)
    oldest = _oldest_series(spool, names) if stage is Stage.INCOMING else id_time(names[0])
    age = None if oldest is None else max(0.0, (session.clock.now() - oldest).total_seconds())
    return StageState(stage=stage, count=len(names), oldest_seconds=age)


def _oldest_series(spool: Spool, names: Iterable[str]) -> datetime | None:
    """Return when the series that is longest without a new image got its last one."""
    times = []
    for name in names:
        try:
            times.append(os.stat(spool.entry(Stage.INCOMING, name)).st_mtime)
        except FileNotFoundError:
            continue
    return datetime.fromtimestamp(min(times), UTC) if times else None


def _associations(spool: Spool) -> int:
    held = Held()
    return sum(spool.entry(Stage.RECEIVING, name) in held for name in spool.names(Stage.RECEIVING))


def _outages(session: Session) -> Iterable[OutageState]:
    for name in session.config.targets:
        outage = outage_of(session.spool, name, session.config.targets)
        if outage is not None:
            yield OutageState(target=name, outage=outage)


def _module_outages(session: Session) -> Iterable[ModuleOutageState]:
    for name, settings in session.config.modules.items():
        outage = None if settings.disabled else read_outage(session.spool, name)
        if outage is not None:
            yield ModuleOutageState(module=name, outage=outage)


def _scrub(session: Session) -> ScrubState:
    state, enabled = read_state(session.spool), session.config.scrub.every_days > 0
    last, now = state.last, state.run
    finished = None if last is None else last.finished
    told = {} if last is None else last.model_dump(include={"images", "bytes", "altered", "unreadable", "uncheckable"})
    return ScrubState(
        enabled=enabled,
        finished=finished,
        age_seconds=None if finished is None else max(0.0, (session.clock.now() - finished).total_seconds()),
        begun=None if now is None else now.begun,
        done_bytes=0 if now is None else now.bytes,
        **told,
    )


def _verified(session: Session) -> VerifyState:
    proof, enabled = read_proof(session.spool), session.config.nightly_verify.enabled
    if proof is None:
        return VerifyState(enabled=enabled)
    age = max(0.0, (session.clock.now() - proof.finished).total_seconds())
    return VerifyState(enabled=enabled, age_seconds=age, **proof.model_dump())


def _copies(session: Session) -> CopiesState:
    images = AlteredBook(session.spool).images()
    states = [image.state for image in images]
    waiting = [image for image in images if not image.path.startswith(_DELIVERED)]
    return CopiesState(
        altered=states.count("altered"),
        unreadable=states.count("unreadable"),
        waiting=len(waiting),
        senders=tuple(sorted({image.sender for image in waiting if image.sender})),
        since=min((image.found for image in images), default=None),
        scrub=_scrub(session),
    )


def _history(session: Session) -> HistoryState:
    size, told = 0, 0.0
    for name in session.spool.names(Stage.OUTBOX):
        try:
            state = os.stat(session.spool.entry(Stage.OUTBOX, name))
        except FileNotFoundError:
            continue
        size, told = size + state.st_size, max(told, state.st_mtime if state.st_size else 0.0)
    try:
        with History.open(session.root, session.config) as history:
            nodes, whole = {lag.node: lag for lag in history.lag()}, history.size_bytes()
    except HistoryError as error:
        return HistoryState(outbox_bytes=size, problem=str(error))
    own = nodes.get(session.config.name)
    if own is None:
        return HistoryState(outbox_bytes=size, size_bytes=whole, lag_seconds=None if told else 0.0)
    lag = max(0.0, told - own.newest_event.timestamp()) if told else 0.0
    return HistoryState(outbox_bytes=size, size_bytes=whole, newest_event=own.newest_event, lag_seconds=round(lag, 3))


def _spool_problems(session: Session) -> list[Problem]:
    return place_problems(session.root.path, session.root.named_spool(session.config))


def _config(session: Session) -> ConfigState:
    shown = configuration.show(session)
    problems = [
        f"{file.file}: {problem.place}: {problem.text}" + (f" ({problem.advice})" if problem.advice else "")
        for file in (shown.mercure, shown.services)
        for problem in file.problems
    ]
    return ConfigState(revision=shown.mercure.revision, by_hand=shown.mercure.by_hand, problems=tuple(problems))


def _problems(found: Status) -> Iterable[str]:
    if not found.running:
        yield f"the router does not run: `mercure run --root {found.root}` starts it"
    else:
        yield from _service_problems(found.services)
    counts = {stage.stage: stage.count for stage in found.stages}
    if counts[Stage.ERROR]:
        text = plural(counts[Stage.ERROR], "task has failed and waits", "tasks have failed and wait")
        yield f"{text} for a person: `mercure queue list --stage error`"
    if counts[Stage.QUARANTINE]:
        text = plural(
            counts[Stage.QUARANTINE], "object could not be read and was", "objects could not be read and were"
        )
        yield f"{text} refused: see spool/quarantine"
    if found.copies.waiting:
        yield f"{plural(found.copies.waiting, 'image is', 'images are')} altered or lost on our disk: `mercure verify`"
    for item in found.outages:
        yield f"target {item.target!r} takes nothing since {item.outage.since:%Y-%m-%d %H:%M} UTC: {item.outage.error}"
    for down in found.module_outages:
        since = f"{down.outage.since:%Y-%m-%d %H:%M} UTC"
        yield f"module {down.module!r} cannot be run since {since}: {down.outage.error}"
    disk = found.disk
    if (state := disk.fault or disk.state) in DISK_WORDS:
        yield f"the disk of {disk.path} {DISK_WORDS[state][1]}"
    if found.history.problem:
        yield f"{found.history.problem}; events wait in the outbox, routing goes on"
    elif (found.history.lag_seconds or 0.0) > LATE_SECONDS:
        yield f"the history is {found.history.lag_seconds:.0f} s behind: see log/bookkeeper_00.log"
    yield from (f"{problem.text} ({problem.advice})" for problem in found.spool)
    yield from (
        f"the configuration cannot be used, revision {found.config.revision} goes on: {text}"
        for text in found.config.problems
    )


def _service_problems(services: Iterable[ServiceState]) -> Iterable[str]:
    for service in services:
        if not service.configured:
            yield f"{service.name} is configured to have no process"
        for process in service.processes:
            if process.state not in {"running", "starting"}:
                why = f" ({process.problem})" if process.problem else ""
                yield f"{process.name} is {process.state}{why}: see {process.log}"
