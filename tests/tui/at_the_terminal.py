"""The terminal UI in a real terminal, for the tests that want one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.tmux import Terminal, terminal

ENVIRONMENT = {
    **os.environ,
    "TERM": "screen",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "COLUMNS": "80",  # as what starts others sometimes hands on
    "LINES": "24",
}


@contextmanager
def at_the_terminal(root: Path, *options: str) -> Iterator[Terminal]:
    """Open the UI."""
    command: list[str | Path] = [sys.executable, "-m", "tui", "--root", root, *options]
    with terminal(root, command, env=ENVIRONMENT) as screen:
        yield screen
