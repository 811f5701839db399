"""``mercure jobs``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show, watch_option
from appliance.cli.progress import bar
from appliance.cli.requests import asking
from appliance.cli.text import pairs, table
from appliance.presentation.figures import duration, short_moment

if TYPE_CHECKING:
    from appliance.control.api.jobs import JobResult, JobState


@click.command()
@watch_option
@click.argument("job", required=False)
@root_option
@json_option("appliance.control.api.jobs:JobResult", jobs="appliance.control.api.jobs:JobState")
def jobs(job: str | None) -> None:
    """See what takes long: backups, self-tests, test sends, dry runs; with JOB, follow one to its end.

    They go on when the connection that began them is lost. The results of the last ones are kept until the control
    service ends; with --json the whole answer of JOB is printed. Exit code 1: it failed.
    """
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        if job is None:
            found = ask_for(api.jobs.LIST).jobs
            show({"jobs": found}, lambda: table(["JOB", "ACTION", "BY", "BEGUN", "TOOK", "STATE"], map(_row, found)))
            return
        result = ask_for(api.jobs.JOIN, api.jobs.OneJob(job=job))
    show(result, lambda: _lines(result))
    end_with(exit_codes.FAILED if result.error is not None else exit_codes.WELL)


def _row(state: JobState) -> tuple[str, ...]:
    what = bar(state.progress, 60) if state.outcome == "running" else " ".join([state.outcome, state.error]).strip()
    action = f"{state.verb} {state.about}".strip()
    return (state.job, action, state.user, short_moment(state.begun), duration(state.seconds), what)


def _lines(result: JobResult) -> Iterator[str]:
    state = result.state
    answer = result.answer if isinstance(result.answer, dict) else {}
    yield from pairs(
        [
            ("action", f"{state.verb} {state.about}".strip()),
            ("by", state.user),
            ("state", state.outcome),
            ("error", state.error),
            ("do next", result.error.advice if result.error is not None else ""),
            *((name, str(value)) for name, value in answer.items() if not isinstance(value, list | dict)),
        ]
    )
