"""The page about the configuration is what the models say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

GENERATOR = Path(__file__).resolve().parents[3] / "tools" / "configuration_page.py"


def test_the_page_is_current() -> None:
    specification = importlib.util.spec_from_file_location("configuration_page", GENERATOR)
    assert specification is not None
    assert specification.loader is not None
    generator = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generator)
    written = generator.PAGE.read_text(encoding="utf-8")
    assert written == generator.page(), "run `make docs`"
    for row in written.splitlines():
        assert "| anything |" not in row, row
