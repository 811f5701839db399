"""Texts and figures as they stand on the screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.presentation.figures import duration, rate, size
from tui.format import fit, spark, wrap


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (duration, -3, "0 s"),
        (duration, 59.9, "59 s"),
        (duration, 3600, "60 min"),
        (duration, 86_400 * 3, "3 d"),
        (size, 0, "0 B"),
        (size, 999, "999 B"),
        (size, 1500, "1.5 kB"),
        (size, 5_000_000_000_000, "5.0 TB"),
        (rate, 0, "0"),
        (rate, 0.44, "0.4"),
        (rate, 12.6, "13"),
    ],
)
def test_figures(write: Callable[[float], str], value: float, text: str) -> None:
    assert write(value) == text


@pytest.mark.parametrize(
    ("values", "columns", "bars"),
    [
        ([1, 2, 4, 8], 4, "▁▂▄█"),
        ([9, 0, 4], 2, " █"),
        ([1], 3, "  █"),
        ([], 3, "   "),
        ([1, 2, 3], 0, ""),
        ([1, 2, 3], -2, ""),
    ],
    ids=["heights", "the last", "on the right", "none", "no room", "less than none"],
)
def test_little_bars_never_take_more_columns_than_there_are(values: list[float], columns: int, bars: str) -> None:
    assert spark(values, columns) == bars


def test_wide_letters_take_two_columns() -> None:
    assert fit("日本語", 5) == "日本…"
    assert fit("日本", 5) == "日本 "
    assert fit("7", 3, right=True) == "  7"
    assert wrap("日本語の説明 ab", 8) == ["日本語の", "説明 ab"]
