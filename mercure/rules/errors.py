"""Errors and diagnostics of a rule: code, message, advice, place, and the caret under the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mercure.printable import cells, cleaned, escaped

Severity = Literal["error", "warning"]

Code = Literal[
    "syntax",  # not an expression
    "refused",  # valid Python, but not part of the language
    "limit",  # too long, too deep, too much work
    "unknown-name",
    "unknown-function",
    "unknown-method",
    "unknown-keyword",
    "arguments",  # too many, too few, or not written out where they must be
    "type",  # kinds of values that do not go together
    "unknown-value",  # a tag that could not be read, or of which it is unknown whether the image has it
    "value",  # a text that is no number, no date, no pattern
    "never-true",
    "unreachable",
    "constant",  # a part that does not depend on the image
    "as-text",  # a number compared as a text
    "missing-comma",
]


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A part of a rule's text.

    Parameters
    ----------
    text : str
        The whole rule.
    start, end : int
        Offsets in characters from 0; `end` is not included.
    """

    text: str
    start: int
    end: int

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """Column of the first character in its line, from 1."""
        return self.start - self._line_start + 1

    @property
    def end_column(self) -> int:
        """Column of the last character in the line of the first one, from 1."""
        return max(self.column, min(self.end, self._line_end) - self._line_start)

    @property
    def source(self) -> str:
        """The part itself, with any white space as one blank."""
        return " ".join(self.text[self.start : self.end].split())

    @property
    def _line_start(self) -> int:
        return self.text.rfind("\n", 0, self.start) + 1

    @property
    def _line_end(self) -> int:
        end = self.text.find("\n", self.start)
        return len(self.text) if end < 0 else end

    def caret(self, width: int = 80) -> str:
        """Show the line and mark the part under it.

        Parameters
        ----------
        width : int
            Columns to use; of a longer line only the neighbourhood is shown. At least 20.

        Returns
        -------
        str
            Two lines: the text with control characters escaped, and carets.
        """
        line = self.text[self._line_start : self._line_end]
        first, last = self.column - 1, self.end_column
        left = 0
        if len(line) > width:
            left = max(0, min(first - width // 3, len(line) - width))
        # One character each, so that the carets stand where they should: the escape of a control character is longer.
        shown = cleaned(line[left : left + width], lambda _: "?")
        before, marked = shown[: first - left], shown[first - left : last - left]
        return f"{shown}\n{' ' * cells(before)}{'^' * max(1, cells(marked))}"

    def where(self) -> str:
        """Say where in words: ``column 5``, or with the line when there are several."""
        if "\n" in self.text.strip():
            return f"line {self.line}, column {self.column}"
        return f"column {self.column}"


class RuleError(Exception):
    """A rule cannot be used, or an evaluation failed.

    Parameters
    ----------
    code : Code
        The sort of error, for programs.
    message : str
        What is wrong. Never with a tag's value, because messages go to logs; an explanation shows the values.
    advice : str
        What to write instead; empty when there is nothing to add.
    place : TextPlace
        The part that is wrong.
    """

    def __init__(self, code: Code, message: str, advice: str, place: TextPlace) -> None:
        self.code = code
        self.message = escaped(message)
        self.advice = escaped(advice)
        self.place = place
        super().__init__(str(self))

    def __str__(self) -> str:
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.place.where()}: {self.message}{advice}"

    def __reduce__(self) -> tuple[type[RuleError], tuple[Code, str, str, TextPlace]]:
        # Exceptions are copied from `args`, which here is only the text.
        return RuleError, (self.code, self.message, self.advice, self.place)

    @property
    def column(self) -> int:
        """Column of the wrong part, from 1."""
        return self.place.column

    @property
    def end_column(self) -> int:
        """Column of the last character of the wrong part, from 1."""
        return self.place.end_column

    @property
    def line(self) -> int:
        """Line of the wrong part, from 1."""
        return self.place.line

    def caret(self, width: int = 80) -> str:
        """Show the line of the rule and mark the wrong part under it (two lines)."""
        return self.place.caret(width)

    def finding(self) -> Diagnostic:
        """Return the same as a finding of severity ``error``."""
        return Diagnostic("error", self.code, self.message, self.advice, self.place)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a check found.

    Parameters
    ----------
    severity : {"error", "warning"}
        An error must not be saved; a warning is shown and may be saved.
    code : Code
        The sort of finding, for programs.
    message, advice : str
        What is wrong, and what to write instead (may be empty).
    place : TextPlace
        The part that is meant.
    """

    severity: Severity
    code: Code
    message: str
    advice: str
    place: TextPlace

    def __str__(self) -> str:
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.place.where()}: {self.severity}: {self.message}{advice}"

    @property
    def column(self) -> int:
        """Column of the part, from 1."""
        return self.place.column

    @property
    def end_column(self) -> int:
        """Column of the last character of the part, from 1."""
        return self.place.end_column

    @property
    def line(self) -> int:
        """Line of the part, from 1."""
        return self.place.line

    def caret(self, width: int = 80) -> str:
        """Show the line of the rule and mark the part under it (two lines)."""
        return self.place.caret(width)


class Fault(Exception):
    """An operation failed, and does not know where in the rule it stands; becomes a `RuleError` there.

    Parameters
    ----------
    code : Code
        The sort of error.
    message : str
        What is wrong.
    advice : str
        What to do.
    wrap : tuple of (int, str), optional
        Advice to put operand number n into a function: ``(0, "number")``.
    """

    def __init__(self, code: Code, message: str, advice: str = "", wrap: tuple[int, str] | None = None) -> None:
        self.code: Code = code
        self.message = message
        self.advice = advice
        self.wrap = wrap
        super().__init__(message)
