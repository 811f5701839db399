"""`mercure spool move`: all that is in a spool is at one place or the other, whatever step was the last."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.spool_move import move
from appliance.supervision.foreground import sole_runner
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.spool import Spool, Stage
from mercure.spool.identity import ensure_identity, read_identity
from mercure.spool.place import SpoolPlace, in_force, place_problems, read_place, write_place
from mercure.spool.relocation import MoveError, move_spool, settle
from tests.support.faults import Crash, counted, crash_at
from tests.support.tasks import place_task
from tests.unit.appliance.test_spool_place import edit, start

Content = dict[str, tuple[bytes, int, int]]


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system than that of the tests."""
    with tempfile.TemporaryDirectory(prefix="spool-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def filled(session: Session) -> Session:
    """A root with tasks that share an image, events and state."""
    start(session)
    task = place_task(session, Stage.OUTGOING)
    other = place_task(session, Stage.ERROR, images=1)
    here, there = (
        session.spool.entry(stage, item.id) for stage, item in ((Stage.OUTGOING, task), (Stage.ERROR, other))
    )
    image = next(path for path in here.iterdir() if path.suffix == ".dcm")
    os.link(image, there / "shared.dcm")
    os.utime(here, ns=(10**18, 10**18))
    os.utime(image, ns=(10**18, 10**18))
    return session


def content(folder: Path) -> Content:
    """Return what each file holds, its time, and how many names it has."""
    found: Content = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state = path.stat()
            found[str(path.relative_to(folder))] = (path.read_bytes(), state.st_mtime_ns, state.st_nlink)
    return found


def test_on_the_same_disk_it_is_renamed_and_the_configuration_says_so(filled: Session, tmp_path: Path) -> None:
    before, inode = content(filled.spool.root), filled.spool.root.stat().st_ino
    moved = move(filled, tmp_path / "new" / "spool")
    after = Session(filled.root, "alice")
    assert after.spool.root == tmp_path / "new" / "spool"
    assert after.spool.root.stat().st_ino == inode
    assert after.config.spool == after.spool.root
    assert moved.revision == after.loaded.revision
    assert before.items() <= content(after.spool.root).items()
    assert not place_problems(after.root.path, after.spool.root)
    assert start(after).spool.root == after.spool.root
    assert move(after, after.spool.root).path == str(after.spool.root), "again is no harm"


def test_to_another_disk_it_is_copied_with_links_and_times(filled: Session, other_disk: Path) -> None:
    before, old, spool = content(filled.spool.root), filled.spool.root, read_identity(filled.spool)
    told: list[tuple[int, int]] = []
    move(filled, other_disk, lambda done, total: told.append((done, total)))
    after = Session(filled.root, "alice")
    assert before.items() <= content(other_disk).items()
    assert read_identity(after.spool) == spool
    assert not any(old.iterdir())
    assert told[-1][0] == told[-1][1]
    back = move(after, old)
    assert back.was == str(other_disk)
    assert Session(filled.root, "alice").config.spool is None
    assert before.items() <= content(old).items()


def rounds(session: Session, new: Path, every: int = 1) -> Iterator[tuple[Path, int, str]]:
    """Yield copies of a root, one for each step of a move or each `every` of them, with the number of the step."""
    template = session.root.path.with_name("template")
    session.root.path.rename(template)

    def fresh(number: int) -> Path:
        for path in (session.root.path, new):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(template, session.root.path, symlinks=True)
        os.utime(session.root.path / "spool", ns=(number, number))
        return session.root.path

    with counted() as steps:
        move_spool(fresh(0), new)
    taken = list(steps.taken)
    assert len(taken) > 3
    for number in range(len(taken), 0, -every):
        yield fresh(number), number, f"{taken[number - 1]}"


@pytest.mark.parametrize("disk", ["same", "other"])
def test_a_crash_at_any_step_leaves_a_whole_spool_in_force_and_the_same_command_goes_on(
    filled: Session, tmp_path: Path, other_disk: Path, disk: str
) -> None:
    new = (tmp_path if disk == "same" else other_disk) / "new"
    before = {name: data[0] for name, data in content(filled.spool.root).items()}
    for root, number, step in rounds(filled, new):
        with pytest.raises(Crash), crash_at(number):
            move_spool(root, new)
        found = in_force(root, root / "spool")
        if not found.is_dir():
            found = in_force(root, new)  # renamed and not yet written down: known by its id
        whole = {name: data[0] for name, data in content(found).items()}
        assert before.items() <= whole.items(), step
        move_spool(root, new)
        assert in_force(root, root / "spool") == new, step
        assert {name: data[0] for name, data in content(new).items()} == before, step
        left = root / "spool"
        assert not left.exists() or not any(left.iterdir()), step
        place = read_place(root)
        assert place is not None
        assert (place.moving, place.left) == (None, None), step


@pytest.mark.parametrize("disk", ["same", "other"])
def test_services_that_start_before_a_move_is_told_to_go_on_find_all_images(
    filled: Session, tmp_path: Path, other_disk: Path, disk: str
) -> None:
    """Where it was renamed already they must not begin an empty spool, which the move would then put over the whole."""
    new = (tmp_path if disk == "same" else other_disk) / "new"
    before = {
        name: data[0] for name, data in content(filled.spool.root).items() if name.endswith((".dcm", "task.json"))
    }
    assert len(before) > 3
    for root, number, step in rounds(filled, new, every=1 if disk == "same" else 5):
        with pytest.raises(Crash), crash_at(number):
            move_spool(root, new)
        session = Session(Root(root), "alice", clock=filled.clock)
        settle(root, session.root.named_spool(session.config))
        assert before.items() <= {name: data[0] for name, data in content(start(session).spool.root).items()}.items(), (
            step
        )
        move(session, new)
        assert before.items() <= {name: data[0] for name, data in content(new).items()}.items(), step
        assert Session(Root(root), "alice").spool.root == new, step


def test_a_copy_that_is_not_whole_is_not_taken_for_the_spool_whose_disk_is_away(
    filled: Session, other_disk: Path, tmp_path: Path
) -> None:
    new, away = other_disk / "new", tmp_path / "away"
    for root, number, step in rounds(filled, new, every=5):
        with pytest.raises(Crash), crash_at(number):
            move_spool(root, new)
        place = read_place(root)
        assert place is not None
        if place.path != "spool":
            continue  # the copy is whole, and in force
        whole = {name: data[0] for name, data in content(root / "spool").items()}
        shutil.rmtree(away, ignore_errors=True)
        (root / "spool").rename(away)
        found = in_force(root, root / "spool")
        if found == new:
            assert whole.items() <= {name: data[0] for name, data in content(new).items()}.items(), step
        else:
            with pytest.raises(MoveError, match="mount it"):
                move_spool(root, new)
        away.rename(root / "spool")
        move_spool(root, new)
        assert whole.items() <= {name: data[0] for name, data in content(new).items()}.items(), step


def test_a_place_with_another_spool_is_never_emptied(filled: Session, tmp_path: Path) -> None:
    """An older router may have begun an empty spool after a move that a crash cut off."""
    new = tmp_path / "new"
    move(filled, new)
    before = content(new)
    Spool(filled.root.path / "spool").create()
    write_place(
        filled.root.path,
        SpoolPlace(path="spool", spool=ensure_identity(Spool(filled.root.path / "spool")), moving=str(new)),
    )
    with pytest.raises(ControlError, match="another spool"):
        move(Session(filled.root, "alice"), new)
    assert content(new) == before


def test_a_move_that_was_cut_off_is_told_and_services_go_on_where_they_were(filled: Session, other_disk: Path) -> None:
    old = filled.spool.root
    with pytest.raises(Crash), crash_at(12):
        move_spool(filled.root.path, other_disk / "new")
    after = Session(filled.root, "alice", clock=filled.clock)
    (problem,) = place_problems(after.root.path, after.root.named_spool(after.config))
    assert "was not finished" in problem.text
    assert f"mercure spool move {other_disk / 'new'}" in problem.advice
    assert start(after).spool.root == old
    place_task(after, Stage.OUTGOING)
    before = content(old)
    move(after, other_disk / "new")
    assert before.items() <= content(other_disk / "new").items(), "what came in between goes along"


def test_another_place_may_be_chosen_after_a_move_was_cut_off(
    filled: Session, tmp_path: Path, other_disk: Path
) -> None:
    with pytest.raises(Crash), crash_at(12):
        move_spool(filled.root.path, other_disk / "new")
    move(filled, tmp_path / "second")
    assert not any((other_disk / "new").iterdir())
    assert Session(filled.root, "alice").spool.root == tmp_path / "second"


def test_what_does_not_fit_is_refused(filled: Session, tmp_path: Path) -> None:
    root = filled.root.path
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "something").touch()
    (tmp_path / "link").symlink_to(root / "spool", target_is_directory=True)
    for place, why in (
        (root / "spool" / "inner", "in each other"),
        (root, "in each other"),
        (tmp_path / "link" / "x", "in each other"),
        (root / "config" / "x", "in each other"),
        (occupied, "not empty"),
        (occupied / "something", "no folder"),
    ):
        with pytest.raises(ControlError, match=why):
            move(filled, place)
    assert filled.spool.root == root / "spool"


def test_a_router_that_runs_is_left_alone(filled: Session, tmp_path: Path) -> None:
    with sole_runner(filled.root.path), pytest.raises(ControlError, match="runs in"):
        move(filled, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_old_place_that_is_not_there_is_refused(filled: Session, tmp_path: Path) -> None:
    filled.spool.root.rename(tmp_path / "unmounted")
    with pytest.raises(ControlError, match="mount it"):
        move(filled, tmp_path / "new")


def test_a_changed_configuration_is_carried_out_by_the_move(filled: Session, tmp_path: Path) -> None:
    before = content(filled.spool.root)
    changed = edit(filled, tmp_path / "new")
    move(changed, tmp_path / "new")
    after = Session(Root(filled.root.path), "alice", clock=ManualClock())
    assert after.spool == Spool(tmp_path / "new")
    assert before.items() <= content(tmp_path / "new").items()
    assert not place_problems(after.root.path, tmp_path / "new")
