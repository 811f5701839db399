"""Terms: the tree of a rule after names were looked up; what runs, is checked and is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mercure.rules.kinds import Value
from mercure.rules.operators import Operator
from mercure.rules.signature import NOTHING, BoundCall, Function, Reads

Scope = Literal["tags", "item"]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A part of a rule.

    Parameters
    ----------
    start, end : int
        Offsets in the rule's text; `end` is not included.
    reads : Reads
        What its value depends on.
    """

    start: int
    end: int
    reads: Reads

    @property
    def children(self) -> tuple[Term, ...]:
        """The parts of this part, in the order of evaluation."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Constant(Term):
    """A value that is written out."""

    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class TagValue(Term):
    """``tags.Keyword`` or ``item.Keyword``.

    Parameters
    ----------
    scope : Scope
        Whose tags.
    keyword : str
        As the dictionary spells it; as it was written when the dictionary does not know it.
    known : bool
        Whether the dictionary knows it.
    """

    scope: Scope
    keyword: str
    known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Term):
    """A function, a method or an operator with its operands.

    Parameters
    ----------
    function : Function or Operator
        What is done.
    bound : BoundCall
        What is called.
    literals : tuple of str
        Arguments that were written out and went into `bound`.
    operands : tuple of Term
        The others.
    names : tuple of str
        Names of the last so many operands, which were given as ``name=value``.
    """

    function: Function | Operator
    bound: BoundCall
    literals: tuple[str, ...]
    operands: tuple[Term, ...]
    names: tuple[str, ...] = ()

    @property
    def children(self) -> tuple[Term, ...]:
        """The operands."""
        return self.operands


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonTerm(Term):
    """Operands with a comparison between each and the next."""

    operands: tuple[Term, ...]
    comparators: tuple[str, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        """The operands."""
        return self.operands


@dataclass(frozen=True, slots=True, eq=False)
class LogicalTerm(Term):
    """Operands joined by ``and``, or by ``or``."""

    word: Literal["and", "or"]
    operands: tuple[Term, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        """The operands."""
        return self.operands


@dataclass(frozen=True, slots=True, eq=False)
class NegationTerm(Term):
    """``not x``."""

    operand: Term

    @property
    def children(self) -> tuple[Term, ...]:
        """The operand."""
        return (self.operand,)


@dataclass(frozen=True, slots=True, eq=False)
class ConditionalTerm(Term):
    """``then if test else otherwise``."""

    test: Term
    then: Term
    otherwise: Term

    @property
    def children(self) -> tuple[Term, ...]:
        """The test and both outcomes."""
        return (self.test, self.then, self.otherwise)


@dataclass(frozen=True, slots=True, eq=False)
class CollectionTerm(Term):
    """A list that is written out and holds something else than constants."""

    items: tuple[Term, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        """The items."""
        return self.items


@dataclass(frozen=True, slots=True, eq=False)
class Quantifier(Term):
    """``images.any(condition)``, ``sequence(…).all(condition)`` and their like.

    Parameters
    ----------
    word : {"any", "all"}
        Which of them.
    over : Term or None
        The sequence; None for the images.
    condition : Term
        The condition on each.
    """

    word: Literal["any", "all"]
    over: Term | None
    condition: Term

    @property
    def children(self) -> tuple[Term, ...]:
        """The sequence, if any, and the condition."""
        return (self.condition,) if self.over is None else (self.over, self.condition)


def together(terms: tuple[Term, ...]) -> Reads:
    """Return what several terms depend on."""
    reads = NOTHING
    for term in terms:
        reads |= term.reads
    return reads


def key_of(term: Term) -> tuple[object, ...]:  # noqa: PLR0911 - one line for each kind of term
    """Return what is the same for two terms that mean the same, however they were written."""
    match term:
        case Constant(value=value):
            return ("constant", type(value).__name__, value)
        case TagValue(scope=scope, keyword=keyword):
            return ("tag", scope, keyword)
        case Operation():
            name = term.function.name
            return ("operation", name, term.literals, term.names, *map(key_of, term.operands))
        case ComparisonTerm():
            return ("comparison", term.comparators, *map(key_of, term.operands))
        case LogicalTerm():
            return (term.word, *map(key_of, term.operands))
        case Quantifier(over=None):
            return ("images", term.word, key_of(term.condition))
        case Quantifier():
            return ("sequence", term.word, *map(key_of, term.children))
        case _:
            return (type(term).__name__, *map(key_of, term.children))
