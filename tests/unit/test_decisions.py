"""The pages of decisions: one form, an index by subject, and no reference to a page that is not there."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
PAGES = sorted(path for path in FOLDER.iterdir() if path != INDEX)
HEAD = re.compile(
    r"# (?P<number>\d{4}): (?P<title>[^\n]+)\n\n"
    r"- Date: (?P<date>[\d-]+)(?:, [^\n]+)?\n- Status: (?P<status>[^\n]+)\n- Area: (?P<area>[^\n]+)\n\n## Context\n"
)
HEADINGS = ["Context", "Decision", "Rejected", "Consequences"]
NAMED = re.compile(r"decisions/(\d{4})(?:(-[a-z0-9-]+)\.md)?|[Dd]ecisions? \[?(\d{2,4})\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_each_page_has_the_form(page: Path) -> None:
    text = page.read_text("utf-8")
    head = HEAD.match(text)
    assert head is not None, "number and title, date, status and area, then the context"
    assert page.name.startswith(f"{head['number']}-")
    assert page.suffix == ".md"
    assert date.fromisoformat(head["date"]) > date(2026, 1, 1)
    assert re.match(r"accepted\b|replaced by \[", head["status"])
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == [name for name in HEADINGS if name in headings]
    assert {"Context", "Decision", "Rejected"} <= set(headings)
    assert not re.search(r"^(#{3,}|\*\*(Context|Decision|Decided|Rejected|Consequences)\b)", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name[:4])
def test_each_path_that_a_page_names_is_there(page: Path) -> None:
    tops = "mercure|appliance|tui|tests|tools|roles|molecule|getdcmtags|modules|docs"
    named = re.findall(rf"`((?:{tops})/[\w./-]+)`", page.read_text("utf-8"))
    assert [path for path in named if "NAME" not in path and not (PROJECT / path).exists()] == []


def test_each_page_is_in_the_index_once_under_its_area() -> None:
    listed = []
    for area, lines in re.findall(r"^## (.+)\n\n((?:[- ].*\n)+)", INDEX.read_text("utf-8"), re.MULTILINE):
        for number, name, title in re.findall(r"^- \[(\d{4})\]\((\S+)\):\s+(.+)$", lines, re.MULTILINE):
            listed.append((name, number, title, area))
    heads = [(page.name, HEAD.match(page.read_text("utf-8"))) for page in PAGES]
    assert sorted(listed) == [(name, head["number"], head["title"], head["area"]) for name, head in heads if head]


def test_no_reference_dangles() -> None:
    names = {page.name for page in PAGES}
    numbers = {name[:4] for name in names}
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    dangling = []
    for path in (PROJECT / name for name in listing.split("\0") if name):
        if not path.is_file() or path == Path(__file__):
            continue
        for number, rest, spoken in NAMED.findall(path.read_text("utf-8", errors="replace")):
            found = (number or spoken).zfill(4)
            if found not in numbers or (rest and f"{found}{rest}.md" not in names):
                dangling.append(f"{path.relative_to(PROJECT)}: {found}{rest}")
    assert dangling == []
