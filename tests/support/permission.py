"""What some machines do not allow (mounts, network namespaces): the test is skipped there, and says why."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def command_or_skip(command: Sequence[str | Path], *, purpose: str) -> None:
    """Run a privileged command; skip the test with its message when the machine does not allow it."""
    program = str(command[0])
    if shutil.which(program) is None:
        pytest.skip(f"{purpose}: {program} is not installed")
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        pytest.skip(f"{purpose} is not allowed here: {' '.join(map(str, command))}: {result.stderr.strip()}")
