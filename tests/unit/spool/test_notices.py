"""Notices: counted, bounded, and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mercure.spool import Spool, Stage
from mercure.spool.notices import KEPT, MOST_OF_A_KIND, OTHERS, forget_notices, notices, post, withdraw

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def made(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.create()
    return spool


def test_what_happens_again_is_counted_with_its_newest_text(tmp_path: Path) -> None:
    spool = made(tmp_path)
    for number in range(3):
        post(spool, "refused", "CT1@x", f"text {number}", "", now=NOW + timedelta(seconds=number))
    post(spool, "refused", "CT1@x", "told again", "", now=NOW)
    (notice,) = notices(spool)
    assert (notice.count, notice.text, notice.first) == (3, "text 2", NOW)


def test_one_of_each_kind_and_matter(tmp_path: Path) -> None:
    spool = made(tmp_path)
    post(spool, "refused", "CT1@x", "", "", now=NOW)
    post(spool, "rule", "CT1@x", "", "", now=NOW)
    post(spool, "refused", "../x/\0/\ud800", "", "", now=NOW)
    assert len(notices(spool)) == 3
    withdraw(spool, "rule", "CT1@x")
    withdraw(spool, "rule", "CT1@x")
    assert len(notices(spool)) == 2


def test_too_many_are_told_of_together(tmp_path: Path) -> None:
    spool = made(tmp_path)
    for number in range(MOST_OF_A_KIND + 20):
        post(spool, "refused", f"{number}", "", "", now=NOW + timedelta(seconds=number))
    found = {notice.about: notice.count for notice in notices(spool)}
    assert len(found) == MOST_OF_A_KIND + 1
    assert found[OTHERS] == 20


def test_what_cannot_be_read_is_passed_over_and_what_is_old_forgotten(tmp_path: Path) -> None:
    spool = made(tmp_path)
    post(spool, "refused", "CT1@x", "", "", now=NOW)
    (spool.stage(Stage.STATE) / "notices" / "broken.json").write_text("{")
    (spool.stage(Stage.STATE) / "notices" / "newer.json").write_text('{"kind": "of another version"}')
    assert len(notices(spool)) == 1
    forget_notices(spool, NOW + KEPT)
    assert notices(spool)
    forget_notices(spool, NOW + KEPT + timedelta(seconds=1))
    assert not notices(spool)


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert notices(Spool(tmp_path / "nowhere")) == []
