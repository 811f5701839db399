"""The table of instances: what is used twice is found, the same image is not, and its size stays what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Spool, Stage
from mercure.spool.instances import InstanceTable, SeenInstance

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, THIRD = (f"20261130T12000000000{number}-0000000{number}" for number in (1, 2, 3))
BASE = {"SOPInstanceUID": "1.1", "SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "PatientID": "P1"}


def image(**tags: Any) -> dict[str, Any]:
    return {**BASE, **tags}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.create()
    return made


@pytest.mark.parametrize(
    "other",
    [{"SeriesInstanceUID": "9.9"}, {"StudyInstanceUID": "9"}, {"PatientID": "P2"}, {"IssuerOfPatientID": "X"}],
    ids=str,
)
def test_a_uid_that_is_used_twice_is_found(spool: Spool, other: dict[str, str]) -> None:
    table = InstanceTable(spool)
    assert table.note(FIRST, [image(DataSetDigest="xxh3-128:aa"), image(SOPInstanceUID="1.4")]) == []
    second = [image(**other, DataSetDigest="xxh3-128:bb"), image(SOPInstanceUID="1.5", **other)]
    assert table.note(SECOND, second) == [SeenInstance(FIRST, ("1.1",))]
    assert table.note(SECOND, second) == [SeenInstance(FIRST, ("1.1",))], "a repetition finds the same"
    assert table.note(THIRD, [image(SeriesInstanceUID="7")]) == [
        SeenInstance(FIRST, ("1.1",)),
        SeenInstance(SECOND, ("1.1",)),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"DataSetDigest": "xxh3-128:aa"}, {"DataSetDigest": "xxh3-128:bb"}),  # a version
        ({"DataSetDigest": "xxh3-128:aa"}, {"DataSetDigest": "xxh3-128:aa", "PatientID": "P1 "}),
        ({"SOPInstanceUID": ""}, {"SOPInstanceUID": "", "SeriesInstanceUID": "9"}),
        ({"SOPInstanceUID": "1.1"}, {"SOPInstanceUID": "1.2", "SeriesInstanceUID": "9"}),
    ],
)
def test_what_is_no_other_use_is_not_told(spool: Spool, one: dict[str, str], other: dict[str, str]) -> None:
    table = InstanceTable(spool)
    table.note(FIRST, [image(**one)])
    assert table.note(SECOND, [image(**other)]) == []


def test_it_never_grows_and_the_oldest_makes_room(spool: Spool) -> None:
    table = InstanceTable(spool)
    table.note(FIRST, [image()])
    path = spool.stage(Stage.STATE) / "instances" / "table"
    size = path.stat().st_size
    with open(path, "r+b") as file:  # the smallest, whatever disk this is
        file.truncate(2**20)
    for number in range(40):
        table.note(
            f"20261130T1300000000{number:02d}-00000000", [image(SOPInstanceUID=f"2.{number}.{i}") for i in range(1000)]
        )
    assert path.stat().st_size == 2**20 <= size <= 2**26
    assert table.note(SECOND, [image(SOPInstanceUID="2.39.5", SeriesInstanceUID="9")])
    assert not table.note(SECOND, [image(SOPInstanceUID="1.1", SeriesInstanceUID="9")])


def test_one_uid_for_everything_is_bounded(spool: Spool) -> None:
    table = InstanceTable(spool)
    found = [
        table.note(f"20261130T1300000000{number:02d}-00000000", [image(SeriesInstanceUID=f"1.{number}")])
        for number in range(30)
    ]
    assert [len(seen) for seen in found] == [*range(8), *22 * [8]]


def test_a_table_that_was_cut_off_is_begun_anew(spool: Spool) -> None:
    table = InstanceTable(spool)
    table.note(FIRST, [image()])
    (spool.stage(Stage.STATE) / "instances" / "table").write_bytes(b"half")
    assert table.note(SECOND, [image(SeriesInstanceUID="9")]) == []
    assert table.note(THIRD, [image(SeriesInstanceUID="10")]) == [SeenInstance(SECOND, ("1.1",))]
