"""The receiver's launcher: its configuration for the program, and the program's life."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mercure.dicom import tools
from mercure.dicom.receiver_program import receiver_settings
from mercure.services.receiver import Launcher, ReceiverEndedError
from mercure.spool import Changes
from tests.support.polling import eventually
from tests.support.procfs import is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.box import Box

SCRIPT = """#!{python}
# Stands for mercure-storescp: notes its start and each HUP, and ends on TERM.
import os, signal
def note(text):
    with open({log!r}, "a") as file:
        file.write(text + chr(10))
def end(*_):
    note("term")
    if {ends}:
        os._exit(0)
signal.signal(signal.SIGHUP, lambda *_: note("hup"))
signal.signal(signal.SIGTERM, end)
note(f"start {{os.getpid()}}")
while True:
    signal.pause()
"""


class Launched:
    """A launcher over a program that only notes what is done to it."""

    def __init__(self, box: Box, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box = box
        self.log = folder / "log"
        self.program = folder / "mercure-storescp"
        self.write(ends=True)
        monkeypatch.setenv("MERCURE_BIN", str(folder))
        self.context = box.context("receiver")
        self.launcher = Launcher(self.context)

    def write(self, *, ends: bool) -> None:
        self.program.write_text(SCRIPT.format(python=sys.executable, log=str(self.log), ends=ends), encoding="utf-8")
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def configure(self, **receiver: Any) -> None:
        self.box.configure(receiver=receiver)
        self.context.live.refresh()

    def turn(self) -> None:
        self.launcher.turn(Changes.everything())

    def lines(self, count: int) -> list[str]:
        def enough() -> list[str]:
            lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
            return lines if len(lines) >= count else []

        return [line.split()[0] for line in eventually(enough, what=f"{count} lines of the program")]

    def pid(self) -> int:
        return int(self.log.read_text(encoding="utf-8").splitlines()[-1].split()[1])


@pytest.fixture
def launched(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launched]:
    made = Launched(box, tmp_path, monkeypatch)
    yield made
    made.launcher.end()


def test_its_configuration_says_where_the_spool_is_and_all_that_it_is_told(launched: Launched) -> None:
    launched.configure(port=11113, ae_title="HERE")
    launched.turn()
    written = json.loads((launched.box.root / "run" / "receiver.json").read_bytes())
    assert written.items() >= receiver_settings(launched.context.config, launched.box.spool.root).items()
    assert (written["port"], written["ae_title"], written["spool"]) == (11113, "HERE", str(launched.box.spool.root))
    assert launched.lines(1) == ["start"]


def test_it_is_started_once_and_left_alone(launched: Launched) -> None:
    for _ in range(3):
        launched.turn()
    assert launched.lines(1) == ["start"]


def test_a_change_is_told_by_hup(launched: Launched) -> None:
    launched.turn()
    launched.lines(1)
    launched.configure(ae_title="OTHER")
    launched.turn()
    assert launched.lines(2) == ["start", "hup"]


@pytest.mark.parametrize("change", [{"port": 12345}, {"bind": "127.0.0.1"}])
def test_what_a_running_one_cannot_change_begins_it_anew(launched: Launched, change: dict[str, Any]) -> None:
    launched.turn()
    launched.lines(1)
    launched.configure(**change)
    launched.turn()
    assert launched.lines(3) == ["start", "term", "start"]


def test_a_change_of_something_else_is_none_of_its_business(launched: Launched) -> None:
    launched.turn()
    launched.lines(1)
    launched.box.configure(name="renamed")
    launched.context.live.refresh()
    launched.turn()
    assert launched.lines(1) == ["start"]


def test_when_it_ends_by_itself_the_launcher_does_too(launched: Launched) -> None:
    """The supervisor then starts both again."""
    launched.turn()
    launched.lines(1)
    pid = launched.pid()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))
    with pytest.raises(ReceiverEndedError, match="-9"):
        launched.turn()


def test_at_its_end_the_program_ends_in_order(launched: Launched) -> None:
    launched.turn()
    launched.lines(1)
    launched.launcher.end()
    assert launched.lines(2) == ["start", "term"]
    launched.launcher.end()


def test_a_program_that_does_not_end_is_ended_by_force(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercure.services.receiver.END_SECONDS", 0.2)
    launched.write(ends=False)
    launched.configure(stop_timeout_seconds=0)
    launched.turn()
    launched.lines(1)
    pid = launched.pid()
    launched.launcher.end()
    assert not is_alive(pid)


def test_without_the_program_it_says_what_to_do(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    launched.program.unlink()
    monkeypatch.setattr(tools, "_BUILT", launched.program.parent)
    monkeypatch.setenv("PATH", str(launched.program.parent))
    with pytest.raises(tools.ToolMissingError, match="make setup"):
        launched.turn()


def test_it_watches_nothing_of_its_own(launched: Launched) -> None:
    assert list(launched.launcher.watched()) == []
