"""Arguments of a call, in the order of the function's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Never

from mercure.rules import nodes
from mercure.rules.errors import RuleError, TextPlace
from mercure.rules.nodes import Argument, SyntaxNode
from mercure.rules.signature import Function, Parameter


@dataclass(frozen=True, slots=True)
class Written:
    """An argument that must be a text in quotes, and is.

    Parameters
    ----------
    number : int
        Its parameter, from 0.
    value : str
        The text.
    node : SyntaxNode
        Where it stands.
    """

    number: int
    value: str
    node: SyntaxNode


def arrange(
    text: str, call: nodes.CallNode, function: Function, receivers: int
) -> tuple[list[Written], list[SyntaxNode], tuple[str, ...]]:
    """Put arguments in order.

    Parameters
    ----------
    text : str
        The rule.
    call : Call
        The call.
    function : Function
        What is called.
    receivers : int
        1 for a method, whose first parameter is the value before the dot; else 0.

    Returns
    -------
    literals : list of Written
        Arguments that are written out, in the order of their parameters.
    operands : list of SyntaxNode
        The others, in the order of their parameters.
    names : tuple of str
        Names of the last of them, as far as they can only be given by name.

    Raises
    ------
    RuleError
        One is missing, too many, unknown by name, or not written out where it must be.
    """
    return _Arrangement(text, call, function, receivers).result()


class _Arrangement:
    def __init__(self, text: str, call: nodes.CallNode, function: Function, receivers: int) -> None:
        self._text = text
        self._call = call
        self._usage = function.method_usage if receivers else function.usage
        self._name = function.name
        self._parameters = list(enumerate(function.parameters))[receivers:]

    def result(self) -> tuple[list[Written], list[SyntaxNode], tuple[str, ...]]:
        literals: list[Written] = []
        operands: list[SyntaxNode] = []
        names: list[str] = []
        for number, parameter, argument in self._matched():
            if parameter.literal:
                literals.append(Written(number, self._literal(parameter, argument.value), argument.value))
            else:
                operands.append(argument.value)
                if parameter.named:
                    names.append(parameter.name)
        return literals, operands, tuple(names)

    def _matched(self) -> list[tuple[int, Parameter, Argument]]:
        """Return the arguments in the order of their parameters."""
        positional = [argument for argument in self._call.arguments if not argument.name]
        named = {argument.name: argument for argument in self._call.arguments if argument.name}
        if len(positional) + len(named) != len(self._call.arguments):
            self._fail(self._call, "an argument is given twice")
        found: list[tuple[int, Parameter, Argument]] = []
        skipped = False
        for number, parameter in self._parameters:
            taken = self._take(parameter, positional, named)
            if skipped and taken and not parameter.named:
                self._fail(taken[0].value, f"{self._name}: an argument before {parameter.name} is missing")
            if not taken and not parameter.optional:
                self._fail(self._call, f"{self._name} needs {parameter.name}")
            skipped = skipped or not taken
            found.extend((number, parameter, argument) for argument in taken)
        if positional:
            self._fail(positional[0].value, f"{self._name} takes no more arguments")
        if named:
            name, argument = next(iter(named.items()))
            self._fail(argument.value, f"{self._name} has no argument {name}")
        return found

    @staticmethod
    def _take(parameter: Parameter, positional: list[Argument], named: dict[str, Argument]) -> list[Argument]:
        if parameter.many:
            taken, positional[:] = list(positional), []
            return taken
        if positional and not parameter.named:
            return [positional.pop(0)]
        return [named.pop(parameter.name)] if parameter.name in named else []

    def _literal(self, parameter: Parameter, node: SyntaxNode) -> str:
        if isinstance(node, nodes.Literal) and isinstance(node.value, str):
            return node.value
        example = f"e.g. {self._usage}"
        if isinstance(node, nodes.Attribute) and isinstance(node.value, nodes.Name) and node.value.name == "tags":
            example = f'write "{node.name}"'
        return self._fail(node, f"{self._name}: {parameter.name} must be a text in quotes", example)

    def _fail(self, node: SyntaxNode, message: str, advice: str = "") -> Never:
        place = TextPlace(self._text, node.start, node.end)
        raise RuleError("arguments", message, advice or f"it is called as {self._usage}", place)
