"""Programs that run during a test and end with it, with their output shown when the test fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.patients import assert_none_is_named, is_ours
from tests.support.polling import eventually
from tests.support.procfs import group_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OUTPUT_SHOWN = 20_000
# A worker that is killed (pytest-xdist does so at Ctrl-C) ends no fixture. The kernel then ends what it started.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


@dataclass
class Running:
    """A program in a process group of its own; its output (both streams) goes to a file."""

    command: tuple[str, ...]
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The number of the process, which is that of its group."""
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether the program itself has not ended."""
        return self.popen.poll() is None

    def output(self) -> str:
        """Return all that was written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self, *, seconds: float = 10.0) -> int:
        """Wait until the program has ended by itself, and return its exit code (negative: a signal)."""
        eventually(lambda: not self.is_alive, seconds=seconds, what=f"end of {self.command[0]}")
        return self.popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, and not to its children."""
        self.popen.send_signal(number)

    def kill(self) -> None:
        """End the whole group at once by SIGKILL: the crash."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        eventually(lambda: not group_members(self.pid), what=f"the group of {self.command[0]} has ended")

    def stop(self, *, grace: float = 10.0) -> int:
        """Ask the program to end (SIGTERM), kill what is left of its group after ``grace`` seconds.

        Returns
        -------
        int
            The exit code, negative for a signal.
        """
        if self.is_alive:
            self.popen.terminate()
        with suppress(AssertionError):
            eventually(lambda: not self.is_alive, seconds=grace)
        if not self.is_alive:
            with suppress(AssertionError):
                eventually(lambda: not group_members(self.pid), seconds=min(grace, 2.0))
        self.kill()
        return self.popen.returncode


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    ready: Callable[[Running], object] | None = None,
    seconds: float = 20.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    grace: float = 10.0,
) -> Iterator[Running]:
    """Run a program for the length of a ``with`` block, which must be entered in a thread that lives as long.

    Parameters
    ----------
    command
        Program and arguments. No shell.
    ready
        Waited for before the block begins; it is given the program and returns something true when all is well.
    seconds
        How long that may take.
    env
        Variables set on top of the environment of the test.
    cwd
        The folder in which it runs.
    user
        The user as which it runs; needs root.
    grace
        How long it may take to end at the end of the block before it is killed.

    Raises
    ------
    AssertionError
        When it ended, or the time did, before it was ready. Its output is in the message.
    """
    arguments = tuple(str(part) for part in command)
    handle, name = tempfile.mkstemp(prefix="mercure-test-", suffix=".log")
    log = Path(name)
    try:
        popen = subprocess.Popen(
            (*DIE_WITH_PARENT, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
        program = Running(arguments, popen, log)
        try:
            if ready is not None:
                _await(program, ready, seconds)
            yield program
            if is_ours(arguments):
                assert_none_is_named(program.output(), arguments)
        finally:
            program.stop(grace=grace)
            _show(program)
    finally:
        os.close(handle)
        log.unlink()


def _await(program: Running, ready: Callable[[Running], object], seconds: float) -> None:
    name = Path(program.command[0]).name
    try:
        eventually(lambda: ready(program) or not program.is_alive, seconds=seconds, what=f"{name} is ready")
    except AssertionError as error:
        message = f"{error}; its output:\n{program.output()}"
        raise AssertionError(message) from None
    if not program.is_alive:
        message = f"{name} ended with {program.popen.returncode} before it was ready; its output:\n{program.output()}"
        raise AssertionError(message)


def _show(program: Running) -> None:
    """Hand the output to pytest, which prints it for tests that fail."""
    output = program.output()
    if output:
        code = program.popen.returncode
        sys.stdout.write(f"--- {' '.join(program.command)} (exit {code})\n{output[-OUTPUT_SHOWN:]}\n")
