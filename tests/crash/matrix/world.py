"""A router's root and the targets beside it, to be looked through for every image."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mercure.clock import ManualClock
from mercure.config import Root
from mercure.services.common import open_store
from mercure.spool import Spool
from mercure.spool.place import in_force
from tests.oracle.judge import STAGE
from tests.oracle.lossless import as_explicit
from tests.oracle.meaning import DISCARD, ERROR, HELD
from tests.support.data_sets import data_set_of
from tests.support.held import arrivals, digest, digests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.oracle.record import Arrival
    from tests.support.certificates import Authority
    from tests.support.recording_node import RecordingNode

TURN_HOURS = 1
QUARANTINED = "quarantine/[!.]*/object.part"
COMPLETION = {"quiet_seconds": 60, "after_release_seconds": 5}
QUICK = {"first_seconds": 1, "cap_seconds": 2}
_NO_THREADS = {"nightly_verify": {"enabled": False}, "scrub": {"every_days": 0}}
"""Threads of the cleaner would take steps of their own, and no two runs would number theirs alike."""


@dataclass
class World:
    """One folder: the router's root, folder targets, and a snapshot to begin again from.

    Time goes on by hours from one service's run to the next, so that nothing has to be waited for.
    """

    folder: Path
    runs: int = 0
    nodes: dict[str, Path] = field(default_factory=dict)
    """Folders of targets that are stock ``storescp``, by name. What came there may have been converted without loss."""
    node_port: int = 0
    """Where that listens."""
    recording: dict[str, RecordingNode] = field(default_factory=dict)
    """DICOM targets that remember the order, by name."""
    folders: set[str] = field(default_factory=set)
    """Names of the folder targets."""
    others: tuple[str, ...] = ()
    """Names of the roots of other routers."""
    ports: dict[str, int] = field(default_factory=dict)
    """Where receivers listen while services work, by the name of the root."""
    other_disk: Path | None = None
    """A folder on another file system."""
    hospital: Authority | None = None
    """Who signs the certificates, where TLS is spoken."""
    steps: tuple[timedelta, ...] = ()
    """How wrong the wall clock is in one service's run after the other, over and over; monotonic clocks do not care."""

    @property
    def root(self) -> Path:
        """The router's root."""
        return self.folder / "world" / "root"

    @property
    def spool(self) -> Spool:
        """The router's spool, wherever it is."""
        return Spool(in_force(self.root, self.root / "spool"))

    @property
    def roots(self) -> tuple[Path, ...]:
        """The roots of all routers, this one's first."""
        return (self.root, *(self.folder / "world" / name for name in self.others))

    def target(self, name: str) -> Path:
        """Return the folder of a folder target."""
        return self.nodes.get(name, self.folder / "world" / name)

    def folder_target(self, name: str, **more: Any) -> dict[str, Any]:
        """Make a folder, and return the settings of a target that delivers into it."""
        self.target(name).mkdir(parents=True, exist_ok=True)
        self.folders.add(name)
        return {"kind": "folder", "path": str(self.target(name)), "retry": QUICK, "concurrency": 1, **more}

    def configure(self, content: dict[str, Any]) -> None:
        """Write the configuration, which must be a good one, and make the spool."""
        _configure(self.root, content)
        for name, following in zip(self.others, (*self.others[1:], self.root.name), strict=False):
            rules = {"all": {"rule": "True", "targets": ["next"]}}
            _configure(
                self.folder / "world" / name, {"targets": {"next": self.router_target(following)}, "rules": rules}
            )

    def router_target(self, name: str) -> dict[str, Any]:
        """Return the settings of a target that is the router of a root."""
        address = {"kind": "dicom", "host": "127.0.0.1", "port": self.ports[name], "called_aet": "MERCURE"}
        return {**address, "retry": QUICK, "concurrency": 1}

    def clock(self) -> ManualClock:
        """Return a clock that stands hours after the last one."""
        self.runs += 1
        wrong = self.steps[self.runs % len(self.steps)] if self.steps else timedelta()
        hours = timedelta(hours=TURN_HOURS * self.runs)
        return ManualClock(datetime.now(UTC) + hours + wrong, time.monotonic() + hours.total_seconds())

    def keep(self) -> None:
        """Take a snapshot, hard links and all."""
        for place, kept in self._places():
            self._copy(place, kept)
        self.kept_runs = self.runs
        self.reached = {name: node.state() for name, node in self.recording.items()}

    def restore(self) -> None:
        """Go back to the snapshot, under the same path."""
        for place, kept in self._places():
            self._copy(kept, place)
        self.runs = self.kept_runs
        for folder in self.nodes.values():
            for path in folder.iterdir():
                path.unlink()
        for name, node in self.recording.items():
            node.back_to(self.reached[name])

    def _places(self) -> Iterator[tuple[Path, Path]]:
        """Walk what changes in a run, each with where its snapshot is."""
        yield self.folder / "world", self.folder / "kept"
        if self.other_disk is not None:
            yield self.other_disk, self.folder / "kept disk"

    def _copy(self, source: Path, destination: Path) -> None:
        if destination.exists():
            shutil.rmtree(destination)
        subprocess.run(["cp", "--archive", source, destination], check=True)

    def arrivals(self) -> dict[str, list[Arrival]]:
        """Return what every target has, and what lies in the stages that may be the end of an image."""
        places = {name: self.target(name) for name in self.folders}
        places |= {place: self.spool.root / place.removeprefix(STAGE) for place in (DISCARD, ERROR, HELD)}
        found = {name: arrivals(folder) for name, folder in places.items()}
        found |= {name: arrivals(folder, read=as_explicit) for name, folder in self.nodes.items()}
        return found | {name: list(node.arrivals) for name, node in self.recording.items()}

    def everywhere(self) -> set[str]:
        """Return the digests of the data sets in any stage or at any target, under names that readers look at."""
        aside = {digest(data_set_of(path.read_bytes())) for path in self.spool.root.glob(QUARANTINED)}
        taken = {arrival.digest for node in self.recording.values() for arrival in node.arrivals}
        folders = [self.folder / "world", *filter(None, (self.other_disk,))]
        return digests(*folders) | digests(*self.nodes.values(), read=as_explicit) | taken | aside


def _configure(root: Path, content: dict[str, Any]) -> None:
    whole = {"version": 1, "completion": COMPLETION, **_NO_THREADS, **content}
    store = open_store(Root(root))
    store.root.config.mkdir(parents=True)
    store.mercure.save(store.parse(whole), author="tester", comment="", edited_from=0)
    Spool(root / "spool").create()
