"""Signatures of functions, methods and operators: one description for running, checking and documenting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mercure.rules.kinds import Value, ValueKind

Call = Callable[..., Value]
"""Takes the frame and the values of the operands; raises `Fault`."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a value depends on, besides what is written in the rule.

    Parameters
    ----------
    keywords : frozenset of str
        Tags of the image.
    more : bool
        Other tags of the image too, which cannot be named beforehand (private ones, sequences).
    images : bool
        The other images of the series.
    item : bool
        The item of a sequence that is being looked at.
    today : bool
        The day of the evaluation.
    """

    keywords: frozenset[str] = frozenset()
    more: bool = False
    images: bool = False
    item: bool = False
    today: bool = False

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.keywords | other.keywords,
            self.more or other.more,
            self.images or other.images,
            self.item or other.item,
            self.today or other.today,
        )

    @property
    def only_keywords(self) -> bool:
        """Whether the named tags of the image are all that it depends on."""
        return not (self.more or self.images or self.item or self.today)

    @property
    def nothing(self) -> bool:
        """Whether the value is always the same."""
        return self.only_keywords and not self.keywords


NOTHING: Final = Reads()


@dataclass(frozen=True, slots=True)
class BoundCall:
    """A function whose written-out arguments have been read.

    Parameters
    ----------
    call : callable
        Takes the frame and the other arguments.
    reads : Reads
        What it depends on, besides them.
    cost : int
        Nanoseconds of a call with short texts, to bound loops over images.
    """

    call: Call
    reads: Reads = NOTHING
    cost: int = 300


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Parameters
    ----------
    name : str
        As in the documentation and in ``name=value``.
    kinds : ValueKind
        What it may be.
    optional : bool
        It may be left out.
    literal : bool
        It must be a text that is written out in the rule, so that it can be checked when the rule is saved.
    many : bool
        It takes all further arguments.
    named : bool
        It can only be given as ``name=value``.
    """

    name: str
    kinds: ValueKind = ValueKind.ANY
    optional: bool = False
    literal: bool = False
    many: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function or a method of the language.

    Parameters
    ----------
    name : str
        Its name in a rule.
    parameters : tuple of Parameter
        In order; of a method the first is the value before the dot.
    result : ValueKind or callable
        What comes out; where that depends on the operands, a function of their kinds.
    bind : callable
        Takes the literal arguments in order and returns what to call with the frame and the others.
    help : str
        One line of documentation.
    alike : bool
        All operands are compared with the first, and must be of a kind with it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: ValueKind | Callable[[tuple[ValueKind, ...]], ValueKind]
    bind: Callable[[tuple[str, ...]], BoundCall]
    help: str = field(default="", compare=False)
    alike: bool = False

    def result_of(self, kinds: tuple[ValueKind, ...]) -> ValueKind:
        """Return what may come out of operands of these kinds."""
        return self.result if isinstance(self.result, ValueKind) else self.result(kinds)

    @property
    def usage(self) -> str:
        """How it is called: ``number(text, default)``; optional parameters in square brackets."""
        return f"{self.name}({_written(self.parameters)})"

    @property
    def method_usage(self) -> str:
        """How it is called as a method: ``.replace(old, new)``."""
        return f".{self.name}({_written(self.parameters[1:])})"


def _written(parameters: tuple[Parameter, ...]) -> str:
    parts = []
    for parameter in parameters:
        name = f"{parameter.name}=…" if parameter.named else parameter.name
        name = f"{name}, …" if parameter.many else name
        parts.append(f"[{name}]" if parameter.optional else name)
    return ", ".join(parts)


def plain(
    name: str,
    parameters: tuple[Parameter, ...],
    result: ValueKind | Callable[[tuple[ValueKind, ...]], ValueKind],
    call: Call,
    help_text: str = "",
    *,
    cost: int = 300,
    alike: bool = False,
) -> Function:
    """Describe a function without written-out arguments that depends on nothing but its operands."""
    bound = BoundCall(call, cost=cost)
    return Function(name, parameters, result, lambda _literals: bound, help_text, alike)
