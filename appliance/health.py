"""Health checks of the box: one function for each question, with an answer in words and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Final

from appliance.control.api.selftest import Outcome
from appliance.control.configuration import files
from appliance.control.errors import ControlError
from appliance.control.history.search import asking
from appliance.control.rpc.jsonrpc import SOCKET_NAME
from appliance.control.services.actions import list_services
from appliance.control.session import Session
from mercure import durable
from mercure.clock import kernel_synchronised
from mercure.dicom.echo import echo
from mercure.dicom.tools import Tool, ToolMissingError, tool_path
from mercure.programs import run_program
from mercure.spool import Stage

SLOW_SYNC_SECONDS: Final = 0.1
"""A disk that takes longer to make a small file durable holds every image up by that."""

SLOW_BYTES_PER_SECOND: Final = 50e6
_WRITTEN: Final = 32 * 1024 * 1024
_LATE_SECONDS: Final = 60.0
_EARLIEST_YEAR: Final = 2026

_PROGRAMS: Final[tuple[Tool, ...]] = ("mercure-storescp", "mercure-storescu", "mercure-codec", "getdcmtags")


@dataclass(frozen=True)
class HealthFinding:
    """What a question was answered with."""

    outcome: Outcome
    text: str
    advice: str = ""


def well(text: str) -> HealthFinding:
    """Say that all is well."""
    return HealthFinding("ok", text)


def configured(session: Session) -> HealthFinding:
    """Ask whether the configuration files can be used."""
    shown = files.show(session)
    problems = [f"{item.place}: {item.text}" for file in (shown.mercure, shown.services) for item in file.problems]
    if problems:
        text = f"revision {shown.mercure.revision} is in force, the file cannot be used: {'; '.join(problems)}"
        return HealthFinding("failed", text, "correct it, or roll back: `mercure config validate`")
    return well(f"revision {shown.mercure.revision} is in force")


def permitted(session: Session) -> HealthFinding:
    """Ask whether all folders are there, ours, and can be written."""
    root, spool = session.root, session.spool
    folders = [root.config, root.run, root.log, *(spool.stage(stage) for stage in Stage)]
    missing = [str(path) for path in folders if not path.is_dir()]
    if missing:
        return HealthFinding(
            "failed", f"there is no {', '.join(missing)}", "`mercure run` makes it; is the disk mounted?"
        )
    strange = [str(path) for path in folders if path.stat().st_uid != os.geteuid()]
    closed = [str(path) for path in folders if not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if strange or closed:
        where = ", ".join(dict.fromkeys([*strange, *closed]))
        return HealthFinding("failed", f"not ours, or not writable: {where}", "give them to the router's user (chown)")
    devices = {path.stat().st_dev for path in (spool.stage(stage) for stage in Stage)}
    if len(devices) > 1:
        return HealthFinding(
            "failed", f"{spool.root} lies on several file systems", "a spool has one: moves are renames"
        )
    return well(f"{len(folders)} folders are ours and can be written")


def roomy(session: Session) -> HealthFinding:
    """Ask whether there is room on the disk of the spool."""
    config, usage = session.config, shutil.disk_usage(session.spool.root)
    free = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are free"
    if usage.free < config.receiver.min_free_bytes:
        return HealthFinding("failed", f"{free}: images are refused", "make room, or bring the targets back")
    if usage.free < config.retention.pressure_free_bytes:
        return HealthFinding(
            "warning", f"{free}: finished tasks are removed before their time", "see what waits so long"
        )
    return well(free)


def quick(session: Session) -> HealthFinding:
    """Ask how quickly the disk of the spool makes things durable."""
    clock = session.clock
    folder = Path(tempfile.mkdtemp(prefix=".selftest-", dir=session.spool.root))
    try:
        begin = clock.monotonic()
        for number in range(10):
            durable.write_file(folder / f"{number}", b"x")
        sync = (clock.monotonic() - begin) / 10
        begin = clock.monotonic()
        durable.write_file(folder / "large", bytes(_WRITTEN))
        rate = _WRITTEN / max(clock.monotonic() - begin, 1e-6)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = f"a small file is durable after {1000 * sync:.1f} ms, a large one is written at {rate / 1e6:.0f} MB/s"
    if sync > SLOW_SYNC_SECONDS or rate < SLOW_BYTES_PER_SECOND:
        return HealthFinding("warning", text, "a slow or worn disk, or a busy one: every image waits for it")
    return well(text)


def on_time(session: Session) -> HealthFinding:
    """Ask whether the clock is kept right, and did not go back behind what is recorded."""
    now = session.clock.now()
    if now.year < _EARLIEST_YEAR:
        return HealthFinding("failed", f"it is {now:%Y-%m-%d %H:%M} UTC, says the clock", "set it, and see the battery")
    try:
        with asking(session) as history:
            newest = max((lag.newest_event for lag in history.lag()), default=now)
    except ControlError:
        newest = now
    if (newest - now).total_seconds() > _LATE_SECONDS:
        text = f"it is {now:%Y-%m-%d %H:%M} UTC, and {newest:%Y-%m-%d %H:%M} is recorded already"
        return HealthFinding("failed", text, "the clock was set back: set it right")
    if not kernel_synchronised():
        return HealthFinding("warning", "the time is not synchronised", "run chrony or systemd-timesyncd")
    return well(f"{now:%Y-%m-%d %H:%M:%S} UTC, kept right")


def equipped(session: Session) -> HealthFinding:
    """Ask whether the programs on DCMTK are there and run."""
    versions = []
    for name in _PROGRAMS:
        try:
            done = run_program([str(tool_path(name)), "--version"], seconds=10)
        except ToolMissingError as error:
            return HealthFinding("failed", str(error), "install the release again")
        except (OSError, subprocess.TimeoutExpired) as error:
            return HealthFinding("failed", f"{name} does not run: {error}", "install the release again")
        if done.returncode:
            text = f"{name} --version ended with {done.returncode}: {done.stderr.strip()[:200]}"
            return HealthFinding("failed", text, "a library may be missing: `ldd` tells")
        versions.append(next(iter(done.stdout.splitlines()), name).strip())
    return well("; ".join(versions))


def serving(session: Session) -> HealthFinding:
    """Ask whether all services run."""
    found = list_services(session)
    processes = [process for service in found for process in service.processes]
    if not processes:
        return HealthFinding(
            "warning", "no router runs in this root", f"`mercure run --root {session.root.path}` starts it"
        )
    wrong = [f"{item.name} is {item.state}" for item in processes if item.state not in {"running", "starting"}]
    wrong += [f"{item.name} crashes again and again" for item in processes if item.is_looping]
    if wrong:
        return HealthFinding("failed", "; ".join(wrong), "read their logs: `mercure service list`")
    return well(f"{len(processes)} processes run")


def reachable(session: Session) -> HealthFinding:
    """Ask whether the control socket and the receiver's port answer."""
    if not any(process for service in list_services(session) for process in service.processes):
        return HealthFinding("warning", "no router runs, so nothing listens")
    socket = session.root.run / SOCKET_NAME
    if not socket.is_socket():
        return HealthFinding("failed", f"there is no control socket at {socket}", "see log/control_00.log")
    receiver = session.config.receiver
    host = "127.0.0.1" if receiver.bind in {"0.0.0.0", "::"} else receiver.bind  # noqa: S104 - compared
    if not receiver.plain:
        return _listens(host, receiver.tls_port, "TLS")
    if receiver.is_proxy(host):
        return _listens(host, receiver.port, "behind a proxy")
    answer = echo(host, receiver.port, called_aet=receiver.ae_title, calling_aet=receiver.ae_title)
    if answer.ok:
        return well(f"the control socket is there, and the receiver answers on port {receiver.port}")
    return HealthFinding("failed", f"the receiver on port {receiver.port}: {answer.text}", "see log/receiver_00.log")


