"""Who may configure the router, and who may become root: two roles, also for an inventory of before the second one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
import pytest

ROLE = Path(__file__).resolve().parents[2] / "roles" / "base"


def text_of(file: str, pattern: str) -> str:
    """Return what a file of the role says at a place."""
    found = re.search(pattern, (ROLE / file).read_text(), re.MULTILINE | re.DOTALL)
    assert found, pattern
    return found[1]


def rendered(text: str, people: list[dict[str, str]], **more: Any) -> str:
    """Render an expression of the role as Ansible does."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no page
    gone = [person["name"] for person in people if person.get("state") == "absent"]
    known: dict[str, Any] = {"base_people": people, "base_gone": gone, **more}
    root_role = text_of("vars/main.yml", r'^base_root_role: "(.*?)"$')
    known["base_root_role"] = environment.from_string(root_role).render(known)
    return environment.from_string(text).render(known).strip()


def person(name: str, role: str, **more: str) -> dict[str, str]:
    return {"name": name, "role": role, **more}


@pytest.mark.parametrize(
    ("people", "group"),
    [
        ([person("anna", "root"), person("adam", "admin"), person("vera", "viewer")], "mercure-root"),
        ([person("adam", "admin")], "mercure-admin"),
        ([person("adam", "admin"), person("anna", "root", state="absent")], "mercure-admin"),
    ],
)
def test_one_group_becomes_root(people: list[dict[str, str]], group: str) -> None:
    line = text_of("tasks/people.yml", r"^ +(%mercure-.*?)$")
    assert rendered(line, people) == f"%{group} ALL=(ALL:ALL) NOPASSWD: ALL"


def test_each_role_has_its_groups_and_those_below_it() -> None:
    listed = text_of("vars/main.yml", r"^base_groups_of:\n(.*?)^base_")
    groups = {role: names.split(", ") for role, names in re.findall(r"^  (\w+): \[(.*)\]$", listed, re.MULTILINE)}
    assert list(groups) == ["viewer", "operator", "admin", "root"]
    for number, role in enumerate(groups):
        assert groups[role] == [f"mercure-{lower}" for lower in list(groups)[: number + 1]]
    assert text_of("meta/argument_specs.yml", r"choices: \[(viewer.*?)\]") == ", ".join(groups)


@pytest.mark.parametrize(
    ("who", "people", "cut"),
    [
        ({"ansible_user": "adam"}, [person("adam", "admin"), person("anna", "root")], "['adam']"),
        ({"ansible_user": "anna"}, [person("adam", "admin"), person("anna", "root")], "[]"),
        ({"ansible_user": "adam"}, [person("adam", "admin")], "[]"),
        (
            {"ansible_facts": {"env": {"SUDO_USER": "adam"}}},
            [person("adam", "admin"), person("anna", "root")],
            "['adam']",
        ),
        ({"ansible_facts": {"env": {}}}, [person("adam", "admin"), person("anna", "root")], "[]"),
    ],
)
def test_who_plays_does_not_take_root_from_himself(who: dict[str, Any], people: list[dict[str, str]], cut: str) -> None:
    expression = text_of("tasks/judge.yml", r"^    base_cut_off: >-\n(.*?)^    base_key")
    known = {"ansible_facts": {"env": {}}, **who}
    assert rendered(expression, people, base_present=people, **known) == cut
