"""What a person wants kept beyond its retention: add, list, remove; never more than the ceiling."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from appliance.control.api import keep as api
from appliance.control.api.base import Nothing
from appliance.control.api.keep import AddKeep, Keeping, KeepState, RemoveKeep
from appliance.control.disk import kept_now, kept_state
from appliance.control.errors import ControlError
from appliance.control.queue.task_actions import find_task
from appliance.control.registry import carries_out
from appliance.control.rows import KEPT_STAGES, Row
from appliance.control.session import Json, Session
from appliance.presentation.figures import size
from mercure.names import new_id
from mercure.retention.kept import ceiling, covered, kept_tasks, told
from mercure.spool import TASK_STAGES, Stage, Uptime, uptime
from mercure.spool.keeps import Keep, changing_keeps, read_keeps, remove_keep, save_keep

LONGEST: Final = timedelta(days=366)
"""What is to stay for longer belongs into an archive; a keep can be made anew before it ends."""

_NAMED: Final = 5
_COUNTED: Final = (*TASK_STAGES, Stage.STUDIES)


@carries_out(api.ADD)
def add(session: Session, wanted: AddKeep) -> KeepState:
    """Keep something.

    Raises
    ------
    ControlError
        The end is not in the future or too far, nothing of it is in the spool, or it is more than the ceiling.
    """
    keep = _keep_of(session, wanted)
    with session.changing() as events, changing_keeps(session.spool):
        lived = uptime(session.spool, session.clock)
        rows = session.rows(_COUNTED)
        if not any(keep.covers(row) for row in rows):
            raise _nothing(session, keep)
        in_force = [*read_keeps(session.spool).in_force(lived), keep]
        # All that waits counts too: it will lie there when it is delivered.
        most = ceiling(session.spool, session.config.retention.keep_percent)
        found = kept_tasks(session.spool, covered(rows, in_force), most)
        if found.beyond:
            text = f"{size(found.bytes)} would be kept, and at most {size(most)} may be (retention.keep_percent)"
            raise ControlError("too-much", text, "remove a keep that nobody needs, or send the images to an archive")
        save_keep(session.spool, keep)
        events.emit(told(keep, session.user), type="keep.added", task=keep.task or None)
        session.audit(events, "keep.add", keep.id, after=_facts(keep), task=keep.task or None)
        return _state(session, keep, session.rows(KEPT_STAGES), kept_now(session, in_force).beyond, lived)


def _keep_of(session: Session, wanted: AddKeep) -> Keep:
    """Check what is wanted, and return it as it will be written."""
    given = [name for name in ("task", "study", "patient", "accession") if getattr(wanted, name)]
    if len(given) != 1:
        raise ControlError("invalid", "one task, study, patient or accession number is kept", "give one of the four")
    now = session.clock.now()
    if wanted.until <= now:
        raise ControlError("invalid", f"{wanted.until:%Y-%m-%d %H:%M} is not in the future", "give a later end")
    if wanted.until - now > LONGEST:
        text = f"a keep ends within {LONGEST.days} days"
        raise ControlError("invalid", text, "what stays for longer belongs into an archive; or make it anew then")
    if not wanted.reason.strip():
        raise ControlError("invalid", "a keep has a reason", "say why: others will ask")
    task = find_task(session, wanted.task)[0] if wanted.task else ""
    study, patient = (wanted.study or "").strip(), (wanted.patient or "").strip()
    study = study or (_study_of(session, wanted.accession.strip()) if wanted.accession else "")
    if not (task or study or patient):
        raise ControlError("invalid", "it is blank", "name a task, a study or a patient")
    return Keep(
        id=new_id(now),
        by=session.user,
        at=now,
        until=wanted.until,
        reason=wanted.reason.strip(),
        task=task,
        study=study,
        patient=patient,
    )


def _study_of(session: Session, accession: str) -> str:
    """Return the study that has an accession number.

    Raises
    ------
    ControlError
        Nothing of it is in the spool, or several studies have it.
    """
    rows = session.rows(_COUNTED)
    found = sorted({row.study for row in rows if row.study and row.identity.AccessionNumber.strip() == accession})
    if not found or not accession:
        advice = "give the whole number; of a series that still arrives keep it when it is complete"
        raise ControlError("not-found", f"nothing with the accession number {accession!r} is in the spool", advice)
    if len(found) > 1:
        text = f"{len(found)} studies have the accession number {accession!r}: {', '.join(found[:_NAMED])}"
        raise ControlError("invalid", text, "keep each by its Study Instance UID")
    return found[0]


def _nothing(session: Session, keep: Keep) -> ControlError:
    if keep.task:
        text = f"task {keep.task} has just been removed"
        return ControlError("not-found", text, f"`mercure history tasks {keep.task}` tells what became of it")
    name = f"study {keep.study}" if keep.study else f"patient {keep.patient}"
    advice = "see `mercure queue list --stage success`; of a series that still arrives keep it when it is complete"
    return ControlError("not-found", f"nothing of {name} is in the spool", advice)


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> Keeping:
    """List the keeps, the newest first."""
    lived = uptime(session.spool, session.clock)
    keeps = read_keeps(session.spool).in_force(lived)
    rows, beyond = session.rows(KEPT_STAGES) if keeps else [], kept_now(session, keeps).beyond
    entries = tuple(_state(session, keep, rows, beyond, lived) for keep in reversed(keeps))
    return Keeping(**kept_state(session).model_dump(), entries=entries)


@carries_out(api.REMOVE)
def remove(session: Session, wanted: RemoveKeep) -> KeepState:
    """End a keep, also one that cannot be read.

    Raises
    ------
    ControlError
        There is none, or several end so.
    """
    with session.changing() as events, changing_keeps(session.spool):
        keep = _find(session, wanted.keep)
        remove_keep(session.spool, keep.id)
        events.emit(told(keep, session.user), type="keep.removed", task=keep.task or None)
        before = _facts(keep)
        session.audit(
            events, "keep.remove", keep.id, before=before, after={"reason": wanted.reason}, task=keep.task or None
        )
        lived = uptime(session.spool, session.clock)
        left = read_keeps(session.spool).in_force(lived)
        return _state(session, keep, session.rows(KEPT_STAGES), kept_now(session, left).beyond, lived)


def _find(session: Session, name: str) -> Keep:
    found = read_keeps(session.spool)
    now = session.clock.now()
    keeps = [*found.keeps, *(Keep(id=each, by="", at=now, until=now) for each in found.unreadable)]
    matching = [keep for keep in keeps if keep.id.endswith(name)]
    if len(matching) != 1:
        many = "several keeps end" if matching else "no keep ends"
        raise ControlError("not-found", f"{many} in {name!r}", "`mercure keep list` shows them")
    return matching[0]


def _facts(keep: Keep) -> dict[str, Json]:
    return {
        **{name: value for name in ("task", "study", "patient") if (value := getattr(keep, name))},
        "until": keep.until.isoformat(),
        "reason": keep.reason,
    }


def _state(session: Session, keep: Keep, rows: list[Row], beyond: frozenset[str], lived: Uptime) -> KeepState:
    mine = covered(rows, [keep])
    most = ceiling(session.spool, session.config.retention.keep_percent)
    return KeepState(
        **keep.model_dump(),
        seconds_left=round(keep.seconds_left(lived), 3),
        tasks=len(mine),
        bytes=kept_tasks(session.spool, mine, most).bytes,
        beyond=sum(row.id in beyond for row in mine),
    )
