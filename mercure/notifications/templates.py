"""Templates: a small part of Jinja, in its sandbox, checked before they are used and bounded when they are.

The sandbox keeps a template from the program, and not from eating its time and memory (``{{ 'x' * 10**9 }}``,
``{% set %}`` that doubles). So only what cannot grow is let in: values, conditions, loops over the lists among the
values, and a few filters.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mercure.notifications.message_facts import LONGEST_TEXT, MOST_LINES, MessageFacts
from mercure.printable import LONGEST_LINE

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
    """Return an upper bound of the characters that a part of a template makes, before anything of it is evaluated.

    Both ways of a condition count, and a loop as often as its list is long.

    Parameters
    ----------
    node : Node
        One of the permitted kinds.
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


def _loop_size(node: nodes.For, values: Values) -> int:
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
    nodes.For: _loop_size,
}


FILTERS: Final = ("capitalize", "default", "filesizeformat", "first", "int", "join", "last", "length", "lower",
                  "round", "title", "trim", "truncate", "upper")  # fmt: skip
"""The filters of Jinja that a template may use: those that cannot make much out of little."""

TESTS: Final = ("defined", "none", "number", "string", "undefined")
MAX_RENDERED: Final = 64 * 1024
"""Characters of a rendered text; what is beyond is left out."""

_DEEPEST_LOOP: Final = 1
_KNOWN: Final = frozenset(MessageFacts.model_fields) | {"patient_data"}
_LISTS: Final = frozenset({"targets", "subjects"})
_ALLOWED: Final[tuple[type[nodes.Node], ...]] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Filter,
    nodes.Keyword,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Concat,
    nodes.Getattr,
)
_LOOP: Final = frozenset({"first", "last", "index"})
_WORDS: Final[dict[str, str]] = {
    "Assign": "{% set %}",
    "AssignBlock": "{% set %}",
    "Call": "a call",
    "Getitem": "[…]",
    "Include": "{% include %}",
    "Import": "{% import %}",
    "FromImport": "{% import %}",
    "Extends": "{% extends %}",
    "Macro": "{% macro %}",
    "Mul": "'*'",
    "Pow": "'**'",
    "Mod": "'%'",
    "Add": "'+'",
}
_ADVICE: Final = "a template has values, conditions, loops over 'targets' and 'subjects', and filters"

_SEE: Final = "see docs/reference/notifications.md for what there is"
_FAILURES: Final = (
    TemplateError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError
)  # fmt: skip

Found = tuple[str, str]
"""What is wrong, and what to do."""


class UnusableTemplateError(Exception):
    """A template cannot be used for these values."""


class _Environment(ImmutableSandboxedEnvironment):
    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.tests = {name: self.tests[name] for name in TESTS}


@functools.cache
def _environment() -> _Environment:
    return _Environment()


def problems_of(text: str) -> list[Found]:
    """Return what is wrong with how a template is written, each with what to do.

    It is read and looked through, and nothing of it is evaluated: services ask this while they load a configuration.
    """
    try:
        return list(dict.fromkeys(_look_through(_parsed(text))))
    except TemplateSyntaxError as error:
        return [(f"line {error.lineno}: {error.message}", "see the Jinja template language, 'Template Designer'")]
    except (RecursionError, ValueError, OverflowError, MemoryError):
        return [("it cannot be read: nested too deep", "make it simpler")]


def tried(text: str) -> list[Found]:
    """Return all that is wrong with a template that a person wants to save; nothing for one that can be used.

    It is read and looked through; the most that it could make is counted; then it is tried with values of every kind,
    empty ones too.
    """
    return problems_of(text) or list(_many(_parsed(text))) or _filled_in(text)


def render(text: str, values: Mapping[str, Any]) -> str:
    """Fill in a template.

    Parameters
    ----------
    text : str
        One that `problems_of` finds nothing wrong with.
    values : mapping
        See `MessageFacts.values`.

    Raises
    ------
    UnusableTemplateError
        It cannot be used after all.
    """
    if problems_of_cached(text):
        raise UnusableTemplateError(problems_of_cached(text)[0][0])
    _charge(_parsed(text), values)
    pieces, size = [], 0
    try:
        for piece in _environment().from_string(text).generate(**values):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_RENDERED:
                break
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        raise UnusableTemplateError(f"it cannot be filled in: {error}") from error
    return "".join(pieces)[:MAX_RENDERED]


