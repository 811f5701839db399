"""``make bench BASE=COMMIT``: what two revisions measured in turns, and what is said of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import compare
from tests.benchmarks.compare import Measured

SETUP = f"""#!/bin/sh
mkdir -p .venv/bin
ln -sf {sys.executable} .venv/bin/python
"""
BENCHMARKS = """
import pathlib
from tests.benchmarks.rows import Row

def speed(folder):
    log = pathlib.Path({log!r})
    log.open("a").write(pathlib.Path("side").read_text())
    yield Row("speed", float(pathlib.Path("product").read_text()), "img/s")
    yield Row("latency", 1000 / float(pathlib.Path("product").read_text()), "ms")

def added(folder):
    yield Row("added", 1.0, "ms")

BENCHMARKS = {names}
"""
ROWS = """
from dataclasses import dataclass

@dataclass
class Row:
    name: str
    ours: float
    unit: str
    bound: float | None = None
    at_most: bool = False
"""


def pairs(base: list[float], here: list[float], unit: str = "img/s") -> list[tuple[compare.Run, compare.Run]]:
    def row(value: float) -> list[Measured]:
        return [Measured(name="row", unit=unit, ours=value)]

    return [(row(one), row(other)) for one, other in zip(base, here, strict=True)]


@pytest.mark.parametrize(
    ("base", "here", "unit", "verdict"),
    [
        ([100, 101, 99, 100, 100], [100, 100, 100, 99, 101], "img/s", "ok"),
        ([100, 101, 99, 100, 100], [94, 94, 94, 93, 94], "img/s", "WORSE"),
        ([100, 101, 99, 100, 100], [96, 96, 96, 96, 96], "img/s", "ok"),
        ([100, 101, 99, 100, 100], [120, 120, 120, 120, 120], "img/s", "ok"),
        ([100, 101, 99, 100, 100], [120, 120, 120, 120, 120], "ms", "WORSE"),
        ([100, 101, 99, 100, 100], [80, 80, 80, 80, 80], "ms", "ok"),
        # A machine that slows down for both is no reason to say anything.
        ([100, 50, 100, 50, 100], [99, 50, 100, 49, 100], "img/s", "ok"),
        ([100, 100, 100, 100, 100], [50, 150, 90, 70, 130], "img/s", "not measurable (spread over 5%)"),
        # One outlier among the pairs neither fails nor hides anything.
        ([100, 100, 100, 100, 100], [100, 100, 20, 100, 100], "img/s", "ok"),
        ([100, 100, 100, 100, 100], [90, 90, 300, 90, 90], "img/s", "WORSE"),
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], "% of a core", "ok"),
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], "% of a core", "WORSE"),
    ],
)
def test_what_is_said_of_a_row(base: list[float], here: list[float], unit: str, verdict: str) -> None:
    found = compare.compare(pairs(base, here, unit))
    assert found.rows[f"row [{unit}]"].verdict == verdict
    assert bool(found.worse) == (verdict == "WORSE")
    assert verdict in compare.render(found)


def test_a_bound_tells_which_way_is_better() -> None:
    assert Measured(name="a", unit="x", ours=1, bound=2).more_is_better
    assert not Measured(name="a", unit="kB/s", ours=1, bound=2, at_most=True).more_is_better


def test_rows_of_one_side_are_listed() -> None:
    both, new, old = (Measured(name=name, unit="ms", ours=1) for name in ("both", "new", "old"))
    found = compare.compare([([both, old], [both, new])] * 5)
    assert (list(found.rows), found.only_here, found.only_base) == (["both [ms]"], ["new [ms]"], ["old [ms]"])
    text = compare.render(found)
    assert "only here" in text
    assert "only in the base" in text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a repository whose one commit is twice as fast as what stands in its folder now."""
    folder = tmp_path / "project"
    (folder / "tools").mkdir(parents=True)
    (folder / "tests/benchmarks").mkdir(parents=True)
    (folder / "tools/setup").write_text(SETUP)
    (folder / "tools/setup").chmod(0o755)
    (folder / "requirements-dev.lock").write_text("")
    for package in ("tests", "tests/benchmarks"):
        (folder / package / "__init__.py").write_text("")
    (folder / "tests/benchmarks/rows.py").write_text(ROWS)
    write(folder, side="b", product="200", names='{"speed": speed}')
    (folder / ".gitignore").write_text(".venv\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "base")
    subprocess.run([folder / "tools/setup"], cwd=folder, check=True)
    write(folder, side="h", product="100", names='{"speed": speed, "added": added}')
    return folder


def write(folder: Path, *, side: str, product: str, names: str) -> None:
    text = BENCHMARKS.format(log=str(folder.parent / "log"), names=names)
    (folder / "tests/benchmarks/__main__.py").write_text(text)
    (folder / "side").write_text(side)
    (folder / "product").write_text(product)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_two_revisions_are_built_and_run_in_turns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["HEAD", "speed", "added"], project) == 1
    told = capsys.readouterr().out
    assert (project.parent / "log").read_text() == "bh" * 5
    rows = {line.split()[0]: line for line in told.splitlines()[1:]}
    assert rows["speed"].split()[2:] == ["200.00", "100.00", "0.500", "0.0%", "WORSE"]
    assert rows["latency"].split()[2:] == ["5.00", "10.00", "2.000", "0.0%", "WORSE"]
    assert "ok" in rows["added"], "the benches of this checkout run in the base, too"
    assert told.splitlines()[-1] == "3 rows in 5 pairs, 3 measurable, 2 worse by more than 5 %"
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_a_base_in_which_the_benches_of_now_do_not_run_has_its_own(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "tests/benchmarks/__main__.py").open("a") as file:
        file.write("pathlib.Path('only-here').read_text()\n")
    (project / "only-here").write_text("")
    assert compare.main(["HEAD", "speed", "added"], project) == 1
    told = capsys.readouterr().out
    rows = {line.split()[0]: line for line in told.splitlines()[1:]}
    assert rows["speed"].endswith("WORSE")
    assert rows["added"].endswith("only here")


def test_a_base_that_cannot_be_built_is_removed(project: Path) -> None:
    (project / "tools/setup").write_text("#!/bin/sh\nexit 1\n")
    git(project, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qam", "broken")
    with pytest.raises(SystemExit, match="could not be built"):
        compare.main(["HEAD", "speed"], project)
    assert len(git(project, "worktree", "list").splitlines()) == 1
