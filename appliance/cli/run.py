"""``mercure run``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.common import Failure, narrate, open_session, program, root_option
from appliance.cli.setup import first_options, lines, write_first
from appliance.cli.text import pairs
from appliance.presentation.phrases import LOCAL_ONLY, OPEN_TO_ALL
from mercure import __version__
from mercure.names import place_of
from mercure.printable import printable
from mercure.spool.place import place_problems
from mercure.spool.relocation import settle

if TYPE_CHECKING:
    from appliance.control.session import Session
    from appliance.supervision.programs import Program
    from mercure.config import Config, Receiver


@click.command()
@first_options
@root_option
def run(port: int | None, bind: str | None, ae_title: str | None, page_port: int | None) -> None:
    """Run the router in the foreground, until Ctrl-C.

    A root without a configuration is given a first one, as by `mercure init`. The first signal (INT, TERM, HUP) lets
    open associations finish; a second one ends everything at once, and what was not finished is taken up at the next
    start.
    """
    from appliance.control.configuration import setup  # noqa: PLC0415
    from appliance.supervision.foreground import serve  # noqa: PLC0415

    session = open_session()
    if setup.is_initialised(session):
        _refuse_other(session, port, bind, ae_title, page_port)
    else:
        for line in lines(write_first(port, bind, ae_title, page_port)):
            narrate(line)
    programs = _programs(session)
    for line in _welcome(session):
        click.echo(printable(line))
    sys.stdout.flush()
    serve(session.root.path, programs, narrate, prepare=lambda: _settle(session))


def _settle(session: Session) -> None:
    """Leave a spool that holds nothing any more for the one that is wanted; say what is wrong with its place."""
    root, wanted = session.root.path, session.root.named_spool(session.config)
    settle(root, wanted)
    for problem in place_problems(root, wanted):
        narrate(f"{problem.text} ({problem.advice})")


def _refuse_other(
    session: Session, port: int | None, bind: str | None, ae_title: str | None, page_port: int | None
) -> None:
    """Refuse settings that differ from a configuration that is there: who gives them expects them to count."""
    receiver = session.config.receiver
    for name, given, there in (
        ("--port", port, receiver.port),
        ("--bind", bind, receiver.bind),
        ("--ae-title", ae_title, receiver.ae_title),
        ("--page-port", page_port, session.config.status_page.port),
    ):
        if given is not None and given != there:
            raise Failure(
                f"{session.root.path} is configured with {there}, and {name} says {given}",
                f"leave {name} away, or edit {session.store.mercure.path}",
            )


def _programs(session: Session) -> list[Program]:
    """Say what is to run; tell of files that cannot be used, and of what goes on instead."""
    from appliance.control.configuration import files  # noqa: PLC0415
    from appliance.control.identity import require_owner  # noqa: PLC0415
    from appliance.supervision.programs import programs  # noqa: PLC0415

    require_owner(session.root.path)
    shown = files.show(session)
    for file in (shown.mercure, shown.services):
        for problem in file.problems:
            advice = f" ({problem.advice})" if problem.advice else ""
            narrate(f"{file.file}: {problem.place}: {problem.text}{advice}")
        if file.problems:
            narrate(f"{file.file} cannot be used as it is; revision {file.revision} is used instead")
    return programs(session.root.path, session.services.value, session.config)


def _welcome(session: Session) -> Iterator[str]:
    config, root = session.config, session.root.path
    receiver = config.receiver
    where = "all addresses" if receiver.bind in {"0.0.0.0", "::"} else receiver.bind  # noqa: S104 - compared
    host = "127.0.0.1" if where == "all addresses" else receiver.bind
    yield f"mercure {__version__} in {root}"
    yield from pairs(
        [
            ("  receives", f"DICOM on {_ports(receiver)} of {where}, AE title {receiver.ae_title}"),
            *([("", _who_may_send(config))] if _who_may_send(config) else []),
            ("  delivers", _deliveries(config)),
            ("  try", f"dcmsend --verbose --call '{receiver.ae_title}' {host} {receiver.port} FILE…"),
            ("  then", f"{program()} status --root {root}"),
            ("", f"{program()} history series --root {root}"),
            *([("  page", f"http://{_page(config)}/")] if session.services.value.page.instances else []),
            ("  watch", f"{Path(program()).with_name('mercure-tui')} --root {root}"),
            ("  logs", f"{session.root.log}"),
            ("  end", "Ctrl-C"),
        ]
    )


def _ports(receiver: Receiver) -> str:
    ports = [f"port {receiver.port}"] if receiver.plain else []
    ports += [f"port {receiver.tls_port} over TLS"] if receiver.tls_certificate else []
    return " and ".join(ports)


def _who_may_send(config: Config) -> str:
    """Say what a person should know of who can send; empty: nothing."""
    from mercure.config.senders import is_loopback  # noqa: PLC0415

    if is_loopback(config.receiver.bind):
        return LOCAL_ONLY
    return OPEN_TO_ALL if config.is_open_to_all else ""


def _page(config: Config) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.status_page.bind, config.status_page.bind)  # noqa: S104
    return place_of(host, config.status_page.port)


def _deliveries(config: Config) -> str:
    rules = [(name, rule) for name, rule in config.rules.items() if not rule.disabled]
    if len(rules) != 1:
        return f"by {len(rules)} rules to {len(config.targets)} targets"
    name, rule = rules[0]
    targets = ", ".join(rule.targets) or rule.action
    return f"by rule {name!r} to {targets}"
