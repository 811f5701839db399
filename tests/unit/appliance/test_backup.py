"""Backups: what is in them, that damage is found, and that they can be brought back."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import archive, backup, restore
from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.health import status
from appliance.control.alerts.inputs import last_backup, look
from appliance.control.api.backup import BackupMade, CreateBackup, OneBackup
from appliance.control.api.base import Progress
from appliance.control.api.verification import Verification
from appliance.control.errors import ControlError
from appliance.control.session import Session
from appliance.control.verification import verify
from appliance.signatures import SigningKey
from mercure import durable
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.spool import Stage
from mercure.spool.notices import notices
from tests.support.certificates import make_certificate
from tests.support.tasks import PutTask, events_of
from tests.support.verbs import asked
from tests.tui.filling import receive


def quiet(progress: Progress) -> None:
    """Take no notice."""


def make(session: Session, *, images: bool = False, folder: Path | None = None) -> BackupMade:
    return backup.create(asked(session), CreateBackup(images=images, folder=None if folder is None else str(folder)))


def bring(path: str | Path, root: Path, clock: ManualClock, *, force: bool = False) -> restore.Restored:
    return restore.restore(Session(Root(root), "bob", clock=clock), Path(path), force=force, report=quiet)


@pytest.fixture
def used(session: Session, put_task: PutTask) -> Session:
    """A router with a past: images received and delivered, a task that waits, and a state."""
    receive(session)
    put_task(Stage.OUTGOING)
    put_task(Stage.ERROR)
    state = session.spool.stage(Stage.STATE)
    (state / "targets" / "delivered").mkdir(parents=True)
    (state / "targets" / "delivered" / "outage.json").write_text("{}")
    (state / "reserve").write_bytes(bytes(100_000))
    return session


def names(path: str | Path) -> set[str]:
    with tarfile.open(path) as tar:
        return set(tar.getnames())


def content(root: Path) -> dict[str, bytes]:
    """Return the files of a root, without what running makes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("config", "spool")
        for path in (root / folder).rglob("*")
        if path.is_file()
    }


def test_it_holds_configuration_revisions_history_state_and_waiting_events(used: Session) -> None:
    used.store.mercure.save(used.config, author="bob", comment="again", edited_from=1, by_hand=True)
    with used.changing() as events:
        used.audit(events, "test", "x")
    made = make(used)
    found = names(made.path)
    assert {"config/mercure.json", "config/services.json", "config/revisions/mercure/000001.json"} <= found
    assert {"history/history.db", "spool/state/targets/delivered/outage.json", "manifest.json"} <= found
    assert any(name.startswith("spool/outbox/") for name in found)
    assert "spool/state/reserve" not in found
    assert not [name for name in found if name.endswith(".dcm")]
    assert (made.history, made.images, made.left_out, made.files) == ("sqlite", False, (), len(found) - 1)
    assert Path(made.path).parent == used.root.path / "backup"
    assert Path(made.path).stat().st_mode & 0o777 == 0o600


def test_with_images_everything_that_waits_or_is_kept_is_in_it(used: Session) -> None:
    made = make(used, images=True)
    stages = {name.split("/")[1] for name in names(made.path) if name.endswith(".dcm")}
    assert {"outgoing", "error"} <= stages


