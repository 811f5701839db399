"""Where a rule says more here than in another mercure installation: what never fired there may fire here.

Facts, from its public evaluator (0.4): values are compared character by character; a tag that was not extracted, a
conditional expression, and a function that it does not know are errors, and a rule with an error does not fire;
keywords in brackets and between ``@`` are exact (``docs/decisions/0021``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mercure.rules.compiler import every_part
from mercure.rules.errors import RuleError
from mercure.rules.helpers import HELPERS
from mercure.rules.keywords import canonical
from mercure.rules.likeness import is_written_variously
from mercure.rules.rule import compile_rule
from mercure.rules.terms import ComparisonTerm, ConditionalTerm, Operation, Quantifier, Term

_EXACT: Final = re.compile(r"""tags\[\s*["'](\w{1,64})["']\s*\]|@(\w{1,64})@""")
_COMPARED: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


def laxer(text: str) -> tuple[str, ...]:
    """Return why a rule may fire here where it did not in another installation; nothing for one that cannot be used."""
    try:
        rule = compile_rule(text)
    except RuleError:
        return ()
    parts = list(every_part(rule.term))
    return tuple(dict.fromkeys([*_by_spelling(text), *(reason for part in parts for reason in _of_part(part))]))


def _by_spelling(text: str) -> Iterator[str]:
    for match in _EXACT.finditer(text):
        written = match[1] or match[2]
        keyword = canonical(written)
        if keyword is not None and keyword != written:
            yield f"{written} was no tag there, and is {keyword} here"


def _of_part(term: Term) -> Iterator[str]:
    if isinstance(term, ConditionalTerm):
        yield "a conditional expression was an error there"
    elif isinstance(term, Quantifier):
        yield f"{term.word}(…) over images or items was an error there"
    elif isinstance(term, ComparisonTerm):
        for number, comparator in enumerate(term.comparators):
            if comparator in _COMPARED and is_written_variously(*term.operands[number : number + 2]):
                yield "dates, times, ages, numbers and names are compared by what they mean here, and as texts there"
    elif isinstance(term, Operation) and term.function.name in HELPERS:
        yield f"{term.function.name}(…) was an error there"
    elif isinstance(term, Operation) and term.function.name == "float":
        yield "float(…) reads a decimal comma here"
