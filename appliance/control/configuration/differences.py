"""What is different between two configurations, place by place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from appliance.control.api.base import Difference

ORDERED: Final = ("targets", "rules", "senders", "modules", "notifications.channels")
"""Tables in which the order of the names counts, or is that of the lists that people see."""

HIDDEN: Final = "(hidden)"
_SECRET: Final = re.compile(r"passw|secret|token|credential|(api|private|access)_?-?key|webhook_url", re.IGNORECASE)
"""Names of what nobody but its owner is to read, such as the variable of a module that holds a key."""
_WHERE: Final = ({"file"}, {"env"})
"""A secret that is in a file or variable: where it is, is no secret."""


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[Difference, ...]:
    """Compare two configurations as they stand in their files; what is secret in them is not shown."""
    return tuple(_hidden(item) for item in _compare("", before, after))


def _hidden(item: Difference) -> Difference:
    shown = {side: without_secrets(item.place, getattr(item, side)) for side in ("before", "after")}
    return item.model_copy(update=shown)


def without_secrets(place: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value with every secret in it hidden, by the names under which they stand."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        if _is_secret(place) and set(value) in _WHERE:
            return value
        return {key: without_secrets(f"{place}.{key}", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(place, inner) for inner in value]
    return HIDDEN if _is_secret(place) else value


def _is_secret(place: str) -> bool:
    return _SECRET.search(place.rpartition(".")[2]) is not None


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
