"""Names of senders within rules: where a rule compares ``sender.name`` with a text, and the text under another name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mercure.rules.errors import RuleError
from mercure.rules.nodes import (
    Attribute,
    CallNode,
    Collection,
    ComparisonNode,
    Literal,
    Name,
    OldTag,
    Subscript,
    SyntaxNode,
)
from mercure.rules.parser import parse
from mercure.rules.unknown import SENDER_NAME

_EQUALITY: Final = frozenset({"==", "!="})
_MEMBERSHIP: Final = frozenset({"in", "not in"})
_FOLDING: Final = frozenset({"iequals", "one_of"})
"""Helper functions that compare whole texts, in which upper and lower case are the same."""


@dataclass(frozen=True)
class RenamedRule:
    """A rule under the new name of a sender.

    Parameters
    ----------
    text : str
        The rule; the same where it does not compare with the old name.
    by_hand : bool
        It asks for the name in a way that may hold for the old one and not for the new one: a person must look.
    """

    text: str
    by_hand: bool = False


def renamed_sender(text: str, old: str, new: str) -> RenamedRule:
    """Give a sender its new name in a rule.

    Parameters
    ----------
    text : str
        The rule; one that cannot be read stays as it is.
    old, new : str
        The names, as in the configuration.
    """
    try:
        tree = parse(text)
    except RuleError:
        return RenamedRule(text)
    nodes = list(_below(tree))
    compared = [literal for node in nodes for literal in _compared(node)]
    understood = {id(it) for node in nodes for it in _understood(node)}
    by_hand = any(_asks_for_name(node) and id(node) not in understood for node in nodes)
    mine = [literal for literal, folds in compared if _is(literal.value, old, folds=folds)]
    for literal in sorted(mine, key=lambda item: item.start, reverse=True):
        written = text[literal.start : literal.end]
        quote = "'" if written.strip("( ").startswith("'") else '"'
        text = f"{text[: literal.start]}{quote}{new}{quote}{text[literal.end :]}"
    return RenamedRule(text, by_hand)


def _is(value: object, name: str, *, folds: bool) -> bool:
    if not isinstance(value, str):
        return False
    return value.casefold() == name.casefold() if folds else value == name


def _below(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield a node and all below it."""
    left = [node]
    while left:
        item = left.pop()
        yield item
        left += item.children


def _is_sender_name(node: SyntaxNode) -> bool:
    """Tell whether a node is the name of the sender: ``sender.name``, or as the tag that the router adds."""
    if isinstance(node, Attribute):
        return _is_name(node.value, "sender" if node.name == "name" else "tags") and node.name in ("name", SENDER_NAME)
    if isinstance(node, Subscript):
        return _is_name(node.value, "tags") and _is_tag(node.index)
    return isinstance(node, OldTag) and node.keyword == SENDER_NAME


def _asks_for_name(node: SyntaxNode) -> bool:
    """Tell whether a node is the name of the sender, or asks for it as ``tags.get`` does."""
    return _is_sender_name(node) or (isinstance(node, CallNode) and any(_is_tag(it.value) for it in node.arguments))


def _is_tag(node: SyntaxNode) -> bool:
    return isinstance(node, Literal) and node.value == SENDER_NAME


def _is_name(node: SyntaxNode, name: str) -> bool:
    return isinstance(node, Name) and node.name == name


def _compared(node: SyntaxNode) -> Iterator[tuple[Literal, bool]]:
    """Yield the texts with which a node compares the name, and whether upper and lower case are the same for it."""
    yield from ((literal, False) for literal in _in_comparison(node))
    if isinstance(node, CallNode) and _is_folding(node):
        for argument in node.arguments[1:]:
            yield from ((literal, True) for literal in _literals(argument.value))


def _in_comparison(node: SyntaxNode) -> Iterator[Literal]:
    if not isinstance(node, ComparisonNode):
        return
    for left, operator, right in zip(node.operands, node.operators, node.operands[1:], strict=False):
        if operator in _EQUALITY and _is_sender_name(left):
            yield from _literals(right, alone=True)
        elif operator in _EQUALITY and _is_sender_name(right):
            yield from _literals(left, alone=True)
        elif operator in _MEMBERSHIP and _is_sender_name(left) and isinstance(right, Collection):
            yield from _literals(right)


def _is_folding(node: CallNode) -> bool:
    function, first = node.function, node.arguments[:1]
    return isinstance(function, Name) and function.name in _FOLDING and bool(first) and _is_sender_name(first[0].value)


def _literals(node: SyntaxNode, *, alone: bool = False) -> Iterator[Literal]:
    """Yield a text, or those of a list."""
    if isinstance(node, Literal):
        yield node
    elif isinstance(node, Collection) and not alone:
        yield from (item for item in node.items if isinstance(item, Literal))


def _understood(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield the names of senders that a node compares with texts alone."""
    if isinstance(node, CallNode) and _is_folding(node):
        if all(_is_written_out(argument.value) for argument in node.arguments[1:]):
            yield node.arguments[0].value
    elif isinstance(node, ComparisonNode):
        parts = list(zip(node.operands, node.operators, node.operands[1:], strict=False))
        for left, operator, right in parts:
            name, other = (left, right) if _is_sender_name(left) else (right, left)
            plain = operator in _EQUALITY and isinstance(other, Literal)
            listed = operator in _MEMBERSHIP and name is left and isinstance(other, Collection)
            if _is_sender_name(name) and (plain or (listed and _is_written_out(other))):
                yield name


def _is_written_out(node: SyntaxNode) -> bool:
    if isinstance(node, Collection):
        return all(isinstance(item, Literal) for item in node.items)
    return isinstance(node, Literal)
