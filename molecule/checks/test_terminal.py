"""The terminal UI as a person has it: over SSH, in a terminal of 80 by 24."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.spec import patience
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.guests.places import Lab


class Terminal:
    """A terminal in tmux, on a socket of its own."""

    def __init__(self, socket: Path, patience: int) -> None:
        self._patience = patience
        self._tmux = ("tmux", "-f", "/dev/null", "-S", str(socket))

    def call(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout

    def picture(self) -> str:
        return self.call("capture-pane", "-p")

    def shows(self, text: str, seconds: float = 60) -> None:
        """Wait until a text is on the screen; ``seconds`` are those of a guest at full speed."""
        try:
            wait_until(lambda: text in self.picture(), seconds=seconds * self._patience, what=text)
        finally:
            self.last = self.picture()


@contextmanager
def terminal(folder: Path, lab: Lab, *command: str) -> Iterator[Terminal]:
    screen = Terminal(folder / "tmux", patience(lab))
    screen.call("new-session", "-d", "-x", "80", "-y", "24", *command)
    # What a command said before it ended is worth reading.
    screen.call("set-option", "-g", "remain-on-exit", "on")
    try:
        yield screen
    finally:
        screen.call("kill-server")


@pytest.mark.parametrize("person", ["anna", "vera"])
def test_it_comes_up_over_ssh_and_shows_what_goes_where(
    lab: Lab, settings: dict[str, Any], tmp_path: Path, person: str
) -> None:
    words = ("ssh", "-tt", "-F", str(lab.ssh_config), "-l", person, settings["inventory_hostname"], "mercure-tui")
    with terminal(tmp_path, lab, *words) as screen:
        screen.shows("Overview")
        screen.shows("archive")


def test_a_study_can_be_found_in_the_history(lab: Lab, settings: dict[str, Any], tmp_path: Path) -> None:
    words = ("ssh", "-tt", "-F", str(lab.ssh_config), "-l", "vera", settings["inventory_hostname"], "mercure-tui")
    with terminal(tmp_path, lab, *words) as screen:
        screen.shows("Overview")
        screen.call("send-keys", "3")
        screen.shows("History")
        screen.shows("CT")
