"""The runner ``podman``: a container without root, network and capabilities, on this machine.

A container is named after its run and goes on when the processor ends; conmon, podman's watcher, keeps its output, its
exit code and a time limit of its own. The next processor finds it by name.

Attached containers would lose hours of work at every restart of the processor, and units of systemd are not to be had
on a laptop. A second start under the same name fails, so that two processors cannot run a step twice.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Final, Literal

from mercure.config.processing import Processing
from mercure.runners import container
from mercure.runners.base import (
    ImageMissingError,
    Run,
    RunnerCheck,
    RunnerUnavailableError,
    RunOutcome,
    RunRequest,
    RunStatus,
)
from mercure.runners.bounded_log import BoundedLog
from mercure.runners.podman_program import CALL_SECONDS, Abilities, ContainerState, PodmanProgram
from mercure.runners.proc import Watched, memory_of_tree

CONTAINER_LOG: Final = "container.log"
"""In the run's folder: what conmon writes, until `Run.collect` makes the log of it."""

FIRST_LOG: Final = "container.first.log"
"""A link to conmon's first file: it begins a new one of the same name when that is full."""

WATCH_SECONDS: Final = 0.5
"""Without control groups the memory is added up this often."""

ABILITIES_SECONDS: Final = 60.0
"""What podman can do changes with its set-up only; a query at each start would double the cost of a start."""

_LIMITS: Final = ("memory", "pids", "cpu")
_SETTLE_SECONDS: Final = 15.0
"""conmon writes an end down within an instant; after this time it has died with the container."""

_MARGIN_SECONDS: Final = 10.0
"""conmon's own time limit is later than the processor's by so much and the grace: it counts when there is none."""

_SIGNALLED: Final = 128
_SIGNALS: Final = range(1, signal.NSIG)


class PodmanRunner:
    """Runs container images.

    Parameters
    ----------
    settings : Processing
        What all modules share.
    command : sequence of str
        How podman is called.
    """

    outlives = True
    guards_inputs = True
    local = True

    def __init__(self, settings: Processing, command: Sequence[str] = ("podman",)) -> None:
        self._settings = settings
        self._podman = PodmanProgram(command)
        self._asked = float("-inf")
        self._abilities: Abilities | None = None
        self._loaded: dict[Path, tuple[int, int]] = {}
        self._loading = threading.Lock()

    def check(self) -> RunnerCheck:
        """Ask podman what it can do, and say which limits it cannot set."""
        try:
            _program, found = self._usable(fresh=True)
        except RunnerUnavailableError as error:
            return RunnerCheck(ok=False, text=str(error))
        missing = [name for name in _LIMITS if name not in found.controllers]
        text = f"podman {found.version}"
        if missing:
            text += f"; the machine gives it no control groups for {', '.join(missing)}: these limits are only watched"
        return RunnerCheck(ok=True, text=text)

    def prepare(self, image: str, archive: Path | None, stopping: Callable[[], bool]) -> None:
        """Load the image where an archive is named and changed, pull it where it is missing."""
        if not image:
            raise ImageMissingError("the module names no image: set 'image'")
        self._usable()
        if archive is not None:
            self._load(image, archive, stopping)
        if self._has(image):
            return
        if archive is not None:
            raise ImageMissingError(f"{archive} holds no image {image!r}: correct 'image' or 'archive' of the module")
        limit = self._settings.podman.pull_timeout_seconds
        try:
            self._podman.call_while(lambda: not stopping(), "pull", "--quiet", image, seconds=limit)
        except RunnerUnavailableError as error:
            # The registry's trouble, not podman's: it answered a moment ago, and other modules can go on.
            raise ImageMissingError(f"the image {image!r} cannot be pulled: {error}") from error

    def _load(self, image: str, archive: Path, stopping: Callable[[], bool]) -> None:
        try:
            status = archive.stat()
        except OSError as error:
            raise ImageMissingError(f"the image's archive cannot be read: {error}") from error
        stamp = (status.st_mtime_ns, status.st_size)
        with self._loading:
            if self._loaded.get(archive) == stamp and self._has(image):
                return
            limit = self._settings.podman.pull_timeout_seconds
            try:
                self._podman.call_while(
                    lambda: not stopping(), "load", "--quiet", "--input", str(archive), seconds=limit
                )
            except RunnerUnavailableError as error:
                raise ImageMissingError(f"the image {image!r} cannot be loaded: {error}") from error
            self._loaded[archive] = stamp

    def _has(self, image: str) -> bool:
        # Not `image exists`: that has exit code 1 both for "no" and for some errors.
        try:
            self._podman.call("image", "inspect", "--format", "{{.Id}}", image)
        except ImageMissingError:
            return False
        return True

    def start(self, request: RunRequest) -> Run:
        """Start a container of the run's name."""
        found_runtime, found = self._usable()
        seconds = request.limits.seconds + request.grace_seconds + _MARGIN_SECONDS
        self._podman.call(
            *found_runtime,
            "run",
            "--detach",
            *("--name", request.name),
            *("--timeout", str(math.ceil(seconds))),
            *("--stop-timeout", str(math.ceil(request.grace_seconds))),
            *("--log-driver", "k8s-file"),
            *("--log-opt", f"path={request.folder / CONTAINER_LOG}"),
            *("--log-opt", f"max-size={request.limits.log_bytes}"),
            *container.isolation(request),
            *container.group_limits(request, found.controllers),
            *container.folders(request),
            *container.environment_arguments(request),
            request.image,
            *request.arguments,
        )
        with contextlib.suppress(OSError):
            os.link(request.folder / CONTAINER_LOG, request.folder / FIRST_LOG)
        state = self._podman.state(request.name)
        if state is None:
            raise RunnerUnavailableError("the container was gone right after its start: somebody removed it")
        return _PodmanRun(self._podman, request, state, watch_memory="memory" not in found.controllers)

    def attach(self, request: RunRequest) -> Run | None:
        """Find the container of the run's name; one that never ran is removed."""
        _program, found = self._usable()
        state = self._podman.state(request.name)
        if state is None:
            return None
        if not state.runs and not state.has_ended:
            # Made and never started: its processor died in between, or the machine was started anew.
            self._podman.remove(request.name)
            return None
        return _PodmanRun(self._podman, request, state, watch_memory="memory" not in found.controllers)

    def _usable(self, *, fresh: bool = False) -> tuple[list[str], Abilities]:
        """Return the options with which podman works here, and what it can do.

        Raises
        ------
        RunnerUnavailableError
            It does not, or it would run modules as root.
        """
        found = self._abilities
        if fresh or found is None or time.monotonic() - self._asked > ABILITIES_SECONDS:
            found = self._abilities = self._podman.abilities()
            self._asked = time.monotonic()
        if not found.rootless:
            raise RunnerUnavailableError("podman would run modules as root: run the router as a user of its own")
        if not found.old_cgroups:
            return [], found
        if not _has_runc():
            raise RunnerUnavailableError(
                "the machine has cgroups of version 1, on which only runc starts containers: install Debian's package"
                " 'runc', or start the machine with systemd.unified_cgroup_hierarchy=1"
            )
        return ["--runtime", "runc"], found.model_copy(update={"controllers": frozenset()})


