"""JSON as no editor should write it: hypothesis strategies that break a good document, by its values or its bytes."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

KEYS = st.text(max_size=6) | st.sampled_from(["", "__proto__", "\ud800", "a\0b", "../x", "[key]", "kind", "x" * 5_000])
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**25), 2**63, 1e308, float("nan"), float("inf"), -0.0])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\0", "9" * 5_000, "{{ x", "(" * 200, "tags.", "\x1b[2J", "é" * 100])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def nested(depth: int, *, in_lists: bool) -> Any:
    """Make lists or objects within each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if in_lists else {"a": value}
    return value


DEEP = st.builds(nested, st.sampled_from([20, 200, 900]), in_lists=st.booleans())


def places(document: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List where values are in a document, each as its keys and numbers."""
    found = [so_far] if so_far else []
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in parts:
        found += places(value, (*so_far, key))
    return found


@st.composite
def broken(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """Break a document at one place or a few: other values, missing and strange keys, parts of it elsewhere."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(document) or [("version",)]))
        holder: Any = document
        for key in way:
            holder = holder[key]
        how = draw(st.sampled_from(["replace", "remove", "add", "move", "deepen"]))
        if how == "remove":
            del holder[last]
        elif how == "add" and isinstance(holder, dict):
            holder[draw(KEYS)] = draw(ANYTHING)
        elif how == "move":
            holder[last] = copy.deepcopy(draw(st.sampled_from(list(good.values()))))
        else:
            holder[last] = draw(DEEP if how == "deepen" else ANYTHING)
    return document


def written(document: dict[str, Any]) -> bytes:
    """Write a document as a file has it; a lone surrogate as an escape, as JSON allows."""
    return json.dumps(document).encode()


@st.composite
def broken_bytes(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """Break the bytes of a document: cut, changed, doubled, or something else altogether."""
    data = bytearray(json.dumps(good, indent=draw(st.sampled_from([None, 2]))).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["cut", "change", "insert", "double", "drop"]))
        if how == "cut":
            del data[at:]
        elif how == "change":
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "insert":
            data[at:at] = draw(
                st.binary(max_size=6) | st.sampled_from([b"[" * 50_000, b'{"a":' * 50_000, b"9" * 5_000])
            )
        elif how == "double":
            data[at:at] = data[at : at + draw(st.integers(1, 60))]
        else:
            del data[at : at + draw(st.integers(1, 30))]
    return bytes(data)
