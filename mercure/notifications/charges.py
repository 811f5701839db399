"""How much a template may make of its values, counted before anything of it is evaluated, as the rules count.

The bound is an upper one: both ways of a condition count, and a loop as often as its list is long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import nodes

ROOM: Final = 3_000_000
"""Characters that one template may make, what it puts together and throws away included."""

_NUMBER: Final = 400
"""Characters of the longest number."""
_CASE_GROWTH: Final = 3
"""Characters that one may become in another case; those never become more in yet another."""
_CASES: Final = frozenset({"capitalize", "lower", "title", "upper"})
_OF_FIXED_SIZE: Final = frozenset({"filesizeformat", "length"})

Values = Mapping[str, Any]


def size_of(node: nodes.Node, values: Values) -> int:
    """Return how many characters a part of a template makes at most.

    Parameters
    ----------
    node : Node
        One that is let in (`mercure.notifications.templates`).
    values : mapping
        What it is filled in with.
    """
    found = _SIZES.get(type(node))
    return found(node, values) if found is not None else _sum(node, values)


def _sum(node: nodes.Node, values: Values) -> int:
    return sum(size_of(child, values) for child in node.iter_child_nodes())


def _length(value: object) -> int:
    if isinstance(value, list | tuple):
        return sum(_length(item) + 4 for item in value)
    return len(value) if isinstance(value, str) else _NUMBER


def _filter(node: nodes.Filter, values: Values) -> int:
    if node.name in _OF_FIXED_SIZE:
        return _NUMBER + _sum(node, values)
    if node.name == "join":
        return _joined(node, values)
    cased = isinstance(node.node, nodes.Filter) and node.node.name in _CASES
    return _sum(node, values) * (_CASE_GROWTH if node.name in _CASES and not cased else 1)


def _joined(node: nodes.Filter, values: Values) -> int:
    """Count a join: what stands between the items comes once for each; the items of a text are its characters."""
    whole = size_of(node.node, values) if node.node is not None else 0
    value = values.get(node.node.name) if isinstance(node.node, nodes.Name) else None
    items = len(value) if isinstance(value, list | tuple) else whole
    between = sum(size_of(argument, values) for argument in (*node.args, *node.kwargs))
    return whole + items * between


def _loop(node: nodes.For, values: Values) -> int:
    items = values.get(node.iter.name, ()) if isinstance(node.iter, nodes.Name) else ()
    inside = dict(values)
    if isinstance(node.target, nodes.Name):
        inside[node.target.name] = max(map(str, items), key=len, default="")
    body = [*node.body, *([node.test] if node.test is not None else [])]
    once = sum(size_of(part, inside) for part in body)
    return max(1, len(items)) * once + sum(size_of(part, values) for part in node.else_)


_SIZES: Final[dict[type[nodes.Node], Callable[[Any, Values], int]]] = {
    nodes.TemplateData: lambda node, _values: len(node.data),
    nodes.Const: lambda node, _values: _length(node.value),
    nodes.Name: lambda node, values: _length(values.get(node.name, "")),
    nodes.Getattr: lambda _node, _values: _NUMBER,
    nodes.Filter: _filter,
    nodes.For: _loop,
}
