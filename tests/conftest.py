"""The fixtures of all tests. Each gives a real part (see tests/support) that ends with the test."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.support import disks, folders, leftovers, ports
from tests.support import orthanc as orthanc_support
from tests.support import postgres as postgres_support
from tests.support.cuttable_disk import CuttableDisk
from tests.support.dcmtk import StoreScp
from tests.support.dcmtk import storescp as run_storescp
from tests.support.fixtures import MakeStoreScp, MountSmallDisk
from tests.support.folders import short_folder
from tests.support.memory import memory_folder
from tests.support.namespaces import NamespacePair, namespace_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# How long one example takes says how busy the machine is. A test that hangs has pytest's own time limit.
hypothesis.settings.register_profile("no deadline", deadline=None)


def pytest_configure() -> None:
    """Mark all that this worker starts, and let SIGTERM end fixtures as Ctrl-C does."""
    hypothesis.settings.load_profile("no deadline")
    leftovers.mark_this_run()
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_number: int, _frame: Any) -> None:
    # Once: `timeout` signals make and us, and a second one would break the ending that the first began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield from _watched(tmp_path_factory.getbasetemp())


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail a test that leaves processes or mounts behind. Set up first, so it looks last."""
    yield from _watched(tmp_path_factory.getbasetemp())


def _watched(basetemp: Path) -> Iterator[None]:
    before = leftovers.present([basetemp, *folders.made])
    yield
    left = leftovers.clear(before, [basetemp, *folders.made])
    if left:
        pytest.fail(f"left behind by the test (and removed now):\n{left}", pytrace=False)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Give a function that returns another unused TCP port at each call."""
    return ports.free_port


@pytest.fixture
def mercure_root() -> Iterator[Path]:
    """Give an empty folder for ``MERCURE_ROOT``, with a name short enough for Unix sockets."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[MakeStoreScp]:
    """Give a function that starts stock ``storescp`` with options; each call starts one more."""
    with ExitStack() as stack:
        started: list[StoreScp] = []

        def start(*options: str, port: int | None = None, aet: str = "STORESCP") -> StoreScp:
            folder = tmp_path / f"storescp-{len(started) + 1}"
            peer = stack.enter_context(run_storescp(folder, *options, port=port, aet=aet))
            started.append(peer)
            return peer

        yield start


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[orthanc_support.Orthanc]:
    """Give a running Orthanc with an empty archive."""
    with orthanc_support.orthanc(tmp_path / "orthanc") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres_support.Cluster]:
    """Give a running PostgreSQL that all tests of a worker share; a test takes ``postgres_url``."""
    with postgres_support.cluster() as cluster, cluster.server():
        yield cluster


@pytest.fixture
def postgres_url(postgres_server: postgres_support.Cluster) -> Iterator[str]:
    """Give the address of an empty PostgreSQL database of the test's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def postgres_cluster() -> Iterator[postgres_support.Cluster]:
    """Give a PostgreSQL cluster of the test's own, not started, to be taken away and brought back."""
    with postgres_support.cluster() as cluster:
        yield cluster


@pytest.fixture(params=["ext4", "xfs"])
def cuttable_disk(request: pytest.FixtureRequest) -> Iterator[CuttableDisk]:
    """Give an empty disk whose power can be cut, once for each file system."""
    with memory_folder() as folder:
        disk = CuttableDisk(folder, request.param)
        disk.make()
        yield disk
        disk.unmount()


@pytest.fixture
def small_disk() -> Iterator[MountSmallDisk]:
    """Give a function that mounts a small disk, on a path short enough for Unix sockets."""
    with ExitStack() as stack:

        def mount(mebibytes: int, filesystem: disks.Filesystem = "tmpfs") -> Path:
            folder = stack.enter_context(short_folder())
            return stack.enter_context(disks.small_disk(folder, mebibytes, filesystem))

        yield mount


@pytest.fixture
def netns() -> Iterator[NamespacePair]:
    """Give two network namespaces joined by a cable."""
    with namespace_pair() as pair:
        yield pair
