"""``python -m tests.benchmarks.compare BASE [NAME …]``: this checkout against another revision, run in turns.

The other revision gets a worktree, a virtual environment and a build of its own, in a temporary folder. Both sides run
the benchmarks of this checkout, so that the same is measured; where these do not run on the other revision, its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.rows import PEERS

PROJECT: Final = Path(__file__).resolve().parents[2]
LEAST_PAIRS: Final = 5
WORSE: Final = 0.05
"""A row that is worse by more than this share is a failure."""

STDERR: Final = 2
"""Where the programs' own output goes."""

SPREAD: Final = 0.05
"""A row whose ratios spread by more than this says nothing about a difference of `WORSE`."""


class Measured(BaseModel):
    """A row of one run; `at_most` and `bound` tell whether less of it is better."""

    name: str
    unit: str
    ours: float
    at_most: bool = False
    bound: float | None = None

    @property
    def key(self) -> str:
        """What names the row on both sides."""
        return f"{self.name} [{self.unit}]"

    @property
    def more_is_better(self) -> bool:
        """Rates and what has a lower bound."""
        return not self.at_most and (self.bound is not None or self.unit.endswith("/s"))


@dataclass
class Compared:
    """A row over all pairs of runs.

    Parameters
    ----------
    more_is_better : bool
        Whether it is a rate.
    base, here : list of float
        What each side measured, pair by pair.
    """

    more_is_better: bool
    base: list[float] = field(default_factory=list)
    here: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """This checkout / the base, for each pair."""
        return [_ratio(here, base) for here, base in zip(self.here, self.base, strict=True)]

    @property
    def median(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> float:
        """How far the middle half of the ratios is spread, as a share of their median."""
        if self.median in (0, math.inf):  # as good, or as bad, as can be
            return 0.0
        low, _, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return (high - low) / self.median

    @property
    def is_measurable(self) -> bool:
        """Whether the ratios agree well enough to say something."""
        return self.spread <= SPREAD

    @property
    def is_worse(self) -> bool:
        """Whether it is measurable and worse by more than `WORSE`."""
        better = self.median if self.more_is_better else _ratio(1, self.median)
        return self.is_measurable and better < 1 - WORSE

    @property
    def verdict(self) -> str:
        """In a word."""
        if not self.is_measurable:
            return f"not measurable (spread over {SPREAD:.0%})"
        return "WORSE" if self.is_worse else "ok"


def _ratio(one: float, other: float) -> float:
    if other:
        return one / other
    return 1.0 if not one else math.inf


@dataclass(frozen=True)
class Comparison:
    """The rows that both sides have, and those that one has alone."""

    rows: Mapping[str, Compared]
    only_here: Sequence[str]
    only_base: Sequence[str]

    @property
    def worse(self) -> list[str]:
        """The rows that fail."""
        return [key for key, row in self.rows.items() if row.is_worse]


Run = Sequence[Measured]


def compare(pairs: Sequence[tuple[Run, Run]]) -> Comparison:
    """Bring the rows of some pairs of runs (base, here) together; a row counts when every run has it."""
    sides = [_common([pair[side] for pair in pairs]) for side in (0, 1)]
    rows: dict[str, Compared] = {}
    for base, here in pairs:
        known = {row.key: row for row in base}
        for row in {row.key: row for row in here}.values():
            if row.key in sides[0] and row.key in sides[1]:
                compared = rows.setdefault(row.key, Compared(row.more_is_better))
                compared.base.append(known[row.key].ours)
                compared.here.append(row.ours)
    return Comparison(rows, [key for key in sides[1] if key not in rows], [key for key in sides[0] if key not in rows])


def _common(runs: Sequence[Run]) -> list[str]:
    found = [{row.key: None for row in run} for run in runs]
    return [key for key in found[0] if all(key in run for run in found)] if found else []


def render(comparison: Comparison) -> str:
    """Write the table."""
    lines = [f"{'':72} {'base':>10} {'here':>10} {'ratio':>7} {'spread':>7}"]
    for key, row in comparison.rows.items():
        medians = f"{statistics.median(row.base):10.2f} {statistics.median(row.here):10.2f}"
        lines.append(f"{key:72} {medians} {row.median:7.3f} {row.spread:7.1%} {row.verdict}")
    lines += [f"{key:72} only here" for key in comparison.only_here]
    lines += [f"{key:72} only in the base" for key in comparison.only_base]
    return "\n".join(lines)


@dataclass
class Side:
    """A built checkout.

    Parameters
    ----------
    root : Path
        Where it is.
    """

    root: Path

    def measure(self, bench: str) -> Run | None:
        """Run one benchmark; None when it does not run here."""
        with tempfile.TemporaryDirectory(prefix="mercure-bench-") as folder:
            file = Path(folder) / "rows.json"
            environment = {key: value for key, value in os.environ.items() if key != "MERCURE_BUILD"}
            python, script = self.root / ".venv/bin/python", PROJECT / "tests/benchmarks/measure.py"
            code = _run(
                [python, "-P", script, bench, file],
                self.root,
                {**environment, "PYTHONPATH": str(self.root), PEERS: "no"},
            )
            if code != 0 or not file.exists():
                return None
            return [Measured.model_validate(row) for row in json.loads(file.read_text())]


class Base(Side):
    """The other revision, with the tests of this one in place of its own as long as they run there."""

    @property
    def _put_aside(self) -> Path:
        return self.root / ".tests-of-its-own"

    def take_tests(self, project: Path) -> None:
        """Put the tests of a checkout in the place of its own."""
        (self.root / "tests").rename(self._put_aside)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project / "tests", self.root / "tests", ignore=ignore, symlinks=True)

    def take_back(self) -> None:
        """Go back to its own tests."""
        if self._put_aside.exists():
            shutil.rmtree(self.root / "tests")
            self._put_aside.rename(self.root / "tests")


