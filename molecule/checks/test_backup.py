"""The nightly backup, and that the history comes back out of it: into a database beside the one in use."""

from __future__ import annotations

import json
from typing import Any

import pytest

SCRATCH = "restored"


@pytest.fixture
def backup(host: Any, settings: dict[str, Any]) -> str:
    """Have one made as the timer does, and return where it is."""
    with host.sudo():
        host.check_output("systemctl start mercure-backup.service")
        newest: str = host.check_output(f"sh -c 'ls -1t {settings['backup_folder']}/*.tar | head -n 1'")
    return newest


def test_it_is_whole_and_has_configuration_and_history(host: Any, backup: str) -> None:
    with host.sudo("mercure"):
        found = json.loads(host.check_output("mercure backup check %s --json", backup))
    assert found["ok"], found
    assert found["history"] == "postgresql"
    assert found["left_out"] == []
    assert found["files"] > 1


def test_the_history_comes_back_out_of_it(host: Any, backup: str) -> None:
    # Events, which a router has from its first start on: a new one has received no series yet.
    count = "psql --no-psqlrc -At --command 'SELECT count(*) FROM events' --dbname"
    with host.sudo():
        host.check_output(f"sh -c 'tar -xOf {backup} history/history.dump >/run/history.dump'")
        host.check_output("chown postgres /run/history.dump")
    with host.sudo("postgres"):
        host.check_output(f"createdb {SCRATCH}")
        try:
            host.check_output(f"pg_restore --exit-on-error --no-owner --dbname {SCRATCH} /run/history.dump")
            restored = int(host.check_output(f"{count} {SCRATCH}"))
            assert 0 < restored <= int(host.check_output(f"{count} mercure"))
        finally:
            host.run(f"dropdb {SCRATCH}")
