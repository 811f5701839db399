"""Closures of operations: operands are evaluated, guarded against wrong kinds, and handed to the operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Never

from mercure.rules.errors import Fault, RuleError
from mercure.rules.frame import Frame
from mercure.rules.kinds import Value, ValueKind, classes_of, kind_of, mismatch
from mercure.rules.operators import Operator, is_in
from mercure.rules.record import Items, TagView, as_text
from mercure.rules.signature import Function
from mercure.rules.tags import charge_raw, is_known
from mercure.rules.terms import Quantifier

Closure = Callable[[Frame], Any]
"""Evaluates one term."""
Fail = Callable[[Exception], Never]
"""Raises a `RuleError` at the place of the term, whatever went wrong."""

FAULTS: Final = (Fault, ArithmeticError, ValueError, TypeError, LookupError, MemoryError)
"""What an operation may raise: what we foresaw, and what Python says of values."""
_MEANINGS: Final[dict[type[Exception], str]] = {
    ZeroDivisionError: "division by zero",
    OverflowError: "the number is too large",
    IndexError: "there is no value with this index",
    MemoryError: "this takes too much memory",
}


def as_fault(error: Exception) -> Fault:
    """Return an error of Python's in our words."""
    if isinstance(error, Fault):
        return error
    for kind, meaning in _MEANINGS.items():
        if isinstance(error, kind):
            return Fault("limit" if kind is MemoryError else "value", meaning)
    return Fault("value", f"this cannot be done ({type(error).__name__})")


def hangs_on(error: RuleError) -> RuleError:
    """Return the error of a part that is not known: another part may decide without it.

    Raises
    ------
    RuleError
        It is another error, which ends the evaluation.
    """
    if error.code != "unknown-value":
        raise error
    return error


def read(frame: Frame, keyword: str, raw: object) -> str:
    """Make a text of a tag's value; of a list, with a count of what it takes."""
    charge_raw(frame, raw)
    return as_text(keyword, raw)


Note = Callable[[str, "int | None", int], None]
"""Called with the image or item that decided a question (or None), and with the number of them."""

Guard = tuple[frozenset[type], str, ValueKind] | None
"""The classes that an operand may have, its name for messages, and its kinds; None when anything goes."""


def guards(function: Function, count: int) -> list[Guard]:
    """Return the guards of the operands that are given by position."""
    found: list[Guard] = []
    for parameter in (p for p in function.parameters if not p.literal and not p.named):
        rest = count - len(found)
        found.extend([guard(function, parameter.name)] * (rest if parameter.many else min(1, rest)))
    return found


def guard(function: Function, name: str) -> Guard:
    """Return the guard of one parameter."""
    parameter = next(parameter for parameter in function.parameters if parameter.name == name)
    kinds = parameter.kinds | (ValueKind.TRUTH if parameter.kinds & ValueKind.NUMBER else ValueKind(0))
    return None if kinds == ValueKind.ANY else (classes_of(kinds), f"{function.name}: {name}", parameter.kinds)


def _check(guard: Guard, value: Value, number: int) -> None:
    if guard is not None and value.__class__ not in guard[0]:
        raise mismatch(guard[1], kind_of(value), guard[2], number)


def nullary(call: Callable[..., Value], fail: Fail) -> Closure:
    """Call without operands."""

    def run(frame: Frame) -> Value:
        try:
            return call(frame)
        except FAULTS as fault:
            fail(fault)

    return run


def unary(call: Callable[..., Value], operand: Closure, check: Guard, fail: Fail) -> Closure:
    """Call with one operand."""
    classes = frozenset[type]() if check is None else check[0]

    def run(frame: Frame) -> Value:
        value = operand(frame)
        try:
            if value.__class__ not in classes:
                _check(check, value, 0)
            return call(frame, value)
        except FAULTS as fault:
            fail(fault)

    return run


def many(call: Callable[..., Value], operands: list[Closure], checks: list[Guard], fail: Fail) -> Closure:
    """Call with several operands."""

    def run(frame: Frame) -> Value:
        values = [operand(frame) for operand in operands]
        try:
            for number, check in enumerate(checks):
                _check(check, values[number], number)
            return call(frame, *values)
        except FAULTS as fault:
            fail(fault)

    return run


