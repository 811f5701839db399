"""Regular expressions and wildcards in linear time, whatever the pattern (RE2).

``re`` takes time exponential in the length of the text for patterns such as ``(a+)+$``. ``regex`` has a time limit,
but by the wall clock: the same rule would fail on a busy machine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol, cast

import re2

from mercure.rules.errors import Fault
from mercure.rules.frame import FREE, Frame

MAX_PATTERN: Final = 500
"""Characters of a pattern."""
_MEMORY: Final = 1 << 20
"""Bytes for one pattern's program and its cache of states."""
_SPECIAL: Final = {"*": ".*", "?": "."}


class Pattern(Protocol):
    """What we use of RE2's binding, which has no types of its own."""

    @property
    def programsize(self) -> int:
        """Number of instructions."""

    def search(self, text: bytes) -> object:
        """Return a match, or None."""


def search(frame: Frame, compiled: Pattern, text: str) -> bool:
    """Return whether a pattern is found in a text.

    Within its memory RE2 takes about 1 ns a character; beyond it, up to 1 ns a character for each instruction of the
    pattern, and that is what is counted.
    """
    if len(text) > FREE:
        frame.work(len(text) * (2 + compiled.programsize))
        frame.room(len(text) * 4)
    # Bytes, because for a text the binding would count characters for a position that is not needed. A lone
    # surrogate, which JSON can carry, has no UTF-8.
    return compiled.search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, case: bool) -> Pattern:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.never_capture = True
    options.log_errors = False
    options.case_sensitive = case
    return cast("Pattern", re2.compile(pattern.encode("utf-8", "replace"), options))


def regular(pattern: str) -> Pattern:
    """Compile a regular expression in RE2's syntax.

    Raises
    ------
    Fault
        It is not one, or too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise Fault("limit", f"a pattern has at most {MAX_PATTERN} characters")
    try:
        return _compiled(pattern, True)
    except re2.error as error:
        raise Fault("value", f"not a regular expression: {_reason(error)}", _hint(pattern)) from None


def wildcard(pattern: str) -> Pattern:
    """Compile a pattern with ``*`` for any text and ``?`` for one character, for the whole text and in any case.

    Raises
    ------
    Fault
        It is too long.
    """
    if len(pattern) > MAX_PATTERN:
        raise Fault("limit", f"a pattern has at most {MAX_PATTERN} characters")
    inner = "".join(_SPECIAL.get(char) or re2.escape(char) for char in pattern)
    return _compiled(f"(?s)\\A{inner}\\z", False)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _hint(pattern: str) -> str:
    if "(?=" in pattern or "(?!" in pattern or "(?<" in pattern:
        return "looking ahead or back is not possible; combine two conditions with and, or not"
    return ""
