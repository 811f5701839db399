"""`mercure doctor` on a host that the playbook has just made, and on one that somebody has been at since."""

from __future__ import annotations

import json
from typing import Any

import pytest


def examined(host: Any) -> list[dict[str, Any]]:
    with host.sudo():
        answers: list[dict[str, Any]] = json.loads(host.run("mercure doctor --json").stdout)["answers"]
    return answers


def failures(host: Any) -> dict[str, str]:
    return {answer["text"]: answer["mend"] for answer in examined(host) if answer["outcome"] == "failed"}


def test_a_host_as_the_playbook_made_it_is_well(host: Any) -> None:
    assert failures(host) == {}


def test_who_is_not_root_is_told_what_is_left_out(host: Any) -> None:
    with host.sudo("vera"):
        answers = json.loads(host.run("mercure doctor --json").stdout)["answers"]
    unknown = {answer["question"] for answer in answers if answer["outcome"] == "unknown"}
    assert {"firewall", "logins"} <= unknown
    assert {answer["question"] for answer in answers} >= {"mounts", "units", "release", "certificate"}


DRIFTS = {
    "the firewall was stopped": ("systemctl stop nftables", "nftables.service is inactive", "systemctl restart"),
    "the backups were stopped": (
        "systemctl stop mercure-backup.timer",
        "mercure-backup.timer is inactive",
        "systemctl",
    ),
    "the router's folder was opened": ("chmod 0755 /srv/mercure/router", "has mode 0755, not 0710", "chmod"),
    "a file was given away": ("chown mercure /etc/sudoers.d/mercure", "belongs to mercure:root", "chown"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_is_told_and_mended_by_what_is_said(host: Any, drift: str) -> None:
    command, words, mends = DRIFTS[drift]
    with host.sudo():
        host.check_output(command)
        found = failures(host)
        told = [mend for text, mend in found.items() if words in text]
        assert told, found
        # The last of what is said is the command; before it stands where to look.
        mend = told[0].rpartition("; ")[2]
        assert mend.startswith(mends)
        host.check_output(mend)
        assert [text for text in failures(host) if words in text] == []


def test_a_mount_without_its_options_is_told_and_mended(host: Any, settings: dict[str, Any]) -> None:
    def told() -> list[str]:
        return [answer["mend"] for answer in examined(host) if "is mounted without noexec" in answer["text"]]

    with host.sudo():
        host.check_output("mount --options remount,exec %s", settings["storage_mount"])
        (mend,) = told()
        host.check_output(mend)
    assert told() == []
