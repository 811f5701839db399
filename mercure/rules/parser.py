"""Parser: from tokens to the syntax tree, by operator precedence; the grammar is that of Python's expressions.

Depth is bounded while parsing, so a hostile text can exhaust neither this parser's stack nor that of any later pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final, Never
from typing import Literal as OneOf

from mercure.printable import escaped
from mercure.rules.errors import Code, RuleError, TextPlace
from mercure.rules.lexer import Token, tokens
from mercure.rules.nodes import (
    Argument,
    Attribute,
    Binary,
    CallNode,
    Collection,
    ComparisonNode,
    Conditional,
    Literal,
    Logical,
    Name,
    Negation,
    OldTag,
    Slice,
    Subscript,
    SyntaxNode,
    Unary,
)

MAX_DEPTH: Final = 50
"""Levels of a tree: chained methods, nested brackets, terms of a sum."""

_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"})
_CONDITIONAL, _OR, _AND, _NOT, _COMPARISON, _SHIFT, _SUM, _PRODUCT, _SIGN, _POWER = 1, 2, 3, 4, 5, 9, 10, 11, 12, 13
_BINDING: Final = {
    "if": _CONDITIONAL, "or": _OR, "and": _AND,
    "|": 6, "^": 7, "&": 8, "<<": _SHIFT, ">>": _SHIFT,
    "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "//": _PRODUCT, "%": _PRODUCT,
    "**": _POWER,
} | dict.fromkeys(_COMPARISONS, _COMPARISON)  # fmt: skip
"""How strongly each operator binds, weakest first (Python reference, section 6.17)."""

_CONSTANTS: Final = {"True": True, "False": False}
_NO_LOOPS: Final = 'a rule has no loops; write contains(text, "a", "b"), one_of(...) or images.any(...)'
_REFUSED: Final = {
    "for": ("for", _NO_LOOPS),
    "lambda": ("lambda", _NO_LOOPS),
    "await": ("await", ""),
    "yield": ("yield", ""),
}
_OPERATOR_WORDS: Final = frozenset({"and", "or", "not", "in", "is", "if", "else"})
_RESERVED: Final = _OPERATOR_WORDS | _CONSTANTS.keys() | _REFUSED.keys()
_MEANT: Final = {
    "and": "and", "or": "or", "not": "not", "true": "True", "false": "False", "in": "in", "null": '""', "none": '""',
    "if": "if", "else": "else",
}  # fmt: skip
_HINTS: Final = {"=": "to compare, write ==", "%": "a tag is written tags.Keyword"}


def parse(text: str) -> SyntaxNode:
    """Parse a rule.

    Parameters
    ----------
    text : str
        The rule; anything is allowed.

    Returns
    -------
    SyntaxNode
        The tree, at most `MAX_DEPTH` deep.

    Raises
    ------
    RuleError
        It is no expression, or too long or too deep.
    """
    return _Parser(text).rule()


class _Parser:
    """One pass over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._index = 0
        self._level = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _at_end(self) -> bool:
        return self._next.kind == "end"

    def rule(self) -> SyntaxNode:
        if self._at_end():
            self._fail("syntax", self._next, "the rule is empty", "to take every image, write True")
        node = self._expression(_CONDITIONAL)
        if not self._at_end():
            self._unexpected("an operator such as and, or the end of the rule")
        return node

    # -- expressions

    def _expression(self, minimum: int) -> SyntaxNode:
        """Parse operands and operators that bind at least as strongly as `minimum`."""
        self._level += 1
        if self._level > MAX_DEPTH:
            self._fail("limit", self._next, f"the rule nests deeper than {MAX_DEPTH} levels")
        node = self._prefixed(minimum)
        while (binding := _BINDING.get(operator := self._operator(), 0)) >= minimum:
            node = self._infix(node, operator, binding)
        self._level -= 1
        return node

    def _operator(self) -> str:
        """Return the operator that follows, without taking it; empty when there is none."""
        token = self._next
        if token.kind not in {"operator", "name"}:
            return ""
        if token.source == "not" and self._tokens[self._index + 1].source == "in":
            return "not in"
        if token.source == "is" and self._tokens[self._index + 1].source == "not":
            return "is not"
        return token.source

    def _infix(self, left: SyntaxNode, operator: str, binding: int) -> SyntaxNode:
        if operator in {"and", "or"}:
            return self._logical(left, operator, binding)
        if binding == _COMPARISON:
            return self._comparison(left)
        self._take()
        if operator == "if":
            return self._conditional(left)
        right = self._expression(_SIGN if operator == "**" else binding + 1)
        return Binary(left.start, right.end, self._depth((left, right)), operator, left, right)

    def _logical(self, left: SyntaxNode, operator: str, binding: int) -> SyntaxNode:
        word: OneOf["and", "or"] = "and" if operator == "and" else "or"
        operands = [left]
        while self._next.kind == "name" and self._next.source == word:
            self._take()
            operands.append(self._expression(binding + 1))
        return Logical(left.start, operands[-1].end, self._depth(operands), word, tuple(operands))

    def _comparison(self, left: SyntaxNode) -> SyntaxNode:
        operands, operators = [left], []
        while (operator := self._operator()) in _COMPARISONS:
            self._index += 2 if operator in {"not in", "is not"} else 1
            operators.append(operator)
            operands.append(self._expression(_COMPARISON + 1))
        return ComparisonNode(left.start, operands[-1].end, self._depth(operands), tuple(operands), tuple(operators))

    def _conditional(self, then: SyntaxNode) -> SyntaxNode:
        test = self._expression(_OR)
        if not self._accept("else"):
            self._unexpected("else", "a conditional expression is: value if condition else other")
        otherwise = self._expression(_CONDITIONAL)
        depth = self._depth((then, test, otherwise))
        return Conditional(then.start, otherwise.end, depth, test, then, otherwise)

    def _prefixed(self, minimum: int) -> SyntaxNode:
        token = self._next
        if token.kind == "name" and token.source == "not":
            if minimum > _NOT:
                self._fail("syntax", token, "not cannot stand here", "put (not …) in brackets")
            self._take()
            operand = self._expression(_NOT)
            return Negation(token.start, operand.end, self._depth((operand,)), operand)
        if token.kind == "operator" and token.source in {"-", "+", "~"}:
            self._take()
            operand = self._expression(_SIGN)
            return Unary(token.start, operand.end, self._depth((operand,)), token.source, operand)
        return self._primary()

    # -- operands

    def _primary(self) -> SyntaxNode:
        node = self._atom()
        while self._next.kind == "operator" and self._next.source in {".", "(", "["}:
            opening = self._take()
            node = _TRAILERS[opening.source](self, node)
        return node

    def _atom(self) -> SyntaxNode:
        token = self._next
        if not self._begins_a_value(token):
            self._unexpected("a value, such as tags.Modality or a text in quotes,")
        self._index += 1
        if token.kind == "text":
            return self._text_literal(token)
        if token.kind == "number":
            return Literal(token.start, token.end, 1, token.value)
        if token.kind == "tag":
            return OldTag(token.start, token.end, 1, str(token.value).strip())
        return self._named(token) if token.kind == "name" else self._bracketed(token)

    @staticmethod
    def _begins_a_value(token: Token) -> bool:
        if token.kind == "operator":
            return token.source in _CLOSING
        return token.kind != "end" and not (
            token.kind == "name" and (token.source in _BINDING or token.source == "else")
        )

    def _named(self, token: Token) -> SyntaxNode:
        if token.source in _CONSTANTS:
            return Literal(token.start, token.end, 1, _CONSTANTS[token.source])
        if token.source in _REFUSED:
            self._refuse(token)
        return Name(token.start, token.end, 1, token.source)

    def _text_literal(self, first: Token) -> SyntaxNode:
        """Join texts that stand side by side, as Python does; the checker warns of it."""
        value, end = str(first.value), first.end
        while self._next.kind == "text":
            following = self._take()
            value, end = value + str(following.value), following.end
        return Literal(first.start, end, 1, value, end != first.end)

    def _bracketed(self, opening: Token) -> SyntaxNode:
        closing = _CLOSING[opening.source]
        items: list[SyntaxNode] = []
        comma = False
        while not self._at(closing):
            items.append(self._expression(_CONDITIONAL))
            if self._at(":"):
                self._fail("refused", self._next, "dictionaries are not part of the rule language")
            comma = self._accept(",") or comma
            if not self._at(closing) and not (comma and self._tokens[self._index - 1].source == ","):
                self._unexpected(f"a comma or {closing}")
        end = self._take().end
        if opening.source == "(" and len(items) == 1 and not comma:
            return dataclasses.replace(items[0], start=opening.start, end=end)
        if opening.source == "{" and not items:
            self._fail("refused", opening, "dictionaries are not part of the rule language")
        return Collection(opening.start, end, self._depth(items) if items else 1, tuple(items))

    def _attribute(self, value: SyntaxNode) -> SyntaxNode:
        if self._next.kind != "name" or self._next.source in _RESERVED:
            self._unexpected("a name after the dot")
        token = self._take()
        return Attribute(value.start, token.end, self._depth((value,)), value, token.source, token.start)

    def _call(self, function: SyntaxNode) -> SyntaxNode:
        arguments: list[Argument] = []
        while not self._at(")"):
            if self._next.source in {"*", "**"} and self._next.kind == "operator":
                self._fail("refused", self._next, "arguments are written out one by one")
            arguments.append(self._argument())
            if not self._accept(",") and not self._at(")"):
                self._unexpected("a comma or )")
        end = self._take().end
        parts = (function, *(argument.value for argument in arguments))
        return CallNode(function.start, end, self._depth(parts), function, tuple(arguments))

    def _argument(self) -> Argument:
        name = ""
        if self._next.kind == "name" and self._tokens[self._index + 1].source == "=":
            name = self._take().source
            self._take()
        return Argument(name, self._expression(_CONDITIONAL))

    def _subscript(self, value: SyntaxNode) -> SyntaxNode:
        parts: list[SyntaxNode | None] = [None]
        while not self._at("]"):
            if self._accept(":"):
                parts.append(None)
            elif parts[-1] is None:
                parts[-1] = self._expression(_CONDITIONAL)
            else:
                self._unexpected("] or :")
        end = self._take().end
        index, *others = parts
        if not others and index is not None:
            return Subscript(value.start, end, self._depth((value, index)), value, index)
        if not others or len(others) > 2:  # noqa: PLR2004 - first:last:step
            self._fail_at("syntax", value.end, end, "an index is [number], a slice is [first:last:step]")
        below = [value, *(part for part in parts if part is not None)]
        step = others[1] if others[1:] else None
        return Slice(value.start, end, self._depth(below), value, index, others[0], step)

    # -- tools

    def _depth(self, below: Iterable[SyntaxNode]) -> int:
        """Return the depth of a node over others; operators of the same strength in a row make a deep tree too."""
        depth = 1 + max(node.depth for node in below)
        if depth > MAX_DEPTH:
            self._fail("limit", self._next, f"the rule nests deeper than {MAX_DEPTH} levels")
        return depth

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._index += 1
        return token

    def _at(self, source: str) -> bool:
        return self._next.source == source and self._next.kind in {"operator", "name"}

    def _accept(self, source: str) -> bool:
        if self._at(source):
            self._index += 1
            return True
        return False

    def _refuse(self, token: Token) -> Never:
        word, advice = _REFUSED[token.source]
        self._fail("refused", token, f"{word} is not part of the rule language", advice)

    def _unexpected(self, expected: str, advice: str = "") -> Never:
        token = self._next
        if token.source in _REFUSED and token.kind == "name":
            self._refuse(token)
        if token.kind == "end":
            self._fail("syntax", token, f"the rule ends where {expected} is expected", advice)
        if token.kind == "operator" and token.source in _HINTS:
            advice = _HINTS[token.source]
        meant = _MEANT.get(token.source.lower(), "") if token.kind == "name" else ""
        if meant and meant != token.source:
            advice = f"write {meant}"
        self._fail("syntax", token, f"found {escaped(token.source, 40)} where {expected} is expected", advice)

    def _fail(self, code: Code, token: Token, message: str, advice: str = "") -> Never:
        self._fail_at(code, token.start, token.end, message, advice)

    def _fail_at(self, code: Code, start: int, end: int, message: str, advice: str = "") -> Never:
        raise RuleError(code, message, advice, TextPlace(self._text, start, end))


_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_TRAILERS: Final[dict[str, Callable[[_Parser, SyntaxNode], SyntaxNode]]] = {
    ".": _Parser._attribute,
    "(": _Parser._call,
    "[": _Parser._subscript,
}
