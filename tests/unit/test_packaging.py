"""What a stranger would stumble over in a checkout: dependencies without a reason, locks that do not fit, addresses."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mercure

PROJECT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")

UNWELCOME = {
    # Where packages come from is the business of each machine; an address in a file breaks all others.
    "a package registry": re.compile(
        r"index[-_]url|find[-_]links|pypi\.(?:org|python)|pythonhosted\.|https?://[^\s\"']*/simple\b"
        r"|\"resolved\":|registry\.npmjs|(?:deb|security|ftp)\.(?:\w+\.)?debian\.org"
    ),
    "a path of one machine": re.compile(r"(?<![\w.}$)])/(?:work|farm|root|home)/"),
}


@cache
def tracked_files() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True)
    files = tuple(PROJECT / name for name in listing.stdout.split("\0") if name)
    assert len(files) > 20
    return tuple(path for path in files if path.is_file())


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def pins(lock: str) -> dict[str, str]:
    """Return the locked versions by name."""
    text = (PROJECT / lock).read_text(encoding="utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)}


@pytest.mark.parametrize("what", UNWELCOME)
def test_no_tracked_file_names(what: str) -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if UNWELCOME[what].search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:120]}")
    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a package registry", "--index" + "-url https://example.net/"),
        ("a package registry", "https://packages.example.net/root/" + "simple/"),
        ("a path of one machine", 'ROOT = "/home' + '/somebody/mercure"'),
    ],
)
def test_the_search_would_find(what: str, line: str) -> None:
    assert UNWELCOME[what].search(line)


def test_every_dependency_says_why_it_is_here() -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    requirements = list(pyproject()["project"]["dependencies"])
    for group in pyproject()["dependency-groups"].values():
        requirements += [entry for entry in group if isinstance(entry, str)]
    assert len(requirements) > 15
    silent = [entry for entry in requirements if not re.search(rf'"{re.escape(entry)}",\s+# \S.{{10,}}', text)]
    assert silent == []


def test_every_debian_package_says_why_it_is_here() -> None:
    lines = (PROJECT / "tools" / "debian-packages.txt").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert [
        line for line in entries if not re.fullmatch(r"(run|test|interop|provision) +[a-z0-9.+-]+ +# \S.{10,}", line)
    ] == []
    named = [tuple(line.split()[:2]) for line in entries]
    assert len(named) == len(set(named)) > 10


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_hashes_for_everything_and_no_address(lock: str) -> None:
    text = (PROJECT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ["dependencies"]),
        ("requirements-build.lock", ["build"]),
        ("requirements-dev.lock", ["dependencies", "build", "dev"]),
    ],
)
def test_locks_fit_pyproject(lock: str, groups: list[str]) -> None:
    known = {"dependencies": pyproject()["project"]["dependencies"], **pyproject()["dependency-groups"]}
    wrong = []
    for entry in (Requirement(entry) for group in groups for entry in known[group] if isinstance(entry, str)):
        version = pins(lock).get(canonicalize_name(entry.name))
        if version is None or not entry.specifier.contains(version, prereleases=True):
            wrong.append(f"{entry} (locked: {version})")
    assert wrong == [], "run `make lock`"


def test_tests_run_on_the_versions_that_a_box_gets() -> None:
    tested = pins("requirements-dev.lock")
    for lock in ("requirements.lock", "requirements-build.lock"):
        assert {name: tested.get(name) for name in pins(lock)} == pins(lock)


def test_version_is_the_same_everywhere() -> None:
    assert mercure.__version__ == pyproject()["project"]["version"] == metadata("mercure-appliance")["Version"]
    assert "## [Unreleased]" in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["mercure", "appliance", "tui"])
def test_packages_are_typed(package: str) -> None:
    assert (PROJECT / package / "py.typed").is_file()
