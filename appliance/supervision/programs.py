"""Programs of supervisord: what it runs, and the configuration file that says so."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.supervision.errors import SupervisionError
from mercure import durable
from mercure.config import Config, ServicesFile

CONF_NAME: Final = "supervisord.conf"
SOCKET_NAME: Final = "supervisor.sock"
PID_NAME: Final = "supervisord.pid"
LOG_BYTES: Final = 10_000_000
LOG_FILES: Final = 5
_PROCESS: Final = "%(program_name)s_%(process_num)02d"
_LOG: Final = f"log/{_PROCESS}.log"

START_SECONDS: Final = 3

START_RETRIES: Final = 10
"""Failed starts in a row, each a second later than the one before (1 to 10 s: about a minute in all), make a
crash loop. A service that has no usable configuration waits for one and does not end, so it never gets there."""

OWN: Final = ("control", "listener")
"""Programs of the appliance: one of each, not in ``services.json``, and not to be stopped by way of themselves."""

_MARGIN_SECONDS: Final = 15
"""Beyond a service's own limit for ending, before it is ended by force."""

_STOP_ORDER: Final = ("receiver", "router", "processor", "dispatcher", "cleaner", "notifier", "bookkeeper")
"""One after the other: first nothing more comes in, and the bookkeeper still records the last events of the others."""

_STOP_SECONDS: Final = {
    "router": 30,
    "processor": 30,
    "dispatcher": 30,
    "cleaner": 30,
    "notifier": 15,
    "bookkeeper": 30,
}
"""How long each service may take to end by its own account; the receiver's limit is in the configuration."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]")
LISTENED: Final = (
    "PROCESS_STATE_BACKOFF",
    "PROCESS_STATE_EXITED",
    "PROCESS_STATE_FATAL",
    "PROCESS_STATE_RUNNING",
    "TICK_60",
)
"""The events that the crash listener gets."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Program:
    """A group of like processes.

    Parameters
    ----------
    name : str
        Of the service.
    command : sequence of str
        Program and arguments.
    instances : int
        Processes; 0: none.
    priority : int
        Higher is started later and stopped earlier.
    stop_seconds : int
        Time to end after TERM, before the whole process group is killed.
    start_seconds : int
        Who lives this long has started well.
    start_retries : int
        Failed starts in a row, after the first, before it counts as a crash loop.
    listens_to : sequence of str
        Types of supervisor's events that it wants; not empty for an event listener.
    """

    name: str
    command: Sequence[str]
    instances: int = 1
    priority: int = 100
    stop_seconds: int = 30
    start_seconds: int = START_SECONDS
    start_retries: int = START_RETRIES
    listens_to: Sequence[str] = ()


def programs(root: Path, services: ServicesFile, config: Config) -> list[Program]:
    """Say what a root runs.

    Parameters
    ----------
    root : Path
        Absolute.
    services : ServicesFile
        How many of each.
    config : Config
        For the receiver's time to end; a service reads its own settings itself.
    """
    instances = {name: settings.instances for name, settings in services if name in _STOP_ORDER}
    stop = {**_STOP_SECONDS, "receiver": int(config.receiver.stop_timeout_seconds)}
    return [
        Program(
            name=name,
            # -P: the working folder is the root, and what lies there must not be imported.
            command=(sys.executable, "-P", "-m", "mercure.services", name, "--root", str(root)),
            instances=instances[name],
            priority=100 * (len(_STOP_ORDER) - place),
            stop_seconds=stop[name] + _MARGIN_SECONDS,
        )
        for place, name in enumerate(_STOP_ORDER)
    ] + [*own_programs(root), page_program(root, services, config)]


def own_programs(root: Path) -> list[Program]:
    """Say what of the appliance's own a root runs; only the bookkeeper, which records the last events, ends later."""
    command = (sys.executable, "-P", "-m")
    where = ("--root", str(root))
    return [
        Program("control", (*command, "appliance.control", *where), priority=150),
        Program("listener", (*command, "appliance.crash_listener", *where), priority=140, listens_to=LISTENED),
    ]


