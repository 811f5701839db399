"""Container isolation: the arguments of ``podman run``, on this machine and on a cluster's nodes."""

from __future__ import annotations

from typing import Final

from mercure.runners.base import RunnerUnavailableError, RunRequest, contract_environment
from mercure.runners.sandbox import INSIDE_IN, INSIDE_OUT, INSIDE_PERSISTENCE

# crun and runc raise the limit of open files to a figure that not every machine allows its users.
_OPEN_FILES: Final = 4096
_SHARED_MEMORY: Final = "64m"


def isolation(request: RunRequest) -> list[str]:
    """Return what makes a container a closed box, whatever its image asks for.

    Root inside is the router's user outside, without a single capability: its files in ``out/`` belong to the router.
    An image's own ``USER`` would be a user from the subordinate range, which may not write there.
    """
    network = "slirp4netns" if request.network else "none"
    return [
        *("--pull", "never"),
        *("--network", network),
        *("--read-only", "--read-only-tmpfs=false"),
        *("--tmpfs", f"/tmp:rw,nosuid,nodev,mode=1777,size={request.limits.memory_bytes}"),  # noqa: S108 - its own
        *("--shm-size", _SHARED_MEMORY),
        *("--cap-drop", "all"),
        *("--security-opt", "no-new-privileges"),
        *("--user", "0:0"),
        *("--hostname", "module"),
        *("--restart", "no"),
        *("--ulimit", f"nofile={_OPEN_FILES}:{_OPEN_FILES}"),
        *("--ulimit", "core=0:0"),
        *("--ulimit", _both("fsize", request.limits.output_bytes)),
        *_devices(request),
    ]


def group_limits(request: RunRequest, controllers: frozenset[str]) -> list[str]:
    """Return the limits of memory, processes and cores: by control groups where podman may use them.

    Where it may not (cgroups of version 1, or a user to whom systemd delegates nothing) each process gets a limit for
    its data, and all containers of the user share the limit of processes; the runner adds up the memory as it watches.
    """
    limits = request.limits
    memory = ("--memory", str(limits.memory_bytes), "--memory-swap", str(limits.memory_bytes))
    return [
        *(memory if "memory" in controllers else ("--ulimit", _both("data", limits.memory_bytes))),
        *(
            ("--pids-limit", str(limits.processes))
            if "pids" in controllers
            else ("--ulimit", _both("nproc", limits.processes))
        ),
        *(("--cpus", f"{limits.cores:g}") if "cpu" in controllers else ()),
    ]


def folders(request: RunRequest) -> list[str]:
    """Return the mounts: inputs read-only, outputs, persistence and those of the configuration.

    Raises
    ------
    RunnerUnavailableError
        A path has a character that the option cannot carry.
    """
    mounts = [(str(request.inputs), INSIDE_IN, False), (str(request.outputs), INSIDE_OUT, True)]
    if request.persistence is not None:
        mounts.append((str(request.persistence), INSIDE_PERSISTENCE, True))
    mounts += [(str(mount.source), str(mount.target), mount.writable) for mount in request.mounts]
    return [argument for mount in mounts for argument in ("--mount", _mount(*mount))]


def environment(request: RunRequest) -> dict[str, str]:
    """Return the module's variables: those of the contract, and above all those of the configuration."""
    inside = INSIDE_PERSISTENCE if request.persistence is not None else None
    return {
        "HOME": "/tmp",  # noqa: S108 - the container's own
        **request.environment,
        **contract_environment(INSIDE_IN, INSIDE_OUT, inside),
    }


def environment_arguments(request: RunRequest) -> list[str]:
    """Return the options that set `environment`."""
    return [argument for name, value in environment(request).items() for argument in ("--env", f"{name}={value}")]


def _devices(request: RunRequest) -> list[str]:
    # Names of the Container Device Interface, as NVIDIA's toolkit writes them down.
    return [argument for number in range(request.limits.gpus) for argument in ("--device", f"nvidia.com/gpu={number}")]


def _both(name: str, value: int) -> str:
    return f"{name}={value}:{value}"


def _mount(source: str, target: str, writable: bool) -> str:
    if any(character in source + target for character in ',"\n'):
        raise RunnerUnavailableError(
            f"podman cannot mount {source!r}: a comma, a quotation mark or a line break is in the path; rename it"
        )
    return f"type=bind,source={source},target={target}{'' if writable else ',readonly=true'}"
