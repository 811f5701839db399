"""Programs of the machine that answer and end: no shell, no input, a limit on the time."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping, Sequence


def run_program(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it printed, as text whatever its bytes are.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    seconds : float
        How long it may take; it is killed then.
    environment : mapping of str to str, optional
        Its variables; absent: those of this process.
    pass_fds : collection of int
        Open descriptors that it is given.

    Raises
    ------
    OSError
        It cannot be started.
    subprocess.TimeoutExpired
        It took longer.
    """
    return subprocess.run(
        command,
        env=environment,
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
