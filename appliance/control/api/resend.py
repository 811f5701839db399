"""Sending again: what left the queue goes once more to its target, to others, or where the rules send it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Nothing, Verb
from appliance.control.api.compare import Compared
from appliance.control.api.history import Conditions
from mercure.model import Model
from mercure.routing.resend_jobs import How

_Uid = Annotated[str, Field(min_length=1, max_length=200)]


class Selection(Model):
    """Which tasks of ``success/``, ``discard/`` and ``error/`` are meant: those that are all that is given.

    `since` is when their series was taken; `target` the one that they were for, or the member of a group that they were
    offered to last; `rule` one that put them there, ``(no rule)`` where none wanted them;
    `listed` are task ids, accession numbers, patient ids, Study or Series Instance UIDs, any of which is enough;
    `instances` are the only SOP Instance UIDs that are meant; `tags` are conditions that the history holds true of the
    series (``history.tags``), or of one of the series of a study.
    """

    tasks: Annotated[tuple[_Uid, ...], Field(max_length=20_000)] = ()
    accession: _Uid | None = None
    patient: _Uid | None = None
    study: _Uid | None = None
    series: _Uid | None = None
    since: AwareDatetime | None = None
    rule: _Uid | None = None
    target: _Uid | None = None
    stages: tuple[Literal["success", "discard", "error"], ...] = ()
    listed: Annotated[tuple[_Uid, ...], Field(max_length=20_000)] = ()
    tags: Conditions = ()
    instances: Annotated[tuple[_Uid, ...], Field(max_length=20_000)] = ()


class PlanResend(Selection):
    """What is to be sent again, and how.

    `how`: ``again`` to its own target, ``elsewhere`` to `to`, ``anew`` to where the rules in force send it.
    `older`: also images of which there is a newer version; `off_peak`: only in the off-peak hours.
    """

    how: How
    to: Annotated[tuple[_Uid, ...], Field(max_length=50)] = ()
    older: bool = False
    off_peak: bool = False


def missing_of(found: Compared) -> PlanResend | None:
    """Return what sends just the images that are missing at a target and were meant for it; None: there are none."""
    missing = [it for it in found.missing if it.was_meant and it.task and it.why != "unclear"]
    if not missing:
        return None
    return PlanResend(
        how="again",
        target=found.target,
        listed=tuple(dict.fromkeys(it.task for it in missing)),
        instances=tuple(dict.fromkeys(it.sop for it in missing)),
    )


class BeginResend(PlanResend):
    """A plan that a person has seen, by its `digest`, and why it is carried out."""

    digest: str
    reason: Annotated[str, Field(max_length=2000)] = ""


class PlannedPlace(Model):
    """Where so many series of a plan go: a target, a module, a study, or nowhere, and by which rule."""

    name: str
    kind: Literal["target", "module", "study", "discard", "error"]
    series: int


class LeftOut(Model):
    """What is not sent, and why: so many tasks, some of them by name."""

    why: str
    tasks: int
    examples: tuple[str, ...] = ()


class ResendPlan(Model):
    """What would be sent again.

    `gone` are tasks that the history knows and that are no longer on the disk, absent where it cannot be asked;
    `arriving` the series of which images arrive just now, or whose study is not complete.
    """

    how: How
    series: int
    images: int
    bytes: int
    goes: tuple[PlannedPlace, ...] = ()
    left: tuple[LeftOut, ...] = ()
    gone: int | None = None
    arriving: int = 0
    not_found: tuple[str, ...] = ()
    digest: str


class ResendState(Model):
    """A job that sends again: who ordered it and why, how far it is, and what it left out."""

    id: str
    how: How
    by: str
    at: AwareDatetime
    reason: str = ""
    off_peak: bool = False
    state: Literal["running", "paused", "stopped", "done"]
    items: int
    done: int
    under_way: int = 0
    left: tuple[LeftOut, ...] = ()
    changed_by: str = ""


class Resends(Model):
    """The jobs that send again, the newest first."""

    jobs: tuple[ResendState, ...]


class OneResend(Model):
    """A job that sends again, by its id or the end of it."""

    job: Annotated[str, Field(min_length=4, max_length=200)]


PLAN: Final = Verb(
    "resend.plan", PlanResend, ResendPlan, "operator", "Say what would be sent again, and where it would go.", long=True
)
BEGIN: Final = Verb(
    "resend.begin",
    BeginResend,
    ResendState,
    "operator",
    "Send again what a plan says, as a job; to targets of one's own choice only as an administrator.",
    changes=True,
    long=True,
)
LIST: Final = Verb("resend.list", Nothing, Resends, "viewer", "List the jobs that send again.")
PAUSE: Final = Verb("resend.pause", OneResend, ResendState, "operator", "Pause a job that sends again.", changes=True)
RESUME: Final = Verb("resend.resume", OneResend, ResendState, "operator", "Resume a job that was paused.", changes=True)
STOP: Final = Verb(
    "resend.stop",
    OneResend,
    ResendState,
    "operator",
    "End a job that sends again: what it has put into the queue is delivered.",
    changes=True,
)
