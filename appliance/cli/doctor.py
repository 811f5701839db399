"""``mercure doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show
from appliance.cli.text import printable, terminal_columns, wrapped

if TYPE_CHECKING:
    from appliance.doctor.examining import Diagnosis

_MARKS: Final = {"ok": "ok", "warning": "look", "failed": "FAILED", "unknown": "?"}


@click.command()
@root_option
@json_option("appliance.doctor.examining:Diagnosis")
def doctor() -> None:
    """Whether this host still is as the playbook made it, and how to mend what is not.

    It looks and changes nothing: mounts, disks, kernel, network, firewall, logins, clock, units, updates, release,
    permissions, certificate, backups. As root it sees all of it. Exit code 1 when something failed.
    """
    from appliance.doctor.examining import examine, expected  # noqa: PLC0415
    from appliance.doctor.looking import Look  # noqa: PLC0415

    found = examine(Look(expected()))
    show(found, lambda: _lines(found))
    end_with(exit_codes.WELL if found.ok else exit_codes.FAILED)


def _lines(found: Diagnosis) -> Iterator[str]:
    for answer in found.answers:
        text = f"{_MARKS[answer.outcome]:<7}{answer.question:<13}{printable(answer.text)}"
        yield from wrapped(text, terminal_columns())
        if answer.mend:
            yield from wrapped(f"       → {printable(answer.mend)}", terminal_columns())
    yield ""
    failed = sum(answer.outcome == "failed" for answer in found.answers)
    look = sum(answer.outcome == "warning" for answer in found.answers)
    yield f"{failed} failed, {look} to look at" if failed or look else "the host is as the playbook made it"
