"""The manual pages are what the programs are, and roff that says what it should."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from appliance.cli.app import COMMANDS
from tui.actions import ACTIONS, PAGES

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "manual_pages.py"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("manual_pages", GENERATOR)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["mercure.1", "mercure-tui.1"])
def test_a_page_is_current(generator: ModuleType, name: str) -> None:
    assert (generator.FOLDER / name).read_text("utf-8") == generator.PAGES_MADE[name](), "run `make docs`"


def formatted(page: str) -> str:
    """Return a page as a terminal shows it, without what makes letters bold."""
    groff = shutil.which("groff")
    assert groff, "groff is missing: run `make setup-test`"
    done = subprocess.run(
        [groff, "-man", "-Kutf8", "-Tutf8", "-P-c", "-ww"], input=page, capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr
    return re.sub(".\b", "", done.stdout)


def test_the_command_is_told_whole(generator: ModuleType) -> None:
    shown = formatted(generator.mercure_page())
    for name in COMMANDS:
        assert f"mercure {name}" in shown, name
    assert "--all" in shown
    assert "getdcmtags *.dcm | mercure rules eval 'tags.Modality == \"MR\"' --tags -" in shown


def test_the_terminal_ui_is_told_whole(generator: ModuleType) -> None:
    shown = formatted(generator.tui_page())
    for page in PAGES:
        assert page.title in shown, page.title
    for action in ACTIONS:
        assert f":{action.name}" in shown, action.name


def test_roff_takes_no_word_for_a_request(generator: ModuleType) -> None:
    assert generator.text(".so x\n'br\nback\\slash a-b") == "\\&.so x\n\\(aqbr\nback\\eslash a\\-b"
