"""Sandbox: the arguments of ``bwrap``, on this machine and on a cluster's nodes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from mercure.runners.base import RunRequest, contract_environment

INSIDE_IN: Final = "/data/in"
INSIDE_OUT: Final = "/data/out"
INSIDE_PERSISTENCE: Final = "/data/persistence"

_SYSTEM: Final = ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")
_ETC: Final = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime")


def environment(request: RunRequest) -> dict[str, str]:
    """Return the variables of the program: the contract's above those of the configuration."""
    inside = INSIDE_PERSISTENCE if request.persistence else None
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        **request.environment,
        **contract_environment(INSIDE_IN, INSIDE_OUT, inside),
    }


def inner_limits(request: RunRequest) -> list[str]:
    """Set what counts by namespace: processes are counted for the whole user outside of it.

    Control groups would need delegation by systemd. The limit is on data and not on address space (``RLIMIT_AS``),
    which runtimes reserve by the hundred gigabytes without using it.
    """
    limits = request.limits
    return [
        "/usr/bin/prlimit",
        f"--data={limits.memory_bytes}",
        f"--fsize={limits.output_bytes}",
        f"--nproc={limits.processes}",
        "--core=0",
        "--",
    ]


def namespaces(*, network: bool) -> list[str]:
    """Return what gives it namespaces of its own, lets it make no others, and takes its capabilities."""
    network_arguments = ["--share-net", *_ro_try("/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/nsswitch.conf")]
    return [
        *("--unshare-user", "--unshare-all", "--disable-userns"),
        *(network_arguments if network else []),
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--hostname",
        "module",
    ]


def system(memory_bytes: int = 64 * 1024**2) -> list[str]:
    """Return what it sees of the system: programs and libraries, read-only, and files in memory up to its limit."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for path in _SYSTEM:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    arguments += [*_ro_try(*_ETC), "--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):  # noqa: S108 - its own
        arguments += ["--size", str(memory_bytes), "--tmpfs", path]
    # bwrap's own tmpfs has no size, and is half of the machine's memory.
    return [*arguments, "--remount-ro", "/dev"]


def _ro_try(*paths: str) -> Sequence[str]:
    return [argument for path in paths for argument in ("--ro-bind-try", path, path)]


def folders(request: RunRequest) -> list[str]:
    """Return its folders, read-only but for outputs, persistence and writable mounts."""
    arguments = ["--ro-bind", str(request.inputs), INSIDE_IN, "--bind", str(request.outputs), INSIDE_OUT]
    if not request.image.startswith("/usr/"):
        arguments += ["--ro-bind", request.image, request.image]
    if request.persistence is not None:
        arguments += ["--bind", str(request.persistence), INSIDE_PERSISTENCE]
    for mount in request.mounts:
        arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target)]
    # The root itself is the sandbox's own memory: what a module wrote there would count against nothing.
    return [*arguments, "--remount-ro", "/", "--chdir", INSIDE_OUT]
