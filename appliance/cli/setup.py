"""``mercure init``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import click

from appliance.cli.common import json_option, open_session, program, root_option, show
from appliance.cli.text import pairs
from appliance.presentation.phrases import LOCAL_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appliance.control.configuration.setup import Initialised

    F = TypeVar("F", bound=Callable[..., Any])


def first_options(command: F) -> F:
    """Add what a first configuration needs to know."""
    command = click.option("--ae-title", metavar="TITLE", help="AE title of the router.  [default: MERCURE]")(command)
    command = click.option(
        "--page-port", type=click.IntRange(1, 65535), help="Port of the status page.  [default: 8080]"
    )(command)
    command = click.option(
        "--bind", metavar="ADDRESS", help="Address to receive on; 0.0.0.0: all.  [default: 127.0.0.1]"
    )(command)
    return click.option("--port", type=click.IntRange(1, 65535), help="Port for DICOM.  [default: 11112]")(command)


@click.command()
@first_options
@root_option
@json_option("appliance.control.configuration.setup:Initialised")
def init(port: int | None, bind: str | None, ae_title: str | None, page_port: int | None) -> None:
    """Write a first configuration into an empty root.

    It receives on one port, from this machine alone unless --bind says otherwise, and one rule sends every series to
    the folder 'delivered'. A root that has a configuration is left as it is (exit code 1).
    """
    made = write_first(port, bind, ae_title, page_port)
    show(made, lambda: lines(made))


def write_first(port: int | None, bind: str | None, ae_title: str | None, page_port: int | None) -> Initialised:
    """Write the first configuration."""
    from appliance.control.configuration import setup  # noqa: PLC0415

    return setup.initialise(
        open_session(),
        port=port or setup.DEFAULT_PORT,
        bind=bind or setup.DEFAULT_BIND,
        ae_title=ae_title or setup.DEFAULT_AE_TITLE,
        page_port=page_port,
    )


def lines(made: Initialised) -> Iterator[str]:
    """Say what was written and what to do now."""
    from mercure.config.senders import is_loopback  # noqa: PLC0415

    yield f"a new router in {made.root}"
    yield from pairs(
        [
            ("  receives", f"on port {made.port}, as {made.ae_title}"),
            *([("", LOCAL_ONLY)] if is_loopback(made.bind) else []),
            ("  delivers", f"every series to {made.delivered}"),
            ("  edit", made.config),
            ("  run", f"{program()} run --root {made.root}"),
        ]
    )
