"""The spool's place: a changed `spool` never begins an empty spool while the old one holds anything, and it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from appliance.control.alerts.health import current_alerts, status
from appliance.control.configuration import changes
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure import durable
from mercure.history.verify import verify
from mercure.services.common import Context
from mercure.spool import Spool, Stage
from mercure.spool.identity import ensure_identity, read_identity
from mercure.spool.place import FILE_NAME, SpoolPlace, holds, place_problems, read_place, write_place
from mercure.spool.relocation import MoveError, move_spool, settle
from tests.support.tasks import events_of, place_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercure.clock import ManualClock
    from tests.support.fixtures import MountSmallDisk


@contextmanager
def unmounted(disk: Path) -> Iterator[None]:
    """Show the empty folder under a mount point, as before the disk is mounted, and bring the disk back at the end."""
    beside = disk.parent / "beside"
    beside.mkdir()
    subprocess.run(["mount", "--move", disk, beside], check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run(["mount", "--move", beside, disk], check=True, timeout=60)
        beside.rmdir()


def edit(session: Session, spool: Path | None) -> Session:
    """Change `spool` in the file as an editor does, and look anew."""
    path = session.store.mercure.path
    content = json.loads(path.read_text())
    content.pop("spool", None)
    path.write_text(json.dumps(content | ({"spool": str(spool)} if spool else {})))
    return Session(session.root, session.user, clock=session.clock)


def save(session: Session, spool: Path | None) -> None:
    content = changes.current(session, "mercure", session.loaded.revision)
    content |= {"spool": str(spool)} if spool else {}
    change = changes.Change(verb="config.save", object="", content=content, edited_from=session.loaded.revision)
    changes.save(session, change)


def start(session: Session) -> Context:
    context = Context(session.root.path, "router", session.clock)
    assert context.start()
    context.events.close()
    return context


FILLED = [Stage.OUTGOING, Stage.ERROR, Stage.SUCCESS, Stage.DISCARD, Stage.ROUTING, Stage.PROCESSING]


@pytest.mark.parametrize("stage", FILLED)
def test_a_place_that_holds_a_task_is_kept_by_services_and_told(session: Session, tmp_path: Path, stage: Stage) -> None:
    start(session)
    task = place_task(session, stage)
    new, old = tmp_path / "new", session.spool.root
    changed = edit(session, new)
    assert settle(session.root.path, changed.root.named_spool(changed.config)) == old
    assert start(changed).spool.root == old
    assert changed.spool.entry(stage, task.id).is_dir()
    assert not new.exists()
    (problem,) = [text for text in status(changed).problems if str(new) in text]
    assert f"1 in {stage.value}" in problem
    assert "mercure spool move" in problem
    (alert,) = [item for item in current_alerts(changed).alerts if item.kind == "spool"]
    assert str(old) in alert.text
    assert alert.severity == "critical"
    assert any(str(new) in note for note in verify(changed.root, changed.config).notes)


@pytest.mark.parametrize("stage", [Stage.INCOMING, Stage.QUARANTINE, Stage.STUDIES, Stage.RECEIVING])
def test_images_that_are_no_task_yet_count(session: Session, tmp_path: Path, stage: Stage) -> None:
    start(session)
    events_of(session)
    assert not holds(session.spool)
    session.spool.entry(stage, "1.2.3").mkdir()
    with pytest.raises(ControlError, match=f"1 in {stage.value}") as caught:
        save(session, tmp_path / "new")
    assert caught.value.problems[0].place == "spool"
    assert "mercure spool move" in caught.value.problems[0].advice


def test_events_that_nobody_has_read_count(session: Session, tmp_path: Path) -> None:
    start(session)
    with pytest.raises(ControlError, match="outbox"):
        save(session, tmp_path / "new")


def test_a_place_that_holds_nothing_is_left_at_the_next_start_of_the_router(session: Session, tmp_path: Path) -> None:
    start(session)
    events_of(session)
    new = tmp_path / "new"
    save(session, new)
    changed = Session(session.root, session.user, clock=session.clock)
    assert changed.spool.root == session.root.path / "spool", "services that run go on where they are"
    assert place_problems(changed.root.path, new)
    before = read_identity(changed.spool)
    assert holds(changed.spool)["outbox (not read yet)"]
    settle(changed.root.path, new)
    assert start(changed).spool.root == new
    assert read_identity(changed.spool) == before, "it is the same spool, with its state and its events"
    assert changed.spool.names(Stage.OUTBOX)
    assert not place_problems(changed.root.path, new)


@pytest.mark.parametrize("place", ["config/x", "log", "spool/inner", ".", "run"])
def test_a_place_in_or_around_a_folder_of_the_router_is_refused(session: Session, place: str) -> None:
    start(session)
    events_of(session)
    with pytest.raises(ControlError, match="lie in each other"):
        save(session, session.root.path / place)


def test_setting_it_back_is_no_change(session: Session, tmp_path: Path) -> None:
    start(session)
    place_task(session, Stage.OUTGOING)
    back = edit(edit(session, tmp_path / "new"), None)
    assert not place_problems(back.root.path, back.root.named_spool(back.config))
    save(back, None)


def test_a_place_that_is_not_there_is_waited_for(session: Session, tmp_path: Path, clock: ManualClock) -> None:
    old = tmp_path / "disk" / "spool"
    Spool(old).create()
    write_place(session.root.path, SpoolPlace(path=str(old)))
    changed = edit(session, tmp_path / "new")
    old.rename(tmp_path / "unmounted")
    context = Context(changed.root.path, "router", clock)
    context.stop.set()
    assert not context.start()
    assert not (tmp_path / "new").exists()
    assert not old.exists()
    assert "not there" in place_problems(changed.root.path, tmp_path / "new")[0].text
    with pytest.raises(ControlError, match="not there"):
        save(edit(changed, old), tmp_path / "other")


@pytest.mark.parametrize("below", [".", "spool", "deeper/spool"])
def test_a_disk_that_is_not_mounted_is_waited_for(
    session: Session, small_disk: MountSmallDisk, clock: ManualClock, tmp_path: Path, below: str
) -> None:
    disk = small_disk(4)
    named = edit(session, disk / below)
    assert start(named).spool.root == disk / below
    task, recorded = place_task(named, Stage.OUTGOING), read_place(session.root.path)
    with unmounted(disk):
        waiting = Context(session.root.path, "router", clock)
        waiting.stop.set()
        assert not waiting.start()
        assert settle(session.root.path, disk / below) == disk / below
        assert settle(session.root.path, tmp_path / "new") == disk / below, "an empty folder is no empty spool"
        assert read_place(session.root.path) == recorded
        assert not list(disk.iterdir()), "nothing is begun below the mount point"
        (problem,) = place_problems(session.root.path, disk / below)
        assert f"nothing is mounted at {disk}" in problem.text
        assert FILE_NAME in problem.advice
        with pytest.raises(ControlError, match="mounted"):
            save(named, tmp_path / "new")
        with pytest.raises(MoveError, match="mount it"):
            move_spool(session.root.path, tmp_path / "new")
    assert start(named).spool.entry(Stage.OUTGOING, task.id).is_dir()
    assert read_place(session.root.path) == recorded
    assert not place_problems(session.root.path, disk / below)


def test_a_spool_that_was_copied_to_the_folder_below_its_mount_point_is_used(
    session: Session, small_disk: MountSmallDisk, tmp_path: Path
) -> None:
    disk = small_disk(4)
    named = edit(session, disk / "spool")
    start(named)
    task = place_task(named, Stage.OUTGOING)
    shutil.copytree(disk / "spool", tmp_path / "copy")
    with unmounted(disk):
        shutil.copytree(tmp_path / "copy", disk / "spool")
        assert start(named).spool.entry(Stage.OUTGOING, task.id).is_dir()
        shutil.rmtree(disk / "spool")


def test_a_spool_that_was_removed_on_purpose_is_begun_anew(session: Session, small_disk: MountSmallDisk) -> None:
    disk = small_disk(4)
    named = edit(session, disk / "spool")
    start(named)
    before = read_identity(named.spool)
    shutil.rmtree(disk / "spool")
    assert start(named).spool.root == disk / "spool"
    assert read_identity(named.spool) not in ("", before)
    with unmounted(disk):
        (session.root.path / FILE_NAME).unlink()
        assert start(named).spool.root == disk / "spool", "its disk is gone for good, which a person has said"
        shutil.rmtree(disk / "spool")


def test_a_disk_that_holds_the_root_too_is_none_of_the_spools_own(session: Session) -> None:
    start(session)
    place = read_place(session.root.path)
    assert place is not None
    assert place.mount is None


def test_a_spool_that_was_moved_by_hand_is_known_again(session: Session, tmp_path: Path) -> None:
    start(session)
    place_task(session, Stage.OUTGOING)
    session.spool.root.rename(tmp_path / "new")
    changed = edit(session, tmp_path / "new")
    assert changed.spool.root == tmp_path / "new"
    assert start(changed).spool.root == tmp_path / "new"
    assert not place_problems(changed.root.path, tmp_path / "new")
    assert read_place(session.root.path) == SpoolPlace(path=str(tmp_path / "new"), spool=read_identity(changed.spool))


def test_the_id_of_a_spool_is_given_once(session: Session) -> None:
    first = ensure_identity(session.spool)
    assert len(first) == 32
    assert ensure_identity(session.spool) == first
    (session.spool.stage(Stage.STATE) / "spool.json").write_text("{")
    assert ensure_identity(session.spool) not in ("", first)


def test_a_spool_of_the_release_before_is_not_left_behind(session: Session, tmp_path: Path) -> None:
    place_task(session, Stage.OUTGOING)
    (session.root.path / FILE_NAME).unlink(missing_ok=True)
    changed = edit(session, tmp_path / "new")
    assert changed.spool.root == session.root.path / "spool"
    Spool(tmp_path / "new").create()
    assert changed.spool.root == tmp_path / "new", "one that was begun is used as before"


def test_a_root_may_be_moved_whole(session: Session, tmp_path: Path) -> None:
    start(session)
    place_task(session, Stage.OUTGOING)
    session.root.path.rename(tmp_path / "elsewhere")
    moved = Session(type(session.root)(tmp_path / "elsewhere"), "alice", clock=session.clock)
    assert moved.spool.root == tmp_path / "elsewhere" / "spool"
    assert not place_problems(moved.root.path, moved.root.named_spool(moved.config))


def test_a_broken_note_of_the_place_is_none(session: Session) -> None:
    (session.root.path / FILE_NAME).write_text("{")
    assert read_place(session.root.path) is None
    assert start(session).spool.root == session.root.path / "spool"
    assert read_place(session.root.path) == SpoolPlace(path="spool", spool=read_identity(session.spool))


def test_a_stage_on_another_file_system_is_told(session: Session) -> None:
    start(session)
    stage = session.spool.stage(Stage.SUCCESS)
    stage.rmdir()
    stage.symlink_to("/proc/self", target_is_directory=True)
    (problem,) = place_problems(session.root.path, session.spool.root)
    assert "success of" in problem.text


def test_a_disk_that_refuses_the_note_stops_no_service(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise OSError(28, "no room")

    (session.root.path / FILE_NAME).unlink(missing_ok=True)
    monkeypatch.setattr(durable, "write_file", refuse)
    assert start(session).spool.root == session.root.path / "spool"
