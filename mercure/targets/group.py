"""Target group: a name for several targets, of which each task goes to one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from mercure.config import Retry, TargetSettings
from mercure.config.basics import Name
from mercure.targets.base import Check, DeliveryJob, ImageResult, Target, Trouble

Strategy = Literal["round-robin", "weighted", "least-queued", "sticky-study", "sticky-patient", "failover"]
Weight = Annotated[float, Field(gt=0, le=1_000_000)]

_OF_A_MEMBER: Final = ("concurrency", "retry", "timeout_seconds")
"""Settings that say how one destination is treated: a group has none of its own, and so no form offers them."""

_OF_THE_DESTINATION: Final = ("unreachable", "rejected", "timeout")
"""Troubles that say nothing of the images: another member may take them."""


class GroupSettings(TargetSettings):
    """Several targets; each task goes to one of them."""

    kind: Literal["group"]
    members: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
    """Other targets, by name. ``failover`` prefers them in this order."""
    strategy: Strategy
    """Which member takes a task."""
    concurrency: SkipJsonSchema[int] = 2
    """A group has none of its own; set it at the members."""
    retry: SkipJsonSchema[Retry] = Retry()
    """A group has none of its own; set it at the members."""
    timeout_seconds: SkipJsonSchema[float] = 3600
    """A group has none of its own; set it at the members."""
    weights: dict[Name, Weight] = {}
    """For ``weighted``: each member's share of the images, as a number relative to the others; 1 where not named."""

    split: bool = False
    """Whether one task may lie in parts at several members. Else a task that goes on at another member begins anew
    there, so that one member has all of it."""

    def leads_to(self) -> tuple[str, ...]:
        """Name the members."""
        return self.members

    def destination(self) -> str:
        """Return nothing: the member that takes an image is the place where it is."""
        return ""

    @field_validator("members")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is named twice; weights give a member a larger share")
        return value

    @field_validator(*_OF_A_MEMBER)
    @classmethod
    def _set_at_the_members(cls, value: object, info: ValidationInfo) -> object:
        # Accepting and ignoring it would leave a person waiting for an effect that never comes.
        if value != TargetSettings.model_fields[str(info.field_name)].default:
            raise ValueError("a group has no such setting of its own; set it at the members")
        return value

    @model_validator(mode="after")
    def _weights_fit(self) -> GroupSettings:
        if self.weights and self.strategy != "weighted":
            raise ValueError("'weights' are for the strategy 'weighted'; remove them, or choose that strategy")
        if self.strategy == "weighted" and not self.weights:
            raise ValueError("the strategy 'weighted' needs 'weights'; 'round-robin' treats all members the same")
        strangers = [name for name in self.weights if name not in self.members]
        if strangers:
            raise ValueError(f"{strangers[0]!r} has a weight and is not a member; its members: {list(self.members)}")
        return self


class GroupTarget:
    """A group outside the dispatcher: its state is queried, or it gets a single job by hand.

    The dispatcher does not deliver by it: it resolves each task to a member (`mercure.delivery.admission`), because
    slots, breakers and shares are kept for all dispatchers together.

    Parameters
    ----------
    settings : GroupSettings
        Who the members are.
    open_member : callable
        Makes the target of a member's name.
    """

    def __init__(self, settings: GroupSettings, open_member: Callable[[str], Target]) -> None:
        self._members = {name: open_member(name) for name in settings.members}
        self._split = settings.split

    def deliver(self, job: DeliveryJob) -> Trouble | None:
        """Give the images to the first member, in the order of the settings, that can be reached.

        What one member has taken is offered to the next as well, unless the group splits tasks.
        """
        stored: set[str] = set()
        end = time.monotonic() + job.seconds
        trouble: Trouble | None = None
        for name, member in self._members.items():
            rest = [file for file in job.files if not self._split or file not in stored]
            seconds = end - time.monotonic()
            if not rest or seconds <= 0 or job.stopping():
                break
            trouble = member.deliver(replace(job, files=rest, seconds=seconds, report=_noting(job, stored)))
            if trouble is None or trouble.kind not in _OF_THE_DESTINATION:
                return trouble
            trouble = Trouble(trouble.kind, f"member {name!r}: {trouble.text}")
        return trouble

    def check(self) -> Check:
        """Ask every member at once; the group is well as long as one of them is."""
        start = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(self._members)) as threads:
            answers = threads.map(lambda member: member.check(), self._members.values())
            checks = dict(zip(self._members, answers, strict=True))
        well = [name for name, check in checks.items() if check.ok]
        found = "; ".join(f"{name}: {'ok' if check.ok else 'down'}, {check.text}" for name, check in checks.items())
        text = f"{len(well)} of {len(checks)} members take images: {found}"
        return Check(bool(well), text, time.monotonic() - start)


def _noting(job: DeliveryJob, stored: set[str]) -> Callable[[ImageResult], None]:
    """Pass results on, and note what was stored."""

    def report(result: ImageResult) -> None:
        if result.stored:
            stored.add(result.file)
        job.report(result)

    return report
