"""Every lesson from other routers has a test, and the page that says which is true."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "lessons.md"
LESSONS = 48
ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+?) \|")
GTEST = re.compile(r"^TEST(?:_P|_F)?\((\w+), (\w+)\)", re.MULTILINE)


def rows() -> dict[int, list[str]]:
    """Return the tests of each lesson."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {int(number): re.findall(r"`([^`]+)`", tests) for number, _, tests in found}


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file of Python or C++."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".cc":
        return frozenset(f"{suite}.{name}" for suite, name in GTEST.findall(text))
    return frozenset(node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))


def test_none_is_left_out() -> None:
    assert list(rows()) == list(range(1, LESSONS + 1))
    assert all(rows().values())


@pytest.mark.parametrize("number", range(1, LESSONS + 1))
def test_its_tests_are_there(number: int) -> None:
    for test in rows()[number]:
        path, _, name = test.partition("::")
        assert (REPOSITORY / path).is_file(), test
        assert not name or name in names_in(REPOSITORY / path), test
