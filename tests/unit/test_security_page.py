"""The page for the security review: what it says is tested is tested by what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"


def threats() -> list[list[str]]:
    """Return the cells of each row of the table of threats."""
    section = PAGE.read_text().split("## Threats")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:] if not row[0].strip().startswith("---")]


def test_each_threat_has_tests_that_are_there() -> None:
    assert len(threats()) > 20
    for row in threats():
        door, _, holds, tests = row
        paths = re.findall(r"`([^`]+)`", tests)
        assert paths, f"no test: {row}"
        assert holds, row
        for path in paths:
            assert (ROOT / path).is_file(), f"{door}: there is no {path}"


def test_what_the_review_wants_is_written_down() -> None:
    headings = set(re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE))
    assert {"Who", "Threats", "What is left", "Emergency access", "When a weakness is found"} <= headings
    assert "docs/security.md" in (ROOT / "SECURITY.md").read_text()