def test_it_is_audited_and_told_how_far_it_is(used: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_REPORT_BYTES", 1)
    events_of(used)
    told: list[Progress] = []
    made = backup.create(asked(used, told.append), CreateBackup())
    assert [event.details["verb"] for event in events_of(used) if event.type == "audit"] == ["backup.create"]
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert told[-1].done == told[-1].total > 0
    assert made.bytes > told[-1].done


def test_a_copy_of_the_history_is_whole_while_it_is_written(used: Session) -> None:
    history = sqlite3.connect(used.root.path / "history.db")
    history.execute("BEGIN IMMEDIATE")
    history.execute("CREATE TABLE half_done (x)")
    made = make(used)
    history.rollback()
    history.close()
    with tarfile.open(made.path) as tar:
        file = tar.extractfile("history/history.db")
        assert file is not None
        (used.root.path / "copy.db").write_bytes(file.read())
    copy = sqlite3.connect(used.root.path / "copy.db")
    tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
    copy.close()
    assert "image" in tables or "images" in tables
    assert "half_done" not in tables


def test_a_task_that_moves_on_meanwhile_is_neither_missed_nor_there_twice(
    used: Session, put_task: PutTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = put_task(Stage.OUTGOING, age=500), put_task(Stage.OUTGOING, age=400)
    spool, real = used.spool, backup._add_entry

    def moving(writer: archive.Writer, name: str, path: Path) -> bool:
        done = real(writer, name, path)
        if path.name == first.id and path.exists():  # both are delivered while the first is copied
            for task in (first, second):
                spool.entry(Stage.OUTGOING, task.id).rename(spool.entry(Stage.SUCCESS, task.id))
        return done

    monkeypatch.setattr(backup, "_add_entry", moving)
    found = names(make(used, images=True).path)
    for task in (first, second):
        assert len([name for name in found if name.endswith(f"{task.id}/task.json")]) == 1


def test_the_disk_refuses_and_nothing_is_left(used: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(archive.Writer):
        def add(self, name: str, file: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    monkeypatch.setattr(backup, "Writer", Full)
    with pytest.raises(OSError, match="No space left"):
        make(used)
    assert not list((used.root.path / "backup").iterdir())
    assert not list(used.root.run.glob("backup-*"))


def test_where_to_must_be_a_folder(used: Session, tmp_path: Path) -> None:
    assert Path(make(used, folder=tmp_path).path).parent == tmp_path
    for wrong in (Path("relative"), tmp_path / "missing"):
        with pytest.raises(ControlError, match="is no folder"):
            make(used, folder=wrong)


def test_backups_are_listed_and_compared(used: Session, clock: ManualClock) -> None:
    first = make(used)
    clock.advance(60)
    second = make(used)
    os.utime(first.path, (1, 1))
    listed = backup.list_backups(used)
    assert [item.path for item in listed] == [second.path, first.path]
    checked = backup.check(asked(used), OneBackup(name=listed[0].name))
    assert (checked.ok, checked.node, checked.by, checked.files) == (True, used.config.name, "alice", second.files)
    with pytest.raises(ControlError, match="there is no backup"):
        backup.check(asked(used), OneBackup(name="../config/mercure.json"))


def rewrite(path: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> None:
    """Write a backup anew with changed members."""
    with tarfile.open(path) as tar:
        members = [(member, (tar.extractfile(member) or io.BytesIO()).read()) for member in tar]
    with tarfile.open(path, "w") as tar:
        for member, data in members:
            changed = change(member, data)
            if changed is not None:
                changed[0].size = len(changed[1])
                tar.addfile(changed[0], io.BytesIO(changed[1]))


def renamed(old: str, new: str) -> Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]:
    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        member.name = new if member.name == old else member.name
        return member, data

    return change


def linked(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name == "config/services.json":
        member.type, member.linkname, data = tarfile.SYMTYPE, "/etc/passwd", b""
    return member, data


NOT_KEPT = ("spool/state/reserve", "spool/state/returns/", "spool/state/instances/")
"""Room without content, and hints of the last days: of no use to another root."""

DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "has no manifest": lambda path: rewrite(path, lambda m, d: None if m.name == "manifest.json" else (m, d)),
    "is missing": lambda path: rewrite(path, lambda m, d: None if m.name == "config/services.json" else (m, d)),
    "not as it was written": lambda path: rewrite(
        path, lambda m, d: (m, d.replace(b"everything", b"everythinG") if m.name == "config/mercure.json" else d)
    ),
    "no name that a backup has": lambda path: rewrite(path, renamed("config/services.json", "config/../../evil")),
    "is no plain file": lambda path: rewrite(path, linked),
    "is there twice": lambda path: rewrite(path, renamed("config/services.json", "config/mercure.json")),
    "is no backup": lambda path: path.write_bytes(b"hello" * 1000),
}


@pytest.mark.parametrize("problem", DAMAGES)
def test_damage_is_found_and_nothing_is_brought_back(
    problem: str, used: Session, tmp_path: Path, clock: ManualClock
) -> None:
    path = Path(make(used).path)
    DAMAGES[problem](path)
    checked = backup.check(asked(used), OneBackup(name=path.name))
    assert not checked.ok
    assert problem in checked.problem
    with pytest.raises(ControlError, match=problem):
        bring(path, tmp_path / "new", clock)
    assert not content(tmp_path / "new")
    assert not (tmp_path / "evil").exists()


def test_every_flipped_byte_of_a_file_is_found(used: Session) -> None:
    path = Path(make(used).path)
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        members = [member for member in tar if member.name != "manifest.json"]
    for member in members:
        damaged = bytearray(whole)
        damaged[member.offset_data + member.size // 2] ^= 1
        path.write_bytes(damaged)
        assert not backup.check(asked(used), OneBackup(name=path.name)).ok, member.name


def test_brought_back_into_an_empty_root_all_is_as_it_was(used: Session, tmp_path: Path, clock: ManualClock) -> None:
    before, accounts = content(used.root.path), verify(asked(used), Verification()).model_dump(exclude={"time"})
    made = make(used, images=True)
    root = tmp_path / "new"
    restored = bring(made.path, root, clock)
    after = content(root)
    for name, data in before.items():
        if name.startswith(("config/", "spool/")) and not name.startswith(NOT_KEPT):
            assert after[name] == data, name
    assert not [name for name in after if name.startswith(NOT_KEPT[1])]
    assert (restored.history, restored.images, restored.replaced, restored.kept) == ("sqlite", True, (), 0)
    new = Session(Root(root), "bob", clock=clock)
    assert new.config == used.config
    assert [event.details["verb"] for event in events_of(new) if event.type == "audit"][-1] == "backup.restore"
    assert not list(root.glob(".restoring*"))
    assert not list((root / "spool").glob(".restoring*"))
    assert verify(asked(new), Verification()).model_dump(exclude={"time"}) == accounts


def test_the_key_of_the_box_is_in_it_and_comes_back_for_nobody_else(
    used: Session, tmp_path: Path, clock: ManualClock
) -> None:
    key, _ = SigningKey.ensure(used.root.keys)
    made = make(used)
    assert "config/keys/box.pem" in names(made.path)
    bring(made.path, tmp_path / "new", clock)
    folder = Root(tmp_path / "new").keys
    found = SigningKey.load(folder)
    assert found is not None
    assert found.public == key.public
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_key_that_was_there_is_kept_aside_or_stays_where_the_backup_has_none(
    used: Session, tmp_path: Path, clock: ManualClock
) -> None:
    without = make(used)
    first, _ = SigningKey.ensure(used.root.keys)
    bring(without.path, used.root.path, clock, force=True)
    assert SigningKey.ensure(used.root.keys)[0].public == first.public
    within = make(used, folder=tmp_path)
    shutil.rmtree(used.root.keys)
    second, _ = SigningKey.ensure(used.root.keys)
    clock.advance(5)
    restored = bring(within.path, used.root.path, clock, force=True)
    assert SigningKey.ensure(used.root.keys)[0].public == first.public
    (aside,) = (Path(name) for name in restored.replaced if name.endswith("/config"))
    kept = SigningKey.load(aside / "keys")
    assert kept is not None
    assert kept.public == second.public


def test_private_keys_of_tls_are_in_no_backup_and_stay_where_they_are(
    used: Session, tmp_path: Path, clock: ManualClock
) -> None:
    SigningKey.ensure(used.root.keys)
    made_elsewhere = make_certificate(tmp_path, "router")
    places = [used.root.config / "router.key", used.root.config / "tls" / "deep" / "both.pem", used.root.tls / "a.key"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"# ours\n" + made_elsewhere.file.read_bytes() + made_elsewhere.key.read_bytes())
        place.chmod(0o600)
    shutil.copy(made_elsewhere.file, used.root.config / "router.pem")
    made = make(used, folder=tmp_path)
    assert {"config/keys/box.pem", "config/router.pem"} <= names(made.path)
    with tarfile.open(made.path) as tar:
        held = {name: tar.extractfile(name) for name in tar.getnames() if name != "config/keys/box.pem"}
        assert not [name for name, file in held.items() if file is not None and b"PRIVATE KEY" in file.read()]
    bring(made.path, used.root.path, clock, force=True)
    for place in places:
        assert b"PRIVATE KEY" in place.read_bytes(), place
        assert place.stat().st_mode & 0o777 == 0o600


def test_a_root_with_something_in_it_is_refused(used: Session, clock: ManualClock) -> None:
    made = make(used, images=True)
    before = content(used.root.path)
    with pytest.raises(ControlError, match="is not empty") as refused:
        bring(made.path, used.root.path, clock)
    assert "--force" in refused.value.advice
    assert content(used.root.path) == before


def test_by_force_what_is_replaced_is_kept_and_images_and_events_stay(
    used: Session, put_task: PutTask, clock: ManualClock
) -> None:
    made = make(used, images=True)
    delivered = next(iter(used.spool.names(Stage.OUTGOING)))
    used.spool.entry(Stage.OUTGOING, delivered).rename(used.spool.entry(Stage.SUCCESS, delivered))
    later = put_task(Stage.OUTGOING, age=1)
    content_now = json.loads(used.store.mercure.path.read_text())
    content_now["name"] = "changed-since"
    used.store.mercure.path.write_text(json.dumps(content_now))
    with used.changing() as events:
        used.audit(events, "after the backup", "x")
    restored = bring(made.path, used.root.path, clock, force=True)
    new = Session(used.root, "bob", clock=clock)
    assert new.config.name != "changed-since"
    kept = {Path(path).name for path in restored.replaced}
    assert {"config", "state", "history.db"} <= kept
    old = next(path for path in restored.replaced if path.endswith("/config"))
    assert "changed-since" in (Path(old) / "mercure.json").read_text()
    assert used.spool.find(later.id) is Stage.OUTGOING
    assert used.spool.find(delivered) is Stage.SUCCESS
    assert delivered not in used.spool.names(Stage.OUTGOING)
    assert "after the backup" in [event.details.get("verb") for event in events_of(new)]


def test_nothing_is_brought_back_under_a_running_router(used: Session, tmp_path: Path, clock: ManualClock) -> None:
    made = make(used, folder=tmp_path)
    descriptor = os.open(used.root.run, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(ControlError, match="runs in") as refused:
            bring(made.path, used.root.path, clock, force=True)
    finally:
        os.close(descriptor)
    assert refused.value.kind == "busy"


def test_what_a_crash_left_half_done_is_finished_by_the_next_try(
    used: Session, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(used, images=True)
    root = tmp_path / "new"
    real, count = durable.rename, iter(range(1000))

    for broken_at in range(3):

        def failing(source: Path, destination: Path, at: int = broken_at) -> None:
            if next(count) % 3 == at:
                raise OSError(errno.EIO, "I/O error", str(destination))
            real(source, destination)

        monkeypatch.setattr(durable, "rename", failing)
        with pytest.raises(OSError, match="I/O error"):
            bring(made.path, root, clock, force=True)
    monkeypatch.setattr(durable, "rename", real)
    clock.advance(60)
    bring(made.path, root, clock, force=True)
    new = Session(Root(root), "bob", clock=clock)
    assert new.config == used.config
    assert set(new.spool.names(Stage.OUTGOING)) == set(used.spool.names(Stage.OUTGOING))


def test_a_spool_of_its_own_is_filled_where_the_configuration_says(
    used: Session, tmp_path: Path, clock: ManualClock
) -> None:
    other = tmp_path / "disk" / "spool"
    changed = used.config.model_dump(mode="json", exclude_defaults=True) | {"spool": str(other)}
    used.spool.root.rename(tmp_path / "moved")
    other.parent.mkdir()
    (tmp_path / "moved").rename(other)
    used.store.mercure.save(used.store.parse(changed), author="t", comment="", edited_from=1)
    elsewhere = Session(used.root, "alice", clock=clock)
    made = make(elsewhere, images=True, folder=tmp_path)
    waiting = elsewhere.spool.names(Stage.OUTGOING)
    other.rename(tmp_path / "gone")
    bring(made.path, tmp_path / "new", clock)
    assert Session(Root(tmp_path / "new"), "bob").spool.root == other
    assert elsewhere.spool.names(Stage.OUTGOING) == waiting


def test_what_killed_backups_left_goes_with_the_next_one_and_nothing_else(used: Session) -> None:
    whole = Path(make(used).path)
    half = whole.with_name(f".{whole.name}.0123abcd.tmp")
    kept = [
        whole,
        whole.with_name(".mercure-other-20260101T000000Z.tar.0123abcd.tmp"),
        whole.with_name("mercure-notes.tmp"),
    ]
    scratch, used_by_another = used.root.run / "backup-dead", used.root.run / "backup-alive"
    for path in (half, *kept[1:]):
        path.write_bytes(b"x" * 100)
    for folder in (scratch, used_by_another):
        folder.mkdir()
        (folder / "history").write_bytes(b"x")
    alive = os.open(used_by_another, os.O_RDONLY)
    fcntl.flock(alive, fcntl.LOCK_EX)
    try:
        assert isinstance(used.clock, ManualClock)
        used.clock.advance(1)
        made = Path(make(used).path)
    finally:
        os.close(alive)
    assert not half.exists()
    assert not scratch.exists()
    assert used_by_another.exists()
    assert all(path.exists() for path in (*kept, made))


def test_a_backup_that_is_being_written_is_no_leftover(used: Session) -> None:
    whole = Path(make(used).path)
    half = whole.with_name(f".{whole.name}.0123abcd.tmp")
    half.write_bytes(b"x")
    writing = os.open(whole.parent, os.O_RDONLY)
    fcntl.flock(writing, fcntl.LOCK_SH)
    assert isinstance(used.clock, ManualClock)
    used.clock.advance(1)
    make(used)
    assert half.exists()
    os.close(writing)
    used.clock.advance(1)
    make(used)
    assert not half.exists()


def test_a_backup_that_failed_is_noticed_until_one_is_made(used: Session, tmp_path: Path) -> None:
    with pytest.raises(ControlError):
        make(used, folder=tmp_path / "not mounted")
    (notice,) = notices(used.spool)
    assert (notice.kind, "not mounted" in notice.text) == ("backup", True)
    make(used)
    assert not notices(used.spool)


def test_when_the_last_one_was_made_is_known_and_an_old_one_is_an_alert(session: Session, clock: ManualClock) -> None:
    def overdue() -> list[str]:
        alerts = alerts_of(status(session), look(session), session.config.alerts).alerts
        return [alert.text for alert in alerts if alert.key == "backup:overdue"]

    assert last_backup(session.spool) is None
    clock.advance(90 * 86400)
    assert overdue() == [], "who never made one has chosen so"
    make(session)
    assert last_backup(session.spool) == clock.now()
    clock.advance(49 * 3600)
    assert overdue() == []
    clock.advance(2 * 3600)
    assert overdue() == ["the last backup was made 2 days ago"]
    make(session)
    assert overdue() == []