def _listens(host: str, port: int, how: str) -> HealthFinding:
    """Ask whether a port is open; more than that only a sender with its certificate can ask, or a proxy."""
    try:
        create_connection((host, port), timeout=5).close()
    except OSError as error:
        text = f"the receiver on port {port} ({how}): {error.strerror or error}"
        return HealthFinding("failed", text, "see log/receiver_00.log")
    return well(f"the control socket is there, and the receiver's port {port} ({how}) is open")


def recorded(session: Session) -> HealthFinding:
    """Ask whether the history answers."""
    try:
        with asking(session) as history:
            lags = {lag.node: lag for lag in history.lag()}
    except ControlError as error:
        return HealthFinding("warning", error.text, "routing goes on without it; see log/bookkeeper_00.log")
    own = lags.get(session.config.name)
    return well(f"the newest event is of {own.newest_event:%Y-%m-%d %H:%M:%S} UTC" if own else "it holds nothing yet")


CHECKS: Final[dict[str, Callable[[Session], HealthFinding]]] = {
    "configuration": configured,
    "permissions": permitted,
    "disk": roomy,
    "disk speed": quick,
    "clock": on_time,
    "programs": equipped,
    "services": serving,
    "sockets": reachable,
    "history": recorded,
}
"""The checks, in the order in which they run."""
