"""The import contracts of pyproject.toml, each broken on purpose in a small copy of our layout."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

LAYOUT = (
    "mercure.config.store",
    "mercure.durable",
    "mercure.notifications.queue",
    "mercure.clock",
    "mercure.spool",
    "mercure.dicom.echo",
    "mercure.targets.folder",
    "mercure.bookkeeping.queries",
    "mercure.history.models",
    "mercure.routing",
    "mercure.delivery",
    "mercure.processing",
    "mercure.scheduling.queue",
    "mercure.services.common",
    "mercure.services.receiver",
    "mercure.services.router",
    "mercure.services.dispatcher",
    "mercure.services.cleaner",
    "mercure.services.processor",
    "appliance.control.alerts",
    "appliance.control.queue",
    "appliance.control.rpc.client",
    "appliance.control.rpc.server",
    "appliance.cli",
    "appliance.supervision",
    "appliance.status_page",
    "appliance.status_page.views",
    "appliance.presentation.phrases",
    "tui.screens.queue",
)

# What each contract must refuse: the module that imports, and what it imports.
VIOLATIONS = {
    "packages": [
        ("mercure.spool", "appliance.control.rpc.client"),
        ("appliance.control.rpc.server", "tui.screens.queue"),
    ],
    "tui-talks-to-control": [
        ("tui.screens.queue", "appliance.control.rpc.server"),
        ("tui.screens.queue", "mercure.spool"),
    ],
    "control-rooms": [
        ("appliance.control.queue", "appliance.control.rpc.server"),
        ("appliance.control.queue", "appliance.control.alerts"),
    ],
    "mercure-layers": [
        ("mercure.spool", "mercure.targets.folder"),
        ("mercure.targets.folder", "mercure.history.models"),
        ("mercure.durable", "mercure.spool"),
        ("mercure.scheduling.queue", "mercure.delivery"),
        ("mercure.config.store", "mercure.notifications.queue"),
        ("mercure.config.store", "mercure.spool"),
        ("mercure.spool", "mercure.config.store"),
        ("mercure.history.models", "mercure.notifications.queue"),
        ("mercure.history.models", "mercure.services.router"),
    ],
    "processing-delivery": [("mercure.processing", "mercure.delivery"), ("mercure.delivery", "mercure.processing")],
    "services-independent": [
        ("mercure.services.router", "mercure.services.cleaner"),
        ("mercure.services.common", "mercure.services.cleaner"),
    ],
    "data-path": [
        ("mercure.services.router", "mercure.history.models"),
        ("mercure.services.common", "mercure.history.models"),
        ("mercure.delivery", "mercure.history.models"),
        ("mercure.delivery", "mercure.bookkeeping.queries"),
        ("mercure.scheduling.queue", "mercure.history.models"),
    ],
    "peewee": [("mercure.targets.folder", "peewee"), ("appliance.control.rpc.server", "playhouse")],
    "textual": [("appliance.control.rpc.client", "textual"), ("mercure.spool", "rich")],
    "status-page": [
        ("appliance.status_page", "mercure.spool"),
        ("appliance.status_page", "mercure.history.models"),
        ("appliance.status_page", "appliance.control.rpc.server"),
        ("appliance.status_page", "psycopg"),
    ],
    "bottle": [("appliance.control.rpc.server", "bottle")],
    "supervisor-psutil": [("mercure.services.router", "psutil"), ("tui.screens.queue", "supervisor")],
    "pynetdicom": [("mercure.services.router", "pynetdicom"), ("appliance.control.rpc.server", "pynetdicom")],
}

ALLOWED = (
    ("tui.screens.queue", "textual"),
    ("tui.screens.queue", "appliance.control.rpc.client"),
    ("tui.screens.queue", "appliance.presentation.phrases"),
    ("appliance.status_page.views", "appliance.presentation.phrases"),
    ("appliance.control.rpc.server", "mercure.spool"),
    ("appliance.control.rpc.server", "psutil"),
    ("appliance.status_page", "bottle"),
    ("appliance.status_page", "appliance.control.rpc.client"),
    ("appliance.status_page", "mercure.clock"),
    ("mercure.services.router", "mercure.services.common"),
    ("mercure.services.router", "mercure.routing"),
    ("mercure.services.cleaner", "mercure.history.models"),
    ("mercure.delivery", "mercure.targets.folder"),
    ("mercure.delivery", "mercure.scheduling.queue"),
    ("mercure.processing", "mercure.scheduling.queue"),
    ("mercure.targets.folder", "mercure.spool"),
    ("mercure.notifications.queue", "mercure.history.models"),
    ("mercure.history.models", "mercure.config.store"),
    ("mercure.targets.folder", "mercure.dicom.echo"),
    ("mercure.spool", "mercure.durable"),
    ("mercure.history.models", "peewee"),
    ("mercure.dicom.echo", "pynetdicom"),
)


def write_tree(folder: Path, imports: list[tuple[str, str]]) -> None:
    """Write our layout as empty modules, with these imports and no others."""
    for name in LAYOUT:
        path = folder.joinpath(*name.split("."))
        path.mkdir(parents=True)
        while path != folder:
            (path / "__init__.py").touch()
            path = path.parent
    for importer, imported in imports:
        with folder.joinpath(*importer.split("."), "__init__.py").open("a") as file:
            file.write(f"import {imported}\n")
    tool = re.search(r"^\[tool\.importlinter\]$.*?(?=^# --- |\Z)", PYPROJECT.read_text(), re.M | re.S)
    assert tool is not None
    (folder / "pyproject.toml").write_text(tool.group())


def broken_contracts(folder: Path) -> set[str]:
    """Return the contracts that import-linter finds broken, by the names in pyproject.toml."""
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    broken = set(re.findall(r"^(.+?) BROKEN(?: \(.*\))?$", result.stdout, re.M))
    assert (result.returncode != 0) == bool(broken), result.stdout + result.stderr
    assert re.search(r"^Contracts: \d+ kept", result.stdout, re.M), result.stdout + result.stderr
    return broken


def contracts() -> dict[str, str]:
    """Return the names of our contracts by id."""
    settings = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]
    return {contract["id"]: contract["name"] for contract in settings["contracts"]}


def test_every_contract_is_tried_here() -> None:
    assert set(VIOLATIONS) == set(contracts())


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    write_tree(tmp_path, list(ALLOWED))
    assert broken_contracts(tmp_path) == set()


@pytest.mark.parametrize(
    ("contract", "violation"),
    [(contract, violation) for contract, violations in VIOLATIONS.items() for violation in violations],
)
def test_a_violation_is_found(contract: str, violation: tuple[str, str], tmp_path: Path) -> None:
    write_tree(tmp_path, [*ALLOWED, violation])
    assert contracts()[contract] in broken_contracts(tmp_path)


def test_a_new_module_must_be_given_its_place(tmp_path: Path) -> None:
    write_tree(tmp_path, [])
    (tmp_path / "mercure" / "afterthought.py").touch()
    assert broken_contracts(tmp_path) == {contracts()["mercure-layers"]}
