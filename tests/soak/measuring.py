"""Memory and file descriptors of the services, from /proc, over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mercure.spool import Spool, Stage

MEBIBYTE = 1024 * 1024
GROWTH_MEBIBYTES = 8.0
KEEPS_HISTORY = "bookkeeper"
HISTORY_CACHE_MEBIBYTES = 64.0
"""What it may come to hold besides: SQLite's page cache, up to the `cache_size` of `mercure.history.database`, and
never more than there are pages in the file."""

KEEPS_INDEX = "cleaner"
INDEX_BYTES = 1024
"""What the cleaner may hold besides of each finished task (`mercure.retention.finished.Finished`, its stamp, and that
the history knows it): they grow with the spool, whatever the time."""

GROWTH_DESCRIPTORS = 8
ENOUGH_SAMPLES = 12


@dataclass(frozen=True)
class Sample:
    """One process at one moment."""

    pid: int
    mebibytes: float
    descriptors: int


@dataclass
class Samples:
    """What was seen of each process, by its name under supervision.

    Parameters
    ----------
    history
        The file of the history.
    finished
        Returns how many finished tasks are in the spool.
    """

    history: Path
    finished: Callable[[], int]
    seen: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def take(self, name: str, pid: int) -> None:
        """Look at a process; one that has just ended is passed over."""
        folder = Path(f"/proc/{pid}")
        try:
            resident = int((folder / "statm").read_text(encoding="ascii").split()[1]) * 4096
            descriptors = len(list((folder / "fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            return
        self.seen[name].append(Sample(pid, resident / MEBIBYTE, descriptors))

    def troubles(self) -> list[str]:
        """Name the processes that grew: the last third of the life of the longest-lived of each name beside its first.

        The very first samples are left out: a process that starts still loads what it needs. Of descriptors the fewest
        count: what has leaked is there in every sample, what is being worked on is not (the cleaner holds up to a
        hundred tasks while it removes them).
        """
        found = []
        for name, samples in self.seen.items():
            life = self._longest(samples)
            if len(life) < ENOUGH_SAMPLES:
                continue
            life = life[len(life) // 6 :]
            early, late = life[: len(life) // 3], life[-(len(life) // 3) :]
            memory = median(s.mebibytes for s in late) - median(s.mebibytes for s in early)
            descriptors = min(s.descriptors for s in late) - min(s.descriptors for s in early)
            if memory > GROWTH_MEBIBYTES + self._held(name):
                found.append(f"{name} grew by {memory:.1f} MiB")
            if descriptors > GROWTH_DESCRIPTORS:
                found.append(f"{name} holds {descriptors} more file descriptors")
        return found

    def _held(self, name: str) -> float:
        """Return how many MiB a process holds by design, and more as the run goes on."""
        if name.startswith(KEEPS_HISTORY):
            return min(HISTORY_CACHE_MEBIBYTES, self._history())
        return self.finished() * INDEX_BYTES / MEBIBYTE if name.startswith(KEEPS_INDEX) else 0.0

    def _history(self) -> float:
        return self.history.stat().st_size / MEBIBYTE if self.history.exists() else 0.0

    def lines(self) -> list[str]:
        """Say for each name how many processes it had, and the smallest and largest memory and descriptors."""
        return [
            f"  history of {self._history():.1f} MiB",
            *(
                f"  {name:<16} {len({sample.pid for sample in samples}):>3} processes, "
                f"{min(s.mebibytes for s in samples):.0f} to {max(s.mebibytes for s in samples):.0f} MiB, "
                f"{min(s.descriptors for s in samples)} to {max(s.descriptors for s in samples)} descriptors"
                for name, samples in sorted(self.seen.items())
                if samples
            ),
        ]

    @staticmethod
    def _longest(samples: list[Sample]) -> list[Sample]:
        lives: dict[int, list[Sample]] = defaultdict(list)
        for sample in samples:
            lives[sample.pid].append(sample)
        return max(lives.values(), key=len, default=[])


class StageAges:
    """Since when the entries of a stage are there, by the clock of the soak.

    The router's own figure (`mercure status`) counts from the time in an entry's name, which the soak sets wrong by
    days. An entry that is seen for the first time counts from then.
    """

    def __init__(self, spool: Spool, stage: Stage) -> None:
        self._spool = spool
        self._stage = stage
        self._since: dict[str, float] = {}

    def oldest(self) -> tuple[float, str]:
        """Look at the stage; return the age in seconds of what is there for the longest time, and its name.

        Where nothing is, it is 0, and there is no name.
        """
        now = monotonic()
        self._since = {name: self._since.get(name, now) for name in self._spool.names(self._stage)}
        name = min(self._since, key=self._since.__getitem__, default="")
        return now - self._since.get(name, now), name
