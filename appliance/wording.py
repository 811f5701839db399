"""How numbers are said, by all who say them: alerts, the status page, the terminal UI."""

from __future__ import annotations


def count(number: float) -> str:
    """Write a whole number, with a narrow gap between the thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(number: int, word: str, words: str = "") -> str:
    """Write a number with its word: ``1 task``, ``2 tasks``, ``2 series`` (by `words`)."""
    return f"{count(number)} {word if number == 1 else words or word + 's'}"
