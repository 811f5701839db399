"""Texts and figures as they stand on the screen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from appliance.control.rpc.client import api
from appliance.presentation.figures import duration, rate, size
from tests.support.terminal_ui import NOW
from tui.format import area, fit, number, progress_bar, spark, wrap
from tui.screens.flow import backlog_text, progress_text
from tui.state import TaskPace


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


def test_a_bar_of_progress_is_as_wide_as_wanted_and_never_more_than_full() -> None:
    assert progress_bar(0.5, 4) == ("██", "  ")
    assert progress_bar(0.53, 4) == ("██▏", " ")
    assert progress_bar(0.0, 4) == ("", "    ")
    assert progress_bar(7.0, 4) == ("████", "")


def test_a_graph_stands_on_the_ground_or_hangs_and_shows_the_least_that_is_not_nothing() -> None:
    assert area([0, 1, 4, 4], 2, 1, 4) == ["⢀⣿"]
    assert area([0, 1, 4, 4], 2, 1, 4, down=True) == ["⠈⣿"]
    assert area([0, 0.001, 8, 4], 2, 2, 8) == [" ⡇", "⢀⣿"]
    assert area([], 3, 1, 0) == ["   "]
    assert [len(line) for line in area([1, 2, 3], 40, 3, 3)] == [40, 40, 40]


def test_zero_is_a_quiet_dot_in_a_table() -> None:
    assert (number(0, "bad"), number(1204)) == (("·", "dim"), ("1\N{NARROW NO-BREAK SPACE}204", ""))


def test_the_pace_of_a_task_is_what_was_confirmed_between_the_looks_and_ends_with_it() -> None:
    times = iter((0.0, 2.0, 4.0, 6.0))
    pace = TaskPace(lambda: next(times))
    look = partial(
        api.queue.QueueEntry, id="t", stage="outgoing", state="running", created=NOW, age_seconds=1, images=100
    )
    pace.look([look(confirmed=10, target="pacs")])
    assert pace.per_second("t") == 0
    pace.look([look(confirmed=30, target="pacs")])
    assert (pace.per_second("t"), pace.by_target) == (10.0, {"pacs": 10.0})
    assert progress_text(look(confirmed=30), 10.0) == "30/100 · 10/s · 7 s left"
    assert progress_text(look(confirmed=30), 0.0) == "30/100"
    assert progress_text(look(), 1.0) == ""
    pace.look([look(target="pacs")])
    assert (pace.per_second("t"), pace.by_target) == (0.0, {})


def test_a_backlog_says_when_it_is_done_where_that_can_be_said() -> None:
    target = api.targets.TargetState(
        name="pacs", kind="dicom", disabled=False, settings={}, waiting=3, waiting_images=1204
    )
    assert backlog_text(target, 0.0) == "3 tasks, 1\N{NARROW NO-BREAK SPACE}204 images"
    assert backlog_text(target, 10.0).endswith("images · 10/s, done in about 2 min")
