"""A hospital in two namespaces: the router at one end of a cable, its scanners and its archive at the other."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.crash.running_router import running_router
from tests.oracle.rules import ELSEWHERE, of_the_scanner
from tests.support.account import Account
from tests.support.dcmtk import KEEP_EACH_TRY, storescp
from tests.support.hospital import LIMITS, PATIENCE, Hospital
from tests.support.memory import memory_folder
from tests.support.receiver import StartReceiver, receivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.namespaces import NamespacePair


@pytest.fixture
def hospital(netns: NamespacePair) -> Iterator[Hospital]:
    """Give a router in a namespace of its own, whose receiver gives up a silent association after two seconds."""
    outside, inside = netns.sender, netns.receiver
    with memory_folder() as folder, ExitStack() as stack:
        options = ("--bit-preserving", "--fork", KEEP_EACH_TRY, "--socket-timeout", "3")
        node = storescp(folder / "archive", *options, prefix=outside.command())
        archive = stack.enter_context(node)
        elsewhere = folder / ELSEWHERE
        elsewhere.mkdir()
        rules = of_the_scanner("archive", address=outside.address)
        target = {"kind": "dicom", "host": outside.address, "port": archive.port, "called_aet": archive.aet}
        running = running_router(
            folder / "root",
            {
                "archive": {**target, **PATIENCE, **LIMITS},
                ELSEWHERE: {"kind": "folder", "path": str(elsewhere)},
            },
            rules={rule.name: dict(rule.written) for rule in rules},
            receiver={"bind": "0.0.0.0", "idle_timeout_seconds": 2, "acse_timeout_seconds": 2},  # noqa: S104 - nobody else is there
            prefix=inside.command(),
        )
        router = stack.enter_context(running)
        account = Account(host=inside.address, timeout=2, place=outside)
        yield Hospital(netns, router, archive, account, rules, elsewhere)


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[StartReceiver]:
    """Give a function that starts a receiver with settings; they end with the test."""
    with receivers(tmp_path / "receiver") as start:
        yield start
