"""Targets that lead back to the router are refused when they are saved: nodes that are itself, folders of its own."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mercure.config import ConfigError, ConfigProblem, ConfigStore, LiveConfig, Root
from mercure.config.loops import OwnHost, loop_problems, real_path
from mercure.services.common import open_store

PORT = 11112
HOSTS = """127.0.0.1 localhost
127.0.1.1 router.hospital.example router  # itself
192.0.2.7 archive
10.1.2.3 myself-too
"""
FIB_TRIE = """Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.2.0
        /24 link UNICAST
     |-- 10.1.2.3
        /32 host LOCAL
     |-- 10.1.2.4
        /32 host LOCAL
"""


@pytest.fixture
def host(tmp_path: Path) -> OwnHost:
    net = tmp_path / "proc" / "net"
    net.mkdir(parents=True)
    (net / "fib_trie").write_text(FIB_TRIE)
    (net / "if_inet6").write_text("fe80000000000000020000fffe000001 02 40 20 80     eth0\n")
    (tmp_path / "hosts").write_text(HOSTS)
    return OwnHost(proc=tmp_path / "proc", hosts=tmp_path / "hosts", name="Router")


@pytest.fixture
def store(tmp_path: Path) -> ConfigStore:
    root = tmp_path / "root"
    for folder in (root / "config", root / "spool" / "incoming", root / "log"):
        folder.mkdir(parents=True)
    return open_store(Root(root))


def node(host: str, port: int = PORT, called: str = "ANY") -> dict[str, Any]:
    return {"kind": "dicom", "host": host, "port": port, "called_aet": called}


def problems(store: ConfigStore, target: dict[str, Any], **more: Any) -> list[ConfigProblem]:
    try:
        store.parse({"targets": {"there": target}, **more})
    except ConfigError as error:
        return list(error.problems)
    return []


OWN = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0", "127.1", "localhost", "LOCALHOST.", "10.1.2.3", "10.1.2.4"]  # noqa: S104
OWN += ["router", "Router.hospital.example", "myself-too", "router."]
OTHERS = ["10.1.2.5", "192.0.2.7", "archive", "pacs.hospital.example", "10.1.2.0"]


@pytest.mark.parametrize("name", [*OWN, *OTHERS])
def test_a_node_that_is_this_router_is_known_by_any_of_its_addresses_and_names(
    store: ConfigStore, host: OwnHost, name: str
) -> None:
    config = store.parse({"targets": {"there": node(name, 4242)}, "receiver": {"port": 11113}})
    config = config.model_copy(update={"receiver": config.receiver.model_copy(update={"port": 4242})})
    found = loop_problems(config, store.root.path, store.root.path / "spool", host)
    assert [problem.place for problem in found] == (["targets.there.host"] if name in OWN else [])
    assert all("this router itself" in problem.text and problem.advice for problem in found)


def test_an_interface_of_this_very_machine_is_found() -> None:
    own = OwnHost()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
    assert own.addresses_of(socket.gethostname()) is not None
    assert own.addresses_of("127.0.0.1")
    assert own.addresses_of("203.0.113.77") is None


def test_the_same_host_at_another_port_is_another_node(store: ConfigStore) -> None:
    assert not problems(store, node("127.0.0.1", 104))


def test_a_program_beside_the_router_at_the_same_port_of_another_address_is_another_node(store: ConfigStore) -> None:
    assert not problems(store, node("127.0.0.1"), receiver={"bind": "127.0.0.2"})
    assert problems(store, node("127.0.0.2"), receiver={"bind": "127.0.0.2"})
    assert problems(store, node("0.0.0.0"), receiver={"bind": "127.0.0.1"})  # noqa: S104
    assert problems(store, node("127.0.0.1"), receiver={"bind": "::"})


def test_a_member_of_a_group_is_refused_at_its_own_place(store: ConfigStore) -> None:
    targets = {
        "group": {"kind": "group", "members": ["a", "b"], "strategy": "failover"},
        "a": node("h"),
        "b": node("localhost"),
    }
    with pytest.raises(ConfigError) as caught:
        store.parse({"targets": targets})
    assert [problem.place for problem in caught.value.problems] == ["targets.b.host"]


def test_groups_that_lead_to_each_other_are_refused(store: ConfigStore) -> None:
    def group(*members: str) -> dict[str, Any]:
        return {"kind": "group", "members": members, "strategy": "failover"}

    with pytest.raises(ConfigError) as caught:
        store.parse({"targets": {"a": group("b"), "b": group("c"), "c": group("a"), "self": group("self")}})
    assert [problem.place for problem in caught.value.problems] == [
        f"targets.{name}.members" for name in (*"abc", "self")
    ]


def _link(root: Path) -> Path:
    link = root.parent / "link"
    link.symlink_to(root / "spool", target_is_directory=True)
    return link / "incoming"


def _relative_link(root: Path) -> Path:
    (root.parent / "x").mkdir()
    (root.parent / "x" / "link").symlink_to("../root/log", target_is_directory=True)
    return root.parent / "x" / "link" / "new"


def _linked_spool(root: Path) -> Path:
    (root / "spool" / "incoming").rmdir()
    (root / "spool").rmdir()
    (root.parent / "disk").mkdir()
    (root / "spool").symlink_to(root.parent / "disk", target_is_directory=True)
    return root.parent / "disk" / "success"


OWN_FOLDERS: dict[str, Callable[[Path], Path]] = {
    "the spool": lambda root: root / "spool",
    "in the spool": lambda root: root / "spool" / "anything" / "deep",
    "the configuration": lambda root: root / "config",
    "its revisions": lambda root: root / "config" / "revisions",
    "the log": lambda root: root / "log",
    "the sockets": lambda root: root / "run",
    "the backups": lambda root: root / "backup",
    "the history": lambda root: root / "history.db",
    "the root": lambda root: root,
    "by dots": lambda root: root / "delivered" / ".." / "spool",
    "by a link": _link,
    "by a relative link": _relative_link,
    "a spool that is a link": _linked_spool,
}


@pytest.mark.parametrize("name", OWN_FOLDERS)
def test_a_folder_of_the_router_is_no_target(store: ConfigStore, name: str) -> None:
    folder = OWN_FOLDERS[name](store.root.path)
    found = problems(store, {"kind": "folder", "path": str(folder)})
    assert [problem.place for problem in found] == ["targets.there.path"]
    assert str(folder) in found[0].text
    assert found[0].advice


def test_a_spool_elsewhere_is_a_folder_of_the_router_too(store: ConfigStore, tmp_path: Path) -> None:
    elsewhere = {"spool": str(tmp_path / "disk" / "spool")}
    assert problems(store, {"kind": "folder", "path": str(tmp_path / "disk" / "spool" / "outgoing")}, **elsewhere)
    assert problems(store, {"kind": "folder", "path": str(tmp_path / "disk")}, **elsewhere)
    assert not problems(store, {"kind": "folder", "path": str(tmp_path / "disk" / "spool2")}, **elsewhere)


def test_a_history_elsewhere_is_not_written_into(store: ConfigStore, tmp_path: Path) -> None:
    history = {"history": {"url": f"sqlite:///{tmp_path}/data/history.db"}}
    assert problems(store, {"kind": "folder", "path": str(tmp_path / "data")}, **history)


def test_a_folder_beside_them_is_a_target(store: ConfigStore) -> None:
    assert not problems(store, {"kind": "folder", "path": str(store.root.path / "delivered")})
    assert not problems(store, {"kind": "folder", "path": str(store.root.path / "spool-of-others")})


def test_a_folder_above_the_root_is_a_target(store: ConfigStore) -> None:
    """As ``/srv`` or ``/tmp`` of a small installation: folders of series there meet nothing of ours."""
    assert not problems(store, {"kind": "folder", "path": str(store.root.path.parent)})


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert real_path(tmp_path / "a" / "x").is_relative_to(tmp_path)


def test_a_path_is_real_as_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "to" / ".." / "to")
    for path in (tmp_path / "a" / "missing" / "x", tmp_path / "a" / ".." / "y", tmp_path):
        assert str(real_path(path)) == os.path.realpath(path)


def test_what_lies_on_a_file_server_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "server").symlink_to("/nowhere")
    assert real_path(tmp_path / "server" / "x", remote=[tmp_path / "server"]) == tmp_path / "server" / "x"


def test_a_loop_written_by_hand_leaves_the_last_good_revision_in_force_and_is_told(store: ConfigStore) -> None:
    good = store.parse({"targets": {"there": node("h")}})
    store.mercure.save(good, author="me", comment="", edited_from=0)
    store.mercure.path.write_text(json.dumps({"targets": {"there": node("localhost")}}))
    told: list[tuple[str, int | None]] = []
    live = LiveConfig(store, lambda loaded: None, lambda error, using: told.append((str(error), using)))
    live.refresh()
    assert live.config == good
    assert told == [(told[0][0], 1)]
    assert "this router itself" in told[0][0]


def test_a_loop_at_the_first_start_is_no_configuration(store: ConfigStore) -> None:
    store.mercure.path.write_text(json.dumps({"targets": {"there": node("localhost")}}))
    told: list[int | None] = []
    live = LiveConfig(store, lambda loaded: None, lambda error, using: told.append(using))
    assert not live.refresh()
    assert live.loaded is None
    assert told == [None]
