"""What a target takes: asked once when a person wants it, kept in the spool, with settings that would suit it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from appliance.control.api import targets as api
from appliance.control.api.base import Progress
from appliance.control.api.targets import OneTarget, Probed, ProbeTarget, Proposal
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from appliance.control.targets.targets import find_node
from appliance.presentation.phrases import plural
from mercure import durable
from mercure.delivery.target_breaker import target_folder
from mercure.dicom.association import EXPLICIT_LITTLE, IMPLICIT_LITTLE, AssociationFailure
from mercure.dicom.capabilities import Capabilities, Pair
from mercure.dicom.capabilities import probe as ask
from mercure.dicom.uids import uid_name
from mercure.model import read_state
from mercure.spool import Spool, Stage, TagRecord, TaskError, load_task, read_tags
from mercure.spool.hints import make_folders
from mercure.spool.images import text as tag_text
from mercure.targets import DicomSettings

UNCOMPRESSED: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""In these every image can be had that can be converted at all."""

COMPRESSED: Final = (
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5",
)
"""Into these images are compressed, without loss, where a target's settings name them."""

_NEED_STAGES: Final = (Stage.OUTGOING, Stage.ERROR, Stage.SUCCESS)
_MOST_TASKS: Final = 200
"""Of each stage the newest are looked at."""

_MOST_RECORDS: Final = 20_000
_MOST_PAIRS: Final = 64
_UID: Final = re.compile(r"[0-9.]{1,64}")

_ROOM: Final = 3
"""A time limit is so many times as long as the slowest answer that was seen."""


@carries_out_for_caller(api.PROBE)
def probe(asked: Asked, wanted: ProbeTarget) -> Probed:
    """Ask a target what it takes, and keep the answer.

    Raises
    ------
    ControlError
        There is no such target, or it is no DICOM node.
    """
    session, name = asked.session, wanted.name
    settings = find_node(session, name)

    def tell(done: int, total: int) -> None:
        asked.report(Progress(done=done, total=total, text="negotiations"))

    found = ask(settings.question(wanted.associations, needed_by(session, name)), tell, session.clock)
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
    settings = find_node(session, name)
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


def needed_by(session: Session, name: str) -> tuple[Pair, ...]:
    """Return what images of a target's newest tasks are, waiting, failed and delivered: SOP class and transfer syntax.

    Most are of the standard, and asked for anyway. Private ones are known from here alone.
    """
    found: dict[Pair, None] = {}
    records = 0
    for stage in _NEED_STAGES:
        for task in session.spool.names(stage)[: -_MOST_TASKS - 1 : -1]:
            directory = session.spool.entry(stage, task)
            for record in _records_for(session, name, directory):
                records += 1
                pair = tag_text(record, "SOPClassUID"), tag_text(record, "TransferSyntaxUID")
                if all(map(_UID.fullmatch, pair)):
                    found[pair] = None
            if records > _MOST_RECORDS or len(found) > _MOST_PAIRS:
                return tuple(found)[:_MOST_PAIRS]
    return tuple(found)


def _records_for(session: Session, name: str, directory: Path) -> Sequence[TagRecord]:
    """Read the tag lines of a task that goes to a target, by itself or by a group."""
    try:
        target = load_task(directory).target or ""
        settings = session.config.targets.get(target)
        is_for_it = target == name or (settings is not None and name in settings.leads_to())
        return read_tags(directory) if is_for_it else ()
    except (TaskError, OSError):
        return ()  # it has just gone on, or is not one


def _path(spool: Spool, name: str) -> Path:
    return target_folder(spool, name) / "capabilities.json"


def _read(spool: Spool, name: str) -> Capabilities | None:
    return read_state(_path(spool, name), Capabilities)


def _keep(spool: Spool, name: str, found: Capabilities) -> None:
    path = _path(spool, name)
    make_folders(path.parent.parent, path.parent)
    durable.write_file(path, found.model_dump_json().encode())


def proposals(settings: DicomSettings, known: Capabilities) -> tuple[Proposal, ...]:
    """Return what could be set otherwise, and why."""
    return tuple(proposal for rule in _RULES for proposal in rule(settings, known))


def _transfer_syntaxes(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Have images converted where, as it is set now, the node would refuse them."""
    now = settings.transfer_syntaxes
    stuck = {it: taken for it, taken in known.classes.items() if not _gets_through(now, taken, known)}
    choices = (_as_needed(stuck), _compressed(stuck, known))
    for proposed, classes, why in choices:
        if classes and proposed != now:
            which = f"{plural(len(classes), 'SOP class', 'SOP classes')} ({uid_name(classes[0])} …)"
            reason = f"of {which} it does not take every image in the form in which it would go; {why}"
            yield Proposal(setting="transfer_syntaxes", now=list(now), proposed=list(proposed), reason=reason)
            return


_Choice = tuple[tuple[str, ...], list[str], str]
"""A value for the setting, the classes that it helps, and how it does."""


def _as_needed(stuck: Mapping[str, tuple[str, ...]]) -> _Choice:
    helped = [it for it, taken in stuck.items() if any(syntax in taken for syntax in UNCOMPRESSED)]
    return ("as-needed",), helped, "then it is converted without loss"


def _compressed(stuck: Mapping[str, tuple[str, ...]], known: Capabilities) -> _Choice:
    """Name all that it takes: what goes as it is before what can be made, or images would be made that need not be."""
    helped = [it for it, taken in stuck.items() if any(syntax in taken for syntax in COMPRESSED)]
    everything = {syntax for taken in known.classes.values() for syntax in taken}
    made = (*COMPRESSED, *UNCOMPRESSED)
    value = [it for it in known.asked_syntaxes if it in everything and it not in made]
    return (*value, *(it for it in made if it in everything)), helped, "then it is compressed without loss"


def _gets_through(now: tuple[str, ...], taken: tuple[str, ...], known: Capabilities) -> bool:
    """Tell whether an image of a class goes, whatever it is kept in."""
    if now == ("as-received",):
        return set(known.asked_syntaxes) <= set(taken)
    made = UNCOMPRESSED if now in (("as-needed",), ("uncompressed",)) else (*COMPRESSED, *UNCOMPRESSED)
    return any(syntax in taken and (made is UNCOMPRESSED or syntax in now) for syntax in made)


def _associations(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Open no more associations at once than it has."""
    at_once = known.at_once
    if at_once is None or not at_once.text or settings.concurrency * settings.associations <= max(1, at_once.accepted):
        return
    limit = max(1, at_once.accepted)
    concurrency = min(settings.concurrency, limit)
    reason = f"it has {plural(limit, 'association')} at once, and {settings.concurrency} tasks with "
    reason += f"{plural(settings.associations, 'association')} each are set"
    wanted = {"concurrency": concurrency, "associations": limit // concurrency}
    for setting, proposed in wanted.items():
        now = getattr(settings, setting)
        if proposed < now:
            yield Proposal(setting=setting, now=now, proposed=proposed, reason=reason)


def _patience(settings: DicomSettings, known: Capabilities) -> Iterator[Proposal]:
    """Wait longer for a node that answers slowly."""
    wanted = math.ceil(_ROOM * known.slowest_seconds)
    now = settings.acse_timeout_seconds
    if wanted > now:
        reason = f"an answer took {known.slowest_seconds:.1f} s"
        yield Proposal(setting="acse_timeout_seconds", now=now, proposed=wanted, reason=reason)


_RULES: Final[tuple[Callable[[DicomSettings, Capabilities], Iterator[Proposal]], ...]] = (
    _transfer_syntaxes,
    _associations,
    _patience,
)
