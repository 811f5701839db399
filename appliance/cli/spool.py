"""``mercure spool``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.common import json_option, open_session, program, root_option, show
from appliance.cli.lazy import OrderedGroup
from appliance.cli.progress import Meter
from appliance.cli.text import pairs

if TYPE_CHECKING:
    from appliance.spool_move import SpoolMoved


@click.group(cls=OrderedGroup)
@root_option
def spool() -> None:
    """Move the spool to another folder or disk, or give it the name in the history."""


@spool.command()
@click.argument("new", type=click.Path(path_type=Path, file_okay=False))
@root_option
@json_option("appliance.spool_move:SpoolMoved")
def move(new: Path) -> None:
    """Move the spool with all that is in it to the folder NEW, and have the configuration say so.

    The router must not run. On the same file system the folder is renamed; else everything is copied, read again and
    compared before the new place counts, and the old one is emptied after that. Cut off at any moment, nothing is lost:
    give the same command again.
    """
    from appliance.control.api.base import Progress  # noqa: PLC0415
    from appliance.spool_move import move as move_there  # noqa: PLC0415

    with Meter() as meter:

        def told(done: int, total: int) -> None:
            meter(Progress(done=done, total=total, text="bytes copied"))

        moved = move_there(open_session(), new.absolute(), told)
    show(moved, lambda: _moved(moved))


def _moved(moved: SpoolMoved) -> Iterator[str]:
    yield from pairs(
        [
            ("moved", f"{moved.was} to {moved.path}"),
            ("configuration", f"revision {moved.revision}"),
            ("then", f"{program()} run"),
        ]
    )


@spool.command()
@root_option
@json_option("appliance.spool_move:SpoolAdopted")
def adopt() -> None:
    """Give this spool the router's name in the history, also where another router wrote under it before.

    For a router that replaces another one, or a spool that was begun anew under an old name. The other one is not to
    run any more. The bookkeeper carries it out at its next turn.
    """
    from appliance.spool_move import adopt as adopt_name  # noqa: PLC0415

    done = adopt_name(open_session())
    show(done, lambda: pairs([("name", done.name), ("is given to", done.path)]))
