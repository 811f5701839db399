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
from tests.support.terminal_ui import Plays, Serve
from tests.tui.filling import fill
from tests.tui.screenplay import Person, play
from tui.styles import STYLES, use
from tui.themes import CHOICES, THEMES, Theme, after, background, chosen
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
        ({"COLORTERM": "truecolor", "MERCURE_TUI_THEME": "16"}, _ATTRIBUTES | _SIXTEEN, {31, 32}),
        ({"NO_COLOR": "1"}, _ATTRIBUTES | {39, 49}, {1, 7}),
        ({"COLORTERM": "truecolor", "MERCURE_TUI_THEME": "mono"}, _ATTRIBUTES | {39, 49}, {1, 7}),
    ],
    ids=["dark", "light", "16 asked for", "monochrome", "no colours asked for"],
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


def test_the_theme_is_what_the_terminal_can_and_what_is_asked_for() -> None:
    true, light = {"COLORTERM": "truecolor"}, {"COLORTERM": "24bit"}
    cases = [
        ("auto", "dark", {}, "16"), ("auto", "light", {}, "16-light"), ("auto", "dark", true, "dark"),
        ("auto", "light", light, "light"), ("16", "light", true, "16-light"), ("contrast", "dark", {}, "contrast"),
        ("dark", "dark", {"NO_COLOR": ""}, "mono"), ("mono", "dark", true, "mono"), ("nonsense", "dark", {}, "16"),
    ]  # fmt: skip
    assert [chosen(asked, ground, environ).name for asked, ground, environ, _ in cases] == [it[3] for it in cases]
    assert {chosen(asked, ground, {}).name for asked in CHOICES for ground in ("dark", "light")} == {*THEMES}


def test_the_key_takes_one_theme_after_the_other() -> None:
    seen = [THEMES["16"]]
    while len(seen) <= len(THEMES):
        seen.append(after(seen[-1]))
    assert seen[-1] == seen[0]
    assert {theme.name for theme in seen} == {*THEMES}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "least"), [("dark", 4.5), ("light", 4.5), ("contrast", 7.0)])
def test_every_text_of_a_theme_of_its_own_colours_can_be_read(name: str, least: float) -> None:
    theme = THEMES[name]
    for role in ("ink", "muted", "accent", "good", "warn", "bad", "motion"):
        assert contrast(getattr(theme, role), theme.ground) >= least, role
    assert contrast(theme.bar_ink, theme.bar) >= least


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_theme_has_every_style_and_a_row_under_the_cursor_that_is_another(theme: Theme) -> None:
    try:
        use(theme)
        assert STYLES["here"] != STYLES[""]
        assert all(style.bgcolor is not None for style in STYLES.values()) is theme.true_colour
    finally:
        use(THEMES["16"])


def test_f2_takes_the_next_theme_and_draws_in_it(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.see("• live", "disk")
        await person.press("f2")
        await person.see("theme 16-light")
        while person.app.look.name != "dark":
            await person.press("f2")
        await person.see("theme dark")
        await person.until(lambda: "#131821" in person.app.export_screenshot(), "the ground of the theme")

    try:
        plays(scene)
    finally:
        use(THEMES["16"])


def test_of_a_text_only_the_lines_that_differ_are_drawn_again(
    session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Region] = []

    async def scene(person: Person) -> None:
        await person.open("selftest")
        await person.see("r runs it")
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
