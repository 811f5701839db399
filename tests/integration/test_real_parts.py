"""The fixtures give real servers: each does here once what tests rely on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.dcmtk import dcmsend
from tests.support.dcmtk import storescp as run_storescp
from tests.support.disks import MIB, fill
from tests.support.polling import eventually
from tests.support.ports import is_listening
from tests.support.series import synthetic_images, synthetic_series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.disks import Filesystem
    from tests.support.fixtures import MakeStoreScp, MountSmallDisk
    from tests.support.namespaces import NamespacePair
    from tests.support.orthanc import Orthanc
    from tests.support.postgres import Cluster


def test_storescp_receives_what_dcmsend_sends(storescp: MakeStoreScp, tmp_path: Path) -> None:
    first, second = storescp("--bit-preserving"), storescp("--fork")
    files = synthetic_series(tmp_path / "series", 4, seed="peers")
    for peer in (first, second):
        report = dcmsend("127.0.0.1", peer.port, files)
        assert report.code == 0, report.output
        assert len(peer.files()) == 4


def test_storescp_can_come_back_on_its_port(tmp_path: Path) -> None:
    with run_storescp(tmp_path / "a") as peer:
        port = peer.port
    assert not is_listening(port)
    with run_storescp(tmp_path / "b", port=port):
        assert is_listening(port)


def test_orthanc_keeps_what_it_was_sent(orthanc: Orthanc, tmp_path: Path) -> None:
    files = synthetic_series(tmp_path / "series", 2, seed="orthanc")
    report = dcmsend("127.0.0.1", orthanc.port, files, called=orthanc.aet)
    assert report.code == 0, report.output
    uids = [uid for uid, _ in synthetic_images(2, seed="orthanc")]
    assert sorted(orthanc.images()) == sorted(uids)
    assert uids[0].encode() in orthanc.image_bytes(uids[0])


def test_every_postgres_test_has_a_database_of_its_own(postgres_server: Cluster, postgres_url: str) -> None:
    other = postgres_server.create_database()
    assert other != postgres_url
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE image (uid text)")
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('image')").fetchone() == (None,)


def test_postgres_can_be_taken_away_and_brought_back(postgres_cluster: Cluster) -> None:
    with postgres_cluster.server():
        url = postgres_cluster.create_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE image AS SELECT 1 AS number")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    with postgres_cluster.server(), psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM image").fetchone() == (1,)


@pytest.mark.parametrize(("filesystem", "mebibytes"), [("tmpfs", 4), ("ext4", 16), ("xfs", 320)])
def test_a_small_disk_fills_up(small_disk: MountSmallDisk, filesystem: Filesystem, mebibytes: int) -> None:
    disk = small_disk(mebibytes, filesystem)
    ballast = fill(disk, leave=MIB)
    (disk / "fits").write_bytes(bytes(MIB // 2))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
        (disk / "too-much").write_bytes(bytes(2 * MIB))
    assert caught.value.errno == errno.ENOSPC
    ballast.unlink()
    (disk / "too-much").write_bytes(bytes(2 * MIB))


def test_namespaces_reach_each_other_and_nothing_else(netns: NamespacePair) -> None:
    script = (
        "import socket, sys\n"
        "socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()\n"
        "print('connected')\n"
    )
    serve = (
        "import socket\n"
        "server = socket.create_server(('0.0.0.0', 11112))\n"
        "server.settimeout(20)\n"
        "print('address', server.accept()[1][0], flush=True)\n"
    )
    with subprocess.Popen(
        netns.receiver.command(sys.executable, "-c", serve), stdout=subprocess.PIPE, text=True
    ) as server:
        eventually(lambda: is_listening(11112, pid=netns.receiver.holder))
        client = subprocess.run(
            netns.sender.command(sys.executable, "-c", script, netns.receiver.address, "11112"),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert client.stdout == "connected\n", client.stderr
        assert server.communicate(timeout=30)[0] == f"address {netns.sender.address}\n"
    routes = subprocess.run(
        netns.sender.command("ip", "route"), capture_output=True, text=True, timeout=30, check=True
    ).stdout
    assert "default" not in routes
