"""``mercure status``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show, watch_option
from appliance.cli.requests import ask
from appliance.cli.text import pairs, table, terminal_columns, wrapped
from appliance.presentation.figures import duration, size
from appliance.presentation.phrases import OPEN_TO_ALL, machine_in_words
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.control.api.services import ServiceState
    from appliance.control.api.status import CopiesState, HistoryState, ScrubState, Status, VerifyState

_HEALTH: Final = {"well": "running, well", "watch": "running, watch", "bad": "running, BAD"}


@click.command()
@watch_option
@root_option
@json_option("appliance.control.api.status:Status")
def status() -> None:
    """How the router is, and what needs a person.

    The router is `well`, on `watch` (something is not as it should be, and did not last long enough to send a message,
    or is a warning), or `bad`. Exit code 0: well or watch; 1: bad; 3: it does not run.
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.status.GET)
    show(found, lambda: _lines(found))
    end_with(_exit_code(found))


def _exit_code(found: Status) -> int:
    if not found.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.FAILED if found.health == "bad" else exit_codes.WELL


def _lines(found: Status) -> Iterator[str]:
    yield f"router in {printable(found.root)}: {_HEALTH[found.health] if found.running else 'NOT running'}"
    yield ""
    yield from table(
        ["SERVICE", "PROCESSES", "STATE"],
        [(service.name, f"{service.running} of {service.configured}", _states(service)) for service in found.services],
    )
    yield ""
    rows = [
        (
            stage.stage.value,
            str(stage.count),
            duration(stage.oldest_seconds) if stage.oldest_seconds is not None else "",
        )
        for stage in found.stages
    ]
    yield from table(["STAGE", "ENTRIES", "OLDEST"], rows)
    yield ""
    disk = found.disk
    yield from pairs(
        [
            ("site", printable(found.config.site)),
            ("associations", f"{found.associations} open"),
            ("disk", f"{size(disk.free_bytes)} of {size(disk.total_bytes)} free"),
            ("machine", machine_in_words(found.machine) if found.machine else ""),
            ("copies", _copies(found.copies)),
            ("scrub", _scrub(found.copies.scrub)),
            ("verified", _verified(found.verify)),
            ("history", _history(found.history)),
            ("senders", OPEN_TO_ALL if found.config.open_to_all else ""),
            ("off-peak hours", printable(found.config.off_peak)),
            ("configuration", f"revision {found.config.revision}{', edited by hand' if found.config.by_hand else ''}"),
        ]
    )
    if found.problems:
        yield ""
        for problem in found.problems:
            yield from wrapped(f"! {printable(problem)}", terminal_columns())


def _states(service: ServiceState) -> str:
    return ", ".join(dict.fromkeys(process.state for process in service.processes))


def _scrub(scrub: ScrubState) -> str:
    if not scrub.enabled:
        return "switched off"
    last = "none has ended yet"
    if scrub.age_seconds is not None:
        last = f"{duration(scrub.age_seconds)} ago: {scrub.images} images, {size(scrub.bytes)}, "
        last += f"{scrub.altered} altered, {scrub.unreadable} unreadable"
    return last if scrub.begun is None else f"{last}; one is under way: {size(scrub.done_bytes)} read"


def _verified(verify: VerifyState) -> str:
    if verify.age_seconds is None:
        return "not yet" if verify.enabled else "switched off"
    found = {0: f"all {verify.acknowledged} images accounted for", 1: f"{verify.findings} NOT accounted for"}
    return f"{duration(verify.age_seconds)} ago: {found.get(verify.exit_code, 'not everything could be checked')}"


def _copies(copies: CopiesState) -> str:
    return ", ".join(
        f"{count} {what}" for count, what in ((copies.altered, "altered"), (copies.unreadable, "unreadable")) if count
    )


def _history(history: HistoryState) -> str:
    if history.problem:
        return "cannot be asked"
    if history.lag_seconds is None:
        return "nothing recorded yet"
    return f"{duration(history.lag_seconds)} behind"
