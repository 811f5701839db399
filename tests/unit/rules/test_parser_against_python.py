"""Our parser and Python's make the same tree of every expression that is in both languages."""

from __future__ import annotations

import ast
import unicodedata
import warnings
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mercure.rules import RuleError, nodes
from mercure.rules.parser import parse

_SIGNS: Final[dict[type, str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.BitOr: "|", ast.BitAnd: "&", ast.BitXor: "^", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
TOKENS: Final = [
    "a", "tags", "x1", "1", "2.5", ".5", "1e3", "0x1f", "'s'", '"t\\n\\d\\x41"', r"r'\d'", "'''q'''", "True", "and",
    "or", "not", "in", "not in", "if", "else", "==", "!=", "<", ">=", "+", "-", "*", "/", "//", "%", "**", "|", "&",
    "^", "~", "(", ")", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=",
]  # fmt: skip


class NotOurs(Exception):
    """Valid Python that the rule language leaves out."""


def of_python(tree: ast.AST | None) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of node
    match tree:
        case None:
            return None
        case ast.Constant(value=value):
            return (type(value).__name__, value)
        case ast.Name(id=name):
            return ("name", name)
        case ast.Attribute(value=value, attr=name):
            return ("attribute", of_python(value), name)
        case ast.Call(func=function, args=arguments, keywords=keywords):
            positional = [("", of_python(argument)) for argument in arguments]
            return ("call", of_python(function), positional + [(k.arg, of_python(k.value)) for k in keywords])
        case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=step)):
            return ("slice", *map(of_python, (value, lower, upper, step)))
        case ast.Subscript(value=value, slice=ast.Tuple()):
            raise NotOurs
        case ast.Subscript(value=value, slice=index):
            return ("index", of_python(value), of_python(index))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ("not", of_python(operand))
        case ast.UnaryOp(op=sign, operand=operand):
            return ("unary", _SIGNS[type(sign)], of_python(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return ("binary", _SIGNS[type(sign)], of_python(left), of_python(right))
        case ast.Compare(left=left, ops=signs, comparators=others):
            return ("compare", [of_python(each) for each in (left, *others)], [_SIGNS[type(sign)] for sign in signs])
        case ast.BoolOp(op=word, values=values):
            return ("and" if isinstance(word, ast.And) else "or", [of_python(value) for value in values])
        case ast.IfExp(test=test, body=then, orelse=otherwise):
            return ("if", *map(of_python, (test, then, otherwise)))
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return ("list", [of_python(item) for item in items])
    raise NotOurs


def of_ours(node: nodes.SyntaxNode | None) -> Any:  # noqa: C901, PLR0911, PLR0912 - as above
    match node:
        case None:
            return None
        case nodes.Literal(value=value):
            return (type(value).__name__, value)
        case nodes.Name(name=name):
            return ("name", name)
        case nodes.Attribute(value=value, name=name):
            return ("attribute", of_ours(value), name)
        case nodes.CallNode(function=function, arguments=arguments):
            return ("call", of_ours(function), [(each.name, of_ours(each.value)) for each in arguments])
        case nodes.Slice(value=value, first=first, last=last, step=step):
            return ("slice", *map(of_ours, (value, first, last, step)))
        case nodes.Subscript(value=value, index=index):
            return ("index", of_ours(value), of_ours(index))
        case nodes.Negation(operand=operand):
            return ("not", of_ours(operand))
        case nodes.Unary(operator=sign, operand=operand):
            return ("unary", sign, of_ours(operand))
        case nodes.Binary(operator=sign, left=left, right=right):
            return ("binary", sign, of_ours(left), of_ours(right))
        case nodes.ComparisonNode(operands=operands, operators=signs):
            return ("compare", [of_ours(each) for each in operands], list(signs))
        case nodes.Logical(word=word, operands=operands):
            return (word, [of_ours(each) for each in operands])
        case nodes.Conditional(test=test, then=then, otherwise=otherwise):
            return ("if", *map(of_ours, (test, then, otherwise)))
        case nodes.Collection(items=items):
            return ("list", [of_ours(item) for item in items])
    raise AssertionError(node)


def python_tree(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text, mode="eval").body
            if isinstance(tree, ast.Tuple) and ast.get_source_segment(text, tree)[:1] != "(":  # type: ignore[index]
                raise NotOurs  # a rule is one expression
            return of_python(tree)
        except (SyntaxError, NotOurs):
            return None


def our_tree(text: str) -> Any:
    try:
        return of_ours(parse(text))
    except RuleError:
        return None


@example("a if b else c if d else e")
@example("-2 ** -3 ** 2")
@example("not a == b and not c or d")
@example("a < b in c not in d")
@example("a | b ^ c & d + e * f")
@example("(a, b)[1:][0].x(1, y=2)")
@example("'a' \"b\" r'\\c'")
@settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=14).map(" ".join))
def test_every_text_of_python_tokens_has_the_same_tree_or_none(text: str) -> None:
    assert our_tree(text) == python_tree(text)


expressions = st.recursive(
    st.sampled_from(["a", "tags.b", "1", "2.5", "'s'", "True"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%", "**", "|", "&", "^"]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["==", "<", "in", "not in", "!=", ">="]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda parts: f"{parts[0]} if {parts[1]} else {parts[2]}"),
        inner.map(lambda part: f"({part})"),
        inner.map(lambda part: f"not {part}"),
        inner.map(lambda part: f"-{part}"),
        inner.map(lambda part: f"f({part}, k={part})"),
        inner.map(lambda part: f"a.b({part})[{part}:{part}]"),
        inner.map(lambda part: f"[{part}, {part}]"),
    ),
    max_leaves=8,
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(expressions)
def test_every_expression_has_the_same_tree(text: str) -> None:
    assert our_tree(text) == python_tree(text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20), st.sampled_from(["'", '"']), st.booleans())
def test_every_text_literal_means_the_same(content: str, quote: str, raw: bool) -> None:
    text = f"{'r' if raw else ''}{quote}{content}{quote}"
    expected = python_tree(text)
    if expected is not None and expected[0] == "str" and "\r" not in content and "\0" not in content:
        composed = (expected[0], unicodedata.normalize("NFC", expected[1]))  # as the values of tags are
        assert our_tree(text) == composed
