"""``mercure doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import exit_codes
from appliance.cli.common import end_with, json_option, root_option, show
from appliance.cli.text import found

if TYPE_CHECKING:
    from appliance.doctor.checks import Diagnosis


@click.command()
@root_option
@json_option("appliance.doctor.checks:Diagnosis")
def doctor() -> None:
    """Whether this host still is as the playbook made it, and how to mend what is not.

    It looks and changes nothing: mounts, disks, kernel, network, firewall, senders, logins, clock, units, updates,
    release, permissions, certificate, backups. As root it sees all of it. Exit code 1 when something failed.
    """
    from appliance.doctor.checks import examine, expected  # noqa: PLC0415
    from appliance.doctor.host import HostView  # noqa: PLC0415

    diagnosis = examine(HostView(expected()))
    show(diagnosis, lambda: _lines(diagnosis))
    end_with(exit_codes.WELL if diagnosis.ok else exit_codes.FAILED)


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    for answer in diagnosis.answers:
        yield from found(answer.outcome, f"{answer.question:<13}", answer.text, answer.mend)
    yield ""
    failed = sum(answer.outcome == "failed" for answer in diagnosis.answers)
    look = sum(answer.outcome == "warning" for answer in diagnosis.answers)
    yield f"{failed} failed, {look} to look at" if failed or look else "the host is as the playbook made it"
