"""A pseudo-terminal that keeps every byte: how much a program sends, and in which colours."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.processes import DIE_WITH_PARENT


@dataclass
class Screen:
    """A program on a terminal that keeps every byte sent to it."""

    program: subprocess.Popen[bytes]
    master: int
    begun: float
    sent: bytearray = field(default_factory=bytearray)

    def read_for(self, seconds: float, until: bytes = b"") -> float:
        """Take what is sent for some seconds, or until something was sent; return how long that took."""
        begun = time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0 and not (until and until in self.sent):
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.sent += os.read(self.master, 65536)
                except OSError:  # EIO: the program has ended, and all was read
                    break
        return time.monotonic() - begun

    def see(self, text: str, *, seconds: float = 40.0) -> None:
        """Wait until a text was sent."""
        self.read_for(seconds, text.encode())
        assert text.encode() in self.sent, f"not within {seconds:g} s: {text!r}"

    def press(self, keys: str) -> None:
        """Send keys as a terminal does."""
        os.write(self.master, keys.encode())

    def processor_seconds(self) -> float:
        """Return what it used of the processor until now."""
        times = psutil.Process(self.program.pid).cpu_times()
        return times.user + times.system


@contextmanager
def opened(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None, *, columns: int = 80, lines: int = 24
) -> Iterator[Screen]:
    """Run a program on a terminal for the length of a block, with more variables set."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    begun = time.monotonic()
    program = subprocess.Popen(
        (*DIE_WITH_PARENT, *map(str, command)), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
    )  # fmt: skip
    os.close(slave)
    try:
        yield Screen(program, master, begun)
    finally:
        program.terminate()
        program.wait(10)
        os.close(master)
