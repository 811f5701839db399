"""The router from inside: it runs unprivileged, in its sandbox, and its services are up."""

from __future__ import annotations

import json
from typing import Any

WORST_EXPOSURE = 3.0
"""Of systemd-analyze security, where 0 is best and 10 worst; below 4 counts as OK there."""


def test_it_runs_as_a_service_that_starts_at_boot(host: Any) -> None:
    service = host.service("mercure")
    journal = host.run("sudo journalctl --unit mercure --lines 30 --no-pager").stdout
    assert service.is_enabled
    assert service.is_running, journal


def test_nothing_of_it_runs_as_root(host: Any) -> None:
    users = set(
        host.check_output("ps -o user= --ppid %s", host.service("mercure").systemd_properties["MainPID"]).split()
    )
    assert users == {"mercure"}


def test_a_viewer_sees_that_it_is_well(host: Any, settings: dict[str, Any]) -> None:
    with host.sudo("vera"):
        answer = host.run("mercure status --json")
    assert answer.rc == 0, answer.stdout + answer.stderr
    services = {service["name"]: service for service in json.loads(answer.stdout)["services"]}
    assert "receiver" in services
    for name, service in services.items():
        assert len(service["processes"]) == service["configured"], name


def test_every_image_is_accounted_for(host: Any) -> None:
    # Not as root: the history lets in who runs the router, by the name of the Unix user.
    with host.sudo("mercure"):
        answer = host.run("mercure verify --json")
    assert answer.rc == 0, answer.stdout + answer.stderr


def test_the_sandbox_is_what_systemd_calls_safe(host: Any) -> None:
    answer = host.check_output("systemd-analyze security --no-pager mercure.service")
    line = next(line for line in answer.splitlines() if "Overall exposure level" in line)
    exposure = float(line.split(":")[1].split()[0])
    assert exposure <= WORST_EXPOSURE, answer
