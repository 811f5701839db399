"""Keeps: what a person wants kept beyond its retention."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from appliance.control.api.base import Nothing, Verb
from appliance.control.api.status import KeptState
from mercure.model import Model

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class AddKeep(Model):
    """What is to be kept, until when, and why: one of task (by its id or the end of it), study, patient and accession.

    The study that has the accession number is then kept.
    """

    task: _Name | None = None
    accession: _Name | None = None
    study: _Name | None = None
    patient: _Name | None = None
    until: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class RemoveKeep(Model):
    """A keep that is to end now, by its id or the end of it."""

    keep: Annotated[str, Field(min_length=4, max_length=200)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class KeepState(Model):
    """A keep: who wants what kept, why, until when, and what it keeps now.

    ``tasks`` are those in ``success/`` and ``discard/`` that it stands for, ``bytes`` their images, each once;
    ``beyond`` of these tasks do not fit under the ceiling and are not kept. ``seconds_left`` counts the time that the
    router has lived through: a step of its clock changes nothing.
    """

    id: str
    by: str
    at: AwareDatetime
    until: AwareDatetime
    seconds_left: float
    reason: str = ""
    task: str = ""
    study: str = ""
    patient: str = ""
    tasks: int = 0
    bytes: int = 0
    beyond: int = 0


class Keeping(KeptState):
    """All keeps, the newest first, and what they keep together."""

    entries: tuple[KeepState, ...] = ()


ADD: Final = Verb(
    "keep.add",
    AddKeep,
    KeepState,
    "operator",
    "Keep a task, a study or a patient beyond the retention, until a day, with a reason.",
    changes=True,
)
LIST: Final = Verb("keep.list", Nothing, Keeping, "viewer", "List what is kept beyond the retention, and how much.")
REMOVE: Final = Verb(
    "keep.remove", RemoveKeep, KeepState, "operator", "End a keep: the retention holds again.", changes=True
)
