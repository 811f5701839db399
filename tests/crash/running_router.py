"""All services of one root as real processes, kept running as a supervisor would, and killed one at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.box import Box
from tests.support.polling import eventually
from tests.support.ports import free_port, is_listening
from tests.support.processes import Running, running
from tests.support.services import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES = ("receiver", "router", "dispatcher", "cleaner", "bookkeeper")
COMPLETION = {"quiet_seconds": 1, "after_release_seconds": 0.3}


@dataclass
class RunningRouter:
    """The services; each that has ended is started again when it is asked whether all are `kept`."""

    root: Path
    port: int
    stack: ExitStack
    prefix: tuple[str | Path, ...] = ()
    programs: dict[str, Running] = field(default_factory=dict)

    @property
    def box(self) -> Box:
        """The root, to look into."""
        return Box(self.root)

    def start(self, name: str, **env: str) -> Running:
        """Start a service."""
        command = [*self.prefix, sys.executable, "-m", "mercure.services", name, "--root", self.root]
        self.programs[name] = self.stack.enter_context(running(command, env=env))
        return self.programs[name]

    def kept(self) -> bool:
        """Start every service that has ended; always true, so that it can be part of a condition."""
        for name, program in list(self.programs.items()):
            if not program.is_alive:
                self.start(name)
        return True

    def kill(self, name: str) -> None:
        """End a service by SIGKILL: the process alone, not its children; they must find out by themselves."""
        program = self.programs[name]
        with suppress(ProcessLookupError):
            program.signal(signal.SIGKILL)
        program.popen.wait()
        self.kept()

    def listening(self) -> None:
        """Wait until images can be received."""

        def is_there() -> bool:
            return self.kept() and is_listening(self.port, pid=self.programs["receiver"].pid)

        eventually(is_there, seconds=60, what="the receiver listens")

    def stop(self) -> dict[str, int]:
        """Ask all to end, and return how they did."""
        for program in self.programs.values():
            program.signal(signal.SIGTERM)
        return {name: program.wait(seconds=60) for name, program in self.programs.items()}

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Run ``mercure verify``."""
        command = [sys.executable, "-m", "appliance.cli", "verify", "--root", str(self.root)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def running_router(
    root: Path,
    targets: dict[str, Any],
    *,
    receiver: dict[str, Any] | None = None,
    prefix: tuple[str | Path, ...] = (),
    rules: dict[str, Any] | None = None,
    **more: Any,
) -> Iterator[RunningRouter]:
    """Configure a root that sends every series to all of some targets, or where `rules` say, and run its services.

    Parameters
    ----------
    root
        Where.
    targets
        By name.
    receiver
        Settings of the receiver that differ from those of the tests.
    prefix
        Put before the command of each service, as :meth:`tests.support.namespaces.Namespace.command` does.
    rules
        In place of the one for everything.
    more
        More of the configuration.
    """
    port = free_port()
    listens = {"bind": "127.0.0.1", "port": port, "min_free_bytes": 0, "stop_timeout_seconds": 1}
    write_config(
        root,
        {
            "targets": targets,
            "rules": rules or {"all": {"rule": "True", "targets": list(targets)}},
            "completion": COMPLETION,
            "receiver": {**listens, **(receiver or {})},
            **more,
        },
    )
    with ExitStack() as stack:
        router = RunningRouter(root, port, stack, prefix)
        for name in SERVICES:
            router.start(name)
        router.listening()
        yield router
