"""What a module left is looked through without following anything out of it, and its result is read with care."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from mercure.processing.result import Notification, ResultError, ResultRouting, parse_result
from mercure.processing.survey import Found, opened, survey, used_bytes
from mercure.runners.bounded_log import BoundedLog

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_listed_with_what_they_say_they_are(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.DCM").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "c.txt").write_bytes(b"no")
    assert survey(tmp_path, 1000) == [Found("b", 132, True), Found("c.txt", 2, False), Found("deep/er/a.DCM", 1, True)]
    assert used_bytes(tmp_path) == 135
    with opened(tmp_path, "deep/er/a.DCM") as descriptor:
        assert os.read(descriptor, 10) == b"x"


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        with pytest.raises(ResultError, match="a socket"):
            survey(tmp_path, 1000)


def test_what_became_a_link_since_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.dcm").write_bytes(b"secret")
    (tmp_path / "out" / "deep" / "a.dcm").write_bytes(b"x")
    (tmp_path / "out" / "deep").rename(tmp_path / "out" / "moved")
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "secret")
    with pytest.raises(ResultError, match="no plain file or folder"), opened(tmp_path / "out", "deep/a.dcm"):
        pass


@pytest.mark.parametrize("limit", [100, 101])
def test_the_sizes_of_all_files_count(tmp_path: Path, limit: int) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 50)
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1)
    if limit == 101:
        assert len(survey(tmp_path, limit)) == 3
    else:
        with pytest.raises(ResultError, match="output limit of 100 bytes"):
            survey(tmp_path, limit)


def test_a_name_fit_for_no_screen_is_shown_without_its_escapes(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2Jb").symlink_to("/")
    with pytest.raises(ResultError) as error:
        survey(tmp_path, 100)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ResultRouting()),
        ('{"__mercure_routing": {"target": "a"}}', ResultRouting(("a",))),
        ('{"__mercure_routing": {"target": ["a", "b", "a"]}}', ResultRouting(("a", "b"))),
        ('{"__mercure_routing": {"target": []}}', ResultRouting()),
        ('{"__mercure_routing": {"discard": true}}', ResultRouting(discard=True)),
        ('{"__mercure_routing": {"discard": false, "rules": true}}', ResultRouting(rules=True)),
    ],
)
def test_routing(text: str, expected: ResultRouting) -> None:
    assert parse_result(text.encode()).routing == expected


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        "\xff",
        "[" * 100_000,
        '{"__mercure_routing": []}',
        '{"__mercure_routing": {"discard": "yes"}}',
        '{"__mercure_routing": {"discard": true, "target": "a"}}',
        '{"__mercure_routing": {"discard": true, "rules": true}}',
        '{"__mercure_routing": {"target": [1]}}',
        '{"__mercure_notification": "now"}',
        '{"__mercure_notification": {"text": 1}}',
        '{"__mercure_notification": {"requested": "yes"}}',
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ResultError):
        parse_result(text.encode("latin-1"))


def test_a_notification_is_text_whatever_came() -> None:
    found = parse_result(b'{"__mercure_notification": {"text": "a\\ud800b", "requested": true}}').notification
    assert found == Notification("a�b", requested=True)


@pytest.mark.parametrize("limit", [2, 7, 10, 100])
@pytest.mark.parametrize("piece", [1, 3, 50])
def test_a_log_keeps_its_beginning_and_end(tmp_path: Path, limit: int, piece: int) -> None:
    data = bytes(range(48, 123))
    with BoundedLog(tmp_path / "log", limit) as log:
        for first in range(0, len(data), piece):
            log.add(data[first : first + piece])
    kept = (tmp_path / "log").read_bytes()
    if limit >= len(data):
        assert kept == data
        return
    head, tail = limit // 2, limit - limit // 2
    note = f"\n[mercure: {len(data) - limit} bytes were left out here]\n".encode()
    assert kept == data[:head] + note + data[-tail:]
