"""Write the keys into ``docs/administration/terminal-ui.md``: ``make docs``. A test fails when the page is behind."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from appliance.control.rpc.client import api
from tui.actions import ACTIONS, PAGES, Action

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "administration" / "terminal-ui.md"
_BEGIN: Final = "<!-- keys: made by `make docs` -->"
_END: Final = "<!-- end of keys -->"
_OTHERS: Final = (
    ("task", "A task in full"),
    ("tags", "Tags of an image"),
    ("compare", "What is missing at a target"),
    ("probe", "What a target takes"),
    ("rule-form", "Editing a rule"),
    ("target-form", "Editing a target"),
    ("module-form", "Editing a module"),
    ("form", "In every form"),
    ("", "Everywhere"),
)


def page() -> str:
    """Return the page with the keys of now."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    tables = "\n".join(_tables())
    return f"{text[:before]}\n\n{tables}\n{text[after:]}"


def _tables() -> Iterator[str]:
    yield "| number | page | |"
    yield "| --- | --- | --- |"
    for entry in PAGES:
        yield f"| `{entry.key or ':' + entry.name}` | {entry.title} | {entry.text} |"
    titles = [*((entry.name, entry.title) for entry in PAGES), *_OTHERS]
    roles = {verb.name: verb.role for verb in api.all_verbs()}
    for name, title in titles:
        actions = [action for action in ACTIONS if action.page == name]
        if actions:
            yield f"\n### {title}\n"
            yield "| key | command | does | role |"
            yield "| --- | --- | --- | --- |"
            yield from (_row(action, roles) for action in actions)
    yield ""


def _row(action: Action, roles: Mapping[str, str]) -> str:
    danger = {"none": "", "asks": " Asks before.", "type the name": " Makes one type the name."}[action.danger]
    role = roles[action.verb] if action.verb else "viewer"
    text = re.sub(r"([|])", r"\\\1", action.text + danger)
    return f"| `{action.key_text}` | `:{action.name}` | {text} | {role} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
