"""Walk over the spool: what it holds, and what does not belong there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mercure.clock import Clock
from mercure.history.verify.report import Finding, Kind
from mercure.names import is_id
from mercure.spool import TASK_STAGES, Spool, Stage
from mercure.spool.task import IMAGE_SUFFIX, MEMBERS_FILE

OLD_SECONDS: Final = 86400.0
"""Age from which a hidden entry counts as left over."""

_SERIES_NAME: Final = re.compile(r"[0-9][0-9.]{0,63}|x[0-9a-f]{40}|none-.+")
_STUDY_NAME: Final = re.compile(rf"({_SERIES_NAME.pattern})\+.+")
_HOLD_STUDIES: Final = frozenset({Stage.ROUTING, Stage.ERROR, Stage.DISCARD})


@dataclass
class SpoolWalk:
    """One look at the names in the spool; things move while it is taken.

    Parameters
    ----------
    spool : Spool
        Where.
    clock : Clock
        For the age of hidden entries.
    """

    spool: Spool
    clock: Clock
    places: dict[str, Path] = field(default_factory=dict)
    """The directory of each task that was seen."""
    absorbed: dict[str, Path] = field(default_factory=dict)
    """The directory of the study into which a collected series was made, for each that this has happened to."""
    arrived: dict[str, list[str]] = field(default_factory=dict)
    """The images in ``incoming``, by folder."""
    quarantined: int = 0
    found: dict[str, Finding] = field(default_factory=dict)
    """What does not belong there, by its path."""

    def look(self) -> SpoolWalk:
        """Take the look: the stages in the order of a task's life, so that what moves on meanwhile is met later."""
        self._look_at_incoming()
        # A series may wait for its study, and come back into routing with it: routing is looked at on both sides.
        self._add_tasks(Stage.ROUTING)
        for study in self._entries(Stage.STUDIES, _STUDY_NAME.fullmatch):
            self._look_into(study)
        for stage in TASK_STAGES:
            self._add_tasks(stage)
        self.quarantined = sum(self._is_complete_quarantine(entry) for entry in self._entries(Stage.QUARANTINE, is_id))
        for _ in self._entries(Stage.RECEIVING, is_id):
            pass  # parts that were never acknowledged; only their names are looked at
        return self

    @property
    def incoming(self) -> int:
        """How many images are in ``incoming``."""
        return sum(map(len, self.arrived.values()))

    def place(self, task: str) -> Path | None:
        """Return where a task is, alone or as part of a study that is being made; None when it is nowhere."""
        return self.places.get(task) or self.absorbed.get(task)

    def stage_of(self, place: Path) -> Stage:
        """Return the stage in which a directory is."""
        return Stage(place.relative_to(self.spool.root).parts[0])

    def _look_at_incoming(self) -> None:
        for series in self._entries(Stage.INCOMING, _SERIES_NAME.fullmatch):
            try:
                with os.scandir(series) as entries:
                    names = [entry.name for entry in entries if entry.name.endswith(IMAGE_SUFFIX)]
            except FileNotFoundError:
                continue  # taken by the router
            self.arrived[series.name] = names

    def _add_tasks(self, stage: Stage) -> None:
        for path in self._entries(stage, is_id):
            self.places[path.name] = path
            if stage in _HOLD_STUDIES:
                self._look_into(path)

    def _look_into(self, folder: Path) -> None:
        """Note the series in the folder of a study, and those of which only the list of members is left."""
        try:
            with os.scandir(folder) as entries:
                names = {entry.name: Path(entry.path) for entry in entries if is_id(entry.name) or _is_list(entry)}
            if MEMBERS_FILE in names:
                self.absorbed |= dict.fromkeys(names.pop(MEMBERS_FILE).read_text(encoding="ascii").split(), folder)
        except FileNotFoundError:
            return  # it moved on
        self.places |= names

    def _is_complete_quarantine(self, entry: Path) -> bool:
        if not (entry / "reason.json").exists() and entry.is_dir():
            self._stray(entry, "has no reason.json")
        return True

    def _entries(self, stage: Stage, fits: Callable[[str], object]) -> Iterator[Path]:
        """Walk the directories of a stage whose names fit; note everything else."""
        try:
            with os.scandir(self.spool.stage(stage)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            self._stray(self.spool.stage(stage), "this stage is missing; the router makes it at its start")
            return
        for entry in found:
            if entry.name.startswith("."):
                self._note_hidden(entry)
            elif not fits(entry.name) or not entry.is_dir(follow_symlinks=False):
                self._stray(Path(entry.path), "is not in the form that this stage has")
            else:
                yield Path(entry.path)

    def _note_hidden(self, entry: os.DirEntry[str]) -> None:
        try:
            age = self.clock.now().timestamp() - entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return
        if age > OLD_SECONDS:
            text = f"{entry.path} is hidden and {age / 86400:.0f} days old: see why the cleaner leaves it"
            self.found[entry.path] = Finding(kind=Kind.LEFTOVER, text=text)

    def _stray(self, path: Path, what: str) -> None:
        self.found[str(path)] = Finding(kind=Kind.STRAY, text=f"{path} {what}")


def _is_list(entry: os.DirEntry[str]) -> bool:
    return entry.name == MEMBERS_FILE
