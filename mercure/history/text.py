"""Making what came from the network fit for a database: no NUL, no lone surrogate, nothing endless.

PostgreSQL refuses U+0000 in texts and index entries above some 2,700 bytes; SQLite stores NaN as NULL. One value of
this sort must not stop the history, so they are put right here, before any statement sees them.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

KEY_CHARS: Final = 128
"""Longest identifier (event, task, image, association) that is taken as one."""

NAME_CHARS: Final = 256
"""Longest text in a column that is searched by; with 4 bytes each it still fits into an index entry."""

TEXT_CHARS: Final = 4000
"""Longest text in a column that is only shown."""

JSON_CHARS: Final = 65_536
"""Longest JSON text kept for one event; longer details are shortened inside."""

MAX_COUNT: Final = 2**31 - 1
MAX_BYTES: Final = 2**50
"""Beyond any number of images and any size that can be true: larger values are cut, so that sums do not overflow."""

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_KEPT_CHARS: Final = 500
_KEPT_ITEMS: Final = 20
_KEPT_DEPTH: Final = 8


def storable(text: str) -> str:
    """Replace what PostgreSQL or UTF-8 cannot hold by U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def clip(text: str, limit: int = NAME_CHARS) -> str:
    """Cut a text to `limit` characters, the last of them an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def count_of(value: int, limit: int = MAX_COUNT) -> int:
    """Cut a number of things (or bytes) to what can be true."""
    return max(0, min(value, limit))


def finite(value: float) -> float:
    """Return a number that a column can hold: 0 for NaN, and no infinities."""
    return 0.0 if math.isnan(value) else max(-1e18, min(value, 1e18))


def cleaned(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Make every text in a JSON value storable, keys too."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): cleaned(item) for key, item in value.items()}
    return value


def json_text(value: Any, limit: int = JSON_CHARS) -> str:  # noqa: ANN401 - any JSON value
    """Write a JSON value, shortened when it is longer than `limit` characters.

    Numbers that JSON does not know (NaN, infinities) become null.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        value = _without_infinities(value)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text) <= limit:
        return text
    text = json.dumps(_shortened(value, _KEPT_DEPTH), ensure_ascii=False, separators=(",", ":"))
    if len(text) <= limit:
        return text
    return json.dumps({"shortened": text[: limit // 2]}, ensure_ascii=False)


def _without_infinities(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_without_infinities(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    return value


def _shortened(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return clip(value, _KEPT_CHARS)
    if isinstance(value, (list, dict)) and depth == 0:
        return REPLACEMENT
    if isinstance(value, list):
        kept = [_shortened(item, depth - 1) for item in value[:_KEPT_ITEMS]]
        return kept if len(value) <= _KEPT_ITEMS else [*kept, f"and {len(value) - _KEPT_ITEMS} more"]
    if isinstance(value, dict):
        items = list(value.items())[:_KEPT_ITEMS]
        kept_items = {clip(key, _KEPT_CHARS): _shortened(item, depth - 1) for key, item in items}
        return kept_items if len(value) <= _KEPT_ITEMS else kept_items | {"": f"and {len(value) - _KEPT_ITEMS} more"}
    if isinstance(value, int) and abs(value) > 2**63:
        return None
    return value
