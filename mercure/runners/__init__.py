"""Runners: one file per way to run a processing module, and the registry of kinds.

A new kind is a file with a class, one line in `_KINDS`, and its word in `mercure.config.processing.RunnerKind`; the
conformance suite in ``tests/conformance`` then runs against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mercure.config.processing import Processing, RunnerKind
from mercure.runners.base import (
    IN,
    LOG,
    OUT,
    ImageMissingError,
    Run,
    RunLimits,
    RunMount,
    Runner,
    RunnerCheck,
    RunnerUnavailableError,
    RunOutcome,
    RunRequest,
    RunStatus,
    contract_environment,
    run_name,
)
from mercure.runners.command import CommandRunner
from mercure.runners.podman import PodmanRunner
from mercure.runners.slurm import SlurmRunner

_KINDS: Final[dict[RunnerKind, Callable[[Processing], Runner]]] = {
    "command": CommandRunner,
    "podman": PodmanRunner,
    "slurm": SlurmRunner,
}

KINDS: Final = tuple(_KINDS)
"""Every kind of runner."""


def open_runner(kind: RunnerKind, settings: Processing) -> Runner:
    """Make the runner of a kind.

    Parameters
    ----------
    kind : RunnerKind
        Which.
    settings : Processing
        What all modules share, with the settings of the runners.
    """
    return _KINDS[kind](settings)


__all__ = [
    "IN",
    "KINDS",
    "LOG",
    "OUT",
    "ImageMissingError",
    "Run",
    "RunLimits",
    "RunMount",
    "RunOutcome",
    "RunRequest",
    "RunStatus",
    "Runner",
    "RunnerCheck",
    "RunnerUnavailableError",
    "contract_environment",
    "open_runner",
    "run_name",
]
