"""Job folder: what a node needs to run a module, and what it leaves there.

It lies where this machine and all nodes see it, is made whole under another name and then renamed. A script runs only
in the folder that was made for it (``token``), and only once (``begun``): what a dead processor submitted in its last
moment finds another token, and ends. ``end`` holds the exit code, and appears by a rename when all else is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mercure.runners import container, sandbox, seccomp
from mercure.runners.base import IN, LOG, OUT, RunRequest, contract_environment
from mercure.runners.bounded_log import BoundedLog

SCRIPT: Final = "job.sh"
TOKEN: Final = "token"  # noqa: S105 - tells folders of one name apart, and guards nothing
NUMBER: Final = "number"
BEGUN: Final = "begun"
END: Final = "end"
CALLS: Final = "calls"
"""Filters of system calls, one for each kind of processor by its name, and one that refuses nothing for all others."""

_CALLS_DESCRIPTOR: Final = 9
_OPENING: Final = (
    f'if [ -r "{CALLS}.$(uname -m)" ]; then exec {_CALLS_DESCRIPTOR}<"{CALLS}.$(uname -m)"; '
    f"else exec {_CALLS_DESCRIPTOR}<{CALLS}; fi"
)

_CHUNK: Final = 1024 * 1024
_DEEPEST: Final = 16

# A module is ended by TERM, which reaches every process of the job. The shell and the keepers of the log must
# outlast it; so must bwrap, whose end would end the module at once. `env --default-signal` gives it back to the module.
_SCRIPT: Final = """\
#!/bin/sh
# Made by mercure for the job {name}.
trap '' TERM
cd {folder} || exit 97
{opening}
[ "$(cat {token_file})" = {token} ] || exit 96
mkdir {begun} || exit 95
{{
    {command} </dev/null 2>&1
    echo $? >{end}.part
}} | {{
    head -c {log_bytes}
    tail -c {log_bytes}
}} >{log}
sync {end}.part
mv {end}.part {end}
exit "$(cat {end})"
"""


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job.

    Parameters
    ----------
    path : Path
        Where it is, for this machine and all nodes.
    """

    path: Path

    def make(self, request: RunRequest, kind: str) -> None:
        """Make it, in place of one that an earlier try left.

        Parameters
        ----------
        request : RunRequest
            What is to run.
        kind : str
            How the node shuts the module in: ``none``, ``bwrap`` or ``podman``.

        Raises
        ------
        OSError
            The shared folder refuses.
        """
        building = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.tmp")
        building.mkdir(mode=0o700)
        try:
            (building / OUT).mkdir()
            copy_tree(request.inputs, building / IN)
            token = secrets.token_hex(16)
            (building / TOKEN).write_text(token, encoding="ascii")
            for machine, program in seccomp.programs(shared_memory=request.shared_memory).items():
                (building / f"{CALLS}{machine and '.'}{machine}").write_bytes(program)
            script = building / SCRIPT
            script.write_text(self._script(replace(request, folder=self.path), kind, token), encoding="utf-8")
            script.chmod(0o700)
            self.remove()
            building.rename(self.path)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise

    def _script(self, request: RunRequest, kind: str, token: str) -> str:
        return _SCRIPT.format(
            name=request.name,
            folder=shlex.quote(str(self.path)),
            token_file=TOKEN,
            token=token,
            begun=BEGUN,
            opening=_OPENING if kind == "bwrap" else "",
            end=END,
            log=LOG,
            log_bytes=request.limits.log_bytes,
            command=shlex.join(node_command(request, kind)),
        )

    def remember(self, number: str) -> None:
        """Write the job's number down."""
        (self.path / NUMBER).write_text(number, encoding="ascii")

    @property
    def number(self) -> str | None:
        """The job's number; None when it is not known to have been submitted."""
        text = self._text(NUMBER)
        return text if text and text.isdigit() else None

    @property
    def has_begun(self) -> bool:
        """Whether its script ever ran."""
        return (self.path / BEGUN).exists()

    @property
    def code(self) -> int | None:
        """The exit code that its script left; None before its end."""
        text = self._text(END)
        return int(text) if text and text.isdigit() else None

    def _text(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def output_bytes(self) -> int:
        """Add up what it has written so far."""
        total = 0
        for folder, _folders, files in os.walk(self.path / OUT):
            for name in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def hand_over(self, request: RunRequest) -> None:
        """Copy outputs and log to the run's own folder; a second time does no harm.

        Raises
        ------
        OSError
            A file cannot be read or written.
        """
        copy_tree(self.path / OUT, request.outputs)
        with BoundedLog(request.log, request.limits.log_bytes) as kept:
            try:
                written = os.open(self.path / LOG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            with os.fdopen(written, "rb") as log:
                while data := log.read(_CHUNK):
                    kept.add(data)

    def remove(self) -> None:
        """Remove it with all that is in it; a job that still comes finds nothing to run."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path)


def node_command(request: RunRequest, kind: str) -> Sequence[str]:
    """Return what a node runs for a module, which sees `request`'s folder as `kind` says."""
    return _COMMANDS[kind](request)


def _plain(request: RunRequest) -> Sequence[str]:
    inside = str(request.persistence) if request.persistence is not None else None
    variables = sandbox.environment(request) | contract_environment(str(request.inputs), str(request.outputs), inside)
    return [
        "/usr/bin/env",
        "--ignore-environment",
        "--default-signal=TERM",
        *_assignments(variables),
        request.image,
        *request.arguments,
    ]


def _bwrap(request: RunRequest) -> Sequence[str]:
    return [
        "/usr/bin/env",
        "--ignore-environment",
        *_assignments(sandbox.environment(request)),
        "bwrap",
        *sandbox.namespaces(network=request.network),
        *sandbox.system(request.limits.memory_bytes),
        *sandbox.folders(request),
        *("--seccomp", str(_CALLS_DESCRIPTOR), "--"),
        *sandbox.inner_limits(request),
        "/usr/bin/env",
        "--default-signal=TERM",
        request.image,
        *request.arguments,
    ]


def _podman(request: RunRequest) -> Sequence[str]:
    """Run a container in the job's own control group, so that Slurm's limits and its KILL reach it."""
    return [
        "/usr/bin/env",
        "--default-signal=TERM",
        "podman",
        "run",
        *("--rm", "--replace", "--name", request.name),
        *("--log-driver", "passthrough"),
        *("--stop-timeout", str(int(request.grace_seconds))),
        *container.isolation(request),
        *container.group_limits(request, frozenset()),
        *container.folders(request),
        *container.environment_arguments(request),
        request.image,
        *request.arguments,
    ]


_COMMANDS: Final = {"none": _plain, "bwrap": _bwrap, "podman": _podman}


def _assignments(variables: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]


def copy_tree(source: Path, target: Path, depth: int = 0) -> None:
    """Copy a folder as it is: links stay links, and what is neither file, folder nor link becomes a pipe of its name.

    So the processor, which judges a result, sees everything that is no image. Each file gets its name when it is whole.

    Raises
    ------
    OSError
        A file cannot be read or written, or folders are nested deeper than any result needs.
    """
    if depth > _DEEPEST:
        raise OSError(f"folders are nested deeper than {_DEEPEST} levels: {source.name}")
    target.mkdir(exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        made = target / entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            copy_tree(Path(entry.path), made, depth + 1)
            continue
        building = target / f".{secrets.token_hex(8)}.tmp"
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(entry.path), building)
        elif stat.S_ISREG(mode):
            shutil.copyfile(entry.path, building, follow_symlinks=False)
        else:
            os.mkfifo(building)
        building.replace(made)
