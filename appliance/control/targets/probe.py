"""What a target takes: asked once when a person wants it, kept in the spool, with settings that would suit it."""

from __future__ import annotations

from pathlib import Path

from appliance.control.api import targets as api
from appliance.control.api.base import Progress
from appliance.control.api.targets import OneTarget, Probed, ProbeTarget
from appliance.control.errors import ControlError
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from appliance.control.targets.proposals import proposals
from appliance.control.targets.targets import find_target
from mercure import durable
from mercure.delivery.target_breaker import target_folder
from mercure.dicom.association import AssociationFailure
from mercure.dicom.capabilities import Capabilities
from mercure.dicom.capabilities import probe as ask
from mercure.model import read_state
from mercure.spool import Spool
from mercure.spool.hints import make_folders
from mercure.targets import DicomSettings


@carries_out_for_caller(api.PROBE)
def probe(asked: Asked, wanted: ProbeTarget) -> Probed:
    """Ask a target what it takes, and keep the answer.

    Raises
    ------
    ControlError
        There is no such target, or it is no DICOM node.
    """
    session, name = asked.session, wanted.name
    settings = _node(session, name)

    def tell(done: int, total: int) -> None:
        asked.report(Progress(done=done, total=total, text="negotiations"))

    found = ask(settings.question(wanted.associations), tell, session.clock)
    before = _read(session.spool, name)
    if before is not None and before.node != settings.destination():
        before = None
    if isinstance(found, AssociationFailure):
        answer = _told(session, name, settings, before)
        return answer.model_copy(update={"ok": False, "text": found.text, "advice": found.advice})
    if found.at_once is None and before is not None:
        found = found.model_copy(update={"at_once": before.at_once})
    _keep(session.spool, name, found)
    return _told(session, name, settings, found)


@carries_out(api.KNOWN)
def known(session: Session, wanted: OneTarget) -> Probed:
    """Tell what a target said last, and what follows for its settings of now.

    Raises
    ------
    ControlError
        There is no such target, or it is no DICOM node.
    """
    name = wanted.name
    settings = _node(session, name)
    found = _read(session.spool, name)
    if found is not None and found.node == settings.destination():
        return _told(session, name, settings, found)
    text = "was never asked what it takes" if found is None else "was another node when it was asked what it takes"
    advice = f"`mercure targets probe {name}` asks it"
    return _told(session, name, settings, None).model_copy(update={"text": f"{name} {text}", "advice": advice})


def _told(session: Session, name: str, settings: DicomSettings, found: Capabilities | None) -> Probed:
    revision = session.loaded.revision
    if found is None:
        return Probed(target=name, ok=False, revision=revision)
    wanted = proposals(settings, found)
    changed = {each.setting: each.proposed for each in wanted}
    now = settings.model_dump(mode="json", exclude_defaults=True)
    return Probed(
        target=name,
        ok=not found.unfinished,
        text=f"not all was asked: {found.unfinished}" if found.unfinished else "",
        advice="ask it again" if found.unfinished else "",
        known=found,
        proposals=wanted,
        settings={"kind": settings.kind, **now, **changed} if wanted else None,
        revision=revision,
    )


def _node(session: Session, name: str) -> DicomSettings:
    settings = find_target(session, name)
    if isinstance(settings, DicomSettings):
        return settings
    members = settings.leads_to()
    advice = f"ask its members: {', '.join(members)}" if members else f"`mercure targets echo {name}` looks at it"
    raise ControlError("invalid", f"{name} is a {settings.kind} and no DICOM node: it negotiates nothing", advice)


def _path(spool: Spool, name: str) -> Path:
    return target_folder(spool, name) / "capabilities.json"


def _read(spool: Spool, name: str) -> Capabilities | None:
    return read_state(_path(spool, name), Capabilities)


def _keep(spool: Spool, name: str, found: Capabilities) -> None:
    path = _path(spool, name)
    make_folders(path.parent.parent, path.parent)
    durable.write_file(path, found.model_dump_json().encode())
