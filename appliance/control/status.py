"""What can be seen of the router: services, what waits and since when, disk, associations, history, configuration.

What it amounts to is said by `appliance.control.alerts.health`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar

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
from appliance.control.configuration import files
from appliance.control.disk import disk_state, kept_state, quarantine_state
from appliance.control.errors import ControlError
from appliance.control.locks import Held
from appliance.control.machine import METER
from appliance.control.pace import Pace
from appliance.control.services.actions import list_services
from appliance.control.session import Session
from mercure.config import ConfigProblem
from mercure.delivery.target_status import outage_of
from mercure.history.database import HistoryError
from mercure.history.queries import History
from mercure.names import id_time, is_id
from mercure.processing.module_health import read_outage
from mercure.retention.nightly import read_proof
from mercure.retention.scrub import read_scrub
from mercure.spool import Spool, Stage
from mercure.spool.altered_images import AlteredBook
from mercure.spool.place import place_problems

T = TypeVar("T")

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


def facts(session: Session, pace: Pace | None = None) -> Status:
    """Look at everything, and judge nothing.

    Parameters
    ----------
    session : Session
        Of which router.
    pace : Pace, optional
        Of whoever looks every second: what costs much with many tasks is looked at as often as it says.

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
    return Status(
        root=str(session.root.path),
        time=session.clock.now(),
        unseen=unseen,
        running=bool(unseen) or any(service.processes for service in services),
        services=services,
        stages=tuple(_stage(session, stage, pace) for stage in SHOWN_STAGES),
        associations=_associations(session.spool),
        outages=tuple(_outages(session, pace)),
        module_outages=tuple(_module_outages(session)),
        disk=disk_state(session),
        machine=METER.machine(session.spool.root),
        copies=_copies(session),
        quarantine=_looked(pace, "quarantine", lambda: quarantine_state(session)),
        kept=_looked(pace, "keeps", lambda: kept_state(session)),
        history=_history(session),
        config=_config(session),
        verify=_verified(session),
        spool=tuple(SpoolProblem(text=problem.text, advice=problem.advice) for problem in _spool_problems(session)),
    )


def _stage(session: Session, stage: Stage, pace: Pace | None) -> StageState:
    count, oldest = _looked(pace, f"stage {stage.value}", lambda: _entries(session.spool, stage))
    age = None if oldest is None else max(0.0, (session.clock.now() - oldest).total_seconds())
    return StageState(stage=stage, count=count, oldest_seconds=age)


def _looked(pace: Pace | None, what: str, make: Callable[[], T]) -> T:
    return make() if pace is None else pace.look(what, make)


def _entries(spool: Spool, stage: Stage) -> tuple[int, datetime | None]:
    """Return how many entries a stage has, and since when the oldest is there."""
    if stage is Stage.STUDIES:
        names = sorted(task for _, task in spool.studies())
    else:
        names = [name for name in spool.names(stage) if stage is Stage.INCOMING or is_id(name)]
    if not names:
        return 0, None
    return len(names), _oldest_series(spool, names) if stage is Stage.INCOMING else id_time(names[0])


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


def _outages(session: Session, pace: Pace | None) -> Iterable[OutageState]:
    targets = session.config.targets
    found = {name: outage_of(session.spool, name, targets) for name in targets}
    down = {name: outage for name, outage in found.items() if outage is not None}
    if down:
        waiting = _looked(pace, "what waits", lambda: _waiting(session))
        for name, outage in down.items():
            asked = min(targets[name].retry.probe_seconds, targets[name].retry.cap_seconds)
            yield OutageState(target=name, outage=outage, waiting=waiting[name], asked_seconds=asked)


def _waiting(session: Session) -> Counter[str | None]:
    """Count the tasks in ``outgoing/`` by target."""
    return Counter(row.target for row in session.index.rows(session.spool, (Stage.OUTGOING,), Held()))


def _module_outages(session: Session) -> Iterable[ModuleOutageState]:
    for name, settings in session.config.modules.items():
        outage = None if settings.disabled else read_outage(session.spool, name)
        if outage is not None:
            yield ModuleOutageState(module=name, outage=outage)


def _scrub(session: Session) -> ScrubState:
    state, enabled = read_scrub(session.spool), session.config.scrub.every_days > 0
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


def _spool_problems(session: Session) -> list[ConfigProblem]:
    return place_problems(session.root.path, session.root.named_spool(session.config))


def _off_peak(session: Session) -> str:
    """Say when tasks of the off-peak hours are served; empty where no rule makes such tasks."""
    config = session.config
    if all(rule.priority != "offpeak" for rule in config.rules.values()):
        return ""
    zone = config.site.timezone
    state = "now" if config.off_peak.contains(session.clock.now(), zone) else "not now"
    return f"{config.off_peak.in_words(zone)}, {state}"


def _config(session: Session) -> ConfigState:
    shown = files.show(session)
    problems = [
        f"{file.file}: {problem.place}: {problem.text}" + (f" ({problem.advice})" if problem.advice else "")
        for file in (shown.mercure, shown.services)
        for problem in file.problems
    ]
    return ConfigState(
        revision=shown.mercure.revision,
        by_hand=shown.mercure.by_hand,
        problems=tuple(problems),
        open_to_all=session.config.is_open_to_all,
        site=session.config.site.in_words,
        off_peak=_off_peak(session),
    )
