"""Supervisor client: calls the supervisord of a root over its Unix socket."""

from __future__ import annotations

import http.client
import os
import socket
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from supervisor.xmlrpc import SupervisorTransport

from appliance.supervision.errors import NotRunningError, RefusedError, SupervisionDeniedError
from appliance.supervision.programs import SOCKET_NAME, Program, write_conf
from appliance.supervision.states import AT_REST, OF_SUPERVISOR, State
from mercure.model import Record

RPC_SECONDS: Final = 10.0
"""supervisord answers at once, or it hangs."""

POLL_SECONDS: Final = 0.1


class ProcessInfo(Record):
    """One process as supervisord sees it; `since` is the time of the last change, `problem` empty when all is well."""

    service: str
    name: str
    state: State
    pid: int | None = None
    since: datetime | None = None
    problem: str = ""
    log: str = ""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket whose folder is held open: `sun_path` has 108 bytes, a root may have more."""

    def __init__(self, run: Path) -> None:
        super().__init__("localhost", timeout=RPC_SECONDS)
        self._run = run

    def connect(self) -> None:
        """Connect by way of the folder's descriptor."""
        folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
        finally:
            os.close(folder)


class SupervisorClient:
    """The supervisord of one root; a context manager that closes the connection.

    All methods raise `NotRunningError` when there is none, `SupervisionDeniedError` when it belongs to another user,
    and `RefusedError` when it refuses.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        transport = SupervisorTransport(None, None, "unix://")
        transport._get_connection = lambda: _Connection(self._root / "run")
        self._transport = transport
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)

    def __enter__(self) -> SupervisorClient:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._transport.close()

    def processes(self) -> list[ProcessInfo]:
        """List all processes, in the order in which they are started."""
        with self._errors():
            return [self._info(info) for info in _list(self._proxy.supervisor.getAllProcessInfo())]

    def start(self, service: str, *, seconds: float, waiting: Callable[[list[ProcessInfo]], None]) -> None:
        """Start the processes of a service that do not run, and wait until they do.

        Parameters
        ----------
        service : str
            Name of the group.
        seconds : float
            How long to wait.
        waiting : callable
            Called while it waits, with the processes that are not there yet.

        Raises
        ------
        RefusedError
            A process does not run in the end.
        """
        with self._errors():
            self._proxy.supervisor.startProcessGroup(service, False)
        late = self._wait(service, lambda info: info.state not in {"starting", "retrying"}, seconds, waiting)
        failed = [info for info in self._of(service) if info.state != "running"]
        if late or failed:
            names = ", ".join(f"{info.name}: {info.problem or info.state}" for info in late or failed)
            raise RefusedError(f"not all of {service} runs ({names})")

    def stop(self, service: str, *, seconds: float, waiting: Callable[[list[ProcessInfo]], None]) -> None:
        """Stop the processes of a service in order, and wait until they have ended; parameters as for `start`.

        Raises
        ------
        RefusedError
            A process has not ended in time; supervisord ends it by force when its own time is over.
        """
        with self._errors():
            self._proxy.supervisor.stopProcessGroup(service, False)
        late = self._wait(service, lambda info: info.state in AT_REST, seconds, waiting)
        if late:
            raise RefusedError(f"{', '.join(info.name for info in late)} has not ended within {seconds:.0f} s")

    def apply(self, programs: list[Program], *, waiting: Callable[[list[ProcessInfo]], None]) -> None:
        """Bring what runs in line with `programs`; processes that are in both are left alone.

        Parameters
        ----------
        programs : list of Program
            All programs of the root.
        waiting : callable
            Called while it waits, with the processes that have not ended yet.
        """
        limits = {program.name: program.stop_seconds + RPC_SECONDS for program in programs}
        write_conf(self._root, programs)
        with self._errors():
            [[added, changed, removed]] = _list(self._proxy.supervisor.reloadConfig())
        for service in removed:
            self.stop(service, seconds=limits.get(service, RPC_SECONDS), waiting=waiting)
            with self._errors():
                self._proxy.supervisor.removeProcessGroup(service)
        for service in changed:
            self._adopt(service, limits[service], waiting)
        for service in added:
            with self._errors():
                self._proxy.supervisor.addProcessGroup(service)

    def _adopt(self, service: str, seconds: float, waiting: Callable[[list[ProcessInfo]], None]) -> None:
        with self._errors():
            surplus = _list(self._proxy.mercure.surplus(service))
            for info in self._of(service):
                if info.name in surplus and info.state not in AT_REST:
                    self._proxy.supervisor.stopProcess(f"{service}:{info.name}", False)
        late = self._wait(service, lambda info: info.name not in surplus or info.state in AT_REST, seconds, waiting)
        if late:
            raise RefusedError(f"{', '.join(info.name for info in late)} has not ended within {seconds:.0f} s")
        with self._errors():
            self._proxy.mercure.adopt(service)

    def _of(self, service: str) -> list[ProcessInfo]:
        return [info for info in self.processes() if info.service == service]

    def _wait(
        self,
        service: str,
        done: Callable[[ProcessInfo], bool],
        seconds: float,
        waiting: Callable[[list[ProcessInfo]], None],
    ) -> list[ProcessInfo]:
        """Wait until all processes of a service are `done`; return those that are not in time."""
        end = time.monotonic() + seconds
        while True:
            late = [info for info in self._of(service) if not done(info)]
            if not late or time.monotonic() > end:
                return late
            waiting(late)
            time.sleep(POLL_SECONDS)

    def _info(self, info: dict[str, Any]) -> ProcessInfo:
        state = OF_SUPERVISOR.get(str(info["statename"]), "unknown")
        changed = int(info["stop"] if state in AT_REST else info["start"])
        return ProcessInfo(
            service=str(info["group"]),
            name=str(info["name"]),
            state=state,
            pid=int(info["pid"]) or None,
            since=datetime.fromtimestamp(changed, UTC) if changed else None,
            problem=str(info["spawnerr"]) if state in {"retrying", "failed", "ended"} else "",
            log=str(self._root / str(info["stdout_logfile"] or info["stderr_logfile"])),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what goes wrong on the way into our errors."""
        try:
            yield
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotRunningError(f"no router runs in {self._root}") from None
        except PermissionError as error:
            raise SupervisionDeniedError(f"the router in {self._root} belongs to another user") from error
        except TimeoutError as error:
            raise RefusedError(f"the supervisor of {self._root} does not answer within {RPC_SECONDS:.0f} s") from error
        except xmlrpc.client.Fault as fault:
            raise RefusedError(fault.faultString) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise RefusedError(f"the supervisor of {self._root} answers wrongly: {error}") from error


def _list(answer: object) -> list[Any]:
    if not isinstance(answer, Iterable):
        raise RefusedError(f"the supervisor answered {answer!r}")
    return list(answer)
