"""Encrypted backups: only who has the private key reads one, and what is not whole is never taken for a backup."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from appliance import backup, restore
from appliance.archive import ArchiveError, read
from appliance.backup_encryption import EncryptionError, encrypted
from appliance.control.api.backup import BackupMade, CreateBackup
from appliance.control.api.base import Progress
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.clock import ManualClock
from mercure.config import Root
from mercure.spool.notices import notices
from tests.support.verbs import asked


def quiet(progress: Progress) -> None:
    """Take no notice."""


def new_key(folder: Path, name: str) -> tuple[Path, str]:
    """Make a key; return the file of the private one, and the public one."""
    file = folder / name
    subprocess.run(["age-keygen", "--output", file], check=True, capture_output=True)
    done = subprocess.run(["age-keygen", "-y", file], check=True, capture_output=True, text=True)
    return file, done.stdout.strip()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Make a private key, and a file of recipients."""
    private, public = new_key(tmp_path, "key.txt")
    recipients = tmp_path / "recipients"
    recipients.write_text(f"# made by a test\n{public}\n")
    return private, recipients


def make(session: Session, recipients: Path, folder: Path) -> BackupMade:
    folder.mkdir(exist_ok=True)
    return backup.create(asked(session), CreateBackup(folder=str(folder), recipients=str(recipients)))


def test_it_is_read_with_the_private_key_and_brought_back(
    session: Session, keys: tuple[Path, Path], tmp_path: Path, clock: ManualClock
) -> None:
    private, recipients = keys
    made = make(session, recipients, tmp_path / "backups")
    path = Path(made.path)
    assert path.name.endswith(".tar.age")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == made.bytes
    assert b"manifest" not in path.read_bytes()
    found = backup.checked(path, quiet, private)
    assert (found.ok, found.files, found.node) == (True, made.files, session.config.name)
    there = Session(Root(tmp_path / "new"), "bob", clock=clock)
    done = restore.restore(there, path, force=False, report=quiet, identity=private)
    assert done.files == made.files
    assert there.config == session.config


def test_without_the_right_key_nobody_reads_it(session: Session, keys: tuple[Path, Path], tmp_path: Path) -> None:
    path = Path(make(session, keys[1], tmp_path / "backups").path)
    other, _ = new_key(tmp_path, "other.txt")
    assert "its private key is needed" in backup.checked(path, quiet).problem
    found = backup.checked(path, quiet, other)
    assert not found.ok
    assert "no identity matched any of the recipients" in found.problem


def test_every_recipient_can_read_it(session: Session, keys: tuple[Path, Path], tmp_path: Path) -> None:
    second, public = new_key(tmp_path, "second.txt")
    keys[1].write_text(f"{keys[1].read_text()}{public}\n")
    path = Path(make(session, keys[1], tmp_path / "backups").path)
    assert backup.checked(path, quiet, keys[0]).ok
    assert backup.checked(path, quiet, second).ok


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "longer"])
def test_what_is_not_whole_is_found(harm: str, session: Session, keys: tuple[Path, Path], tmp_path: Path) -> None:
    path = Path(make(session, keys[1], tmp_path / "backups").path)
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"cut": content[:middle], "flipped": flipped, "empty": b"", "longer": content + b"x"}[harm])
    with pytest.raises(ArchiveError, match="cannot be decrypted"):
        read(path, identity=keys[0])


@pytest.mark.parametrize("recipients", [None, "", "age1nothing\n", "AGE-SECRET-KEY-1\n"])
def test_keys_that_cannot_be_used_leave_no_file_and_are_told(
    recipients: str | None, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "recipients"
    if recipients is not None:
        file.write_text(recipients)
    with pytest.raises(ControlError, match="could not be encrypted: age: ") as refused:
        make(session, file, tmp_path / "backups")
    assert str(file) in refused.value.advice
    assert list((tmp_path / "backups").iterdir()) == []
    (notice,) = [notice for notice in notices(session.spool) if notice.kind == "backup"]
    assert "no backup could be made" in notice.text
    assert "SECRET" not in refused.value.text + notice.text


def test_a_machine_without_the_program_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(EncryptionError, match="install Debian's package 'age'"),
        (tmp_path / "file").open("wb") as file,
        encrypted(file, tmp_path),
    ):
        pass


def test_it_is_listed_with_the_plain_ones(session: Session, keys: tuple[Path, Path]) -> None:
    plain = backup.create(asked(session), CreateBackup())
    hidden = backup.create(asked(session), CreateBackup(recipients=str(keys[1])))
    assert {item.path for item in backup.list_backups(session)} == {plain.path, hidden.path}
