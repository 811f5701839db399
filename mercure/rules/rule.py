"""Compiled rule, ready to be evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from mercure.rules.closures import Closure
from mercure.rules.compiler import Trace, compile_term
from mercure.rules.errors import Diagnostic, RuleError
from mercure.rules.explain import Explanation, explanation
from mercure.rules.frame import Clock, Frame
from mercure.rules.inputs import NO_INPUTS, ImageInputs, inputs_of
from mercure.rules.record import ImageRecords, TagRecord
from mercure.rules.resolver import resolve
from mercure.rules.terms import Term

_KEPT: Final = 4096
"""Compiled rules that are kept; a rule set has some dozens, seldom hundreds."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of asking a rule.

    Parameters
    ----------
    result : bool
        Whether the rule applies; False when there was an error.
    error : RuleError or None
        Why it could not be answered.
    """

    result: bool
    error: RuleError | None = None


_YES: Final = Evaluation(True)
_NO: Final = Evaluation(False)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule, parsed and checked; made by `compile_rule`.

    Parameters
    ----------
    text : str
        As it was written.
    findings : tuple of Diagnostic
        What was noticed on the way, such as unknown keywords; `check` looks further.
    """

    text: str
    findings: tuple[Diagnostic, ...]
    term: Term = field(repr=False)
    _run: Closure = field(repr=False)
    inputs: ImageInputs = NO_INPUTS
    """What it reads of the current image."""

    @property
    def keywords(self) -> frozenset[str]:
        """The tags that the rule is known to look at."""
        return self.term.reads.keywords

    def evaluate(
        self, images: ImageRecords | TagRecord | Iterable[TagRecord], clock: Clock | None = None, image: int = 0
    ) -> Evaluation:
        """Ask the rule.

        Parameters
        ----------
        images : ImageRecords, or one or several TagRecord
            The images of the series, in the order received. Make one `ImageRecords` for all rules of a series.
        clock : callable, optional
            Returns the present instant, aware; for `days_since` and ages. The machine's when absent.
        image : int
            The number of the image whose tags are ``tags``, from 0.

        Returns
        -------
        Evaluation
            With an error instead of an exception, whatever the rule and the tags.
        """
        try:
            return _YES if self._run(Frame(ImageRecords.of(images), clock, image)) else _NO
        except RuleError as error:
            return Evaluation(False, error.with_traceback(None))

    def explain(
        self, images: ImageRecords | TagRecord | Iterable[TagRecord], clock: Clock | None = None, image: int = 0
    ) -> Explanation:
        """Ask the rule, and keep the value of every part.

        Parameters
        ----------
        images, clock, image
            As for `evaluate`.
        """
        trace = Trace()
        run = compile_term(self.text, self.term, trace)
        error: RuleError | None = None
        result = False
        try:
            result = bool(run(Frame(ImageRecords.of(images), clock, image)))
        except RuleError as raised:
            error = raised.with_traceback(None)
        return explanation(self.text, self.term, trace, result, error)


@lru_cache(maxsize=_KEPT)
def compile_rule(text: str) -> CompiledRule:
    """Compile a rule. Compiled rules are cached.

    Parameters
    ----------
    text : str
        The rule (``docs/reference/rule-language.md``); anything is allowed.

    Raises
    ------
    RuleError
        It cannot be run at all. What runs but should not be saved, such as an unknown keyword, is for `check`.
    """
    term, findings = resolve(text)
    return CompiledRule(text, findings, term, compile_term(text, term), inputs_of(term))
