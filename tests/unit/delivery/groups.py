"""A target group with scripted members."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercure.delivery.target_breaker import read_outage
from mercure.services import dispatcher as dispatcher_module
from mercure.spool import Stage, Task, load_task
from mercure.spool.delivered import holder
from tests.support.box import Box
from tests.support.targets import ScriptedTarget, confirms, numbers
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from mercure.config import TargetSettings
    from mercure.targets import DeliveryJob, Target, Trouble


RETRY = {"first_seconds": 10, "cap_seconds": 100}


class Group:
    """A group ``pacs`` whose members answer as the test tells them to."""

    def __init__(self, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.members: dict[str, ScriptedTarget] = {}
        monkeypatch.setattr(dispatcher_module, "open_target", self._open)

    def _open(self, settings: TargetSettings) -> Target:
        return self.members[settings.comment]

    def configure(self, strategy: str, *names: str, concurrency: int = 1, **settings: Any) -> None:
        """Write a configuration in which each member's comment names its script."""
        own = settings.pop("own", {})
        member = {"kind": "folder", "concurrency": concurrency, "retry": RETRY}
        targets: dict[str, Any] = {
            name: {**member, "path": f"/members/{name}", "comment": name, **own.get(name, {})} for name in names
        }
        targets["pacs"] = {"kind": "group", "strategy": strategy, "members": list(names), "order": "none", **settings}
        self.box.configure(targets=targets, rules={})
        self.members |= {name: ScriptedTarget() for name in names if name not in self.members}

    def task(self, series: str, images: int = 2, **fields: Any) -> str:
        return waiting_series(self.box, series, target="pacs", images=images, **fields)

    def took(self) -> dict[str, list[str]]:
        """Return which tasks each member was asked to take, in order."""
        return {name: [task for task, _ in member.asked] for name, member in self.members.items()}

    def member_of(self, task: str) -> str | None:
        """Return the member on record."""
        stage = self.box.spool.find(task)
        assert stage is not None
        return load_task(self.box.spool.entry(stage, task)).member

    def is_down(self, name: str) -> bool:
        return read_outage(self.box.spool, name) is not None

    def delivered(self) -> list[str]:
        return self.box.spool.names(Stage.SUCCESS)


def model(box: Box, task: str) -> Task:
    return load_task(box.spool.entry(Stage.OUTGOING, task))


def ledger_of(box: Box, task: str) -> dict[int, str]:
    """Return who has confirmed which image of a delivered task."""
    directory = box.spool.entry(Stage.SUCCESS, task)
    ledger = holder(directory, load_task(directory))
    return {numbers([name])[0]: line.target for name, line in ledger.items()}


def held_until(gate: threading.Event) -> Any:
    def behave(job: DeliveryJob) -> Trouble | None:
        assert gate.wait(20)
        return confirms(job)

    return behave
