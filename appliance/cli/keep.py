"""``mercure keep``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from appliance.cli import shell_completion
from appliance.cli.common import end_with, json_option, root_option, show, watch_option
from appliance.cli.history import Until
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking, each
from appliance.cli.text import table
from appliance.presentation.figures import duration, size, zoned_moment
from appliance.presentation.phrases import plural
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.keep import Keeping, KeepState

SHORT = 8


@click.group(cls=OrderedGroup)
@root_option
def keep() -> None:
    """Keep what is delivered or discarded beyond its retention, until a day.

    The cleaner removes nothing that is kept, also when the disk is full. A KEEP is named by its id or the end of it,
    such as the eight characters that `keep list` shows.
    """


@keep.command()
@click.argument("tasks", metavar="[TASK…]", nargs=-1, shell_complete=shell_completion.tasks)
@click.option("--study", help="All of this Study Instance UID, also what comes later.")
@click.option("--accession", metavar="NUMBER", help="All of the study with this accession number, given whole.")
@click.option("--patient", help="All of this patient id, also what comes later.")
@click.option(
    "--until", required=True, type=Until(), help="When it ends: in 12h, 7d, 2w, or a date or time; within a year."
)
@click.option("--reason", required=True, help="Why; others will ask.")
@root_option
@json_option(added="appliance.control.api.keep:KeepState")
def add(tasks: tuple[str, ...], until: datetime, reason: str, **named: str | None) -> None:
    """Keep tasks, a study or a patient.

    All keeps together take at most `retention.keep_percent` of the disk; what would be more is refused.
    """
    from appliance.control import api  # noqa: PLC0415

    if sum((bool(tasks), *(value is not None for value in named.values()))) != 1:
        raise click.UsageError("name tasks, or give --study, --accession or --patient")
    done: list[KeepState] = []
    with asking() as ask_for:

        def keep_one(task: str | None) -> bool:
            wanted = api.keep.AddKeep(task=task, until=until, reason=reason, **named)
            done.append(ask_for(api.keep.ADD, wanted))
            return True

        code = each(tasks or (None,), keep_one)
    show({"added": done}, lambda: map(_line, done))
    end_with(code)


def _line(state: KeepState) -> str:
    tasks = f"{plural(state.tasks, 'task')} now, {size(state.bytes)}"
    return printable(f"keep {state.id[-SHORT:]}: {_what(state)}, until {zoned_moment(state.until)} ({tasks})")


def _what(state: KeepState) -> str:
    if state.task:
        return f"task {state.task[-SHORT:]}"
    return f"study {state.study}" if state.study else f"patient {state.patient}" if state.patient else "cannot be read"


@keep.command("list")
@watch_option
@root_option
@json_option("appliance.control.api.keep:Keeping")
def list_() -> None:
    """List what is kept: by whom, why, until when, and how much it is."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.keep.LIST)
    show(found, lambda: _list_lines(found))


def _list_lines(found: Keeping) -> Iterator[str]:
    for name in found.unreadable:
        yield printable(f"keep {name} cannot be read: nothing is removed for its age")
    if not found.entries:
        yield "nothing is kept beyond its retention"
        return
    yield f"{size(found.bytes)} of {size(found.most_bytes)}"
    if found.beyond:
        yield f"{plural(found.beyond, 'task')} beyond that: removed as if not kept"
    yield ""
    head = ["KEEP", "WHAT", "TASKS", "SIZE", "ENDS IN", "BY", "REASON"]
    yield from table(head, map(_row, found.entries))


def _row(state: KeepState) -> tuple[str, ...]:
    beyond = f" ({state.beyond} beyond)" if state.beyond else ""
    return (
        state.id[-SHORT:],
        _what(state),
        f"{state.tasks}{beyond}",
        size(state.bytes),
        duration(state.seconds_left),
        state.by,
        state.reason,
    )


@keep.command()
@click.argument("name", metavar="KEEP")
@click.option("--reason", default="", help="Why; it is kept in the audit.")
@root_option
@json_option("appliance.control.api.keep:KeepState")
def remove(name: str, reason: str) -> None:
    """End a KEEP now: the retention holds again."""
    from appliance.control import api  # noqa: PLC0415

    removed = ask(api.keep.REMOVE, api.keep.RemoveKeep(keep=name, reason=reason))
    show(removed, lambda: [printable(f"removed: keep {removed.id[-SHORT:]}: {_what(removed)}")])
