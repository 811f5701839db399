"""The syntax tree of a rule: what was written, before names are looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as Choice


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A part of the rule's text.

    Parameters
    ----------
    start, end : int
        Offsets in the text in characters; `end` is not included. Brackets around a part belong to it.
    depth : int
        Levels below this node; bounded by the parser.
    """

    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A text, a number, ``True`` or ``False``."""

    value: str | int | float | bool
    joined: bool = False
    """Two texts stood side by side without a comma; Python makes one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """A word that is not a keyword of the language."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class OldTag(Node):
    """The older spelling ``@Keyword@``."""

    keyword: str


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(Node):
    """``value.name``."""

    value: Node
    name: str
    name_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument of a call; `name` is empty unless it was given as ``name=value``."""

    name: str
    value: Node


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """``function(arguments)``."""

    function: Node
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Subscript(Node):
    """``value[index]``."""

    value: Node
    index: Node


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    """``value[first:last:step]``; what was left out is None."""

    value: Node
    first: Node | None
    last: Node | None
    step: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """``-x``, ``+x`` or ``~x``."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """``left operator right``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(Node):
    """``a < b <= c``: one operator less than operands."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Logical(Node):
    """``a and b and c``, or with ``or``."""

    word: Choice["and", "or"]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Negation(Node):
    """``not x``."""

    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    """``then if test else otherwise``."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, eq=False)
class Collection(Node):
    """A list, tuple or set that is written out."""

    items: tuple[Node, ...]
