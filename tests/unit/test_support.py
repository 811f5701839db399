"""The helpers of the tests themselves: what they promise, they do, and their failures are failures."""

from __future__ import annotations

import io
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from tests.support import leftovers, ports
from tests.support.data_sets import data_set_of
from tests.support.dicom_files import pydicom_files, storable_files
from tests.support.folders import short_folder
from tests.support.held import held
from tests.support.polling import eventually
from tests.support.processes import running
from tests.support.procfs import group_members, is_alive, processes
from tests.support.series import synthetic_images, synthetic_series

PROJECT = Path(__file__).resolve().parents[2]

# Ignores SIGTERM and has a child that does so too: only SIGKILL of the group ends both.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def test_eventually_returns_the_first_true_value() -> None:
    counter = itertools.count()
    assert eventually(lambda: next(counter) >= 3 and "done") == "done"


def test_eventually_fails_with_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.01 s: the moon \(the last value was 0\)"):
        eventually(lambda: 0, seconds=0.01, what="the moon")


def test_ports_are_never_given_out_twice() -> None:
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == 50


def test_listening_is_seen_without_connecting() -> None:
    port = ports.free_port()
    assert not ports.is_listening(port)
    with closing(socket.create_server(("127.0.0.1", port))) as server:
        assert ports.is_listening(port)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("length", [0, 100, 134, 143, 150])
def test_an_image_that_stock_storescp_just_begins_is_not_held_and_one_of_the_router_is_an_error(
    tmp_path: Path, length: int
) -> None:
    (image,) = synthetic_series(tmp_path / "whole", 1, 8, 8)
    whole = image.read_bytes()
    (tmp_path / "CT.1.2.3").write_bytes(whole[:length])
    assert list(held(tmp_path)) == [data_set_of(whole)]
    (tmp_path / "1.2.3.dcm").write_bytes(whole[:length])
    with pytest.raises(ValueError, match="no DICOM file with"):
        list(held(tmp_path))


def test_a_group_that_ignores_sigterm_is_killed() -> None:
    with running(
        [sys.executable, "-c", STUBBORN], ready=lambda program: program.output().count("ready") == 2, grace=0.1
    ) as program:
        group = program.pid
        assert len(group_members(group)) == 2
    assert program.popen.returncode == -signal.SIGKILL
    assert group_members(group) == []


def test_a_program_ends_with_a_worker_that_was_killed() -> None:
    worker = (
        "import os, signal\n"
        "from tests.support.processes import running\n"
        "from tests.support.procfs import command_line\n"
        "with running(['sleep', '602'], ready=lambda program: command_line(program.pid) == 'sleep 602') as program:\n"
        "    print(program.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", worker], cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    eventually(lambda: not is_alive(int(result.stdout)), what="the program has ended")


def test_a_program_that_ends_early_shows_its_output() -> None:
    command = [sys.executable, "-c", "print('no such target'); raise SystemExit(3)"]
    with (
        pytest.raises(AssertionError, match=r"(?s)ended with 3 before it was ready.*no such target"),
        running(command, ready=lambda program: not program.is_alive and False),
    ):
        pass


def test_the_output_of_a_program_reaches_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    with running([sys.executable, "-c", "print('hello from below')"]) as program:
        assert program.wait() == 0
    assert "hello from below" in capsys.readouterr().out


def test_an_orphan_is_found_and_removed() -> None:
    before = leftovers.present([])
    # A session and a parent of its own: neither group nor family lead to it, only the mark in its environment.
    shell = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    pid = int(subprocess.run(["sh", "-c", shell], check=True, capture_output=True, timeout=30).stdout)
    assert is_alive(pid)
    left = leftovers.clear(before, [])
    assert [(number, command) for (number, _), command in left.processes.items()] == [(pid, "sleep 600")]
    eventually(lambda: not is_alive(pid), what="the orphan is gone")
    assert not leftovers.present([]).beyond(before)


def test_what_has_gone_since_the_table_was_read_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        table = processes()
        assert child.pid in table
        child.kill()
    monkeypatch.setattr(leftovers, "processes", lambda: table)
    assert child.pid not in [pid for pid, _ in leftovers.present([]).processes]


def test_a_test_that_leaves_a_process_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import *\nfrom tests.conftest import _nothing_left_behind\n"
    )
    (tmp_path / "test_leak.py").write_text(
        "import subprocess\n"
        "def test_leak():\n"
        "    subprocess.run(['sh', '-c', 'setsid sleep 601 >/dev/null 2>&1 &'], check=True)\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", tmp_path, "-c", os.devnull, tmp_path],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "left behind by the test" in result.stdout
    assert "sleep 601" in result.stdout


def test_short_folders_leave_room_for_sockets() -> None:
    with short_folder() as folder:
        assert len(str(folder)) < 40
        (folder / "something").touch()
    assert not folder.exists()


def test_the_same_seed_gives_the_same_images() -> None:
    assert synthetic_images(3, seed=7) == synthetic_images(3, seed=7)
    assert {uid for uid, _ in synthetic_images(3, seed=7)}.isdisjoint(uid for uid, _ in synthetic_images(3, seed=8))


def test_synthetic_images_are_valid_and_differ_where_they_should() -> None:
    images = synthetic_images(5, rows=16, columns=32, PatientID="Z9", Modality="MR")
    datasets = [pydicom.dcmread(io.BytesIO(data)) for _, data in images]
    assert [dataset.SOPInstanceUID for dataset in datasets] == [uid for uid, _ in images]
    assert [dataset.file_meta.MediaStorageSOPInstanceUID for dataset in datasets] == [uid for uid, _ in images]
    assert [int(dataset.InstanceNumber) for dataset in datasets] == [1, 2, 3, 4, 5]
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 1
    assert len({dataset.PixelData for dataset in datasets}) == 5
    assert {(dataset.Rows, dataset.Columns, dataset.PatientID, dataset.Modality) for dataset in datasets} == {
        (16, 32, "Z9", "MR")
    }
    assert all(len(uid) <= 64 and pydicom.uid.UID(uid).is_valid for uid, _ in images)


def test_a_uid_is_left_alone_whatever_digits_it_has() -> None:
    images = [image for image in synthetic_images(23, 4, 4, seed="rest 1") if "999999" in image[0]]
    assert images, "this seed has such a UID"
    assert [pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID for _, data in images] == [uid for uid, _ in images]


def test_a_series_is_written_in_order(tmp_path: Path) -> None:
    files = synthetic_series(tmp_path / "series", 3, seed="s")
    assert [path.read_bytes() for path in files] == [data for _, data in synthetic_images(3, seed="s")]


def test_the_packages_bring_files_of_every_kind() -> None:
    everything, storable = pydicom_files(), storable_files()
    assert set(storable) < set(everything)
    assert len(storable) > 100
    assert not any(path.name.startswith("DICOMDIR") for path in storable)


def test_nothing_is_imported_from_a_conftest_or_from_another_folders_test() -> None:
    """A conftest holds fixtures, which pytest finds; what tests call by name is in ``tests/support``."""
    importing = re.compile(r"^\s*(?:from|import) (tests\.(?:\w+\.)*)(conftest|test_\w+)\b", re.MULTILINE)
    found = [
        f"{path.relative_to(PROJECT)}: {folder}{module}"
        for path in (PROJECT / "tests").rglob("*.py")
        for folder, module in importing.findall(path.read_text("utf-8"))
        if module == "conftest" or folder != ".".join(path.parent.relative_to(PROJECT).parts) + "."
    ]
    assert found == []
