"""State files: what cannot be read as what this version writes counts as not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.model import Record, read_state

if TYPE_CHECKING:
    from pathlib import Path


class Counter(Record):
    count: int = 0


def test_it_is_read_as_it_was_written_and_unknown_keys_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b'{"count": 3, "from": "another release"}')
    assert read_state(tmp_path / "state.json", Counter) == Counter(count=3)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"count": "many"}', b"\xff\xfe"])
def test_what_cannot_be_understood_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    assert read_state(tmp_path / "state.json", Counter) is None


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_state(tmp_path / "state.json", Counter) is None
    assert read_state(tmp_path / "file" / "state.json", Counter) is None


def test_what_the_disk_refuses_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(IsADirectoryError):
        read_state(tmp_path / "state.json", Counter)
