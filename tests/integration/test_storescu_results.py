"""mercure-storescu against real targets: what it tells of each image, and why nothing could be sent."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.fixtures import MakeStoreScp
from tests.support.series import synthetic_series
from tests.support.store_node import store_node
from tests.support.storescu import ACCEPT_ALL, send, sending

FreePort = Callable[[], int]


def test_each_result_is_told_as_soon_as_it_is_known(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3, 8, 8)
    may_answer = threading.Semaphore(0)

    def store(_event: Any) -> int:
        assert may_answer.acquire(timeout=30)
        return 0x0000

    port = free_port()
    with store_node(port, store), sending(port, files) as run:
        for file in files:
            may_answer.release()
            result = run.read_result()
            assert result["file"] == str(file)
            assert result["outcome"] == "confirmed"
        assert run.finish().code == 0


@pytest.mark.parametrize(
    ("status", "outcome", "comment", "code"),
    [
        (0x0000, "confirmed", "", 0),
        (0xB000, "warning", "values were changed", 65),
        (0xB006, "warning", "elements were discarded", 65),
        (0xB123, "warning", "warning", 65),
        (0x0107, "warning", "attribute list error", 65),
        (0xA700, "refused", "out of resources", 64),
        (0x0122, "refused", "SOP class not supported", 64),
        (0x0124, "refused", "not authorized", 64),
        (0xA900, "failed", "data set does not match SOP class", 64),
        (0xC123, "failed", "cannot understand", 64),
        (0x0110, "failed", "failure", 64),
        (0xFE00, "failed", "failure", 64),
    ],
    ids=lambda value: f"{value:04X}" if isinstance(value, int) and value > 255 else None,
)
def test_the_status_is_told_as_it_is(
    status: int, outcome: str, comment: str, code: int, *, free_port: FreePort, tmp_path: Path
) -> None:
    files = synthetic_series(tmp_path, 2, 8, 8)
    port = free_port()
    with store_node(port, lambda _event: status):
        sent = send(port, files)
    assert sent.code == code
    assert sent.error is None
    assert sent.summary[outcome] == 2
    for result in sent.results:
        assert (result["status"], result["outcome"], result["comment"]) == (f"0x{status:04X}", outcome, comment)


def test_the_comment_of_the_target_is_told(free_port: FreePort, tmp_path: Path) -> None:
    def store(_event: Any) -> pydicom.Dataset:
        answer = pydicom.Dataset()
        answer.Status = 0xC000
        answer.ErrorComment = "no such patient"
        return answer

    port = free_port()
    with store_node(port, store):
        sent = send(port, synthetic_series(tmp_path, 1, 8, 8))
    assert sent.results[0]["comment"] == "no such patient"


def test_what_the_target_does_not_take_is_refused_and_the_rest_is_sent(free_port: FreePort, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path, 3, 8, 8)
    dataset = pydicom.dcmread(files[1])
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.save_as(files[1])
    port = free_port()
    with store_node(port, lambda _event: 0x0000):
        sent = send(port, files)
    assert sent.outcomes == {"confirmed": 2, "refused": 1}
    refused = sent.by_name()[files[1].name]
    assert refused["status"] is None
    assert refused["comment"] == "the target takes no MR Image Storage: SOP class not supported"
    assert refused["kind"] == "unsupported"
    assert sent.code == 64


def test_nobody_listens(free_port: FreePort, tmp_path: Path) -> None:
    sent = send(free_port(), synthetic_series(tmp_path, 2, 8, 8))
    assert sent.code == 60
    assert sent.outcomes == {"not-sent": 2}
    assert sent.error is not None
    assert sent.error["kind"] == "unreachable"
    assert "Connection refused" in sent.error["text"]


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    sent = send(104, synthetic_series(tmp_path, 1, 8, 8), host="no-such-host.invalid")
    assert sent.code == 60
    assert sent.error is not None
    assert sent.error["kind"] == "unreachable"


def test_the_target_rejects_us(free_port: FreePort, tmp_path: Path) -> None:
    port = free_port()
    with store_node(port, lambda _event: 0x0000, require_calling_aet=["FRIEND"]):
        sent = send(port, synthetic_series(tmp_path, 2, 8, 8), "--calling-aet", "STRANGER")
        assert sent.code == 61
        assert sent.error == {
            "kind": "rejected",
            "text": "the target rejected the association: calling AE title not recognized",
        }
        assert sent.outcomes == {"not-sent": 2}
        assert send(port, synthetic_series(tmp_path, 1, 8, 8), "--calling-aet", "FRIEND").code == 0


def test_ae_titles_are_those_asked_for(free_port: FreePort, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def store(event: Any) -> int:
        seen.append((event.assoc.requestor.primitive.called_ae_title, event.assoc.requestor.ae_title))
        return 0x0000

    port = free_port()
    with store_node(port, store):
        send(
            port,
            synthetic_series(tmp_path, 1, 8, 8),
            "--called-aet",
            "OUR ARCHIVE",
            "--calling-aet",
            "SIXTEEN_LETTERS_",
        )
    assert seen == [("OUR ARCHIVE", "SIXTEEN_LETTERS_")]


def test_files_that_cannot_be_sent_are_told_and_the_rest_is_sent(storescp: MakeStoreScp, tmp_path: Path) -> None:
    good, unnamed, long_uid = synthetic_series(tmp_path, 3, 8, 8)
    for file, uid in ((unnamed, ""), (long_uid, "1." * 40 + "1")):
        dataset = pydicom.dcmread(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom says that it is too long
            dataset.SOPInstanceUID = uid
        dataset.save_as(file)
        data = file.read_bytes()
        file.write_bytes(data[data.index(b"\x08\x00\x05\x00CS") :])  # without the meta header, which names it too
    text = tmp_path / "text.dcm"
    text.write_text("no image")
    sent = send(storescp(*ACCEPT_ALL).port, [text, tmp_path / "missing.dcm", unnamed, long_uid, good])
    comments = {name: result["comment"] for name, result in sent.by_name().items()}
    assert comments == {
        "text.dcm": "not a DICOM file",
        "missing.dcm": "cannot be opened: No such file or directory",
        unnamed.name: "it names no SOP instance",
        long_uid.name: "a UID in it is longer than 64 characters or has strange ones",
        good.name: "",
    }
    assert sent.outcomes == {"not-sent": 4, "confirmed": 1}
    assert sent.code == 20


def test_an_empty_list_is_nothing_to_do(free_port: FreePort) -> None:
    sent = send(free_port(), [])
    assert sent.code == 0
    assert sent.summary["images"] == 0


def test_the_same_file_twice_is_sent_twice(storescp: MakeStoreScp, tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1, 8, 8)
    assert send(storescp(*ACCEPT_ALL).port, [image, image]).outcomes == {"confirmed": 2}
