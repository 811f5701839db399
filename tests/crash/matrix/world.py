"""A router's root and the targets beside it, to be looked through for every image."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mercure.clock import ManualClock
from mercure.config import ConfigStore, Root
from mercure.spool import Spool
from mercure.targets import MODELS
from tests.support.held import held

if TYPE_CHECKING:
    from pathlib import Path

TURN_HOURS = 1
COMPLETION = {"quiet_seconds": 60, "after_release_seconds": 5}
QUICK = {"first_seconds": 1, "cap_seconds": 2}


@dataclass
class World:
    """One folder: the router's root, folder targets, and a snapshot to begin again from.

    Time goes on by hours from one service's run to the next, so that nothing has to be waited for.
    """

    folder: Path
    runs: int = 0
    nodes: dict[str, Path] = field(default_factory=dict)
    """Folders of DICOM targets, by name."""
    node_port: int = 0
    """Where the DICOM target listens."""

    @property
    def root(self) -> Path:
        """The router's root."""
        return self.folder / "world" / "root"

    @property
    def spool(self) -> Spool:
        """The router's spool."""
        return Spool(self.root / "spool")

    def target(self, name: str) -> Path:
        """Return the folder of a folder target."""
        return self.nodes.get(name, self.folder / "world" / name)

    def folder_target(self, name: str, **more: Any) -> dict[str, Any]:
        """Make a folder, and return the settings of a target that delivers into it."""
        self.target(name).mkdir(parents=True, exist_ok=True)
        return {"kind": "folder", "path": str(self.target(name)), "retry": QUICK, "concurrency": 1, **more}

    def configure(self, content: dict[str, Any]) -> None:
        """Write the configuration, which must be a good one, and make the spool."""
        whole = {"version": 1, "completion": COMPLETION, **content}
        store = ConfigStore(Root(self.root), MODELS)
        store.root.config.mkdir(parents=True)
        store.mercure.save(store.parse(whole), author="tester", comment="", edited_from=0)
        self.spool.create()

    def clock(self) -> ManualClock:
        """Return a clock that stands hours after the last one."""
        self.runs += 1
        return ManualClock(datetime.now(UTC) + timedelta(hours=TURN_HOURS * self.runs), 1000.0 + 10_000 * self.runs)

    def keep(self) -> None:
        """Take a snapshot, hard links and all."""
        self._copy(self.folder / "world", self.folder / "kept")

    def restore(self) -> None:
        """Go back to the snapshot, under the same path."""
        self._copy(self.folder / "kept", self.folder / "world")

    def _copy(self, source: Path, destination: Path) -> None:
        if destination.exists():
            shutil.rmtree(destination)
        subprocess.run(["cp", "--archive", source, destination], check=True)

    def images_at(self, target: str) -> list[bytes]:
        """Return the data sets that a target holds."""
        return list(held(self.target(target)))

    def images_in(self, stage: str) -> list[bytes]:
        """Return the data sets in a stage; what is hidden (being built or removed) does not count."""
        return list(held(self.spool.root / stage))

    def everywhere(self) -> set[bytes]:
        """Return the data sets that are in any stage or at any target, under names that readers look at."""
        return {data for place in (self.folder / "world", *self.nodes.values()) for data in held(place)}
