"""One rule for text that is safe to show, at every way out: terminal, log, message, page; and states in one table."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.cli.text import pairs, table
from appliance.presentation.states import QUEUE, TASK, QueueState
from appliance.status_page.__main__ import _JsonLines
from appliance.status_page.sanitize import clean
from mercure.history.precedence import STATES
from mercure.notifications.message_facts import some_lines
from mercure.printable import cleaned, escaped, json_text, one_line, printable
from mercure.processing.record import end_of_log
from mercure.services.common import JsonFormatter

CONTROLS = "\x00\x07\x1b\x7f\x84\x9b\x9d"
INVISIBLE = "\u061c\u200b\u200e\u202e\u2066\u2028\u2029\ufeff\U000e0041\ue000\ud800"
HOSTILE = CONTROLS + INVISIBLE


def _logged_by(formatter: logging.Formatter) -> Callable[[str], str]:
    def write(text: str) -> str:
        return formatter.format(logging.makeLogRecord({"msg": text, "name": "x", "calling_aet": text}))

    return write


WAYS_OUT: dict[str, Callable[[str], str]] = {
    "terminal": printable,
    "table of the command line": lambda text: "".join(table(["A", "B"], [(text, text)])),
    "pairs of the command line": lambda text: "".join(pairs([("a", text)])),
    "JSON of the command line": json_text,
    "log of a service": _logged_by(JsonFormatter()),
    "log of the status page": _logged_by(_JsonLines()),
    "status page": clean,
    "subject of a message": one_line,
    "text of a message": lambda text: some_lines(text).replace("\n", ""),
    "message of a rule": escaped,
}


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT)
def test_nothing_that_a_terminal_obeys_gets_out(way: Callable[[str], str]) -> None:
    for char in HOSTILE:
        shown = way(f"AE{char}TITLE")
        assert char not in shown
        assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for each in shown)


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT)
@settings(max_examples=20)
@given(text=st.text(st.characters(), max_size=30))
def test_whatever_the_text(way: Callable[[str], str], text: str) -> None:
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for each in way(text))


@pytest.mark.parametrize("text", ["Müller^Jörg", "山田^太郎", "שלום", "a b", "1.2.840"])
def test_letters_of_all_languages_stay(text: str) -> None:
    for name in ("terminal", "status page", "subject of a message", "message of a rule"):
        assert WAYS_OUT[name](text) == text
    assert json.loads(json_text(text)) == text


def test_a_log_says_the_same_as_was_written() -> None:
    line = json.loads(WAYS_OUT["log of a service"](HOSTILE))
    assert line["calling_aet"] == HOSTILE


def test_what_a_module_printed_keeps_its_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\n\ttwo\x1b[2J\x9b\u202e three\r\n")
    assert end_of_log(tmp_path / "log", 100) == "one\n\ttwo?[2J?? three?\n"


def test_marks_that_climb_are_cut_to_one() -> None:
    assert printable("e" + "\u0301" * 50 + "x") == "e\u0301x"


def test_a_blank_that_does_not_break_is_a_letter_like_others() -> None:
    assert cleaned("a\N{NO-BREAK SPACE}b", lambda _: "?") == "a\N{NO-BREAK SPACE}b"


def test_each_state_of_the_queue_and_of_the_history_has_a_look() -> None:
    assert set(QUEUE) == set(get_args(QueueState))
    assert [look.rank for look in QUEUE.values()] == list(range(len(QUEUE)))
    assert set(STATES) == set(TASK)
