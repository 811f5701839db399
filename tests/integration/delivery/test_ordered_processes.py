"""Ordered dispatch with nothing but real parts: four senders, receiver, routers, dispatchers, a DICOM node, kill -9."""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage, image_files, is_locked
from tests.support.box import Box
from tests.support.dcmtk import dcmsend
from tests.support.incoming import Image
from tests.support.memory import memory_folder
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.procfs import descendants, is_alive
from tests.support.raw_target import Peer, raw_target
from tests.support.series import seeded_uid, synthetic_images, synthetic_series
from tests.support.services import service, write_config
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mercure.spool import Spool
    from tests.support.dcmtk import StoreScp
    from tests.support.fixtures import MakeStoreScp

SERIES = 5
IMAGES = 12
SENDERS = 4
DISPATCHERS = 3
RETRY = {"first_seconds": 0.2, "cap_seconds": 1}


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


def scrambled(folder: Path, seed: int) -> list[list[Path]]:
    """Make a study and deal its images, shuffled, to the senders."""
    study = seeded_uid("study", seed)
    files = [
        path
        for number in range(SERIES)
        for path in synthetic_series(
            folder / f"{number}", IMAGES, 16, 16, seed=f"{seed}-{number}", StudyInstanceUID=study, SeriesNumber=number
        )
    ]
    random.Random(seed).shuffle(files)
    return [files[number::SENDERS] for number in range(SENDERS)]


def arrived(target: StoreScp) -> list[str]:
    """Return the names of the images at the target in the order in which they came."""
    return [path.name for path in sorted(target.files(), key=lambda path: path.stat().st_mtime_ns)]


def has_files(target: StoreScp, count: int) -> bool:
    return len(target.files()) >= count


def tasks_by_image(spool: Spool) -> dict[str, str]:
    success = spool.stage(Stage.SUCCESS)
    return {image.name: task for task in spool.names(Stage.SUCCESS) for image in image_files(success / task)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_study_over_four_associations_leaves_in_order_also_when_a_dispatcher_is_killed(
    seed: int, folder: Path, tmp_path: Path, storescp: MakeStoreScp, free_port: Callable[[], int]
) -> None:
    target = storescp("--fork")
    port = free_port()
    pacs = {"kind": "dicom", "host": "127.0.0.1", "port": target.port, "called_aet": target.aet}
    spool = write_config(
        folder,
        {
            "receiver": {"bind": "127.0.0.1", "port": port, "min_free_bytes": 0},
            "completion": {"quiet_seconds": 5, "after_release_seconds": 0.3},
            "targets": {"pacs": {**pacs, "order": "study", "concurrency": 4, "retry": RETRY}},
            "rules": {"all": {"rule": "True", "targets": ["pacs"]}},
        },
    )
    with ExitStack() as stack:
        stack.enter_context(service(folder, "receiver", ready=lambda program: is_listening(port)))
        for _ in range(2):
            stack.enter_context(service(folder, "router"))
        dispatchers = [stack.enter_context(service(folder, "dispatcher")) for _ in range(DISPATCHERS)]
        with ThreadPoolExecutor(SENDERS) as senders:
            reports = senders.map(lambda files: dcmsend("127.0.0.1", port, files), scrambled(tmp_path / "sent", seed))
            assert all(report.code == 0 for report in reports)
        for number, program in enumerate(dispatchers[:-1], start=1):
            eventually(partial(has_files, target, number * 15), seconds=60)
            program.signal(signal.SIGKILL)
        eventually(lambda: len(tasks_by_image(spool)) == SERIES * IMAGES, seconds=60)
    whose = {name.removesuffix(".dcm"): task for name, task in tasks_by_image(spool).items()}
    left = [task for task, _ in groupby(whose[name.partition(".")[2]] for name in arrived(target))]
    assert left == sorted(set(left))
    assert len(left) >= SERIES


def test_a_killed_dispatcher_s_sender_keeps_the_task_until_it_has_ended(folder: Path) -> None:
    """It may take seconds over the image under way; nobody else may begin the study meanwhile."""
    images = [
        Image(uid, "1.2.3", data, {"SOPInstanceUID": uid}) for uid, data in synthetic_images(2, 16, 16, seed="held")
    ]
    answers = threading.Event()

    def serve(peer: Peer) -> None:
        peer.accept()
        number = 0
        while (image := peer.read_image()) is not None:
            number += 1
            assert answers.wait(60)
            peer.answer(image[0], number, 0x0000)

    with ExitStack() as stack:
        target = stack.enter_context(raw_target(serve))
        stack.callback(answers.set)
        pacs = {"kind": "dicom", "host": "127.0.0.1", "port": target.port, "called_aet": "PACS"}
        spool = write_config(folder, {"targets": {"pacs": {**pacs, "order": "study", "retry": RETRY}}})
        task = spool.entry(Stage.OUTGOING, waiting_series(Box(folder), "1.2.3", target="pacs", images=images))
        with service(folder, "dispatcher") as dispatcher:
            eventually(lambda: target.connections, seconds=30)
            sender = eventually(lambda: descendants(dispatcher.pid))  # it, and the broker that connects for it
            dispatcher.signal(signal.SIGKILL)
            dispatcher.wait()
            # The sender waits for its answer for five more seconds; nobody else holds the task.
            assert is_locked(task)
            assert all(map(is_alive, sender))
            eventually(lambda: not any(map(is_alive, sender)), seconds=30)
            assert not is_locked(task)
        answers.set()
        with service(folder, "dispatcher"):
            eventually(lambda: spool.names(Stage.SUCCESS), seconds=30)
