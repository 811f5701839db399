"""Who gets in by SSH, and who does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.guests.station import Station


@pytest.mark.parametrize("person", ["anna", "otto", "vera"])
def test_people_of_the_inventory_get_in_with_their_key(
    administration: Station, settings: dict[str, Any], person: str
) -> None:
    done = administration.ssh(settings["inventory_hostname"], "id", "-un", options=("-l", person))
    assert done.stdout.strip() == person, done.stderr


def test_root_does_not_get_in_with_the_key_of_an_admin(administration: Station, settings: dict[str, Any]) -> None:
    done = administration.ssh(settings["inventory_hostname"], "true", options=("-l", "root"))
    assert "Permission denied" in done.stderr


def test_a_person_does_not_get_in_with_another_key(
    administration: Station, settings: dict[str, Any], tmp_path: Path
) -> None:
    key = tmp_path / "another"
    administration.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    # -F none: the configuration of the lab would offer its own key too.
    proxy = "ProxyCommand " + " ".join(["nsenter", f"--net=/run/netns/{administration.lab.id}", "nc", "%h", "%p"])
    address = administration.ssh(settings["inventory_hostname"], "true", options=("-G",)).stdout
    host = next(line.split()[1] for line in address.splitlines() if line.startswith("hostname "))
    done = administration.run(
        "ssh", "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", proxy,
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", f"anna@{host}", "true",
    )  # fmt: skip
    assert "Permission denied (publickey)" in done.stderr, done.stderr


def test_nobody_is_asked_for_a_password(administration: Station, settings: dict[str, Any]) -> None:
    options = ("-o", "PubkeyAuthentication=no", "-l", "anna")
    done = administration.ssh(settings["inventory_hostname"], "true", options=options)
    assert "Permission denied (publickey)" in done.stderr, done.stderr


def test_viewers_and_operators_do_not_become_root(host: Any) -> None:
    for person in ("otto", "vera"):
        with host.sudo(person):
            assert host.run("sudo --non-interactive true").rc != 0, person
