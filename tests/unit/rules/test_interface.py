"""What the package offers, and what it costs a program to have it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import mercure.rules

PACKAGE = Path(mercure.rules.__file__).parent


def test_everything_that_is_offered_is_there() -> None:
    assert sorted(mercure.rules.__all__) == sorted(set(mercure.rules.__all__))
    assert all(hasattr(mercure.rules, name) for name in mercure.rules.__all__)


def test_the_dictionary_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, mercure.rules\n"
        "assert 'pydicom' not in sys.modules and 'pydantic' not in sys.modules\n"
        "mercure.rules.compile_rule('tags.Modality')\n"
        "assert 'pydicom' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parents[1], timeout=60)


def test_nothing_that_runs_text_or_reaches_attributes_by_name_is_called() -> None:
    forbidden = {"eval", "exec", "compile", "getattr", "setattr", "open", "__import__", "vars", "globals", "locals"}
    for file in PACKAGE.glob("*.py"):
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & forbidden, file.name
