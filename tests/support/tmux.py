"""A real terminal: tmux with a server of its own, whose keys are pressed and whose screen is read by a test."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.polling import eventually
from tests.support.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Terminal:
    """A terminal in which a program runs."""

    socket: Path

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: ``Enter``, ``C-d``, ``Escape``."""
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        """Return what is on it."""
        return self._tmux("capture-pane", "-p")

    def ended(self) -> int | None:
        """Return the exit code of the program, None while it runs; a signal counts 128 and its number."""
        dead, status, number, server = self._tmux(
            "display-message", "-p", "#{pane_dead},#{pane_dead_status},#{pane_dead_signal},#{pid}"
        ).strip().split(",")  # fmt: skip
        if dead != "1":
            return None
        if not (status or number):
            # Its end was seen, and what it was not yet: beside other tests tmux now and then sleeps through the signal
            # that a child has ended, and leaves it a zombie until there is another one.
            os.kill(int(server), signal.SIGCHLD)
            return None
        return int(status) if status else 128 + int(number or 0)

    def see(self, text: str, *, seconds: float = 40.0) -> str:
        """Wait until a text is on it, and return all of it."""

        return self._until(lambda screen: text in screen, f"{text!r} on the terminal", seconds)

    def see_no_more(self, text: str, *, seconds: float = 40.0) -> str:
        """Wait until a text is gone from it."""
        return self._until(lambda screen: text not in screen, f"{text!r} gone from the terminal", seconds)

    def _until(self, wanted: Callable[[str], bool], what: str, seconds: float) -> str:
        last = ""

        def there() -> str:
            nonlocal last
            last = self.screen()
            return last if wanted(last) else ""

        try:
            return eventually(there, seconds=seconds, what=what)
        except AssertionError:
            message = f"not within {seconds:g} s: {what}; it shows:\n{last}"
            raise AssertionError(message) from None


@contextmanager
def terminal(
    folder: Path, command: Sequence[str | Path], *, env: Mapping[str, str], columns: int = 80, lines: int = 24
) -> Iterator[Terminal]:
    """Run a program in a terminal for the length of a block; what it leaves on the screen stays to be read."""
    socket = folder / "tmux"
    made = Terminal(socket)
    # In the foreground (-D), so that it is our child and ends with us; a server that daemonises belongs to nobody.
    with running(["tmux", "-S", socket, "-f", "/dev/null", "-D"], ready=lambda _: socket.exists(), env=env):
        words = " ".join(f"'{word}'" for word in map(str, command))
        made._tmux("set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "exit-empty", "off", ";",
                   "new-session", "-d", "-x", str(columns), "-y", str(lines), words)  # fmt: skip
        yield made
