"""The harness of the test guests, as far as it can be judged without booting one."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from tests.guests import sources, ssh, suite
from tests.guests.commands import GuestError, run
from tests.guests.guest import Guest
from tests.guests.places import Lab
from tests.guests.spec import Backend, Spec, patience

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS: Final = 20.0


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lab:
    monkeypatch.setenv("MERCURE_MOLECULE_STATE", str(tmp_path))
    return Lab("harness")


@pytest.fixture
def add(lab: Lab) -> Callable[[str, Backend], None]:
    def add(name: str, backend: Backend) -> None:
        (lab.folder / name).mkdir(parents=True)
        Spec(name, "10.66.0.11", backend=backend).save(lab.folder / name / "guest.json")

    return add


def seconds_to_connect(lab: Lab, guest: str) -> int:
    """Ask ssh itself what it makes of the configuration of the lab."""
    done = subprocess.run(
        ["ssh", "-G", "-F", lab.ssh_config, guest], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    return int(next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("connecttimeout ")))


def test_ssh_waits_longer_for_an_emulated_guest_than_for_a_container(
    lab: Lab, add: Callable[[str, Backend], None]
) -> None:
    add("quick", "nspawn")
    add("slow", "vm")
    ssh.write_config(lab)
    assert seconds_to_connect(lab, "slow") >= 10 * seconds_to_connect(lab, "quick")


def test_a_lab_is_as_patient_as_its_slowest_guest_asks(lab: Lab, add: Callable[[str, Backend], None]) -> None:
    assert patience(lab) == 1
    add("quick", "nspawn")
    assert patience(lab) == 1
    add("slow", "vm")
    assert patience(lab) == Spec("slow", "10.66.0.11", backend="vm").patience > 1


def test_a_scanner_hangs_up_on_a_router_that_says_nothing_and_tries_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as open_ones:
        silent.settimeout(SECONDS)
        words = ("127.0.0.1", str(silent.getsockname()[1]), "127.0.0.1", str(tmp_path / "account"), "0.1")
        with subprocess.Popen([sys.executable, "-m", "tests.guests.traffic", *words]) as scanner:
            try:
                for _ in range(2):
                    open_ones.enter_context(silent.accept()[0])
            finally:
                scanner.kill()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a repository with one commit of what a release is made of."""
    folder = tmp_path / "checkout"
    for name in ("appliance", "getdcmtags", "mercure", "tui", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("1")
    for name in ("LICENSE", "README.md", "pyproject.toml", "requirements-build.lock", "requirements.lock"):
        (folder / name).write_text("1")
    (folder / "mercure/__init__.py").write_text('__version__ = "0.1.0"\n')
    run("git", "init", "--quiet", folder)
    commit(folder, "tests/file", "the first")
    return folder


def commit(checkout: Path, file: str, content: str) -> str:
    (checkout / file).write_text(content)
    run("git", "-C", checkout, "add", ".")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run("git", "-C", checkout, *who, "commit", "--quiet", "--message", content)
    return run("git", "-C", checkout, "rev-parse", "HEAD")


def test_the_version_before_is_of_another_release_whatever_changed_since_beside_it(lab: Lab, checkout: Path) -> None:
    commit(checkout, "mercure/file", "the release before")
    commit(checkout, "tests/file", "its tests")
    commit(checkout, "mercure/file", "this release")
    commit(checkout, "getdcmtags/tests", "no part of a release")
    commit(checkout, "tests/file", "tests only")
    found = sources.before(lab, checkout)
    assert (found / "mercure/file").read_text() == "the release before"
    assert (found / "tests/file").read_text() == "its tests"


def test_a_change_that_is_not_committed_has_head_before_it(lab: Lab, checkout: Path) -> None:
    commit(checkout, "mercure/file", "committed")
    (checkout / "mercure/file").write_text("being written")
    assert (sources.before(lab, checkout) / "mercure/file").read_text() == "committed"


def test_a_tag_can_be_the_version_before(lab: Lab, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(checkout, "mercure/file", "released")
    run("git", "-C", checkout, "tag", "v1")
    for number in range(3):
        commit(checkout, "mercure/file", f"later {number}")
    monkeypatch.setenv(sources.BEFORE, "v1")
    assert (sources.before(lab, checkout) / "mercure/file").read_text() == "released"


def test_without_another_release_there_is_nothing_to_upgrade_from(
    lab: Lab, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = commit(checkout, "tests/file", "tests only")
    with pytest.raises(GuestError, match="every ancestor is the same release"):
        sources.before(lab, checkout)
    monkeypatch.setenv(sources.BEFORE, head)
    with pytest.raises(GuestError, match=f"{head} is the same release"):
        sources.before(lab, checkout)


def test_what_is_run_in_a_guest_is_given_to_pytest_word_by_word(tmp_path: Path) -> None:
    """A shell takes it as it was written: a name with blanks stays one word, and nothing else is carried out."""
    script = suite.script("tests/unit -k 'one or $(two)'").rpartition(" && ")[2]
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "python").chmod(0o755)
    shown = run("bash", "-c", script.replace(".venv/bin/python", str(tmp_path / "python"))).splitlines()
    assert shown == ["-m", "pytest", "-n", "2", "-m", "not slow", "tests/unit", "-k", "one or $(two)"]


def test_tests_are_not_run_in_a_guest_without_sources(lab: Lab, add: Callable[[str, Backend], None]) -> None:
    add("quick", "nspawn")
    with pytest.raises(GuestError, match="`snapshot` copies them"):
        suite.run_suite(Guest.named(lab, "quick"))