@contextmanager
def built(project: Path, commit: str) -> Iterator[Base]:
    """Give a revision of a repository, built, in a temporary folder; nothing is left of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="mercure-base-", dir="/var/tmp") as folder:
        root = Path(folder) / "base"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", root, commit], cwd=project, check=True)
        try:
            _build(root, project)
            yield Base(root)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", root], cwd=project, check=True)


def _build(root: Path, project: Path) -> None:
    """Make its programs without their tests, and an environment that can run benchmarks.

    It begins with a copy of ours: the set-up then installs what differs, and downloads nothing where nothing does.
    """
    shutil.copytree(project / ".venv", root / ".venv", symlinks=True)
    launcher = shutil.which("ccache")
    environment = {f"CMAKE_{language}_COMPILER_LAUNCHER": launcher for language in ("C", "CXX") if launcher}
    install = ["pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes"]
    commands: list[list[str | Path]] = [
        [root / "tools/setup", "run"],
        [root / ".venv/bin/python", "-m", *install, "--requirement", "requirements-dev.lock"],
    ]
    for command in commands:
        if _run(command, root, {**os.environ, **environment}) != 0:
            sys.exit("the base could not be built")


def _run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a program to its end; what it started ends with it, also when this here is told to end."""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=STDERR, process_group=0) as program:
        try:
            return program.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


def measured(base: Base, here: Side, bench: str, pairs: int) -> list[tuple[Run, Run]]:
    """Run a benchmark on both sides in turns: base, here, base, here …; without the base, where it has no such one.

    Raises
    ------
    SystemExit
        It does not run in this checkout.
    """
    base.take_tests(here.root)
    first = base.measure(bench)
    if first is None:
        say(f"{bench}: the benchmark of this checkout does not run in the base, which is measured by its own")
        base.take_back()
        first = base.measure(bench)
    done: list[tuple[Run, Run]] = []
    for number in range(pairs if first else 1):
        one = base.measure(bench) if number else first
        other = here.measure(bench)
        if other is None:
            sys.exit(f"{bench} does not run in this checkout")
        done.append((one or [], other))
        say(f"{bench}: pair {number + 1} of {pairs}")
    base.take_back()
    return done


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None, project: Path = PROJECT) -> int:
    """Compare; the exit code is 1 when a measurable row is worse by more than 5 %."""
    parser = argparse.ArgumentParser(prog="make bench BASE=COMMIT", description=__doc__)
    parser.add_argument("base")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=LEAST_PAIRS)
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the worktree goes, too
    pairs = max(LEAST_PAIRS, asked.pairs)
    results = []
    with built(project, asked.base) as base:
        for name in asked.names or BENCHMARKS:
            results.append(compare(measured(base, Side(project), name, pairs)))
    whole = Comparison(
        {key: row for one in results for key, row in one.rows.items()},
        [key for one in results for key in one.only_here],
        [key for one in results for key in one.only_base],
    )
    print(render(whole))
    measurable = sum(row.is_measurable for row in whole.rows.values())
    print(
        f"{len(whole.rows)} rows in {pairs} pairs, {measurable} measurable, {len(whole.worse)} worse by more than 5 %"
    )
    return 1 if whole.worse else 0


if __name__ == "__main__":
    sys.exit(main())
