"""``docs/architecture.md``: every path in it exists, and what it says only one file does, only that one does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"
PRODUCT = sorted(path for package in ("mercure", "appliance", "tui") for path in (ROOT / package).rglob("*.py"))
SYNCED = {"rename", "renames", "replace", "link", "fsync", "fdatasync"}


def test_every_path_exists() -> None:
    spans = re.findall(r"`([^`\n]+)`", PAGE.read_text())
    paths = {span for span in spans if "/" in span and not span.startswith("/")}
    assert len(paths) > 60
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    assert [path for path in sorted(paths) if path.endswith("/") and not (ROOT / path).is_dir()] == []


def test_it_has_two_screens_and_fifteen_questions() -> None:
    lines = PAGE.read_text().splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120
    questions = lines[lines.index("## Where would I change …") :]
    assert sum(bool(re.match(r"\d+\. \*\*", line)) for line in questions) == 15


def test_it_can_be_found() -> None:
    for page in ("docs/index.md", "README.md", "CONTRIBUTING.md"):
        assert "architecture.md" in (ROOT / page).read_text(), page


def test_every_package_has_a_row() -> None:
    text = PAGE.read_text()
    packages = {f"mercure/{path.parent.name}/" for path in (ROOT / "mercure").glob("*/__init__.py")}
    assert sorted(package for package in packages if f"`{package}`" not in text) == []


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Return the syntax tree of a file, read once."""
    return list(ast.walk(ast.parse(path.read_text())))


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what a file calls: the name before the dot (or none), and the name."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield (function.value.id if isinstance(function.value, ast.Name) else "", function.attr)
            elif isinstance(function, ast.Name):
                yield "", function.id


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, wherever in it."""
    names = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def those(paths: list[Path]) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in paths}


def test_only_one_file_renames_links_and_syncs() -> None:
    # The log of a container beside its work folder, which no crash has to find: a link, so that it is not read twice.
    # What is appended to many times is synced by its writer, which counts that as a step itself.
    appended = {"mercure/events.py", "mercure/retention/finished.py"}
    beside_the_spool = {"mercure/runners/podman.py", *appended}
    found = [path for path in PRODUCT if any(place == "os" and name in SYNCED for place, name in calls(path))]
    assert those(found) - beside_the_spool == {"mercure/durable.py"}


def test_nothing_is_renamed_by_its_path() -> None:
    # A job script on the file system of the cluster.
    checked = {"os", "durable"}
    found = [path for path in PRODUCT if any(call == "rename" and on not in checked for on, call in calls(path))]
    assert those(found) <= {"mercure/runners/slurm_job.py"}


@pytest.mark.parametrize(
    ("function", "files"),
    [
        (
            "add_to_ledger",
            {"mercure/delivery/attempt.py", "mercure/delivery/results.py", "mercure/delivery/destinations.py"},
        ),
        ("write_rows", {"mercure/history/recorder.py"}),
    ],
)
def test_only_these_call(function: str, files: set[str]) -> None:
    assert those([path for path in PRODUCT if any(name == function for _, name in calls(path))]) == files


@pytest.mark.parametrize(
    ("library", "files"),
    [
        ("re2", {"mercure/rules/patterns.py"}),
        (
            "jinja2",
            {
                "mercure/notifications/templates.py",
                "appliance/receipts.py",
                "appliance/status_page/site.py",
            },
        ),
        ("smtplib", {"mercure/notifications/channels/email.py"}),
        ("inotify_simple", {"mercure/spool/watch.py"}),
        ("prometheus_client", {"appliance/status_page/prometheus.py"}),
        ("bottle", {"appliance/status_page/site.py"}),
    ],
)
def test_only_these_use_a_library(library: str, files: set[str]) -> None:
    assert those([path for path in PRODUCT if library in imported(path)]) == files


def test_the_wall_clock_is_read_in_one_place() -> None:
    # For people to read, or for how long a program of somebody else ran: no decision rests on these.
    shown = {
        "appliance/archive.py",
        "appliance/cli/history.py",
        "appliance/control/index.py",
        "appliance/control/rows.py",
        "appliance/doctor/host.py",
        "appliance/supervision/foreground.py",
        "mercure/processing/step_attempt.py",
        "mercure/runners/command.py",
        "appliance/presentation/figures.py",
    }
    readers = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("time", "time_ns")}
    found = those([path for path in PRODUCT if readers & set(calls(path))])
    assert found - shown == {"mercure/clock.py"}


def test_no_program_is_started_by_a_shell() -> None:
    assert [path for path in PRODUCT if "shell=True" in path.read_text()] == []
