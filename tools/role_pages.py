"""Writes the README of each role and the table of all choices, from the roles' own defaults and argument specs.

    python tools/role_pages.py [--check]

With ``--check`` nothing is written; a page that differs is named, and the exit code is 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
ORDER: Final = (
    "preflight",
    "base",
    "hardening",
    "firewall",
    "network",
    "monitoring",
    "storage",
    "dcmtk",
    "modules",
    "database",
    "backup",
    "router",
    "status_page",
    "proxy",
)
"""As the playbook takes them."""

CHOICES: Final = ROOT / "docs/administration/inventory.md"
_NOTE: Final = (
    "<!-- Made by tools/role_pages.py from the defaults and argument specs of the roles; a test compares. -->"
)
_LONG: Final = 60


def load(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a YAML file; one that is missing is empty."""
    return yaml.safe_load(path.read_text()) if path.exists() else None


def spec_of(role: str) -> dict[str, Any]:
    """Return the argument spec of a role."""
    spec: dict[str, Any] = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]
    return spec


def text_of(description: Any) -> str:  # noqa: ANN401 - a string or a list of them
    """Join a description, and write Ansible's marks as Markdown."""
    joined = " ".join(str(part).strip() for part in (description if isinstance(description, list) else [description]))
    return re.sub(r"C\(([^)]*)\)", r"`\1`", " ".join(joined.split())).replace("|", "\\|")


def default_of(value: Any) -> str:  # noqa: ANN401
    """Write a default; a long one is left to the file."""
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip().removesuffix("...").strip()
    return f"`{text}`".replace("|", "\\|") if len(text) <= _LONG else "see `defaults/main.yml`"


def rows(options: dict[str, Any], defaults: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Write a row for each option, and for what is in the items of a list."""
    for name, option in options.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        if "choices" in option:
            kind = " or ".join(f"`{choice}`" for choice in option["choices"])
        default = "required" if option.get("required") else default_of(defaults.get(name, option.get("default")))
        yield f"| `{prefix}{name}` | {kind} | {default} | {text_of(option.get('description', ''))} |"
        yield from rows(option.get("options", {}), {}, f"{prefix}{name}[].")


def table(role: str) -> Iterator[str]:
    """Write the choices of a role."""
    yield "| key | value | default | |"
    yield "| --- | --- | --- | --- |"
    yield from rows(spec_of(role).get("options", {}), load(ROOT / "roles" / role / "defaults/main.yml") or {})


def tags(role: str) -> list[str]:
    """Return the tags that choose a part of a role."""
    found: set[str] = set()
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        for task in load(path) or []:
            found.update(task.get("tags", []))
    return sorted(found - {role})


def readme(role: str) -> str:
    """Write the README of a role."""
    spec = spec_of(role)
    lines = [f"# {role}", "", _NOTE, "", f"{spec['short_description']}.", ""]
    if "description" in spec:
        lines += [text_of(spec["description"]), ""]
    lines += [f"Tag: `{role}`" + "".join(f", `{tag}`" for tag in tags(role)) + ".", "", *table(role), ""]
    return "\n".join(lines)


def choices() -> str:
    """Write the page of all choices."""
    lines = [
        "# Choices of the inventory",
        "",
        _NOTE,
        "",
        "Every key that an inventory may hold, by role, in the order in which the playbook takes them. A key that",
        "is not here is refused before anything is changed, with what it may have been meant; keys of your own begin",
        "with `site_`.",
        "",
    ]
    for role in ORDER:
        lines += [f"## {role}", "", f"{spec_of(role)['short_description']}.", "", *table(role), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the pages, or compare them."""
    there = {path.parents[1].name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")}
    if there != set(ORDER):
        sys.exit(f"tools/role_pages.py: ORDER and roles/ differ: {', '.join(sorted(there ^ set(ORDER)))}")
    pages = {ROOT / "roles" / role / "README.md": readme(role) for role in ORDER} | {CHOICES: choices()}
    differing = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv[1:]:
        for path in differing:
            path.write_text(pages[path])
        return 0
    for path in differing:
        print(f"{path.relative_to(ROOT)} differs from the role: run `make docs-playbook`")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
