"""No log line of the router names a patient: looked for in every log that a program of the router writes in any test.

The helpers that run such programs look (`tests.support.processes.running`, `tests.support.router.Router.running`); here
is shown that they do, and that the images of the tests are what they look for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.data_sets import ct_image, uid
from tests.support.dicom_peer import Peer
from tests.support.getdcmtags import record_of
from tests.support.patients import TEST_PATIENTS, assert_no_file_names_one
from tests.support.processes import running
from tests.support.receiver import receiver
from tests.support.series import synthetic_series


def test_the_images_of_the_tests_are_of_these_patients(tmp_path: Path) -> None:
    (image,) = synthetic_series(tmp_path, 1)
    record = record_of(image)
    assert {record["PatientName"], record["PatientID"]} <= set(TEST_PATIENTS)
    assert b"Secret^Name" in ct_image(uid(), uid())


@pytest.mark.parametrize("patient", TEST_PATIENTS)
def test_a_program_of_ours_that_names_one_fails_its_test(patient: str, tmp_path: Path) -> None:
    package = tmp_path / "appliance"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "loud.py").write_text(f"print('received', {patient!r}, flush=True)\nimport time; time.sleep(60)\n")
    command = [sys.executable, "-m", "appliance.loud"]
    with (
        pytest.raises(AssertionError, match="names the patient"),
        running(command, cwd=tmp_path, ready=lambda it: "received" in it.output()),
    ):
        pass
    (tmp_path / "log").mkdir()
    (tmp_path / "log/router.log").write_text(f"one line\nand {patient}\n")
    with pytest.raises(AssertionError, match="names the patient"):
        assert_no_file_names_one(tmp_path / "log")


def test_the_receiver_names_none_whatever_it_tells(tmp_path: Path) -> None:
    """It says most at its lowest level, of an image that it keeps, one that it cannot read, and one that it refuses."""
    with receiver(tmp_path / "receiver", log_level="debug", max_object_bytes=10_000_000) as running_one:
        with Peer(running_one.port) as peer:
            peer.associate()
            sop = uid()
            whole = ct_image(sop, uid())
            assert peer.store(whole, sop).status == 0
            assert peer.store(whole[: len(whole) - 7], sop).status != 0xFFFF
            assert peer.store(b"\x10\x00\x10\x00" + b"Secret^Name", uid()).status != 0
            peer.release()
        running_one.event("association.closed")
        assert len(running_one.log()) >= 3
