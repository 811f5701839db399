"""Run the playbook, and kill it in the middle of a task.

    python -m tests.guests.interrupted TASK SECONDS

SECONDS after the task has begun, everything of the controller is killed, the connections to the guests too. What the
task began there goes on or not, as when the computer of the administrator loses its power.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import IO

from tests.guests.commands import GuestError
from tests.guests.places import CHECKOUT


def run_until(task: str, seconds: float) -> None:
    """Run the playbook until a task has gone on for some seconds.

    Raises
    ------
    GuestError
        It ended before, so that nothing was interrupted.
    """
    # The connections would outlive the kill: they are shared, and belong to nobody.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "ANSIBLE_SSH_ARGS": _alone(os.environ["ANSIBLE_SSH_ARGS"])}
    process = subprocess.Popen(
        ["ansible-playbook", "--inventory", os.environ["ANSIBLE_INVENTORY"], "playbook.yml"],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        _read_until(task, process.stdout)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            raise GuestError(f"the playbook ended within {seconds} s of {task!r}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _alone(arguments: str) -> str:
    return arguments.replace("ControlMaster=auto", "ControlMaster=no")


def _read_until(task: str, lines: IO[str]) -> None:
    seen = []
    for line in lines:
        seen.append(line)
        if line.startswith("TASK [") and task in line:
            return
    raise GuestError(f"the playbook ended before {task!r}:\n{''.join(seen[-30:])}")


if __name__ == "__main__":
    try:
        run_until(sys.argv[1], float(sys.argv[2]))
    except GuestError as error:
        sys.exit(str(error))
