"""The oracle shares nothing with what it judges."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHARED_NAMES = ("mercure", "appliance", "tui", "modules")


def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_it_imports_nothing_of_the_router_not_even_by_another_module() -> None:
    left, seen = {path for path in HERE.glob("*.py") if not path.name.startswith("test_")}, set()
    while left:
        path = left.pop()
        seen.add(path)
        names = imported(path)
        assert not [name for name in names if name.split(".")[0] in SHARED_NAMES], path
        files = {ROOT / (name.replace(".", "/") + ".py") for name in names}
        left |= {each for each in files if each.exists()} - seen
    assert len(seen) >= 5
