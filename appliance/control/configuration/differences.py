"""What is different between two configurations, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from appliance.control.api.base import Difference
from appliance.control.configuration.hidden_values import HiddenValues

Content = dict[str, Any]

ORDERED: Final = ("targets", "rules", "senders", "modules", "notifications.channels")
"""Tables in which the order of the names counts, or is that of the lists that people see."""


def differences(before: Content, after: Content, *others: Content) -> tuple[Difference, ...]:
    """Compare two configurations as they stand in their files; what is hidden in them, or in others, is not shown."""
    hidden = HiddenValues.of(before, after, *others)
    return tuple(_shown(item, hidden) for item in _compare("", before, after))


def _shown(item: Difference, hidden: HiddenValues) -> Difference:
    place = tuple(item.place.split("."))
    shown = {side: hidden.shown(place, getattr(item, side)) for side in ("before", "after")}
    return item.model_copy(update=shown)


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
