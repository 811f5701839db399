"""C-FIND against real archives and hostile nodes: what is not complete says so, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from mercure.clock import Clock
from mercure.dicom.association import AssociationFailure, DicomNode
from mercure.dicom.find import InstanceQuery, NodeFinder, StudyAnswer
from tests.support.dcmtk import dcmqrscp, dcmsend
from tests.support.find_node import PENDING, Archive, find_node, named
from tests.support.orthanc import orthanc
from tests.support.series import synthetic_series

FreePort = Callable[[], int]
Rows = Iterator[tuple[int, Dataset | None]]
STUDY, SERIES, OTHER = "1.2.3", "1.2.3.4", "1.2.3.5"
IMAGES = [f"{SERIES}.{number}" for number in range(3)]


def query(port: int, called: str = "ARCHIVE", **limits: Any) -> InstanceQuery:
    node = DicomNode("127.0.0.1", port, called, "MERCURE", 10.0)
    return InstanceQuery(node, **{"answer_seconds": 10.0, "pause_seconds": 0.0, "again_seconds": (), **limits})


def ask(question: InstanceQuery, study: str = STUDY) -> StudyAnswer:
    finder = NodeFinder.open(question, Clock())
    assert not isinstance(finder, AssociationFailure), finder.text
    with finder:
        return finder.study(study)


def asked(port: int, archive: Archive, **limits: Any) -> StudyAnswer:
    with find_node(port, archive):
        return ask(query(port, **limits))


def archive(**otherwise: Callable[[Dataset], Any]) -> Archive:
    return Archive({STUDY: {SERIES: list(IMAGES), OTHER: [f"{OTHER}.1"]}}, otherwise=otherwise)


@pytest.fixture
def sent(tmp_path: Path) -> list[Path]:
    return synthetic_series(tmp_path / "images", 3, rows=8, columns=8)


def check_archive(port: int, called: str, files: list[Path]) -> None:
    """Send two of three images, and ask what is there."""
    images = [dcmread(path, stop_before_pixels=True) for path in files]
    assert dcmsend("127.0.0.1", port, files[:2], called=called).code == 0
    question = query(port, called)
    answer = ask(question, images[0].StudyInstanceUID)
    assert answer.instances == {image.SOPInstanceUID: image.SeriesInstanceUID for image in images[:2]}
    assert (answer.complete, answer.open_series, answer.problems) == (True, frozenset(), ())
    finder = NodeFinder.open(question, Clock())
    assert isinstance(finder, NodeFinder)
    with finder:
        assert finder.studies("A0001") == ([images[0].StudyInstanceUID], [])
        assert finder.studies("A0") == ([], [])
    assert ask(question, "1.2.3.99") == StudyAnswer(study_uid="1.2.3.99")


def test_orthanc_names_what_it_has(tmp_path: Path, sent: list[Path]) -> None:
    with orthanc(tmp_path / "orthanc", {"DicomAlwaysAllowFind": True}) as server:
        check_archive(server.port, server.aet, sent)


def test_orthanc_that_does_not_know_us_is_no_proof_of_a_loss(tmp_path: Path) -> None:
    """It takes images of everybody and the association, too, and refuses the query."""
    with orthanc(tmp_path / "orthanc") as server:
        answer = ask(query(server.port, server.aet))
    assert (answer.instances, answer.complete) == ({}, False)
    assert "it may not let our AE title query" in answer.problems[0]


def test_dcmqrscp_names_what_it_has(tmp_path: Path, sent: list[Path]) -> None:
    with dcmqrscp(tmp_path / "archive") as server:
        check_archive(server.port, server.aet, sent)


def test_each_level_is_asked_once_for_each_series(free_port: FreePort) -> None:
    node = archive()
    answer = asked(free_port(), node)
    assert answer.instances == {**dict.fromkeys(IMAGES, SERIES), f"{OTHER}.1": OTHER}
    assert node.asked == ["STUDY", "SERIES", "IMAGE", "IMAGE"]
    assert answer.is_complete(SERIES)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, "0xA700: it is out of resources: ask again later"),
        (0xA701, "0xA701: it is out of resources: ask again later"),
        (0xA900, "0xA900: it says that the query is not of its class"),
        (0xC000, "0xC000: it cannot process the query"),
        (0xC123, "0xC123: it cannot process the query"),
        (0xFE00, "0xFE00: it broke the query off by itself"),
        (0x0124, "0x0124: it does not allow us to query"),
        (0x0110, "0x0110: it ended the query with an error"),
        (0xB123, "0xB123: it ended the query with an error"),
    ],
)
@pytest.mark.parametrize("level", ["STUDY", "SERIES", "IMAGE"])
def test_a_query_that_ends_with_an_error_is_not_complete(
    status: int, words: str, level: str, free_port: FreePort
) -> None:
    answer = asked(free_port(), archive(**{level: lambda _: iter([(status, None)])}))
    assert not answer.is_complete(SERIES)
    assert answer.is_complete("1.2.3.77") is (level == "IMAGE"), "a series that it may not have named"
    assert words in answer.problems[0]


def test_what_came_before_an_error_counts_and_the_series_is_open(free_port: FreePort) -> None:
    def cut(asked: Dataset) -> Rows:
        yield PENDING, named(SOPInstanceUID=f"{asked.SeriesInstanceUID}.0")
        if asked.SeriesInstanceUID == SERIES:
            yield 0xFE00, None

    answer = asked(free_port(), archive(IMAGE=cut))
    assert answer.instances == {f"{SERIES}.0": SERIES, f"{OTHER}.0": OTHER}
    assert answer.open_series == {SERIES}
    assert answer.is_complete(OTHER)


@pytest.mark.parametrize("uid", ["", "no uid", "1.2.3\\1.2.4", "1" * 65])
def test_answers_without_a_usable_uid_are_counted(uid: str, free_port: FreePort) -> None:
    def odd(asked: Dataset) -> Rows:
        made = Dataset()
        made.add_new(0x00080018, "UI", uid)
        yield PENDING, made
        yield PENDING, named(SOPInstanceUID=IMAGES[0])

    with disable_value_validation():  # of the node, which could not say it else
        answer = asked(free_port(), Archive({STUDY: {SERIES: IMAGES[:1]}}, otherwise={"IMAGE": odd}))
    assert answer.instances == {IMAGES[0]: SERIES}
    assert not answer.is_complete(SERIES)
    assert answer.problems == (f"series {SERIES}: 1 answers have no UID that can be used",)


def test_answers_about_another_study_do_not_count(free_port: FreePort) -> None:
    def other(asked: Dataset) -> Rows:
        yield PENDING, named(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1")
        yield PENDING, named(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES)

    answer = asked(free_port(), archive(SERIES=other))
    assert set(answer.instances) == set(IMAGES)
    assert answer.is_complete(SERIES)
    assert "1 answers are about something that was not asked for" in answer.problems[0]


@pytest.mark.parametrize("level", ["STUDY", "IMAGE"])
def test_a_node_that_answers_about_another_study_alone_is_not_believed(level: str, free_port: FreePort) -> None:
    row = named(StudyInstanceUID="9.9", SeriesInstanceUID="9.9.1", SOPInstanceUID="9.9.1.1")
    answer = asked(free_port(), archive(**{level: lambda _: iter([(PENDING, row)])}))
    assert answer.instances == {}
    assert not answer.is_complete(SERIES)


def test_a_node_that_names_fewer_than_it_says_is_not_believed(free_port: FreePort) -> None:
    def few(asked: Dataset) -> Rows:
        yield PENDING, named(SOPInstanceUID=IMAGES[0])

    answer = asked(free_port(), Archive({STUDY: {SERIES: list(IMAGES)}}, otherwise={"IMAGE": few}))
    assert answer.open_series == {SERIES}
    assert answer.problems == (f"it says that series {SERIES} has 3 instances, and names 1",)


def test_a_node_that_never_stops_is_cut_off(free_port: FreePort) -> None:
    def flood(asked: Dataset) -> Rows:
        for number in range(100_000):
            yield PENDING, named(SOPInstanceUID=f"{SERIES}.{number}")

    answer = asked(free_port(), archive(IMAGE=flood), most_answers=50)
    assert len(answer.instances) < 50
    assert answer.open_series == {SERIES, OTHER}
    assert answer.problems == (f"series {SERIES}: it gave more than 50 answers: no more were read",)


def test_a_node_that_says_nothing_is_left_in_time(free_port: FreePort) -> None:
    over = threading.Event()

    def silent(asked: Dataset) -> Rows:
        over.wait(20)
        return iter(())

    port = free_port()
    with find_node(port, archive(IMAGE=silent)):
        try:
            answer = ask(query(port, answer_seconds=0.3))
        finally:
            over.set()
    assert answer.open_series == {SERIES, OTHER}
    assert answer.problems == (f"series {SERIES}: it did not answer within 0.3 s",), "and is not asked again"


def test_an_exam_has_a_time_limit(free_port: FreePort) -> None:
    answer = asked(free_port(), archive(), exam_seconds=0)
    assert not answer.complete
    assert "took longer than 0 s" in answer.problems[0]


def test_a_node_without_queries_says_so(free_port: FreePort) -> None:
    port = free_port()
    with find_node(port, archive(), sop_class="1.2.840.10008.1.1"):
        failure = NodeFinder.open(query(port), Clock())
    assert isinstance(failure, AssociationFailure)
    assert failure.text.endswith("accepts associations, but no queries (Study Root Query/Retrieve, FIND)")


def test_a_node_that_is_not_there_says_so(free_port: FreePort) -> None:
    failure = NodeFinder.open(query(free_port()), Clock())
    assert isinstance(failure, AssociationFailure)
    assert "refuses the connection" in failure.text
