"""Write the table of bad states into ``docs/administration/alerts-and-notifications.md``: ``make docs``.

A test fails when the page is behind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.control.alerts.bad_states import bad_states

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "administration" / "alerts-and-notifications.md"
_BEGIN: Final = "<!-- bad states: made by `make docs` -->"
_END: Final = "<!-- end of bad states -->"


def page() -> str:
    """Return the page with the table of now."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    return f"{text[:before]}\n\n" + "\n".join(_table()) + f"\n\n{text[after:]}"


def _table() -> Iterator[str]:
    yield "| what is so | of | kind of alert | severity |"
    yield "| --- | --- | --- | --- |"
    for row in bad_states():
        yield f"| {row.text} | {row.area} | `{row.kind}` | {row.severity} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
