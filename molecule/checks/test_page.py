"""The status page, as a browser in the hospital reaches it, and what its program could reach in a stranger's hands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from tests.guests.guest import Guest
    from tests.guests.station import Station

USER = "mercure-web"
WORST_EXPOSURE = 1.0
"""Of systemd-analyze security, where 0 is best and 10 worst."""


@pytest.fixture
def page(host: Any) -> str:
    """The number of the page's process."""
    service = host.service("mercure-page")
    with host.sudo():
        assert service.is_running, host.run("journalctl --unit mercure-page --lines 30 --no-pager").stdout
    return str(service.systemd_properties["MainPID"])


def test_it_answers_over_https_and_names_the_archive(administration: Station, guest: Guest) -> None:
    def is_shown() -> bool:
        done = administration.run("curl", "--silent", "--insecure", "--fail", f"https://{guest.spec.address}/")
        return done.returncode == 0 and "archive" in done.stdout

    wait_until(is_shown, seconds=30 * guest.spec.patience, what="the status page to name the archive")


@pytest.mark.parametrize(("version", "is_spoken"), [("tls1", False), ("tls1_1", False), ("tls1_2", True)])
def test_it_speaks_no_old_protocol(administration: Station, guest: Guest, version: str, is_spoken: bool) -> None:
    # At security level 0, or our own side would refuse to ask.
    done = administration.run(
        "openssl", "s_client", "-connect", f"{guest.spec.address}:443", f"-{version}", "-cipher", "ALL:@SECLEVEL=0"
    )
    assert ("Cipher is (NONE)" not in done.stdout) == is_spoken, done.stdout


def test_it_runs_as_a_user_of_its_own(host: Any, page: str) -> None:
    assert host.check_output("ps -o user= -p %s", page).strip() == USER
    assert set(host.user(USER).groups) == {USER, "mercure-page", "mercure-viewer"}


def test_its_user_may_ask_for_what_the_page_shows_and_nothing_else(host: Any) -> None:
    with host.sudo(USER):
        assert host.run("mercure alerts list --json").rc in {0, 1}
        answer = host.run("mercure service restart cleaner --json")
        names = host.run("mercure history series --json")
    for refused in (answer, names):
        assert refused.rc not in {0, 127}
        assert "mercure-web" in refused.stdout + refused.stderr, refused


def test_its_user_reads_neither_spool_nor_configuration_nor_history(host: Any, settings: dict[str, Any]) -> None:
    root = settings["router_root"]
    ask = "psql --no-psqlrc --host /run/postgresql --command 'select 1' mercure"
    with host.sudo("mercure"):
        assert host.run(ask).rc == 0
    with host.sudo(USER):
        assert host.run(ask).rc != 0
        for folder in ("spool", "config", "log"):
            assert "Permission denied" in host.run(f"ls {root}/{folder}").stderr


def test_even_root_would_see_of_the_data_from_there_no_more_than_the_control_socket(
    host: Any, settings: dict[str, Any], page: str
) -> None:
    def seen(folder: str) -> set[str]:
        return set(host.check_output(f"nsenter --target {page} --mount find {folder} -mindepth 1").splitlines())

    root = settings["router_root"]
    with host.sudo():
        data = seen(settings["storage_mount"])
        assert f"{root}/run/control.sock" in data
        assert {path for path in data if not path.startswith(f"{root}/run/")} == {root, f"{root}/run"}
        assert seen("/run/postgresql") == seen("/etc/mercure-tls") == seen("/tmp") == set()  # noqa: S108
        interfaces = host.check_output(f"nsenter --target {page} --net ip -oneline link").splitlines()
    assert [line.split(": ")[1] for line in interfaces] == ["lo"]


def test_nobody_but_nginx_and_the_router_reaches_it(host: Any) -> None:
    socket = host.file("/run/mercure-page.sock")
    assert (socket.user, socket.group, socket.mode) == ("mercure", "www-data", 0o660)
    assert not host.socket("tcp://127.0.0.1:8080").is_listening


def test_its_sandbox_is_as_narrow_as_they_come(host: Any) -> None:
    answer = host.check_output("systemd-analyze security --no-pager mercure-page.service")
    line = next(line for line in answer.splitlines() if "Overall exposure level" in line)
    assert float(line.split(":")[1].split()[0]) <= WORST_EXPOSURE, answer


def test_it_is_of_the_release_that_is_current(host: Any, settings: dict[str, Any], page: str) -> None:
    release = host.check_output("readlink --canonicalize %s/current", settings["router_folder"])
    with host.sudo():
        mapped = host.check_output("cat /proc/%s/maps", page)
    assert f"{release}/venv/" in mapped
    assert mapped.count("/releases/") == mapped.count(f"{release}/")


def test_it_comes_back_when_it_is_killed(host: Any, administration: Station, guest: Guest, page: str) -> None:
    with host.sudo():
        host.check_output("systemctl kill --signal KILL mercure-page.service")

    def is_back() -> bool:
        done = administration.run("curl", "--silent", "--insecure", "--fail", f"https://{guest.spec.address}/")
        return done.returncode == 0 and host.service("mercure-page").systemd_properties["MainPID"] not in {"0", page}

    wait_until(is_back, seconds=60 * guest.spec.patience, what="the page to come back")


def test_while_it_is_away_there_is_an_alert(host: Any, guest: Guest) -> None:
    def alert() -> dict[str, Any] | None:
        with host.sudo(USER):
            alerts = json.loads(host.run("mercure alerts list --json").stdout)["alerts"]
        return next((item for item in alerts if item["key"] == "service:page"), None)

    def is_over() -> bool:
        found = alert()
        return found is None or found["over"] is not None

    assert is_over()
    both = "mercure-page.socket mercure-page.service"
    with host.sudo():
        host.check_output(f"systemctl stop {both}")
    try:
        wait_until(lambda: not is_over(), seconds=120 * guest.spec.patience, what="an alert that the page is away")
    finally:
        with host.sudo():
            host.check_output(f"systemctl start {both}")
    wait_until(is_over, seconds=60 * guest.spec.patience, what="the alert to be over")
