"""``mercure service``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from appliance.cli import exit_codes, shell_completion
from appliance.cli.common import Failure, json_option, output_form, root_folder, root_option, show, watch_option
from appliance.cli.history import Since
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import table
from appliance.presentation.figures import process_figures, since, zoned_moment
from mercure.printable import json_text, printable

if TYPE_CHECKING:
    from appliance.control.api.services import LogLevel, LogLine, ProcessState, ReadLog, ServiceState
    from appliance.control.api.services import ServiceVerb as Verb


@click.group(cls=OrderedGroup)
@root_option
def service() -> None:
    """See, start, stop and scale the services of a running router."""


@service.command("list")
@watch_option
@root_option
@json_option(services="appliance.control.api.services:ServiceState")
def list_() -> None:
    """List the services and their processes, with what each process takes.

    CPU is the share of one processor: of the last seconds where the control service is asked again and again, else
    since the process began. FILES are the files and connections that it has open, RESTARTS how often it ended unasked
    since the router was started.
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.services.LIST).services
    show({"services": found}, lambda: table(_COLUMNS, _rows(found)))


_MOST_LINES: Final = 5000
_COLUMNS: Final = ["SERVICE", "PROCESS", "STATE", "PID", "CPU", "MEMORY", "FILES", "RESTARTS", "UP", "SINCE"]


def _rows(services: Iterable[ServiceState]) -> Iterator[tuple[str, ...]]:
    for state in services:
        if not state.processes:
            yield (state.name, "", "off" if not state.configured else "not running", *("" for _ in _COLUMNS[3:]))
        for process in state.processes:
            begun = " ".join(filter(None, [zoned_moment(process.since), process.problem]))
            up = since(process.since) if process.state == "running" else ""
            taken = process_figures(process.figures)
            name = (state.name, process.name, process.state, str(process.pid or ""))
            yield (*name, *taken, str(process.restarts or ""), up, begun)


def _add(verb: Verb, text: str) -> None:
    """Add one of the verbs that take a service and nothing else."""

    @service.command(verb, help=text, short_help=text)
    @click.argument("name", metavar="SERVICE", shell_complete=shell_completion.services)
    @root_option
    @json_option("appliance.control.api.services:ServiceChanged")
    def command(name: str) -> None:
        from appliance.control import api  # noqa: PLC0415

        verbs = {"start": api.services.START, "stop": api.services.STOP, "restart": api.services.RESTART}
        with asking() as ask_for:
            changed = ask_for(verbs[verb], api.services.OneService(name=name))
        show(changed, lambda: table(["PROCESS", "STATE", "PID"], _processes(changed.processes)))


def _processes(processes: Iterable[ProcessState]) -> Iterator[tuple[str, ...]]:
    return ((process.name, process.state, str(process.pid or "")) for process in processes)


_add("start", "Start the processes of a service that do not run.")
_add("stop", "Stop a service in order; the receiver lets open associations finish.")
_add("restart", "Stop a service in order, and start it again.")


@service.command()
@click.argument("name", metavar="NAME", shell_complete=shell_completion.services)
@click.option("--lines", type=click.IntRange(1, 5000), default=50, show_default=True, help="Show so many lines.")
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="debug",
    show_default=True,
    help="Show lines of this level and worse.",
)
@click.option("--search", metavar="TEXT", default="", help="Show lines that hold a text: a task, a UID, a target.")
@click.option("--since", type=Since(), help="Only lines after this: 30m, 12h, 7d ago, or a date or time.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@root_option
@json_option("appliance.control.api.services:Log")
def log(name: str, *, lines: int, level: LogLevel, search: str, since: datetime | None, follow: bool) -> None:
    """Show the end of the log of a service (dispatcher) or of one process (dispatcher_00).

    Each delivery, failure, retry and decision is one line, with the cause first. Names of patients are not in it.
    With -f and --json each new line is a JSON document of its own.

    \b
    mercure logs -f dispatcher --level warning
    mercure service log receiver --since 2h --search MR3T
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    wanted = api.services.ReadLog(name=name, lines=lines if since is None else _MOST_LINES, level=level, search=search)
    found = ask(api.services.LOG, wanted)
    if since is not None:
        found = api.services.Log(lines=tuple(line for line in found.lines if _is_after(line, since)))
    show(found, lambda: map(_log_line, found.lines))
    if follow:
        _follow(wanted)


def _is_after(line: LogLine, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(line.time) >= since
    except ValueError:
        return False


def _follow(wanted: ReadLog) -> None:
    """Print new lines until Ctrl-C or the end of the router."""
    from appliance.control.api.streams import LogItem  # noqa: PLC0415
    from appliance.control.rpc.client import DisconnectedError, Stream  # noqa: PLC0415
    from appliance.control.services.logs import is_wanted  # noqa: PLC0415

    try:
        with Stream(root_folder(), "logs", logs=(wanted.name,)) as stream:
            for item in stream.items():
                for line in item.lines if isinstance(item, LogItem) else ():
                    if is_wanted(line, wanted):
                        click.echo(json_text(line.model_dump()) if output_form() == "json" else _log_line(line))
    except DisconnectedError as error:
        raise Failure(str(error), "it can be followed while the router runs", exit_codes.NOT_RUNNING) from error


def _log_line(line: LogLine) -> str:
    text = " ".join(filter(None, (line.time, line.level.upper(), line.process, line.message)))
    return printable(f"{text} ({line.more})" if line.more else text)


@service.command()
@click.argument("name", metavar="SERVICE", shell_complete=shell_completion.services)
@click.argument("instances", type=click.IntRange(0, 32))
@root_option
@json_option("appliance.control.api.services:Scaled")
def scale(name: str, instances: int) -> None:
    """Scale a service: change how many processes it has. No other process is restarted.

    It is saved in config/services.json as a new revision. 0 switches the service off.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        done = ask_for(api.services.SCALE, api.services.ScaleService(name=name, instances=instances))
    effect = "done" if done.applied else "it counts when the router runs"
    text = f"{done.name}: {done.before} to {done.after} processes, revision {done.revision}; {effect}"
    show(done, lambda: [printable(text)])
