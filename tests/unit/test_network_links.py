"""Addresses: mistakes that are found, the files that are made, and the way back."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROLE = Path(__file__).resolve().parents[2] / "roles/network"
NICS = ["lo", "eno1", "eno2", "eno3"]
INTERFACES = "/etc/network/interfaces"


def load(path: str) -> ModuleType:
    file = ROLE / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def links() -> ModuleType:
    return load("filter_plugins/links.py")


@pytest.fixture(scope="module")
def program() -> ModuleType:
    return load("files/mercure_addresses.py")


STATIC = {"name": "eno1", "addresses": ["192.0.2.5/24", "2001:db8::5/64"], "gateway": "192.0.2.1"}
BOND = {"name": "bond0", "bond": ["eno1", "eno2"], "bond_mode": "802.3ad", "addresses": ["192.0.2.5/24"]}

MISTAKES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a NIC that is not there": ([{"name": "eth9", "dhcp": True}], "there is no NIC eth9; there are eno1, eno2, eno3"),
    "a bond of a NIC that is not there": ([{**BOND, "bond": ["eth9"]}], "there is no NIC eth9"),
    "a NIC used twice": ([BOND, {"name": "eno2", "dhcp": True}], "eno2 is used twice"),
    "an address used twice": ([STATIC, {**STATIC, "name": "eno2", "gateway": ""}], "192.0.2.5/24 is given twice"),
    "two gateways": ([STATIC, {"name": "eno2", "addresses": ["10.0.0.2/8"], "gateway": "10.0.0.1"}], "more than one"),
    "a gateway elsewhere": ([{**STATIC, "gateway": "198.51.100.1"}], "198.51.100.1 is in no network of eno1"),
    "a gateway that is none": ([{**STATIC, "gateway": "router"}], "'router' is no address"),
    "no length": ([{"name": "eno1", "addresses": ["192.0.2.5"]}], "192.0.2.5 needs the length"),
    "no address": ([{"name": "eno1", "addresses": ["192.0.2.500/24"]}], "'192.0.2.500/24' is no address"),
    "neither": ([{"name": "eno1"}], "eno1 needs either addresses or dhcp"),
    "both": ([{**STATIC, "dhcp": True}], "eno1 needs either addresses or dhcp"),
    "a name that is none": ([{**BOND, "name": "bond 0"}], "'bond 0' is no name"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told(links: ModuleType, mistake: str) -> None:
    given, words = MISTAKES[mistake]
    assert words in ". ".join(links.link_problems(given, NICS))


def test_what_can_be_has_no_problem(links: ModuleType) -> None:
    assert links.link_problems([{**STATIC, "name": "eno3"}, {**BOND, "addresses": ["10.0.0.5/8"]}], NICS) == []
    assert links.link_addresses([STATIC]) == ["192.0.2.5", "2001:db8::5"]


def test_ifupdown_gets_a_stanza_for_each_address(links: ModuleType) -> None:
    (text,) = links.link_files([STATIC], "ifupdown").values()
    assert text.partition("\n")[2] == (
        "auto lo\niface lo inet loopback\n\n"
        "auto eno1\n"
        "iface eno1 inet static\n    address 192.0.2.5/24\n    gateway 192.0.2.1\n"
        "iface eno1 inet6 static\n    address 2001:db8::5/64\n"
    )


def test_a_gateway_stands_once_though_two_addresses_reach_it(links: ModuleType) -> None:
    (text,) = links.link_files([{**STATIC, "addresses": ["192.0.2.5/24", "192.0.2.6/24"]}], "ifupdown").values()
    assert text.count("gateway 192.0.2.1") == 1


def test_ifupdown_gets_a_bond(links: ModuleType) -> None:
    (text,) = links.link_files([BOND], "ifupdown").values()
    assert "    bond-slaves eno1 eno2\n    bond-mode 802.3ad\n    bond-miimon 100\n" in text


def test_networkd_gets_a_unit_for_each_part(links: ModuleType) -> None:
    files = links.link_files([BOND, {"name": "eno3", "dhcp": True}], "networkd")
    folder = "/etc/systemd/network/05-mercure-"
    assert set(files) == {
        f"{folder}bond0.network",
        f"{folder}bond0.netdev",
        f"{folder}bond0-members.network",
        f"{folder}eno3.network",
    }
    assert "Name=eno1 eno2\n\n[Network]\nBond=bond0\n" in files[f"{folder}bond0-members.network"]
    assert "Kind=bond\n\n[Bond]\nMode=802.3ad\n" in files[f"{folder}bond0.netdev"]
    assert "[Network]\nDHCP=yes\n" in files[f"{folder}eno3.network"]


@pytest.fixture
def place(program: ModuleType, tmp_path: Path) -> Any:
    place = program.Place(tmp_path / "root", tmp_path / "state")
    program.write(place.at(INTERFACES), "old\n")
    place.state.mkdir()
    return place


def want(place: Any, files: dict[str, str]) -> None:
    (place.state / "wanted.json").write_text(json.dumps(files))


def test_nothing_wanted_is_nothing_to_do(program: ModuleType, place: Any) -> None:
    assert program.differing(place) == []


def test_only_what_differs_is_named(program: ModuleType, place: Any) -> None:
    want(place, {INTERFACES: "new\n"})
    assert program.differing(place) == [INTERFACES]
    want(place, {INTERFACES: "old\n"})
    assert program.differing(place) == []


def test_a_file_of_ours_that_is_wanted_no_more_goes_and_comes_back(program: ModuleType, place: Any) -> None:
    one, other = "/etc/systemd/network/05-mercure-bond0.network", "/etc/systemd/network/05-mercure-eno1.network"
    stranger = "/etc/systemd/network/10-wired.network"
    for name in (one, stranger):
        program.write(place.at(name), "[Match]\n")
    want(place, {other: "[Match]\nName=eno1\n"})
    assert program.differing(place) == [one, other]
    program.write(place.before, json.dumps({name: place.now(name) for name in program.differing(place)}))
    program.write(place.trying, "changed")
    program.put(place, {name: place.wanted()[name] for name in program.differing(place)})
    assert place.now(one) is None
    program.restore(place)
    assert place.now(one) == "[Match]\n"
    assert place.now(other) is None
    assert place.now(stranger) == "[Match]\n"


def test_a_boot_goes_back_only_while_something_is_tried(program: ModuleType, place: Any) -> None:
    program.write(place.before, json.dumps({INTERFACES: "older\n"}))
    program.restore(place)
    assert place.now(INTERFACES) == "old\n"
    program.write(place.trying, "begun")
    program.restore(place)
    assert place.now(INTERFACES) == "older\n"
    assert not place.trying.exists()


def test_nothing_is_kept_that_is_not_tried_or_not_done(program: ModuleType, place: Any) -> None:
    with pytest.raises(program.ChangeError, match="nothing is being tried"):
        program.keep(place, [])
    program.write(place.trying, "begun")
    with pytest.raises(program.ChangeError, match="still under way"):
        program.keep(place, [])


def test_a_second_try_waits_for_the_end_of_the_first(program: ModuleType, place: Any) -> None:
    want(place, {INTERFACES: "new\n"})
    program.write(place.trying, "begun")
    with pytest.raises(program.ChangeError, match="being tried already"):
        program.attempt(place, 60)
    assert not place.before.exists()


def test_a_name_server_is_known_by_its_answer(program: ModuleType) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def answer(reply: bytes | None) -> None:
            question, client = server.recvfrom(512)
            assert len(question) == 17
            server.sendto(question[:2] + b"\x81\x80" if reply is None else reply, client)

        for reply, is_one in ((None, True), (b"nonsense", False)):
            thread = threading.Thread(target=answer, args=(reply,))
            thread.start()
            assert program.answers("127.0.0.1", port) is is_one
            thread.join()
    assert not program.answers("127.0.0.1", port, seconds=0.2)
