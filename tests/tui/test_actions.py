"""The table of actions: whole, without doubt about a key, and what the documentation says."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

from textual.binding import Binding

from appliance.control.rpc.client import api
from tui.actions import ACTIONS, PAGES, actions_of, commands_of
from tui.app import page_class
from tui.screens.help import help_lines
from tui.widgets.grid import Grid

GENERATOR = Path(__file__).resolve().parents[2] / "tools" / "terminal_ui_page.py"
PLACES = {action.page for action in ACTIONS} - {""}


def test_each_key_means_one_thing_in_its_place() -> None:
    for place in PLACES:
        keys = Counter(action.key for action in actions_of(place))
        assert [key for key, times in keys.items() if times > 1] == [], place


def test_no_key_of_a_page_is_one_that_moves_in_its_table() -> None:
    bindings = [binding for binding in Grid.BINDINGS if isinstance(binding, Binding)]
    moves = {key for binding in bindings for key in binding.key.split(",")}
    assert [(action.page, action.name) for action in ACTIONS if action.key in moves] == []


def test_each_command_means_one_thing_in_its_place() -> None:
    for place in PLACES:
        words = Counter(word for word, _, _ in commands_of(place))
        assert [word for word, times in words.items() if times > 1] == [], place


def test_what_an_action_needs_is_a_verb_and_what_changes_something_names_one() -> None:
    verbs = {verb.name: verb for verb in api.all_verbs()}
    for action in ACTIONS:
        assert not action.verb or action.verb in verbs, action.name
        if action.danger != "none":
            assert verbs[action.verb].changes, action.name


def test_dangerous_keys_that_throw_away_or_stop_are_chords() -> None:
    for action in ACTIONS:
        if action.name in {"discard", "delete", "stop", "restart", "rollback"}:
            assert action.key.startswith("ctrl+"), action.name
            assert action.danger != "none", action.name


def test_every_page_has_a_class_and_ten_have_a_number() -> None:
    assert [entry.name for entry in PAGES] == [page_class(entry.name).NAME for entry in PAGES]
    numbers = [entry.key for entry in PAGES if entry.key]
    assert len(set(numbers)) == len(numbers) == 10


def test_the_help_of_each_page_fits_80_columns_and_names_all_its_keys() -> None:
    for place in PLACES:
        lines = ["".join(text for text, _ in line) for line in help_lines(place, 78)]
        assert max(map(len, lines)) <= 80, place
        for action in actions_of(place):
            assert any(action.name in line for line in lines), action.name


def test_the_page_of_the_documentation_is_current() -> None:
    specification = importlib.util.spec_from_file_location("terminal_ui_page", GENERATOR)
    assert specification is not None
    assert specification.loader is not None
    generator = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generator)
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(), "run `make docs`"
