"""Changed targets: who mends the settings of one wants to see at once whether that helped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from mercure.config import TargetSettings
from mercure.spool import Task


class TargetChanges:
    """Remembers the settings of all targets, and when they changed."""

    def __init__(self) -> None:
        self._known: Mapping[str, TargetSettings] = {}
        self._at: dict[str, datetime] = {}

    def follow(self, targets: Mapping[str, TargetSettings], now: datetime) -> Iterator[tuple[str, TargetSettings]]:
        """Compare the settings with those of the last time; yield the targets that changed, and groups' members."""
        known, self._known = self._known, targets
        if known is targets:
            return
        for name, settings in targets.items():
            if name in known and known[name] != settings:
                self._at[name] = now
                yield from ((other, targets[other]) for other in settings.leads_to() or (name,))

    def since(self, task: Task) -> bool:
        """Tell whether the target of a task, or the member of a group that had it, changed since it was last tried."""
        at = max((self._at[name] for name in (task.target, task.member) if name in self._at), default=None)
        return at is not None and bool(task.attempts) and task.attempts[-1].started < at
