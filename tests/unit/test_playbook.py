"""The playbook's own promises that need no Ansible: pinned collections, documented keys, mistakes that are found."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA anna"


def keys_of(path: Path) -> set[str]:
    """The keys of the first level of a YAML file; a parser is not among the router's dependencies."""
    return set(re.findall(r"^([a-z_]+):", path.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def filters() -> ModuleType:
    path = ROOT / "roles/preflight/filter_plugins/inventory_keys.py"
    spec = importlib.util.spec_from_file_location("inventory_keys", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("role", ROLES)
def test_each_default_is_documented_and_has_the_prefix_of_its_role(role: str) -> None:
    defaults = keys_of(ROOT / "roles" / role / "defaults/main.yml")
    spec = (ROOT / "roles" / role / "meta/argument_specs.yml").read_text()
    documented = set(re.findall(rf"^ {{6}}({role}_[a-z_]+):$", spec, re.MULTILINE))
    assert defaults == documented
    assert defaults


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_in_the_playbook_and_has_a_page(role: str) -> None:
    assert f"role: {role}\n" in (ROOT / "playbook.yml").read_text()
    assert f"# {role}\n" in (ROOT / "roles" / role / "README.md").read_text()


def test_the_example_names_only_keys_that_there_are() -> None:
    named = set(
        re.findall(rf"^\s*(?:# )*((?:{'|'.join(ROLES)})_[a-z_]+):", (ROOT / "inventory.example").read_text(), re.M)
    )
    known = set[str]().union(*(keys_of(ROOT / "roles" / role / "defaults/main.yml") for role in ROLES))
    assert named
    assert named <= known


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_say_where_their_meaning_is(role: str) -> None:
    assert "meta/argument_specs.yml" in (ROOT / "roles" / role / "defaults/main.yml").read_text().splitlines()[1]


VERBS = re.compile(
    r"(?:Apply|Block|Build|Change|Check|Compare|Configure|Confirm|Copy|Create|Disable"
    r"|Enable|Encrypt|Erase|Fail|Find|Gather|Install|Link|List|Load|Lock"
    r"|Mark|Mask|Monitor|Mount|Pack|Prepare|Prevent|Read|Reexecute|Reload|Remove"
    r"|Request|Reset|Restart|Run|Secure|Set|Show|Start|Stop|Switch|Test"
    r"|Trigger|Unpack|Use|Wait|Warn) "
)


def test_tasks_are_named_by_what_an_operator_greps_for() -> None:
    """What is done, and the name of the program, file or unit: "Install auditd", "Configure sshd"."""
    named = {}
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml"), ROOT / "playbook.yml"]:
        for name in re.findall(r"^ *- name: (.+)$", path.read_text(), re.MULTILINE):
            named[name] = path.relative_to(ROOT).as_posix()
    assert len(named) > 200
    assert {name: path for name, path in named.items() if not VERBS.match(name)} == {}


@pytest.mark.parametrize("role", ROLES)
def test_each_handler_that_is_notified_is_there(role: str) -> None:
    handlers = ROOT / "roles" / role / "handlers/main.yml"
    known = re.findall(r"^(?:- name|  listen): (.+)$", handlers.read_text(), re.MULTILINE) if handlers.exists() else []
    for path in (ROOT / "roles" / role).glob("*/*.yml"):
        for notified in re.findall(r"^ *notify: (.+)$", path.read_text(), re.MULTILINE):
            assert set(notified.strip("[]").split(", ")) <= set(known), path


def test_a_task_at_which_a_run_is_killed_is_there() -> None:
    tasks = "".join(path.read_text() for path in ROOT.glob("roles/*/tasks/*.yml"))
    names = re.findall(r"task: ([^,}]+)", (ROOT / "molecule/side_effects/interrupted.yml").read_text())
    assert names
    for name in names:
        assert f"- name: {name}\n" in tasks, name


def test_units_are_templates_and_not_inline() -> None:
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        assert not re.search(
            r"^ +\[(?:Unit|Service|Timer|Socket|Manager|Journal|Resolve)\]$", path.read_text(), re.M
        ), path


def test_no_task_fails_and_is_let_pass() -> None:
    """In check mode on a bare host either: what cannot be there yet is a condition."""
    for path in (ROOT / "roles").glob("*/*/*.yml"):
        assert "ignore_errors" not in path.read_text(), path


def test_no_registry_is_named_anywhere() -> None:
    for path in [
        *ROOT.glob("roles/**/*"),
        ROOT / "playbook.yml",
        ROOT / "inventory.example",
        ROOT / "requirements.yml",
    ]:
        if path.is_file() and "__pycache__" not in path.parts:
            assert not re.search(r"https?://(?!127\.|unix:|\$host|\{\{)", path.read_text()), path


def test_the_collections_are_pinned() -> None:
    text = (ROOT / "requirements.yml").read_text()
    names = re.findall(r"- name: (\S+)\n    version: \d+\.\d+\.\d+\n", text)
    assert len(names) == text.count("- name:")
    used = set[str]()
    for path in ROOT.glob("roles/*/*/*.yml"):
        used.update(re.findall(r"^\s*((?:ansible|community)\.[a-z]+)\.[a-z_]+:", path.read_text(), re.MULTILINE))
    assert used - {"ansible.builtin"} == set(names)


def test_a_release_is_named_by_its_content(tmp_path: Path) -> None:
    def pack(folder: str) -> Any:
        command: list[str | Path] = [sys.executable, ROOT / "tools/release_archive.py", tmp_path / folder]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)

    first, second = pack("a"), pack("b")
    assert first["release"] == second["release"]
    assert Path(first["archive"]).read_bytes() == Path(second["archive"]).read_bytes()
    names = subprocess.run(["tar", "tzf", first["archive"]], check=True, capture_output=True, text=True, timeout=60)
    packed = set(names.stdout.splitlines())
    assert {"pyproject.toml", "requirements.lock", "mercure/__init__.py", "getdcmtags/CMakeLists.txt"} <= packed
    assert not any(re.search(r"(^|/)(tests|build|__pycache__|\.venv)(/|$)", name) for name in packed)


def test_an_unknown_key_is_named_with_what_it_may_have_been(filters: ModuleType) -> None:
    known: dict[str, object] = {"router_port": {}, "router_root": {}, "storage_device": {}}
    specs = {"router": {"argument_specs": {"main": {"options": known}}}}
    assert filters.unknown_keys(["router_port", "site_anything", "ansible_host", "group_names"], specs) == []
    (problem,) = filters.unknown_keys(["router_prot"], specs)
    assert problem == "router_prot is no key of the playbook; did you mean router_port?"


def test_networks_are_judged(filters: ModuleType) -> None:
    assert filters.bad_networks(["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"]) == []
    assert len(filters.bad_networks(["192.0.2.0/33", "192.0.2.1/24", "scanners", ""])) == 4
    assert filters.in_networks("192.0.2.7", ["192.0.2.0/24"])
    assert filters.in_networks("::ffff:192.0.2.7", ["192.0.2.0/24"])
    assert not filters.in_networks("198.51.100.1", ["192.0.2.0/24", "2001:db8::/32"])
    assert filters.of_version(["192.0.2.0/24", "2001:db8::/32"], 6) == ["2001:db8::/32"]


def test_ssh_keys_are_judged(filters: ModuleType) -> None:
    assert filters.bad_ssh_keys([{"name": "anna", "ssh_keys": [KEY]}]) == []
    assert filters.bad_ssh_keys([{"name": "anna"}]) == ["anna has no SSH key and could not log in"]
    for wrong in ("ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----"):
        assert len(filters.bad_ssh_keys([{"name": "anna", "ssh_keys": [wrong]}])) == 1


def test_the_sandbox_of_the_router_opens_the_folder_of_the_backups_which_is_there_by_then() -> None:
    # Its control service writes them; systemd opens at the start only what is there.
    plays = (ROOT / "playbook.yml").read_text()
    assert plays.index("role: backup\n") < plays.index("role: router\n")
    unit = (ROOT / "roles/router/templates/mercure.service.j2").read_text()
    (paths,) = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)
    assert "router_backup_paths" in paths


def test_the_switches_of_the_kernel_are_set_after_those_of_debian_and_before_those_of_the_host() -> None:
    # At boot the files are read in the order of their names, whatever folder they are in.
    (template,) = (ROOT / "roles/hardening/templates").glob("*mercure*.conf.j2")
    assert "99-protect-links.conf" < template.name.removesuffix(".j2") < "99-sysctl.conf"
