"""A dispatcher over scripted targets, turned by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercure.services.dispatcher import Dispatcher
from mercure.spool import Changes, Stage
from tests.support.box import deliveries
from tests.support.polling import eventually
from tests.support.targets import ScriptedTarget

if TYPE_CHECKING:
    import pytest

    from mercure.config import TargetSettings
    from mercure.services.common import Context
    from tests.support.box import Box

RETRY = {"first_seconds": 10, "cap_seconds": 600, "max_refusals": 3}


@dataclass
class Desk:
    """Some dispatchers that work side by side on one spool."""

    box: Box
    targets: dict[str, ScriptedTarget] = field(default_factory=dict)
    contexts: list[Context] = field(default_factory=list)
    dispatchers: list[Dispatcher] = field(default_factory=list)

    def configure(self, names: str, **more: dict[str, Any]) -> None:
        """Configure targets of these names; ``more`` adds settings to single ones, or to the whole by ``top``."""
        settings = {
            name: {
                "kind": "folder",
                "path": f"/{name}",
                "comment": name,
                "retry": RETRY,
                "order": "none",
                **more.get(name, {}),
            }
            for name in names.split()
        }
        for name in names.split():
            self.targets.setdefault(name, ScriptedTarget())
        self.box.configure(targets=settings, rules={}, **more.get("top", {}))

    def open(self, settings: TargetSettings) -> ScriptedTarget:
        """Stand for `mercure.targets.open_target`."""
        return self.targets[settings.comment]

    def staff(self, count: int = 1) -> Dispatcher:
        """Start dispatchers; return the last."""
        for _ in range(count):
            context = self.box.context("dispatcher")
            self.contexts.append(context)
            self.dispatchers.append(Dispatcher(context))
        return self.dispatchers[-1]

    def turn(self) -> float:
        """Let each dispatcher look once; return the shortest wait."""
        waits = []
        for context, dispatcher in zip(self.contexts, self.dispatchers, strict=True):
            context.live.refresh()
            waits.append(dispatcher.turn(Changes.everything()))
        return min(waits)

    def settle(self, turns: int = 10_000) -> float:
        """Turn until nothing more can be done at this time of the clock; return the seconds until there may be."""
        for _ in range(turns):
            eventually(lambda: not deliveries(), seconds=60, what="the end of all deliveries")
            before = self.asked
            wait = self.turn()
            if self.asked == before and not deliveries():
                return wait
        raise AssertionError("the dispatchers never settle")

    @property
    def asked(self) -> int:
        """How often any target was asked for anything."""
        return sum(len(target.asked) + target.checks for target in self.targets.values())

    def count(self, stage: Stage) -> int:
        """Count the tasks in a stage."""
        return len(self.box.tasks(stage))


def opened(box: Box, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Make a desk whose targets are scripted."""
    desk = Desk(box)
    monkeypatch.setattr("mercure.services.dispatcher.open_target", desk.open)
    return desk
