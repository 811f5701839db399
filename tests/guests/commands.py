"""Running the programs of the machine."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 900.0
"""Longer than any of them needs; the slowest makes a root file system from nothing."""


class GuestError(Exception):
    """Something about a guest did not work; the message says what, where, and what to look at."""


def run(*command: str | Path, seconds: float = SECONDS, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it wrote to standard output, without the last line end.

    Raises
    ------
    GuestError
        It failed, is not there, or took too long; with what it said.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL, cwd=cwd
        )
    except FileNotFoundError as error:
        raise GuestError(f"{words[0]} is not installed: `tools/setup provision` installs it") from error
    except subprocess.TimeoutExpired as error:
        raise GuestError(f"not done after {seconds:.0f} s: {' '.join(words)}") from error
    if done.returncode != 0:
        raise GuestError(f"exit code {done.returncode}: {' '.join(words)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.rstrip("\n")


def succeeds(*command: str | Path, seconds: float = 60.0) -> bool:
    """Tell whether a program ends with exit code 0."""
    try:
        run(*command, seconds=seconds)
    except GuestError:
        return False
    return True
