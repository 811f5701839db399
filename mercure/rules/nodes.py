"""The syntax tree of a rule: what was written, before names are looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as Choice


@dataclass(frozen=True, slots=True, eq=False)
class SyntaxNode:
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

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Literal(SyntaxNode):
    """A text, a number, ``True`` or ``False``."""

    value: str | int | float | bool
    joined: bool = False
    """Two texts stood side by side without a comma; Python makes one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Name(SyntaxNode):
    """A word that is not a keyword of the language."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class OldTag(SyntaxNode):
    """The older spelling ``@Keyword@``."""

    keyword: str


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(SyntaxNode):
    """``value.name``."""

    value: SyntaxNode
    name: str
    name_start: int

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.value,)


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument of a call; `name` is empty unless it was given as ``name=value``."""

    name: str
    value: SyntaxNode


@dataclass(frozen=True, slots=True, eq=False)
class CallNode(SyntaxNode):
    """``function(arguments)``."""

    function: SyntaxNode
    arguments: tuple[Argument, ...]

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.function, *(argument.value for argument in self.arguments))


@dataclass(frozen=True, slots=True, eq=False)
class Subscript(SyntaxNode):
    """``value[index]``."""

    value: SyntaxNode
    index: SyntaxNode

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.value, self.index)


@dataclass(frozen=True, slots=True, eq=False)
class Slice(SyntaxNode):
    """``value[first:last:step]``; what was left out is None."""

    value: SyntaxNode
    first: SyntaxNode | None
    last: SyntaxNode | None
    step: SyntaxNode | None

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.value, *(each for each in (self.first, self.last, self.step) if each is not None))


@dataclass(frozen=True, slots=True, eq=False)
class Unary(SyntaxNode):
    """``-x``, ``+x`` or ``~x``."""

    operator: str
    operand: SyntaxNode

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.operand,)


@dataclass(frozen=True, slots=True, eq=False)
class Binary(SyntaxNode):
    """``left operator right``."""

    operator: str
    left: SyntaxNode
    right: SyntaxNode

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonNode(SyntaxNode):
    """``a < b <= c``: one operator less than operands."""

    operands: tuple[SyntaxNode, ...]
    operators: tuple[str, ...]

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return self.operands


@dataclass(frozen=True, slots=True, eq=False)
class Logical(SyntaxNode):
    """``a and b and c``, or with ``or``."""

    word: Choice["and", "or"]
    operands: tuple[SyntaxNode, ...]

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return self.operands


@dataclass(frozen=True, slots=True, eq=False)
class Negation(SyntaxNode):
    """``not x``."""

    operand: SyntaxNode

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.operand,)


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(SyntaxNode):
    """``then if test else otherwise``."""

    test: SyntaxNode
    then: SyntaxNode
    otherwise: SyntaxNode

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return (self.test, self.then, self.otherwise)


@dataclass(frozen=True, slots=True, eq=False)
class Collection(SyntaxNode):
    """A list, tuple or set that is written out."""

    items: tuple[SyntaxNode, ...]

    @property
    def children(self) -> tuple[SyntaxNode, ...]:
        """The nodes right below."""
        return self.items
