"""Resolver: from the syntax tree to terms; every name is looked up in a table, and an unknown one is refused.

Nothing of Python's own is within reach: after a dot comes a word of `vocabulary`, never an attribute of an object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, Never

from mercure.rules import nodes, vocabulary
from mercure.rules.arguments import arrange
from mercure.rules.errors import Code, Diagnostic, Fault, RuleError, TextPlace
from mercure.rules.helpers import IMAGE_COUNT, IMAGES, TAGS_GET
from mercure.rules.keywords import canonical, nearest_of, vr_of
from mercure.rules.kinds import ValueKind
from mercure.rules.nodes import SyntaxNode
from mercure.rules.operators import BINARY, UNARY
from mercure.rules.parser import parse
from mercure.rules.pythonic import CONSTANTS, over_each, takes_one
from mercure.rules.signature import NOTHING, BoundCall, Function, Parameter, Reads, plain
from mercure.rules.tags import is_known, is_never_read, spelled, unknown
from mercure.rules.terms import (
    CollectionTerm,
    ComparisonTerm,
    ConditionalTerm,
    Constant,
    LogicalTerm,
    NegationTerm,
    Operation,
    Quantifier,
    Scope,
    TagValue,
    Term,
    together,
)
from mercure.rules.unknown import SENDER_NAME


class Reporter:
    """Diagnostics of one rule, collected while its names are looked up.

    Parameters
    ----------
    text : str
        The rule.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.findings: list[Diagnostic] = []

    def check_keyword(self, node: SyntaxNode, keyword: str, *, as_text: bool) -> None:
        """Record what is wrong with a keyword; the rule can still run."""
        if not is_known(keyword):
            fault = unknown(keyword)
            self.note(fault.code, node, fault.message, fault.advice)
        elif as_text and vr_of(keyword) == "SQ":
            self.note("type", node, f"{keyword} is a sequence and no text", f'write sequence("{keyword}")')
        elif is_never_read(keyword):
            self.warn("constant", node, f"{keyword} is never read: it is always empty", "")

    def place(self, node: SyntaxNode) -> TextPlace:
        """Return the place of a part in the text."""
        return TextPlace(self.text, node.start, node.end)

    def fail(self, code: Code, node: SyntaxNode, message: str, advice: str = "") -> Never:
        """Raise the error that rejects the rule.

        Raises
        ------
        RuleError
            Always.
        """
        raise RuleError(code, message, advice, self.place(node))

    def note(self, code: Code, node: SyntaxNode, message: str, advice: str) -> None:
        """Record an error with which the rule can run, but should not be saved."""
        self.findings.append(RuleError(code, message, advice, self.place(node)).finding())

    def warn(self, code: Code, node: SyntaxNode, message: str, advice: str) -> None:
        """Record a warning."""
        self.findings.append(Diagnostic("warning", code, message, advice, self.place(node)))


_SCOPES: Final = ("tags", "images", "item", "sender")
_IMAGES_HAS: Final = "images has count, any(…), all(…), values(…) and distinct(…)"
_ITEM_OUTSIDE: Final = "item is what sequence(…).any(…) and .all(…) look at, and stands in their brackets"


def resolve(text: str) -> tuple[Term, tuple[Diagnostic, ...]]:
    """Parse a rule and look up its names.

    Parameters
    ----------
    text : str
        The rule; anything is allowed.

    Returns
    -------
    term : Term
        What can be run.
    findings : tuple of Diagnostic
        Keywords that the dictionary does not know, and the like: the rule runs, but should not be saved.

    Raises
    ------
    RuleError
        It cannot be run at all.
    """
    resolver = _Resolver(text)
    term = resolver.term(parse(text))
    return term, tuple(resolver.findings)


