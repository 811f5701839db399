"""Two routers behind a proxy, with one history: what each offers, and what is known of the images."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests.authority import DOMAIN
from tests.guests.sending import account, all_arrived
from tests.guests.station import Station
from tests.guests.traffic import acknowledged
from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guests.guest import Guest
    from tests.guests.places import Lab

    Guests = Callable[[str], Guest]
    Hosts = Callable[[str], Any]

ROUTERS = ("router1", "router2")
OFFERED = {
    ("proxy1", "scanners"): {104, 11112},
    ("proxy1", "administration"): {22},
    ("proxy1", "strangers"): {9100},
    ("router1", "scanners"): set(),
    ("router1", "administration"): {22, 80, 443},
    ("history1", "scanners"): set(),
    ("history1", "administration"): {22},
}
"""molecule/inventory/group_vars: firewall_*, database_clients."""
DELIVERED = (
    "SELECT DISTINCT task_images.sop FROM tasks JOIN task_images ON task_images.list_id = tasks.delivered_list_id"
    " WHERE tasks.delivered IS NOT NULL"
)

SERVERS = """\
import socket
link = socket.socket(socket.AF_UNIX)
link.connect("/run/haproxy/admin.sock")
link.sendall(b"show servers state routers\\n")
print(link.makefile().read())
"""


def ask(host: Hosts, question: str) -> list[str]:
    """Ask the one history, as its own administrator."""
    database = host("history1")
    with database.sudo("postgres"):
        answer: str = database.check_output("psql --no-psqlrc -At --dbname mercure --command %s", question)
    return answer.splitlines()


@pytest.mark.parametrize(("name", "network"), sorted(OFFERED))
def test_each_host_offers_what_the_inventory_names_and_nothing_else(
    lab: Lab, guest: Guests, name: str, network: str
) -> None:
    station = Station(lab, network)
    done = station.run(
        sys.executable, "-m", "tests.guests.scan", station.address, guest(name).spec.address, seconds=300
    )
    assert set(json.loads(done.stdout)) == OFFERED[name, network], done.stderr


@pytest.mark.parametrize("name", [*ROUTERS, "history1", "proxy1"])
def test_each_host_has_booted_and_nothing_failed(host: Hosts, name: str) -> None:
    failed = host(name).check_output("systemctl list-units --failed --no-legend --plain")
    assert failed == "", failed


def test_every_image_that_was_acknowledged_is_at_the_archive(guest: Guests) -> None:
    all_arrived(guest("proxy1"))


def test_the_one_history_knows_the_delivery_of_every_image(host: Hosts, guest: Guests) -> None:
    wanted = acknowledged(account(guest("proxy1")))
    assert wanted
    wait_until(
        lambda: wanted <= set(ask(host, DELIVERED)), seconds=60, what=f"{len(wanted)} deliveries to be in the history"
    )


def test_both_routers_had_their_part(host: Hosts) -> None:
    rows = ask(host, "SELECT node, count(*) FROM tasks WHERE delivered IS NOT NULL GROUP BY node")
    counts = {node: int(count) for node, count in (row.split("|") for row in rows)}
    assert set(counts) == set(ROUTERS), counts


def test_the_routers_come_to_it_over_tls(host: Hosts) -> None:
    rows = ask(
        host,
        "SELECT DISTINCT client_addr, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'mercure'",
    )
    assert {row.partition("|")[0] for row in rows} == {"10.66.0.11", "10.66.0.12"}
    assert {row.partition("|")[2] for row in rows} == {"t"}


@pytest.mark.parametrize("name", ROUTERS)
def test_each_router_accounts_for_its_images(host: Hosts, name: str) -> None:
    router = host(name)
    with router.sudo("mercure"):
        answer = router.run("mercure verify --json")
    assert answer.rc == 0, answer.stdout + answer.stderr


def test_the_routers_know_the_scanners_by_their_own_address(lab: Lab, host: Hosts) -> None:
    addresses: set[str] = set()
    for name in ROUTERS:
        router = host(name)
        with router.sudo("mercure"):
            told = json.loads(router.check_output("mercure senders list --json"))
        addresses |= {address for sender in told["senders"] for address in sender["addresses"]}
    assert Station(lab, "scanners").address in addresses
    assert "10.66.0.31" not in addresses


@pytest.mark.parametrize("name", ROUTERS)
def test_the_page_has_a_certificate_of_the_authority(lab: Lab, guest: Guests, name: str) -> None:
    address = guest(name).spec.address
    done = Station(lab, "administration").run(
        "openssl", "s_client", "-connect", f"{address}:443", "-servername", f"{name}.{DOMAIN}"
    )
    assert "issuer=CN = Pebble Intermediate CA" in done.stdout, done.stdout + done.stderr


def test_port_80_says_nothing_else(lab: Lab, guest: Guests) -> None:
    done = Station(lab, "administration").run(
        "curl", "--silent", "--head", f"http://{guest('router1').spec.address}/metrics"
    )
    assert done.stdout.startswith("HTTP/1.1 301"), done.stdout + done.stderr


def test_the_certificate_is_renewed_by_the_unit_of_its_timer(lab: Lab, host: Hosts, guest: Guests) -> None:
    def serial() -> str:
        address = guest("router1").spec.address
        words = f"openssl s_client -connect {address}:443 </dev/null 2>/dev/null | openssl x509 -noout -serial"
        return Station(lab, "administration").run("sh", "-c", words).stdout

    router, before = host("router1"), serial()
    assert before.startswith("serial=")
    folder = "/run/systemd/system/certbot.service.d"
    renew = "/usr/bin/certbot --quiet renew --force-renewal --no-random-sleep-on-renew"
    now = f"[Service]\\nExecStart=\\nExecStart={renew}\\n"
    with router.sudo():
        assert router.service("certbot.timer").is_enabled
        router.check_output(f"mkdir -p {folder} && printf '{now}' >{folder}/now.conf && systemctl daemon-reload")
        try:
            router.check_output("systemctl start certbot.service || (journalctl --unit certbot --lines 20; false)")
        finally:
            router.check_output(f"rm -r {folder} && systemctl daemon-reload")
    wait_until(lambda: serial() not in ("", before), seconds=30, what="the page to have its new certificate")


@pytest.mark.parametrize("words", [("id",), ("sh", "-c", "id"), ("-s", "sftp")])
def test_a_viewer_has_the_terminal_ui_and_no_command(lab: Lab, words: tuple[str, ...]) -> None:
    done = Station(lab, "administration").ssh("router1", *words, options=("-l", "vera"))
    assert "uid=" not in done.stdout
    assert "anna" in Station(lab, "administration").ssh("router1", "id", options=("-l", "anna")).stdout


def test_the_proxy_has_both_routers_in(host: Hosts) -> None:
    proxy = host("proxy1")

    def both_are_up() -> bool:
        with proxy.sudo():
            said = proxy.check_output("python3 -c %s", SERVERS)
        states = [line.split()[5] for line in said.splitlines() if " routers " in line]
        return states == ["2", "2"]  # SRV_ST_RUNNING

    wait_until(both_are_up, seconds=30, what="both routers to be in")
