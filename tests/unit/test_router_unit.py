"""The unit of the router: its sandbox is as narrow as the runner of its modules lets it be, and no narrower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/router/templates/mercure.service.j2"
SETTINGS: dict[str, Any] = {
    "router_folder": "/opt/mercure",
    "router_root": "/srv/mercure/router",
    "router_stop_seconds": 600,
    "router_open_files": 65536,
    "router_sandbox": True,
    "router_write_paths": [],
    "router_backup_paths": [],
    "router_podman_paths": [],
    "router_uid": "990",
}

# systemd.exec(5): each of these filters system calls, and a unit of an unprivileged user then has NoNewPrivileges.
NO_NEW_PRIVILEGES = {
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
}

# It makes namespaces, mounts, names its host; and the kernel lets it mount a /proc where nothing of its own is hidden.
IN_THE_WAY_OF_BUBBLEWRAP = {
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelTunables",
    "RestrictNamespaces",
    "SystemCallFilter",
}


def unit(**changes: Any) -> str:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    shut = {"router_podman": False, "router_bubblewrap": False}
    return environment.from_string(TEMPLATE.read_text()).render(SETTINGS | shut | changes)


def measures(runner: str) -> set[str]:
    """Return the names of what the unit sets for a kind of runner."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    template = environment.from_string(TEMPLATE.read_text())
    shut = {"router_podman": runner == "podman", "router_bubblewrap": runner == "command"}
    lines = template.render(SETTINGS | shut).splitlines()
    return {line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")}


@pytest.mark.parametrize("runner", ["none", "podman", "command"])
def test_it_writes_only_where_it_is_told_to(runner: str) -> None:
    assert {"ProtectSystem", "ReadWritePaths", "PrivateTmp"} <= measures(runner)


def test_without_modules_nothing_is_left_out() -> None:
    assert measures("none") >= NO_NEW_PRIVILEGES | IN_THE_WAY_OF_BUBBLEWRAP | {"ProtectHome", "CapabilityBoundingSet"}


def test_receiver_sender_and_decoder_can_shut_themselves_in() -> None:
    lists = [line.partition("=")[2] for line in unit().splitlines() if line.startswith("SystemCallFilter=")]
    allowed = {call for calls in lists if not calls.startswith("~") for call in calls.split()}
    landlock = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    assert {"@system-service", "seccomp", *landlock} <= allowed


def test_rootless_containers_get_their_ids_from_a_setuid_program() -> None:
    assert not measures("podman") & NO_NEW_PRIVILEGES


def test_bubblewrap_can_make_its_sandbox_and_gains_nothing() -> None:
    found = measures("command")
    assert not found & IN_THE_WAY_OF_BUBBLEWRAP
    assert {"NoNewPrivileges", "CapabilityBoundingSet", "RestrictAddressFamilies"} <= found


def test_it_waits_for_the_clock_by_choice_and_not_for_ever() -> None:
    assert "time-sync.target" not in unit(router_wait_for_time=0)
    waiting = unit(router_wait_for_time=300)
    assert "After=mercure-time.service time-sync.target" in waiting.splitlines()
    assert "Wants=mercure-time.service time-sync.target" in waiting.splitlines()
    template = TEMPLATE.with_name("mercure-time.service.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    lines = environment.from_string(template).render(router_wait_for_time=301).splitlines()
    assert "ExecStart=-/usr/bin/chronyc -n waitsync 61 1.0 0.0 5" in lines
    assert "TimeoutStartSec=331" in lines
