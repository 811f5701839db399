"""The tool that makes the conformance statement, with the tables that it reads."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from tests.support.binaries import PROJECT

if TYPE_CHECKING:
    from types import ModuleType


@cache
def statement() -> ModuleType:
    """Return ``tools/conformance_page.py`` as a module."""
    path = PROJECT / "tools" / "conformance_page.py"
    specification = importlib.util.spec_from_file_location("conformance_page", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
