"""The end of a log, narrowed by level and by a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from appliance.control.api.services import LogLevel, ReadLog
from appliance.control.services.logs import tail

if TYPE_CHECKING:
    from appliance.control.session import Session

LINES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("info", "delivered to pacs: 20 images in 2.0 s", {"task": "T1", "target": "pacs"}),
    ("warning", "connection refused: attempt 1 at Archive, 0 of 20 taken", {"task": "T2", "target": "Archive"}),
    ("error", "0xC000 cannot understand: task failed in outgoing", {"task": "T3"}),
    ("debug", "asked", {}),
)


@pytest.fixture
def log(session: Session) -> Session:
    """Write a log of one process, with a line that is no JSON at its end."""
    session.root.log.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"time": f"2026-11-21T22:40:0{number}Z", "level": level, "message": message, **more})
        for number, (level, message, more) in enumerate(LINES)
    ]
    (session.root.log / "dispatcher_00.log").write_text("\n".join([*lines, "Traceback of T9"]) + "\n")
    return session


@pytest.mark.parametrize(
    ("level", "search", "found"),
    [
        ("debug", "", 5),
        ("info", "", 4),
        ("warning", "", 3),
        ("error", "", 2),
        ("debug", "archive", 1),
        ("debug", "t2", 1),
        ("debug", "PACS", 1),
        ("warning", "t1", 0),
        ("error", "t9", 1),
        ("debug", "dispatcher_00", 5),
    ],
)
def test_lines_of_a_level_with_a_text(log: Session, level: LogLevel, search: str, found: int) -> None:
    assert len(tail(log, ReadLog(name="dispatcher", level=level, search=search)).lines) == found


def test_a_line_says_which_task_and_series_it_is_about(log: Session) -> None:
    lines = tail(log, ReadLog(name="dispatcher")).lines
    assert [line.task for line in lines] == ["T1", "T2", "T3", "", ""]
    assert {line.series for line in lines} == {""}


def test_the_last_of_those_that_are_wanted_are_shown_and_not_those_wanted_of_the_last(log: Session) -> None:
    (line,) = tail(log, ReadLog(name="dispatcher", lines=1, search="t1")).lines
    assert line.message.startswith("delivered to pacs")