def named(
    call: Callable[..., Value],
    operands: list[Closure],
    checks: list[Guard],
    names: tuple[str, ...],
    fail: Fail,
) -> Closure:
    """Call with several operands, the last of them by name."""

    def with_names(frame: Frame, *values: Value) -> Value:
        split = len(values) - len(names)
        return call(frame, *values[:split], **dict(zip(names, values[split:], strict=True)))

    return many(with_names, operands, checks, fail)


def dispatching(operator: Operator, operands: list[Closure], fail: Fail) -> Closure:
    """Choose by the classes of the operands what an operator does."""
    table = operator.table()

    def run(frame: Frame) -> Value:
        values = [operand(frame) for operand in operands]
        try:
            call = table.get(tuple([value.__class__ for value in values]))
            if call is None:
                raise operator.fault(tuple(kind_of(value) for value in values))
            return call(frame, *values)
        except FAULTS as fault:
            fail(fault)

    return run


Forms = Callable[[Frame, str], bool]
"""Tells whether a text is one of some choices in another form."""


def membership(
    left: Closure, choices: tuple[Value, ...], positive: bool, fail: Fail, forms: Forms | None = None
) -> Closure:
    """Compile ``x in ["a", "b", …]``: a list of texts is looked up by hash, however long it is."""
    texts = frozenset(choices) if all(isinstance(choice, str) for choice in choices) else frozenset()

    def run(frame: Frame) -> bool:
        value = left(frame)
        try:
            if texts and value.__class__ is str:
                return (value in texts or (forms is not None and forms(frame, value))) is positive
            return is_in(frame, value, choices) is positive
        except FAULTS as fault:
            fail(fault)

    return run


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """A question over all images or all items.

    Parameters
    ----------
    term : Quantifier
        The question.
    condition : Closure
        Asks it of the one that is in the frame.
    cost : int
        Nanoseconds of asking once.
    fail, note : callable
        Where errors and remarks go.
    """

    term: Quantifier
    condition: Closure
    cost: int
    fail: Fail
    note: Note


def over_images(question: ImageQuestion) -> Closure:
    """Ask something of each image.

    A form of the language and not a function: comprehensions and ``lambda`` would bring loops and names of one's own.
    It cannot stand within itself, so a question is linear in the number of images.
    """
    term, condition, fail = question.term, question.condition, question.fail
    reads = term.condition.reads
    keywords = tuple(sorted(reads.keywords))
    grouped = reads.only_keywords and all(is_known(keyword) for keyword in keywords)
    stops_at = term.word == "any"

    def run(frame: Frame) -> bool:
        images, before = frame.images, frame.tags
        views = images.views
        numbers = images.representatives(keywords) if grouped else range(len(views))
        stopped: int | None = None
        unknown: RuleError | None = None
        try:
            frame.work_on_each(len(numbers), question.cost, "images")
            for number in numbers:
                frame.tags = views[number]
                try:
                    decides = (not condition(frame)) is not stops_at
                except RuleError as error:
                    unknown = unknown or hangs_on(error)
                    continue
                if decides:
                    stopped = number
                    break
        except FAULTS as fault:
            fail(fault)
        finally:
            frame.tags = before
        if stopped is None and unknown is not None:
            raise unknown
        question.note("image", stopped, len(images))
        return stops_at if stopped is not None else not stops_at

    return run


def over_items(question: ImageQuestion, over: Closure) -> Closure:
    """Ask something of each item of a sequence."""
    term, condition, fail = question.term, question.condition, question.fail
    stops_at = term.word == "any"

    def run(frame: Frame) -> bool:
        items, before = over(frame), frame.item
        stopped: int | None = None
        unknown: RuleError | None = None
        try:
            if not isinstance(items, Items):
                raise mismatch(f"what .{term.word}(…) looks at", kind_of(items), ValueKind.SEQUENCE, 0)
            frame.work_on_each(items.count, question.cost, "items")
            for number, record in enumerate(items.records):
                frame.item = TagView(record)
                try:
                    decides = (not condition(frame)) is not stops_at
                except RuleError as error:
                    unknown = unknown or hangs_on(error)
                    continue
                if decides:
                    stopped = number
                    break
        except FAULTS as fault:
            fail(fault)
        finally:
            frame.item = before
        if stopped is None and unknown is not None:
            raise unknown
        question.note("item", stopped, items.count)
        return stops_at if stopped is not None else not stops_at

    return run
