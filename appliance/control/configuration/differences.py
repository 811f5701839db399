"""What is different between two configurations, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.control.api.base import Difference

ORDERED = ("rules",)
"""Tables in which the order of the names counts."""


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[Difference, ...]:
    """Compare two configurations as they stand in their files."""
    return tuple(_compare("", before, after))


def _compare(place: str, before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield Difference(place=place or "file", how="changed", before=before, after=after)
        return
    for key in dict.fromkeys([*before, *after]):
        where = f"{place}.{key}" if place else key
        if key not in after:
            yield Difference(place=where, how="removed", before=before[key])
        elif key not in before:
            yield Difference(place=where, how="added", after=after[key])
        else:
            yield from _compare(where, before[key], after[key])
    if place in ORDERED:
        yield from _order(place, list(before), list(after))


def _order(place: str, before: list[str], after: list[str]) -> Iterator[Difference]:
    """Tell when those that are in both stand in another order."""
    both = set(before) & set(after)
    if [name for name in before if name in both] != [name for name in after if name in both]:
        yield Difference(place=place, how="order", before=list(before), after=list(after))
