"""What a person can ask of targets: which there are, how they are, and whether they answer."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from appliance.control.api import targets as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.api.targets import EchoAnswer, EchoTarget, TargetState
from appliance.control.configuration import edits
from appliance.control.configuration.entries import save_entry
from appliance.control.configuration.hidden_values import hidden_values
from appliance.control.errors import ControlError, entry_named
from appliance.control.identity import require_owner
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from mercure.config import Config, TargetSettings
from mercure.delivery.target_breaker import read_outage
from mercure.delivery.target_certificate import note_certificate, read_certificate
from mercure.delivery.target_health import TargetHealth
from mercure.delivery.target_status import outage_of, taken_by
from mercure.dicom.tls import NodeCertificate, probe
from mercure.model import described_schema
from mercure.spool import Stage
from mercure.targets import MODELS, DicomSettings, open_target


def list_targets(session: Session) -> list[TargetState]:
    """List all targets with what waits for them, in the order of the configuration."""
    rows = session.rows((Stage.OUTGOING, Stage.ERROR))
    waiting = Counter(row.target for row in rows if row.stage is Stage.OUTGOING)
    images: Counter[str | None] = Counter()
    for row in rows:
        images[row.target] += row.images if row.stage is Stage.OUTGOING else 0
    failed = Counter(row.target for row in rows if row.stage is Stage.ERROR)
    config, hidden = session.config, hidden_values(session.config)
    return [
        TargetState(
            name=name,
            kind=settings.kind,
            disabled=settings.disabled,
            settings=hidden.shown(("targets", name), settings.model_dump(mode="json", exclude_defaults=True)),
            waiting=waiting[name],
            waiting_images=images[name],
            failed=failed[name],
            outage=outage_of(session.spool, name, config.targets),
            taken=taken_by(session.spool, name, config.targets),
            rules=tuple(rule for rule, content in config.rules.items() if name in content.targets),
            certificate=read_certificate(session.spool, name, settings),
        )
        for name, settings in config.targets.items()
    ]


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> api.Targets:
    """List all targets, with what the settings of each kind may be."""
    return api.Targets(
        targets=tuple(list_targets(session)),
        revision=session.loaded.revision,
        kinds={kind: described_schema(model) for kind, model in MODELS.items()},
    )


@carries_out_for_caller(api.ECHO)
def echo(asked: Asked, wanted: EchoTarget) -> EchoAnswer:
    """Ask a target whether it would take images now, leaving nothing there; also by settings that are not saved (yet).

    Such settings are for admins, who could save them: by them the router connects anywhere.

    Raises
    ------
    ControlError
        There is no such target, the settings cannot be used, or the caller may not try any.
    """
    session, name = asked.session, wanted.name
    if wanted.settings is not None:
        asked.require("admin", "an echo with settings that are not saved")
        return _echo_settings(session, name, wanted.settings)
    settings = find_target(session, name)
    check = open_target(settings, session.config.targets).check()
    if check.ok:
        look_at_certificate(session, name, settings)
        let_use(session, name)
    return EchoAnswer(target=name, kind=settings.kind, ok=check.ok, text=check.text, seconds=check.seconds)


def look_at_certificate(session: Session, name: str, settings: TargetSettings) -> NodeCertificate | None:
    """Return the certificate that a target shows, and keep when it ends; None where there is no TLS."""
    if not isinstance(settings, DicomSettings) or settings.tls is None:
        return None
    titles, seconds = (settings.called_aet, settings.calling_aet), settings.connect_timeout_seconds
    shown = probe(settings.tls, settings.host, settings.port, titles, seconds).tls
    # Who may not change anything here has seen it all the same; a delivery keeps it.
    with contextlib.suppress(ControlError, OSError):
        require_owner(session.spool.stage(Stage.STATE))
        if shown is not None:
            note_certificate(session.spool, name, settings, shown, session.clock.now())
    return shown


def let_use(session: Session, name: str, *, took: bool = False) -> None:
    """Let the dispatchers use a target that may be back; one that took no image is given one.

    Parameters
    ----------
    session : Session
        Where, and who.
    name : str
        The target; of a group all members.
    took : bool
        It was seen to take an image.
    """
    targets = session.config.targets
    settings = targets.get(name)
    members = settings.leads_to() if settings is not None else ()
    for other in members or (name,):
        if other not in targets or read_outage(session.spool, other) is None:
            continue
        # Who may not change anything here has found out all the same; the dispatchers find out by themselves.
        with contextlib.suppress(ControlError, OSError), session.changing() as events:
            health = TargetHealth(session.spool, events, session.clock, other, targets[other].retry)
            if took and not members:
                health.took()
            else:
                health.ask_now()


def _echo_settings(session: Session, name: str, content: dict[str, Any]) -> EchoAnswer:
    targets = edits.tried(session, edits.with_entry("targets", name, content)).targets
    settings = targets[name]
    check = open_target(settings, targets).check()
    return EchoAnswer(target=name, kind=settings.kind, ok=check.ok, text=check.text, seconds=check.seconds)


@carries_out(api.SAVE)
def save(session: Session, wanted: api.SaveTarget) -> Saved:
    """Add or change one target."""
    return save_entry(session, "targets.save", "targets", wanted.settings, wanted)


@carries_out(api.DELETE)
def delete(session: Session, wanted: api.DeleteTarget) -> Saved:
    """Remove one target."""
    return edits.apply(session, "targets.delete", wanted.name, edits.without("targets", wanted.name), wanted)


def find_target(session: Session, name: str) -> TargetSettings:
    """Return the settings of a target.

    Raises
    ------
    ControlError
        There is no such target.
    """
    return entry_named("target", name, session.config.targets)


def only_processed(config: Config, target: str, fired: Collection[str] | None = None) -> str:
    """Return the rule by which a target gets images only processed; empty where it may get them as they came.

    A group stands for its members, and names of one destination for each other.

    Parameters
    ----------
    config : Config
        The rules in force.
    target : str
        Where images are to go as they came.
    fired : collection of str, optional
        The rules that fired for them; without, what any rule sends there as received may go there.
    """
    places = _destinations(config, [target])
    for name, rule in config.rules.items():
        as_received = rule.action in ("route", "both") and (fired is None or name in fired)
        if as_received and places & _destinations(config, rule.targets):
            return ""
    for name, rule in config.rules.items():
        if rule.action == "process":
            chosen = [to for module in rule.modules if (it := config.modules.get(module)) for to in it.routes_to or ()]
            if places & _destinations(config, (*rule.targets, *chosen)):
                return name
    return ""


def _destinations(config: Config, names: Iterable[str]) -> set[str]:
    """Return the places that some targets stand for."""
    known = [config.targets[name] for name in names if name in config.targets]
    members = [config.targets[name] for it in known for name in it.leads_to() if name in config.targets]
    return {it.destination() for it in (*known, *members) if not it.leads_to()}


def find_node(session: Session, name: str) -> DicomSettings:
    """Return the settings of a target that is a DICOM node.

    Raises
    ------
    ControlError
        There is no such target, or it is no DICOM node.
    """
    settings = find_target(session, name)
    if isinstance(settings, DicomSettings):
        return settings
    members = settings.leads_to()
    advice = f"ask its members: {', '.join(members)}" if members else f"`mercure targets echo {name}` looks at it"
    raise ControlError("invalid", f"{name} is a {settings.kind} and no DICOM node: it cannot be asked", advice)
