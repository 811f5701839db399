"""Calls of the program ``podman``: each with a time limit, its errors in our words, what it knows as typed models."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mercure.runners.base import ImageMissingError, RunnerUnavailableError

CALL_SECONDS: Final = 60.0
"""The longest that a call may take which starts, asks or ends a container; a pull has a limit of its own."""

_SHOWN: Final = 600
_MISSING: Final = "install Debian's package 'podman'"
_NO_IMAGE: Final = ("image not known", "no such image", "unable to find", "did not resolve to an image")
_NO_PROGRAM: Final = ("attempted to invoke a command that was not found", "executable file", "no command specified")


class _NoContainerError(RunnerUnavailableError):
    """There is no container of this name."""


class ContainerState(BaseModel):
    """What podman says of a container."""

    status: str = Field(alias="Status")
    process: int = Field(alias="Pid", default=0)
    watcher: int = Field(alias="ConmonPid", default=0)
    code: int = Field(alias="ExitCode", default=0)
    out_of_memory: bool = Field(alias="OOMKilled", default=False)
    started: datetime = Field(alias="StartedAt")
    finished: datetime = Field(alias="FinishedAt")

    @property
    def runs(self) -> bool:
        """Whether its processes live, as far as podman knows."""
        return self.status in {"running", "paused", "stopping"}

    @property
    def has_ended(self) -> bool:
        """Whether it ran to an end of which podman knows."""
        return self.status in {"exited", "stopped"}


class _Container(BaseModel):
    state: ContainerState = Field(alias="State")


class _Host(BaseModel):
    cgroups: str = Field(alias="cgroupVersion", default="")
    controllers: tuple[str, ...] | None = Field(alias="cgroupControllers", default=())
    security: dict[str, object] = {}


class _Version(BaseModel):
    version: str = Field(alias="Version", default="unknown")


class _Info(BaseModel):
    host: _Host
    version: _Version


class Abilities(BaseModel):
    """What podman can do for its user on this machine.

    Parameters
    ----------
    version : str
        Podman's.
    rootless : bool
        It runs without root.
    controllers : frozenset of str
        The cgroup controllers that it may use. Without ``memory``, ``pids`` or ``cpu`` it cannot set that limit.
    old_cgroups : bool
        The machine has cgroups of version 1, on which crun, Debian's default, starts nothing.
    """

    version: str
    rootless: bool
    controllers: frozenset[str]
    old_cgroups: bool


class PodmanProgram:
    """The program, called as the user that we are.

    Parameters
    ----------
    command : sequence of str
        How it is called.
    """

    def __init__(self, command: Sequence[str] = ("podman",)) -> None:
        self._command = tuple(command)

    def call(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """Return what a call prints.

        Raises
        ------
        ImageMissingError
            It says that an image, or the program in it, does not exist.
        RunnerUnavailableError
            It is not installed, did not answer in time, or failed otherwise.
        """
        return self.call_while(lambda: True, *arguments, seconds=seconds)

    def call_while(self, wanted: Callable[[], bool], *arguments: str, seconds: float) -> str:
        """Like `call`, and give up as soon as `wanted` says no."""
        if shutil.which(self._command[0]) is None:
            raise RunnerUnavailableError(f"the program {self._command[0]!r} is not there: {_MISSING}")
        try:
            process = subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise RunnerUnavailableError(f"podman cannot be started: {error}") from error
        with process:
            printed, said = _communicate(process, wanted, seconds, arguments[0])
        if process.returncode:
            raise _failure(arguments[0], said.strip()[-_SHOWN:])
        return printed

    def abilities(self) -> Abilities:
        """Ask what it can do here.

        Raises
        ------
        RunnerUnavailableError
            It does not work.
        """
        info = _read(_Info, self.call("info", "--format", "json"))
        return Abilities(
            version=info.version.version,
            rootless=bool(info.host.security.get("rootless")),
            controllers=frozenset(info.host.controllers or ()),
            old_cgroups=info.host.cgroups == "v1",
        )

    def state(self, name: str) -> ContainerState | None:
        """Return how the container of a name is; None when there is none.

        Raises
        ------
        RunnerUnavailableError
            Podman does not answer.
        """
        try:
            found = self.call("container", "inspect", name)
        except _NoContainerError:
            return None
        containers = _read_list(found)
        return containers[0].state if containers else None

    def remove(self, name: str) -> None:
        """End the container of a name at once and forget it; nothing to remove is no error.

        Raises
        ------
        RunnerUnavailableError
            It could not be done.
        """
        self.call("rm", "--force", "--time", "0", "--ignore", name)


def _communicate(
    process: subprocess.Popen[str], wanted: Callable[[], bool], seconds: float, verb: str
) -> tuple[str, str]:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=0.2 if seconds > CALL_SECONDS else min(seconds, 1.0))
        except subprocess.TimeoutExpired:
            late = time.monotonic() > deadline
            if wanted() and not late:
                continue
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
        process.kill()
        why = f"did not end within {seconds:g} s" if late else "was given up, as the service ends"
        raise RunnerUnavailableError(f"'podman {verb}' {why}")


def _failure(verb: str, said: str) -> Exception:
    lower = said.lower()
    if any(text in lower for text in _NO_IMAGE):
        return ImageMissingError(f"podman has no such image: {said}")
    if verb == "run" and any(text in lower for text in _NO_PROGRAM):
        return ImageMissingError(f"the image's program cannot be started: {said}")
    if "no such container" in lower:
        return _NoContainerError(said)
    return RunnerUnavailableError(f"'podman {verb}' failed: {said}")


def _read(model: type[_Info], text: str) -> _Info:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise RunnerUnavailableError(f"what podman says of itself cannot be read: {error}") from error


def _read_list(text: str) -> list[_Container]:
    try:
        return TypeAdapter(list[_Container]).validate_json(text)
    except ValidationError as error:
        raise RunnerUnavailableError(f"what podman says of a container cannot be read: {error}") from error