class _Resolver(Reporter):
    """One pass over the syntax tree of one rule."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._in_images = False
        self._in_item = False

    def term(self, node: SyntaxNode) -> Term:
        return _VISITORS[type(node)](self, node)

    # -- values

    def _literal(self, node: nodes.Literal) -> Term:
        if node.joined:
            self.warn(
                "missing-comma",
                node,
                "two texts stand side by side and are taken as one",
                "put a comma, or + , between them",
            )
        return Constant(node.start, node.end, NOTHING, node.value)

    def _collection(self, node: nodes.Collection) -> Term:
        items = tuple(self.term(item) for item in node.items)
        constants = tuple(item.value for item in items if isinstance(item, Constant))
        if len(constants) == len(items):
            return Constant(node.start, node.end, NOTHING, constants)
        return CollectionTerm(node.start, node.end, together(items), items)

    def _name(self, node: nodes.Name) -> Term:
        name = node.name
        if name in CONSTANTS:
            return Constant(node.start, node.end, NOTHING, CONSTANTS[name])
        if name == "None":
            advice = 'no value is the empty text: write == "" or not has("Keyword")'
            self.fail("refused", node, "None is not part of the rule language", advice)
        if name in _SCOPES:
            self.fail("syntax", node, f"{name} cannot stand alone", f"write {_SCOPE_USES[name]}")
        if name in vocabulary.FUNCTIONS:
            self.fail("syntax", node, f"{name} is a function", f"write {vocabulary.FUNCTIONS[name].usage}")
        keyword = canonical(name)
        if keyword:
            self.fail("unknown-name", node, f"there is no name {name}", f"a tag is written tags.{keyword}")
        near = nearest_of(name, dict.fromkeys(_SCOPES))
        advice = f"did you mean {near}?" if near else f'a text stands in quotes: "{name}"'
        self.fail("unknown-name", node, f"there is no name {name}", advice)

    def _old_tag(self, node: nodes.OldTag) -> Term:
        return self._tag(node, "tags", node.keyword)

    def _tag(self, node: SyntaxNode, scope: Scope, keyword: str) -> Term:
        if scope == "item" and not self._in_item:
            self.fail("syntax", node, "there is no item here", _ITEM_OUTSIDE)
        key = spelled(keyword)
        self.check_keyword(node, key, as_text=True)
        reads = Reads(frozenset({key})) if scope == "tags" else Reads(item=True)
        return TagValue(node.start, node.end, reads, scope, key, is_known(key))

    # -- after a dot, in brackets

    def _attribute(self, node: nodes.Attribute) -> Term:
        base = node.value
        if isinstance(base, nodes.Name) and base.name in {"tags", "item"}:
            return self._tag(node, "tags" if base.name == "tags" else "item", node.name)
        if _is(base, "images"):
            if node.name != "count":
                self.fail("unknown-name", node, f"there is no images.{node.name}", _IMAGES_HAS)
            self._outside_images(node)
            return self._operation(node, IMAGE_COUNT, (), ())
        if _is(base, "sender"):
            if node.name != "name":
                advice = "sender has a name; its AE title and address are tags.SenderAET and tags.SenderAddress"
                self.fail("unknown-name", node, f"there is no sender.{node.name}", advice)
            return self._tag(node, "tags", SENDER_NAME)
        value = self.term(base)
        function = vocabulary.ATTRIBUTES.get(node.name)
        if function is None and canonical(node.name):
            function = vocabulary.item_tag(node.name)
        if function is None:
            self._no_attribute(node)
        return self._operation(node, function, (), (value,))

    def _no_attribute(self, node: nodes.Attribute) -> Never:
        place = TextPlace(self.text, node.name_start, node.end)
        if node.name in vocabulary.METHODS:
            usage = vocabulary.METHODS[node.name].method_usage
            raise RuleError("syntax", f"{node.name} is a method", f"write {usage}", place)
        near = nearest_of(node.name, vocabulary.ATTRIBUTES | vocabulary.METHODS)
        raise RuleError("unknown-name", f"there is no .{node.name}", f"did you mean .{near}?" if near else "", place)

    def _subscript(self, node: nodes.Subscript) -> Term:
        if isinstance(node.value, nodes.Name) and node.value.name in {"tags", "item"}:
            scope: Scope = "tags" if node.value.name == "tags" else "item"
            return self._tag(node, scope, self._keyword_text(node.index))
        if isinstance(node.index, nodes.Literal) and isinstance(node.index.value, str):
            function = vocabulary.item_tag(node.index.value)
            return self._operation(node, function, (), (self.term(node.value),))
        return self._operation(node, vocabulary.INDEX, (), (self.term(node.value), self.term(node.index)))

    def _keyword_text(self, node: SyntaxNode) -> str:
        if isinstance(node, nodes.Literal) and isinstance(node.value, str):
            return node.value
        return self.fail("arguments", node, "the keyword is written out in quotes", 'e.g. tags["Modality"]')

    def _slice(self, node: nodes.Slice) -> Term:
        parts = (node.first, node.last, node.step)
        function = vocabulary.slicing(*(part is not None for part in parts))
        operands = (self.term(node.value), *(self.term(part) for part in parts if part is not None))
        return self._operation(node, function, (), operands)

    # -- operators

    def _unary(self, node: nodes.Unary) -> Term:
        operand = self.term(node.operand)
        if isinstance(operand, Constant) and isinstance(operand.value, int | float) and node.operator != "~":
            value = -operand.value if node.operator == "-" else +operand.value
            return Constant(node.start, node.end, NOTHING, value)
        return Operation(node.start, node.end, operand.reads, UNARY[node.operator], _NO_CALL, (), (operand,))

    def _binary(self, node: nodes.Binary) -> Term:
        operands = (self.term(node.left), self.term(node.right))
        return Operation(node.start, node.end, together(operands), BINARY[node.operator], _NO_CALL, (), operands)

    def _comparison(self, node: nodes.ComparisonNode) -> Term:
        last = node.operands[-1]
        if any(_is(operand, "None") for operand in node.operands) or {"is", "is not"} & set(node.operators):
            return self._with_none(node)
        if _is(last, "tags") and node.operators in {("in",), ("not in",)}:
            present = self._presence(node)
            return present if node.operators == ("in",) else NegationTerm(node.start, node.end, present.reads, present)
        operands = tuple(self.term(operand) for operand in node.operands)
        return ComparisonTerm(node.start, node.end, together(operands), operands, node.operators)

    def _with_none(self, node: nodes.ComparisonNode) -> Term:
        """Compare with None, which no value ever is: other installations have rules that ask."""
        left, right = node.operands[0], node.operands[-1]
        if _is(left, "None"):
            left, right = right, left
        if len(node.operands) != 2 or node.operators[0] not in _NONE or not _is(right, "None"):  # noqa: PLR2004
            word = "is" if node.operators[0].startswith("is") else "None"
            advice = (
                "write == or !=" if word == "is" else 'no value is the empty text: write == "" or not has("Keyword")'
            )
            self.fail("refused", node, f"{word} is not part of the rule language", advice)
        if _is(left, "None"):
            return Constant(node.start, node.end, NOTHING, node.operators[0] in {"==", "is"})
        self.warn("constant", node, "no value is ever None", 'no value is the empty text: write == "" or !=')
        return self._operation(node, _NONE[node.operators[0]], (), (self.term(left),))

    def _presence(self, node: nodes.ComparisonNode) -> Term:
        keyword = self._keyword_text(node.operands[0])
        self.check_keyword(node.operands[0], spelled(keyword), as_text=False)
        return self._operation(node, vocabulary.presence(keyword), (), ())

    def _logical(self, node: nodes.Logical) -> Term:
        operands = tuple(self.term(operand) for operand in node.operands)
        return LogicalTerm(node.start, node.end, together(operands), node.word, operands)

    def _negation(self, node: nodes.Negation) -> Term:
        operand = self.term(node.operand)
        return NegationTerm(node.start, node.end, operand.reads, operand)

    def _conditional(self, node: nodes.Conditional) -> Term:
        parts = (self.term(node.test), self.term(node.then), self.term(node.otherwise))
        return ConditionalTerm(node.start, node.end, together(parts), *parts)

    # -- calls

    def _call(self, node: nodes.CallNode) -> Term:
        function = node.function
        if isinstance(function, nodes.Name):
            return self._function_call(node, function)
        if not isinstance(function, nodes.Attribute):
            self.fail("syntax", node, "only functions and methods can be called", "put an operator before the bracket")
        base = function.value
        if _is(base, "images"):
            return self._images_call(node, function)
        if _is(base, "tags") or _is(base, "item"):
            return self._tags_call(node, function)
        if function.name in vocabulary.QUANTIFIERS:
            return self._sequence_quantifier(node, function)
        value = self.term(base)
        method = vocabulary.METHODS.get(function.name)
        if method is None:
            self._no_method(function)
        return self._with_arguments(node, method, (value,))

    def _function_call(self, node: nodes.CallNode, name: nodes.Name) -> Term:
        function = vocabulary.FUNCTIONS.get(name.name)
        if name.name in {"map", "filter"} and len(node.arguments) == 2:  # noqa: PLR2004 - a function and a list
            inner = self._function_named(name.name, node.arguments[0].value)
            return self._operation(node, over_each(name.name, inner), (), (self.term(node.arguments[1].value),))
        if name.name == "len" and [_is(argument.value, "tags") for argument in node.arguments] == [True]:
            return self._operation(node, vocabulary.TAG_COUNT, (), ())
        if function is None:
            near = nearest_of(name.name, vocabulary.FUNCTIONS)
            advice = f"did you mean {near}?" if near else ""
            self.fail("unknown-function", name, f"there is no function {name.name}", advice)
        return self._with_arguments(node, function, ())

    def _function_named(self, word: str, node: SyntaxNode) -> Function | None:
        """Return the function that is handed to ``map`` or ``filter``: by its name, or as a method of texts."""
        if word == "filter" and _is(node, "None"):
            return None
        found = None
        if isinstance(node, nodes.Name):
            found = vocabulary.FUNCTIONS.get(node.name)
        elif isinstance(node, nodes.Attribute) and _is(node.value, "str"):
            found = vocabulary.METHODS.get(node.name)
        if found is None or not takes_one(found):
            self.fail(
                "arguments", node, f"{word} takes the name of a function of one value", f"e.g. {word}(float, list)"
            )
        return found

    def _no_method(self, function: nodes.Attribute) -> Never:
        name = function.name
        place = TextPlace(self.text, function.name_start, function.end)
        near = nearest_of(name, vocabulary.METHODS)
        advice = f"did you mean {near}?" if near else ""
        if name == "format":
            advice = "join texts with +, and make a text of a number with str(…)"
        elif canonical(name):
            advice = f"{canonical(name)} is a tag: leave out the brackets after it"
        raise RuleError("unknown-method", f"there is no method {name}", advice, place)

    def _tags_call(self, node: nodes.CallNode, function: nodes.Attribute) -> Term:
        if function.name == "get" and _is(function.value, "tags"):
            return self._with_arguments(node, TAGS_GET, ())
        keyword = canonical(function.name)
        if keyword:
            self.fail("syntax", node, f"{keyword} is a tag, not a function", "leave out the brackets after it")
        advice = f"write tags.Keyword.{function.name}(…)" if function.name in vocabulary.METHODS else ""
        self.fail("unknown-method", function, f"tags has no method {function.name}", advice)

    def _images_call(self, node: nodes.CallNode, function: nodes.Attribute) -> Term:
        self._outside_images(node)
        if function.name in vocabulary.QUANTIFIERS:
            condition = self._condition(node)
            self._in_images = True
            inner = self.term(condition)
            self._in_images = False
            return Quantifier(node.start, node.end, Reads(images=True) | inner.reads, _word(function), None, inner)
        known = IMAGES.get(function.name)
        if known is None:
            self.fail("unknown-method", function, f"there is no images.{function.name}", _IMAGES_HAS)
        return self._with_arguments(node, known, ())

    def _sequence_quantifier(self, node: nodes.CallNode, function: nodes.Attribute) -> Term:
        if self._in_item:
            advice = 'reach into inner sequences with sequence("Outer", "Inner")'
            self.fail("refused", node, "sequences are not looked at within one another", advice)
        over = self.term(function.value)
        self._in_item = True
        inner = self.term(self._condition(node))
        self._in_item = False
        outside = Reads(inner.reads.keywords, inner.reads.more, inner.reads.images, False, inner.reads.today)
        return Quantifier(node.start, node.end, over.reads | outside, _word(function), over, inner)

    def _condition(self, node: nodes.CallNode) -> SyntaxNode:
        if len(node.arguments) != 1 or node.arguments[0].name:
            self.fail("arguments", node, "one condition stands in the brackets", "join conditions with and, or or")
        return node.arguments[0].value

    def _outside_images(self, node: SyntaxNode) -> None:
        if self._in_images:
            advice = "within images.any(…) and images.all(…), tags are those of each image in turn"
            self.fail("refused", node, "images cannot stand within images.any(…) or images.all(…)", advice)

    def _with_arguments(self, node: nodes.CallNode, function: Function, receiver: tuple[Term, ...]) -> Term:
        literals, given, names = arrange(self.text, node, function, len(receiver))
        operands = (*receiver, *(self.term(argument) for argument in given))
        for literal in literals:
            if _is_keyword(function, literal.number):
                # `values` gives the texts of a tag; has and sequence look at it in another way.
                text_wanted = function.name.rpartition(".")[2] in {"values", "distinct", "get"}
                self.check_keyword(literal.node, spelled(literal.value), as_text=text_wanted)
        return self._operation(node, function, tuple(literal.value for literal in literals), operands, names)

    def _operation(
        self,
        node: SyntaxNode,
        function: Function,
        literals: tuple[str, ...],
        operands: tuple[Term, ...],
        names: tuple[str, ...] = (),
    ) -> Term:
        try:
            bound = function.bind(literals)
        except Fault as fault:
            raise RuleError(fault.code, fault.message, fault.advice, self.place(node)) from None
        reads = bound.reads | together(operands)
        return Operation(node.start, node.end, reads, function, bound, literals, operands, names)


def _is(node: SyntaxNode, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _word(function: nodes.Attribute) -> Literal["any", "all"]:
    return "any" if function.name == "any" else "all"


def _is_keyword(function: Function, number: int) -> bool:
    parameters = function.parameters
    return parameters[min(number, len(parameters) - 1)].name == "keyword"


_SCOPE_USES: Final = {
    "tags": 'tags.Keyword, or "Keyword" in tags',
    "images": "images.count, images.any(…) or images.values(…)",
    "item": "item.Keyword",
    "sender": "sender.name",
}
_NONE: Final = {
    word: plain(f"{word} None", (Parameter("value"),), ValueKind.TRUTH, lambda _frame, _value, answer=answer: answer)
    for word, answer in (("==", False), ("is", False), ("!=", True), ("is not", True))
}
_NO_CALL: Final = BoundCall(lambda _frame: False)
_VISITORS: Final[dict[type, Callable[[_Resolver, Any], Term]]] = {
    nodes.Literal: _Resolver._literal,
    nodes.Collection: _Resolver._collection,
    nodes.Name: _Resolver._name,
    nodes.OldTag: _Resolver._old_tag,
    nodes.Attribute: _Resolver._attribute,
    nodes.Subscript: _Resolver._subscript,
    nodes.Slice: _Resolver._slice,
    nodes.Unary: _Resolver._unary,
    nodes.Binary: _Resolver._binary,
    nodes.ComparisonNode: _Resolver._comparison,
    nodes.Logical: _Resolver._logical,
    nodes.Negation: _Resolver._negation,
    nodes.Conditional: _Resolver._conditional,
    nodes.CallNode: _Resolver._call,
}
