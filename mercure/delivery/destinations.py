"""Which lines of a ledger count: those of the destination to which a task goes now.

A target is a name, and its address may change while a task is half delivered; a line belongs to the place that has the
image. Lines of a release that wrote none get it from the configuration revision in force when they were written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mercure.config import Config, ConfigError, ConfigStore, TargetSettings
from mercure.config.files import HAND_EDIT, Revision
from mercure.spool import LedgerLine, Task, add_to_ledger
from mercure.spool.images import ledger_lines
from mercure.targets import GroupSettings

Settings = Mapping[str, TargetSettings]


def counted_at(group: TargetSettings | None, own: TargetSettings, targets: Settings) -> frozenset[str]:
    """Return the destinations whose confirmations count when a target takes a task.

    Parameters
    ----------
    group : TargetSettings or None
        The group in whose name it takes it.
    own : TargetSettings
        The target that takes it.
    targets : mapping of str to TargetSettings
        All of the configuration.
    """
    if isinstance(group, GroupSettings) and group.split:
        return frozenset(targets[name].destination() for name in group.members if name in targets)
    return frozenset({own.destination()})


def counted_for(task: Task, targets: Settings) -> frozenset[str]:
    """Return the destinations whose confirmations count for a task as it stands; none where nobody takes it yet."""
    settings = targets.get(task.target or "")
    if settings is None:
        return frozenset()
    if not settings.leads_to():
        return counted_at(None, settings, targets)
    member = targets.get(task.member or "", settings)
    return counted_at(settings, member, targets) - {""}


@dataclass
class Past:
    """Where targets were when lines without a destination were written.

    Parameters
    ----------
    store : ConfigStore
        Whose revisions are asked.
    """

    store: ConfigStore
    _revisions: dict[int, Revision | None] = field(default_factory=dict)
    _targets: dict[int, Settings] = field(default_factory=dict)

    def destination(self, line: LedgerLine) -> str | None:
        """Return the destination of a line; None where it cannot be known, and the image has to be sent again."""
        if line.destination is not None:
            return line.destination
        found = set()
        for targets in self._in_force(line.time):
            settings = targets.get(line.target)
            found.add(settings.destination() if settings is not None else None)
        return found.pop() if len(found) == 1 else None

    def _in_force(self, instant: datetime) -> list[Settings]:
        """Return what may have been in force then: more than one where somebody has edited the file by hand since."""
        with contextlib.suppress(ConfigError, OSError):
            numbers = self.store.mercure.revisions()
            known = [number for number in numbers if self._revision(number) is not None]
            before = [number for number in known if self._time(number) <= instant]
            after = [number for number in known if self._time(number) > instant]
            if not before:
                return []
            states = [self._settings(before[-1])]
            if after and self._author(after[0]) == HAND_EDIT:
                states.append(self._settings(after[0]))
            if not after:
                loaded = self.store.mercure.load()
                states += [loaded.value.targets] if loaded.by_hand else []
            return states
        return []

    def _revision(self, number: int) -> Revision | None:
        if number not in self._revisions:
            try:
                self._revisions[number] = self.store.mercure.revision(number)
            except ConfigError:
                return None
        return self._revisions[number]

    def _time(self, number: int) -> datetime:
        revision = self._revision(number)
        assert revision is not None  # noqa: S101 - only known ones are asked for; this tells mypy
        return revision.time

    def _author(self, number: int) -> str:
        revision = self._revision(number)
        return revision.author if revision is not None else ""

    def _settings(self, number: int) -> Settings:
        if number not in self._targets:
            revision = self._revision(number)
            config: Config = self.store.parse(dict(revision.content) if revision is not None else {})
            self._targets[number] = config.targets
        return self._targets[number]


def adopt_lines(directory: Path, counted: Iterable[str], past: Callable[[LedgerLine], str | None]) -> None:
    """Give lines of an older release that count their destination, so that the ledger says it by itself from now on.

    Raises
    ------
    OSError
        The ledger cannot be written.
    """
    wanted = frozenset(counted)
    lines = ledger_lines(directory)
    known = {(line.file, line.destination) for line in lines}
    adopted = []
    for line in lines:
        place = past(line) if line.destination is None else None
        if place in wanted and (line.file, place) not in known:
            adopted.append(line.model_copy(update={"destination": place}))
            known.add((line.file, place))
    add_to_ledger(directory, adopted)
