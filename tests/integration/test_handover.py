"""`mercure run` replaced in its own process (USR1) while images arrive: none is refused for more than a moment."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from pynetdicom import AE

from mercure.services.receiver import relieve
from tests.support.dicom_files import storable_files
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.association import Association

MERCURE = (sys.executable, "-m", "appliance.cli")
KNOCKS_SECONDS = 3.0
"""TCP's own repetitions come after 1 and 3 seconds: so long may the port be without a receiver when the firewall holds
new connections back instead of refusing them."""


@contextmanager
def router(root: Path, port: int, page_port: int) -> Iterator[Running]:
    command: list[str | Path] = [*MERCURE, "run", "--root", root, "--port", str(port), "--page-port", str(page_port)]
    with running(command, ready=lambda _: is_listening(port), seconds=60, grace=60) as program:
        yield program


def listener_pid(root: Path) -> int:
    """The process of the newest receiver, by the log of it."""
    # The last line may be half written yet.
    lines = (root / "log" / "receiver_00.log").read_text().splitlines(keepends=True)
    told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]
    return int(next((line["pid"] for line in reversed(told) if line["message"] == "listening"), 0))


def association(port: int, image: Dataset) -> Association:
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    return entity.associate("127.0.0.1", port, ae_title="MERCURE")


def patient_association(port: int, image: Dataset) -> Association:
    """Associate; whoever is refused at the door knocks again, as the sender's TCP does behind the firewall."""
    made = [association(port, image)]

    def is_let_in() -> bool:
        if not made[-1].is_established:
            made.append(association(port, image))
        return made[-1].is_established

    eventually(is_let_in, seconds=KNOCKS_SECONDS, what="an association")
    return made[-1]


@pytest.fixture
def image() -> Dataset:
    return dcmread(next(path for path in storable_files() if path.name == "CT_small.dcm"))


# pynetdicom leaves the socket of a connection that was refused to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_an_association_goes_on_and_new_ones_are_let_in(
    mercure_root: Path, free_port: Callable[[], int], image: Dataset
) -> None:
    port = free_port()
    with router(mercure_root, port, free_port()) as program:
        before = eventually(lambda: listener_pid(mercure_root), seconds=30, what="the receiver")
        open_one = association(port, image)
        assert open_one.is_established
        answers: list[int] = []
        is_over = Event()

        def knock() -> None:
            while not is_over.is_set():
                made = patient_association(port, image)
                answers.append(made.send_c_store(image).Status)
                made.release()

        knocking = Thread(target=knock)
        knocking.start()
        try:
            os.kill(program.pid, signal.SIGUSR1)
            eventually(lambda: listener_pid(mercure_root) not in {0, before}, seconds=60, what="the next receiver")
            during = len(answers)
            eventually(lambda: len(answers) > during + 2, seconds=60, what="images after it")
            assert open_one.send_c_store(image).Status == 0
            open_one.release()
        finally:
            is_over.set()
            knocking.join(60)
        assert program.is_alive
        assert set(answers) == {0}


def test_who_is_no_receiver_of_ours_is_left_alone(mercure_root: Path) -> None:
    with running(["sleep", "1000"], ready=lambda _: True) as other:
        relieve(f"{other.pid} 1 {os.getpid()} none")
        assert other.is_alive
