"""Words that a person reads on screens and in the command line: one for each thing (``docs/contributing/words.md``)."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs/contributing/words.md"
PLACES = {
    "screens": "tests/tui/screens/*.txt",
    "command line": "docs/reference/cli.md",
    "presentation": "appliance/presentation/*.py",
    "alerts": "appliance/control/alerts/*.py",
    "messages": "mercure/notifications/*.py",
    "status page": "appliance/status_page/*.py",
    "templates of the page": "appliance/status_page/templates/*.html",
    "what commands print": "appliance/cli/*.py",
}

STILL_SAID: dict[str, set[str]] = {}
"""What was said when the list was made, by place. It may only become shorter: take out what is mended."""


def text_of(path: Path) -> str:
    """Return what a file says to people: of a module its texts, without what is said to programmers."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return text
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [
                part for part in body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def is_docstring(part: ast.AST) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


@cache
def banned() -> tuple[str, ...]:
    """Return the phrases of the last column of the list."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return tuple(phrase for row in rows[2:] for phrase in re.findall(r"`([^`]+)`", row.rpartition(" | ")[2]))


def said(text: str) -> set[str]:
    """Return which of them stand in a text, over the ends of lines too."""
    plain = " ".join(text.split()).lower()
    return {phrase for phrase in banned() if re.search(rf"(?<!\w){re.escape(phrase.lower())}(?!\w)", plain)}


def test_no_screen_and_no_help_says_a_banned_word() -> None:
    found = {
        place: {phrase for path in PROJECT.glob(pattern) for phrase in said(text_of(path))}
        for place, pattern in PLACES.items()
    }
    new = {place: phrases - STILL_SAID.get(place, set()) for place, phrases in found.items()}
    assert {place: phrases for place, phrases in new.items() if phrases} == {}, (
        "docs/contributing/words.md has the word"
    )


def test_what_is_still_said_is_banned() -> None:
    assert set().union(*STILL_SAID.values()) <= set(banned())


def test_each_thing_has_a_word_and_no_phrase_is_banned_twice() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert all(len(row.split(" | ")) == 3 and row.split(" | ")[1].strip() for row in rows)
    assert len(banned()) == len(set(banned())) > 45


def test_a_phrase_is_found_whole_and_over_the_end_of_a_line() -> None:
    assert said("The target takes\n  nothing.") == {"takes nothing"}
    assert said("mistakes nothing") == set()
