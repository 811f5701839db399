"""``mercure selftest``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show
from appliance.cli.requests import asking
from appliance.cli.text import found

if TYPE_CHECKING:
    from appliance.control.api.selftest import Selftest


@click.command()
@click.option("--no-image", is_flag=True, help="Only look at what is there; send nothing.")
@root_option
@json_option("appliance.control.api.selftest:Selftest")
def selftest(*, no_image: bool) -> None:
    """Try whether the box works: disk, clock, permissions, programs, services, history, and the way of an image.

    A made-up image goes through a receiver, a router and a dispatcher of its own, on loopback, to a made-up target, and
    is compared there. Nothing of the running router is touched. Exit code 1 when a step failed.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        done = ask_for(api.selftest.RUN, api.selftest.RunSelftest(image=not no_image))
    show(done, lambda: _lines(done))
    end_with(exit_codes.WELL if done.ok else exit_codes.FAILED)


def _lines(done: Selftest) -> Iterator[str]:
    for step in done.steps:
        yield from found(step.outcome, f"{step.name:<14}{1000 * step.seconds:>7.0f} ms  ", step.text, step.advice)
    yield ""
    failed = sum(step.outcome == "failed" for step in done.steps)
    yield f"all works, {done.seconds:.1f} s" if done.ok else f"{failed} of {len(done.steps)} steps failed"