@functools.lru_cache(maxsize=64)
def problems_of_cached(text: str) -> tuple[Found, ...]:
    """Return `problems_of` a template, looked for once."""
    return tuple(problems_of(text))


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> nodes.Template:
    return _environment().parse(text)


def _charge(tree: nodes.Template, values: Mapping[str, Any]) -> None:
    """Refuse to make too much out of little, before anything is made."""
    try:
        size = size_of(tree, values)
    except RecursionError:
        raise UnusableTemplateError("it is nested too deep") from None
    if size > ROOM:
        raise UnusableTemplateError(f"it would make {size:,} characters, and may make {ROOM:,}")


def _many(tree: nodes.Template) -> Iterator[Found]:
    """Yield what multiplies: a join of a text, and a template that is too much for the longest values."""
    for node in tree.find_all(nodes.Filter):
        if node.name == "join" and not (isinstance(node.node, nodes.Name) and node.node.name in _LISTS):
            advice = "write it after 'targets' or 'subjects'"
            yield f"line {node.lineno}: join puts together a list, and nothing else", advice
    try:
        _charge(tree, {name: _longest(field.annotation) for name, field in MessageFacts.model_fields.items()})
    except UnusableTemplateError as error:
        yield f"with the longest values, {error}", "make it shorter"


def _filled_in(text: str) -> list[Found]:
    full = {name: _sample(field.annotation) for name, field in MessageFacts.model_fields.items()}
    empty = {name: type(value)() for name, value in full.items()}
    for values in ({**full, "patient_data": True}, {**empty, "patient_data": False}):
        try:
            "".join(_environment().from_string(text).generate(**values))
        except _FAILURES as error:
            return [
                (f"it cannot be filled in: {error}", "see which values there are in docs/reference/notifications.md")
            ]
    return []


def _longest(annotation: object) -> object:
    if annotation in (int, bool):
        return 1
    return ["x" * LONGEST_LINE] * MOST_LINES if annotation == tuple[str, ...] else "x" * LONGEST_TEXT


def _sample(annotation: object) -> object:
    if annotation in (int, bool):
        return 1
    return ["one", "two"] if annotation == tuple[str, ...] else "text"


def _look_through(node: nodes.Node, names: frozenset[str] = _KNOWN, depth: int = 0) -> Iterator[Found]:
    """Walk a template and yield what is not let in."""
    if not isinstance(node, _ALLOWED):
        word = _WORDS.get(type(node).__name__, type(node).__name__)
        yield f"line {node.lineno}: {word} is not allowed", _ADVICE
        return
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in names:
        near = difflib.get_close_matches(node.name, names, 1)
        advice = f"did you mean {near[0]!r}?" if near else _SEE
        yield f"line {node.lineno}: there is no value {node.name!r}", advice
    if isinstance(node, nodes.Getattr) and not (_is_name(node.node, "loop") and depth and node.attr in _LOOP):
        yield f"line {node.lineno}: '.{node.attr}' is not allowed", "values are texts and numbers without parts"
        return
    yield from _words_of(node)
    if isinstance(node, nodes.For):
        yield from _loop(node, names, depth)
        return
    for child in node.iter_child_nodes():
        yield from _look_through(child, names, depth)


def _words_of(node: nodes.Node) -> Iterator[Found]:
    """Yield filters and tests that are not among ours."""
    for kind, known, word in ((nodes.Filter, FILTERS, "filter"), (nodes.Test, TESTS, "test")):
        if isinstance(node, kind) and node.name not in known:
            near = difflib.get_close_matches(node.name, known, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            yield f"line {node.lineno}: there is no {word} {node.name!r}", advice


def _loop(node: nodes.For, names: frozenset[str], depth: int) -> Iterator[Found]:
    if depth >= _DEEPEST_LOOP or node.recursive:
        yield f"line {node.lineno}: a loop within a loop is not allowed", _ADVICE
        return
    if not any(_is_name(node.iter, name) for name in _LISTS):
        yield f"line {node.lineno}: a loop goes over 'targets' or 'subjects'", _ADVICE
        return
    if not isinstance(node.target, nodes.Name) or node.target.name == "loop":
        yield f"line {node.lineno}: a loop needs one name of its own", "{% for subject in subjects %}"
        return
    inside = names | {node.target.name, "loop"}
    for child in [*node.body, *node.else_, *([node.test] if node.test is not None else [])]:
        yield from _look_through(child, inside, depth + 1)


def _is_name(node: nodes.Node, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name