def _has_runc() -> bool:
    return any(os.access(f"{folder}/runc", os.X_OK) for folder in ("/usr/sbin", "/usr/bin", "/usr/local/bin"))


class _PodmanRun:
    """A container, running or ended."""

    def __init__(
        self, podman: PodmanProgram, request: RunRequest, state: ContainerState, *, watch_memory: bool
    ) -> None:
        self._podman = podman
        self._request = request
        self._state: ContainerState | None = state
        self._watch_memory = watch_memory
        self._outcome = _outcome(request, state) if state.has_ended else None
        self._started = state.started.astimezone(UTC)

    def wait(self, seconds: float) -> RunStatus:
        """Wait for its processes, and watch the memory if no control group does."""
        deadline = time.monotonic() + seconds
        state = self._look()
        while state is not None:
            with Watched((state.process, state.watcher)) as watched:
                still = self._watch(watched, state, deadline)
            state = None if still else self._settle()
            if still and self._look() is not None:
                where = f"container {self._request.name}"
                return RunStatus(state="running", started=self._started, where=where)
        return RunStatus(state="ended", started=self._started, outcome=self._outcome)

    def _watch(self, watched: Watched, state: ContainerState, deadline: float) -> bool:
        """Wait until the deadline, and return whether its processes are still there and within the memory limit."""
        while not watched.ended(max(0.0, min(WATCH_SECONDS, deadline - time.monotonic()))):
            if self._watch_memory and memory_of_tree(state.process) > self._request.limits.memory_bytes:
                self.stop("memory")
                return False
            if time.monotonic() >= deadline:
                return True
        return False

    def _look(self) -> ContainerState | None:
        """Return the state of the container while it runs; None when it has ended, and the outcome is known."""
        if self._outcome is not None:
            return None
        state = self._podman.state(self._request.name)
        if state is None:
            self._outcome = _lost("its container was removed by somebody else")
        elif state.has_ended:
            self._outcome = _outcome(self._request, state)
        elif not state.runs:
            self._outcome = _lost("the machine was started anew while it ran")
        return None if self._outcome is not None else state

    def _settle(self) -> ContainerState | None:
        """Wait until podman knows how a container with an ended process ended, or that can no longer be known."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        state = self._look()
        while state is not None and time.monotonic() < deadline:
            watched = _alive(state.watcher)
            state = self._look()
            if state is not None and not watched:
                # Looked at after its end: conmon wrote nothing down, and never will.
                self._podman.remove(self._request.name)
                self._outcome = _lost("the watcher of its container was killed, and nobody knows its end")
                return None
            time.sleep(0.02)
        return state

    def stop(self, how: Literal["time", "output", "memory", "stopped"]) -> RunOutcome:
        """Ask the container to end, or (for memory) end it at once."""
        if self._look() is not None:
            grace = 0 if how == "memory" else math.ceil(self._request.grace_seconds)
            limit = grace + CALL_SECONDS
            self._podman.call("stop", "--ignore", "--time", str(grace), self._request.name, seconds=limit)
            if self._settle() is None and self._outcome is not None and self._outcome.how != "lost":
                self._outcome = self._outcome.model_copy(update={"how": how, "text": _STOPPED[how]})
        if self._outcome is None:
            raise RunnerUnavailableError(f"the container {self._request.name} does not end")
        return self._outcome

    def collect(self) -> None:
        """Make the log of what conmon kept; ``out/`` is where it belongs."""
        parts = [self._request.folder / name for name in (FIRST_LOG, CONTAINER_LOG)]
        keep_log(parts, self._request.log, self._request.limits.log_bytes)

    def clean_up(self) -> None:
        """Remove the container and conmon's files."""
        self._podman.remove(self._request.name)
        for name in (FIRST_LOG, CONTAINER_LOG):
            (self._request.folder / name).unlink(missing_ok=True)


