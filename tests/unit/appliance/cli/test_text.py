from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.text import fitted, pairs, table, wrapped
from appliance.presentation.figures import duration, short_moment, size, zoned_moment
from mercure.printable import cells, printable

HOSTILE = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller^Jörg", "Müller^Jörg"),
        ("山田^太郎", "山田^太郎"),
        ("a b", "a b"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\tc\r", r"a\x0ab\x09c\x0d"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("\u2066\u2028\ufeff", r"\u2066\u2028\ufeff"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(HOSTILE)
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(char).startswith("C") for char in shown)
    shown.encode()  # no lone surrogates either


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("山田", 4), ("e\u0301", 1)])
def test_columns_on_a_terminal(text: str, columns: int) -> None:
    assert cells(text) == columns


@given(HOSTILE, st.integers(1, 20))
def test_a_text_is_cut_to_its_columns(text: str, columns: int) -> None:
    assert cells(fitted(text, columns)) <= columns


def test_a_table_lines_up_and_fits() -> None:
    lines = table(["NAME", "N", "ERROR"], [("山田", "1", "x" * 99), ("b", "22", "short")], columns=30)
    assert lines == [
        "NAME  N   ERROR",
        "山田  1   " + "x" * 19 + "…",
        "b     22  short",
    ]


def test_a_last_column_that_is_wanted_whole_goes_below() -> None:
    rows = [("a", "1.2.3.4.5.6.7.8.9"), ("b", "")]
    assert table(["X", "UID"], rows, whole=True, columns=12) == [
        "X",
        "    UID",
        "a",
        "    1.2.3.4.",
        "    5.6.7.8.",
        "    9",
        "b",
    ]
    assert table(["X", "UID"], rows, whole=True, columns=40) == ["X  UID", "a  1.2.3.4.5.6.7.8.9", "b"]


def test_a_cell_cannot_break_the_table() -> None:
    assert table(["A", "B"], [("x\ny", "\x1b[0m")]) == ["A       B", r"x\x0ay  \x1b[0m"]


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE)), st.integers(40, 120))
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], columns: int) -> None:
    assert all(cells(line) <= columns for line in table(["A", "B", "C"], rows, columns=columns))


def test_pairs_leave_out_what_is_empty() -> None:
    assert pairs([("a", "1"), ("long", ""), ("bcd", "2\n")]) == ["a    1", r"bcd  2\x0a"]


def test_wrapped_lines_are_indented() -> None:
    assert wrapped("one two three", 9, indent=2) == ["  one two", "  three"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (15_400, "15 kB"), (1_500_000, "1.5 MB"), (10**18, "1000 PB")],
)
def test_sizes(count: int, shown: str) -> None:
    assert size(count) == shown


def test_moments_name_their_distance_from_utc() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert zoned_moment(instant).endswith(instant.astimezone().strftime("%z"))
    assert short_moment(instant) == instant.astimezone().strftime("%m-%d %H:%M:%S")
    assert (zoned_moment(None), short_moment(None)) == ("", "")