def page_program(root: Path, services: ServicesFile, config: Config) -> Program:
    """Say how the status page is run.

    It asks the control service for its settings, and needs to know where it listens also when that does not answer.
    """
    page = config.status_page
    where = f"[{page.bind}]:{page.port}" if ":" in page.bind else f"{page.bind}:{page.port}"
    command = (sys.executable, "-P", "-m", "appliance.status_page", "--root", str(root), "--listen", where)
    return Program("page", command, instances=services.page.instances, priority=145)


def conf_text(programs: Iterable[Program]) -> str:
    """Write supervisord's configuration.

    Paths in it are relative to the root, supervisord's working folder: they need no quoting, and a socket's path has
    room for 107 bytes only (``sun_path`` in unix(7)).

    Raises
    ------
    ValueError
        A command holds a control character.
    """
    sections = [
        "# Made by `mercure run` from config/services.json; a change here is lost.",
        _section(
            "supervisord",
            nodaemon="true",
            silent="true",
            logfile="log/supervisord.log",
            logfile_maxbytes=LOG_BYTES,
            logfile_backups=LOG_FILES,
            pidfile=f"run/{PID_NAME}",
            nocleanup="true",
            minprocs=64,
        ),
        # Its web server answers on this socket only, for the owner only.
        _section("unix_http_server", file=f"run/{SOCKET_NAME}", chmod="0600"),
        _rpc_interface("supervisor", "supervisor.rpcinterface:make_main_rpcinterface"),
        _rpc_interface("mercure", "appliance.supervision.rpc_interface:make_interface"),
        *(_program(program) for program in programs if program.instances),
    ]
    return "\n\n".join(sections) + "\n"


def write_conf(root: Path, programs: Iterable[Program]) -> Path:
    """Write supervisord's configuration into the root and return its path.

    Raises
    ------
    SupervisionError
        The root's path cannot be written in it.
    OSError
        The disk refuses; the old file stays.
    """
    path = root / "run" / CONF_NAME
    try:
        text = conf_text(programs)
    except ValueError as error:
        raise SupervisionError(f"{error}; choose another --root") from error
    durable.write_file(path, os.fsencode(text), sync=False)
    return path


def _program(program: Program) -> str:
    if program.listens_to:
        return _listener(program)
    return _section(
        f"program:{program.name}",
        numprocs=program.instances,
        **_kept_up(program),
        # TERM is for the service alone: it ends its children as it sees fit, the receiver after their associations.
        stopasgroup="false",
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=_LOG,
        stdout_logfile_maxbytes=LOG_BYTES,
        stdout_logfile_backups=LOG_FILES,
    )


def _listener(program: Program) -> str:
    """Write an event listener: its standard output is the protocol, and its log is its standard error."""
    return _section(
        f"eventlistener:{program.name}",
        events=",".join(program.listens_to),
        buffer_size=1000,
        **_kept_up(program),
        stdout_logfile="NONE",
        stderr_logfile=_LOG,
        stderr_logfile_maxbytes=LOG_BYTES,
        stderr_logfile_backups=LOG_FILES,
    )


def _kept_up(program: Program) -> dict[str, object]:
    """Return what is started, when, and how it is kept running and ended."""
    return {
        "command": " ".join(quoted(word) for word in program.command),
        "process_name": _PROCESS,
        "priority": program.priority,
        "autostart": "true",
        "autorestart": "true",
        "startsecs": program.start_seconds,
        "startretries": program.start_retries,
        "stopsignal": "TERM",
        "stopwaitsecs": program.stop_seconds,
    }


def _rpc_interface(name: str, factory: str) -> str:
    return f"[rpcinterface:{name}]\nsupervisor.rpcinterface_factory = {factory}"


def _section(name: str, **settings: object) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in settings.items())])


def quoted(word: str) -> str:
    """Quote a word of a command for supervisord, which splits it as a shell would, after taking comments and ``%`` out.

    Each unusual character is quoted by itself: `shlex.quote` would leave ``" ;"``, the beginning of a comment, as it
    is. ``%`` is doubled.

    Raises
    ------
    ValueError
        It holds a control character.
    """
    if _CONTROL.search(word):
        raise ValueError(f"{word!r} holds a control character; supervisord's configuration cannot")
    return "".join(char if _PLAIN.match(char) else _quoted_char(char) for char in word) or "''"


def _quoted_char(char: str) -> str:
    if char == "'":
        return '"\'"'
    return f"'{char.replace('%', '%%')}'"
