"""Numbers and names in words, for all faces: alerts, the status page, the terminal UI, the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mercure.spool.task import Converted


def count(number: float) -> str:
    """Write a whole number, with a narrow gap between the thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(number: int, word: str, words: str = "") -> str:
    """Write a number with its word: ``1 task``, ``2 tasks``, ``2 series`` (by `words`)."""
    return f"{count(number)} {word if number == 1 else words or word + 's'}"


def uid_name(uid: str) -> str:
    """Return the name of a transfer syntax or SOP class by PS3.6 annex A; the UID itself where it has none."""
    # It costs a tenth of a second, and most runs of a program name nothing.
    from pydicom.uid import UID  # noqa: PLC0415

    return UID(uid).name.partition(":")[0].strip() or uid


def conversions_in_words(confirmed: int, converted: Sequence[Converted]) -> str:
    """Say in which form the confirmed images of an attempt went; empty where all went as they were received."""
    parts = [_conversion_in_words(item) for item in converted]
    if not parts:
        return ""
    unchanged = confirmed - sum(item.images for item in converted)
    return ", ".join([f"{unchanged} as received", *parts] if unchanged else parts)


def _conversion_in_words(item: Converted) -> str:
    how = f"{uid_name(item.from_syntax)} → {uid_name(item.to_syntax)}"
    if item.from_syntax == item.to_syntax:
        how = "as received"
    return f"{item.images} {how}" + (f" (not as {item.passed_over})" if item.passed_over else "")