_STOPPED: Final[dict[str, str]] = {
    "time": "it took longer than its time limit and was stopped",
    "output": "it wrote more than its output limit and was stopped",
    "memory": "it used more than its memory limit and was stopped",
    "stopped": "it was stopped",
}


def _alive(process: int) -> bool:
    return process > 0 and Path(f"/proc/{process}").exists()


def _lost(text: str) -> RunOutcome:
    return RunOutcome(how="lost", text=text)


def _outcome(request: RunRequest, state: ContainerState) -> RunOutcome:
    seconds = round((state.finished - state.started).total_seconds(), 3)
    if state.out_of_memory:
        return RunOutcome(how="memory", code=state.code, text=_STOPPED["memory"], seconds=seconds)
    if state.code and seconds > request.limits.seconds + request.grace_seconds:
        # Nobody but conmon lets a run go on for so long, and it then gives it a code of its own.
        return RunOutcome(how="time", code=state.code, text=_STOPPED["time"], seconds=seconds)
    number = state.code - _SIGNALLED
    if number in _SIGNALS:
        return RunOutcome(how="killed", code=-number, text=f"it was killed by signal {number}", seconds=seconds)
    text = "" if state.code == 0 else f"it ended with exit code {state.code}"
    return RunOutcome(how="exited", code=state.code, text=text, seconds=seconds)


_FIELDS: Final = 4
"""Time, stream, whether the line is whole (``F``) or goes on (``P``), and the text."""

_GAP: Final = b"\n[mercure: much output was left out here]\n"

_LONGEST: Final = 256 * 1024
"""conmon cuts lines of a container at 16 KiB."""


def keep_log(parts: Sequence[Path], log: Path, limit: int) -> None:
    """Write the lines of conmon's files to `log` as the module printed them, both streams in their order.

    conmon begins a new file when one is full. Of many, the first (a link to it was kept) and the last are there; what
    the module printed in between is lost, and a line says so.

    Parameters
    ----------
    parts : sequence of Path
        conmon's first and last file, which may be the same one. Absent: the module never ran, and the log is empty.
    log : Path
        Replaced.
    limit : int
        Bytes kept.

    Raises
    ------
    OSError
        The disk refuses.
    """
    with BoundedLog(log, limit) as kept:
        seen: set[int] = set()
        for part in parts:
            try:
                lines = part.open("rb")
            except FileNotFoundError:
                continue
            with lines:
                number = os.fstat(lines.fileno()).st_ino
                if number in seen:
                    continue
                if seen:
                    kept.add(_GAP)
                seen.add(number)
                while line := lines.readline(_LONGEST):
                    kept.add(_text(line))


def _text(line: bytes) -> bytes:
    parts = line.split(b" ", _FIELDS - 1)
    if len(parts) < _FIELDS:
        return line
    return parts[-1].removesuffix(b"\n") if parts[2] == b"P" else parts[-1]
