"""Claims: one owner, known to the kernel, gone with the process, moving with the directory."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Claim, Spool, Stage, is_locked, is_sending, move
from tests.support.faults import failing_at

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from pathlib import Path
from mercure.spool import Claim
claim = Claim.take(Path(sys.argv[1]), exclusive=sys.argv[2] == "exclusive")
print(claim is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "task"
    path.mkdir()
    return path


def holding(folder: Path, kind: str = "exclusive") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_one_owner_at_a_time_and_released_on_kill(folder: Path) -> None:
    with holding(folder) as process:
        assert Claim.take(folder) is None
        assert Claim.take(folder, exclusive=False) is None
        assert is_locked(folder)
        process.kill()
        process.wait()
    assert not is_locked(folder)
    claim = Claim.take(folder)
    assert claim is not None
    claim.release()


def test_shared_claims_go_together_and_keep_an_exclusive_one_out(folder: Path) -> None:
    with holding(folder, "shared") as process:
        shared = Claim.take(folder, exclusive=False)
        assert shared is not None
        assert Claim.take(folder) is None
        shared.release()
        assert Claim.take(folder) is None
        process.kill()
    claim = Claim.take(folder)
    assert claim is not None
    claim.release()


def test_who_looks_whether_it_is_locked_keeps_no_other_onlooker_out(folder: Path) -> None:
    """Two routers look at the same association; neither may take the other's look for an open association."""
    real = fcntl.flock
    answers: list[bool | None] = []

    def flock(descriptor: int, operation: int) -> None:
        real(descriptor, operation)
        if not answers:
            answers.append(None)
            answers[0] = is_locked_plain(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        assert not is_locked(folder)
    assert answers == [False]


def is_locked_plain(folder: Path) -> bool:
    """Look as `is_locked` does, in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from mercure.spool import is_locked; print(is_locked(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout == "True\n"


def test_a_second_release_does_nothing(folder: Path) -> None:
    with Claim.take(folder) or pytest.fail("not claimed") as claim:
        claim.release()
        other = os.open(folder, os.O_RDONLY)
        claim.release()
    os.fstat(other)
    os.close(other)


def test_sending_is_said_by_the_owner_and_ends_with_the_claim(folder: Path) -> None:
    claim = Claim.take(folder)
    assert claim is not None
    assert not is_sending(folder)
    claim.set_sending(True)
    assert is_sending(folder)
    claim.set_sending(False)
    assert not is_sending(folder)
    claim.set_sending(True)
    claim.release()
    assert not is_sending(folder)


def test_a_process_that_inherits_a_claim_goes_on_sending(folder: Path) -> None:
    claim = Claim.take(folder)
    assert claim is not None
    claim.set_sending(True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[claim.descriptor]) as heir:
        claim.release()
        assert is_locked(folder)
        assert is_sending(folder)
        heir.kill()
        heir.wait()
        assert not is_sending(folder)


@pytest.mark.parametrize("kind", ["missing", "file", "link"])
def test_only_a_directory_can_be_claimed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_bytes(b"")
    if kind == "link":
        (tmp_path / "real").mkdir()
        path.symlink_to(tmp_path / "real")
    assert Claim.take(path) is None
    assert not is_locked(path)
    assert not is_sending(path)


def test_a_directory_that_was_moved_and_made_anew_is_not_mistaken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between open and lock its last owner moves it on, and somebody makes another of the same name."""
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if folder.exists():
            folder.rename(folder.with_name("moved"))
            folder.mkdir()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert Claim.take(folder) is None


def test_no_descriptor_is_left_open(folder: Path, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    claim = Claim.take(folder)
    assert claim is not None
    for _ in range(5):
        assert Claim.take(folder) is None
        assert Claim.take(tmp_path / "nothing") is None
        is_locked(folder)
    claim.release()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_claim_is_not_inherited_by_programs(folder: Path) -> None:
    claim = Claim.take(folder)
    assert claim is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as process:
        claim.release()
        again = Claim.take(folder)
        assert again is not None
        again.release()
        process.kill()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.create()
    return made


def claimed(spool: Spool, name: str = "t1") -> Claim:
    path = spool.entry(Stage.ROUTING, name)
    path.mkdir()
    (path / "1.dcm").write_bytes(b"1")
    claim = Claim.take(path)
    assert claim is not None
    return claim


def test_a_claim_moves_with_its_directory(spool: Spool) -> None:
    with claimed(spool) as claim:
        move(spool, claim, Stage.ERROR)
        assert claim.path == spool.entry(Stage.ERROR, "t1")
        assert is_locked_plain(claim.path)
        move(spool, claim, Stage.OUTGOING, "t2")
        assert (spool.entry(Stage.OUTGOING, "t2") / "1.dcm").exists()
    assert not is_locked_plain(claim.path)


def test_a_name_that_is_taken_is_refused_and_nothing_moves(spool: Spool) -> None:
    taken = spool.entry(Stage.ERROR, "t1")
    taken.mkdir()
    (taken / "2.dcm").write_bytes(b"2")
    with claimed(spool) as claim:
        with pytest.raises(FileExistsError, match="of this name"):
            move(spool, claim, Stage.ERROR)
        assert claim.path == spool.entry(Stage.ROUTING, "t1")
        assert (claim.path / "1.dcm").exists()
        assert [path.name for path in taken.iterdir()] == ["2.dcm"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_after_an_error_the_claim_knows_where_the_directory_is(spool: Spool, number: int) -> None:
    with claimed(spool) as claim:
        with failing_at(number, "EIO"), pytest.raises(OSError, match="Input"):
            move(spool, claim, Stage.ERROR)
        assert (claim.path / "1.dcm").exists()
        assert claim.path == spool.entry(Stage.ROUTING if number == 1 else Stage.ERROR, "t1")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/x", "x\0"])
def test_an_entry_has_a_plain_name(spool: Spool, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        spool.entry(Stage.INCOMING, name)
