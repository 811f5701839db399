"""Colours: the sixteen of the terminal and no others, none with NO_COLOR, and nothing told by them alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Region

from appliance.control.session import Session
from appliance.presentation.states import DISK, OUTCOME, PROCESS, QUEUE, SEVERITY, TARGET, Look
from tests.support.pseudo_terminal import Screen, opened
from tests.support.terminal_ui import Serve
from tests.tui.filling import fill
from tests.tui.screenplay import Person, play
from tui.start import background
from tui.widgets.lines import Pager

_STYLE = re.compile(rb"\x1b\[([0-9;:]*)m")
_ATTRIBUTES = {0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 29}
_SIXTEEN = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108), 39, 49}
TABLES: Mapping[str, Mapping[Any, Look]] = {
    "queue": QUEUE, "process": PROCESS, "severity": SEVERITY, "disk": DISK,
    "target": TARGET, "outcome": OUTCOME,
}  # fmt: skip


def codes(sent: bytes) -> set[int]:
    """Return all codes by which the look of text was set."""
    return {int(code or 0) for found in _STYLE.findall(sent) for code in re.split(rb"[;:]", found)}


def walk(screen: Screen) -> None:
    """Look at pages with states of every kind, and at a dialog and a form."""
    screen.see("disk")
    for key, text in (("2", "failed"), ("7", "stopped"), ("8", "critical"), ("5", "where")):
        screen.press(key)
        screen.see(text)
    screen.press("n")
    screen.see("which kind")
    screen.press("\r")
    screen.see("needed")


@pytest.mark.parametrize(
    ("env", "allowed", "some"),
    [
        ({"COLORFGBG": "15;0"}, _ATTRIBUTES | _SIXTEEN, {31, 32, 33, 36}),
        ({"COLORFGBG": "0;15"}, _ATTRIBUTES | _SIXTEEN, {31, 32, 34, 35}),
        ({"COLORTERM": "truecolor"}, _ATTRIBUTES | _SIXTEEN, {31, 32}),
        ({"NO_COLOR": "1"}, _ATTRIBUTES | {39, 49}, {1, 7}),
    ],
    ids=["dark", "light", "true colour", "monochrome"],
)
def test_only_the_colours_of_the_terminal_are_used(
    env: Mapping[str, str], allowed: set[int], some: set[int], session: Session, serve: Serve
) -> None:
    fill(session)
    command: list[str | Path] = [sys.executable, "-m", "tui", "--root", session.root.path]
    with serve(), opened(command, {"COLORTERM": "", **env}) as screen:
        walk(screen)
        used = codes(bytes(screen.sent))
    others = {found for found in _STYLE.findall(bytes(screen.sent)) if codes(b"\x1b[" + found + b"m") - allowed}
    assert others == set()
    assert used >= some


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_each_state_has_a_glyph_and_a_word_of_its_own(table: Mapping[str, Look]) -> None:
    assert all(look.glyph.strip() and look.word.strip() for look in table.values())
    words = [look.word for look in table.values()]
    assert len(set(words)) == len(words)
    worst = min(look.rank for look in table.values())
    assert all(look.glyph in "‼?" or look.rank > worst or look.tone != "bad" for look in table.values())


def test_the_background_is_told_by_the_terminal() -> None:
    assert [background(text) for text in ("", "15;0", "0;15", "0;default;15", "12;7", "nonsense")] == [
        "dark", "dark", "light", "light", "light", "dark",
    ]  # fmt: skip


def test_of_a_text_only_the_lines_that_differ_are_drawn_again(
    session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Region] = []

    async def scene(person: Person) -> None:
        await person.see("• live", "disk")
        pager = person.app.screen.query_one(Pager)
        lines = [((f"line {number}", ""),) for number in range(10)]
        pager.show(lines)
        await person.see("line 9")
        monkeypatch.setattr(pager, "refresh", lambda *regions, **_how: drawn.extend(regions))
        pager.show(lines)
        assert drawn == []
        pager.show([*lines[:3], (("other", ""),), *lines[4:]])
        assert [(region.y, region.height) for region in drawn] == [(3, 1)]

    with serve() as link:
        play(link, scene)
