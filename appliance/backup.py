"""Backups: configuration with revisions and key, history, state, and the images where asked, in one file.

The order makes what is copied from a running router hold together: first the events that wait to be recorded, then the
history, then the images. So the history never knows less than what was recorded when an event file went away, and an
image that the history knows is in the backup, or has moved on to where it is copied later
(``docs/decisions/0076-backups-of-a-running-router.md``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from appliance import archive
from appliance.archive import ArchiveError, Manifest, Writer
from appliance.backup_encryption import SUFFIX, EncryptionError, encrypted
from appliance.control.alerts.inputs import note_backup
from appliance.control.api import backup as api
from appliance.control.api.backup import BackupChecked, BackupFile, BackupMade, Backups, CreateBackup, OneBackup
from appliance.control.api.base import Nothing, Progress
from appliance.control.errors import ControlError
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.session import Session
from mercure import __version__, durable
from mercure.config import Root
from mercure.history.copies import HistoryKind, PostgresToolMissingError, copy_history, kind_of
from mercure.history.database import HistoryError
from mercure.history.reader import password_of
from mercure.locks import lock, opened, try_lock
from mercure.names import is_id
from mercure.spool import Spool, Stage
from mercure.spool.notices import post, withdraw

FOLDER: Final = "backup"
"""Of the root: where backups go unless another folder is named."""

HISTORY_NAMES: Final[dict[HistoryKind, str]] = {"sqlite": "history/history.db", "postgresql": "history/history.dump"}

_IMAGE_STAGES: Final = (
    Stage.INCOMING,
    Stage.ROUTING,
    Stage.STUDIES,
    Stage.PROCESSING,
    Stage.OUTGOING,
    Stage.ERROR,
    Stage.DISCARD,
    Stage.SUCCESS,
    Stage.QUARANTINE,
)
"""In the order of a task's life: one that moves on meanwhile is met again, and not missed."""

_MOST_OF_A_KEY: Final = 1024 * 1024
_REPORT_BYTES: Final = 8 * 1024 * 1024
_STATE: Final = "spool/state"
_NOT_KEPT: Final = frozenset({"reserve", "returns", "instances"})
"""In ``state/``: room that the cleaner keeps free, with nothing in it; and hints of the last days, many or large."""

Report = Callable[[Progress], None]
_log = logging.getLogger(__name__)


@dataclass
class Counter:
    """Adds up bytes, and reports them now and then.

    Parameters
    ----------
    report : callable
        Called with the progress.
    total : int
        Bytes in all, as far as known in advance.
    text : str
        What is going on.
    """

    report: Report
    total: int
    text: str
    done: int = 0
    _told: int = field(default=0, init=False)

    def add(self, count: int) -> None:
        """Count some more."""
        self.done += count
        if self.done - self._told >= _REPORT_BYTES:
            self._told = self.done
            self.tell()

    def tell(self) -> None:
        """Report."""
        self.report(Progress(done=self.done, total=max(self.total, self.done), text=self.text, unit="bytes"))


@carries_out_for_caller(api.CREATE)
def create(asked: Asked, wanted: CreateBackup) -> BackupMade:
    """Write a backup while the router runs, or does not.

    Raises
    ------
    ControlError
        The folder is not there, or the history cannot be copied.
    OSError
        The disk refuses; then there is no file.
    """
    session = asked.session
    folder = Path(wanted.folder) if wanted.folder is not None else None
    try:
        made = _create(session, wanted, folder, asked.report)
    except (ControlError, OSError) as error:
        _notice(session, f"no backup could be made: {error}")
        raise
    _note_made(session)
    _notice(session, f"a backup lacks {'; '.join(made.left_out)}" if made.left_out else "")
    return made


def _notice(session: Session, text: str) -> None:
    """Write down for the alert that a backup failed, or that one is whole again."""
    about, advice = (
        "backup",
        "`mercure backup create` tries it by hand; on an appliance see `journalctl -u mercure-backup`",
    )
    try:
        if text:
            post(session.spool, "backup", about, text, advice, now=session.clock.now())
        else:
            withdraw(session.spool, "backup", about)
    except OSError as error:
        _log.warning("whether a backup failed cannot be noted: %s", error)


def _note_made(session: Session) -> None:
    """Write down for the alert when it was: the folder of the backups may be anywhere."""
    try:
        note_backup(session)
    except OSError as error:
        _log.warning("when the last backup was made cannot be noted: %s", error)


def _create(session: Session, wanted: CreateBackup, folder: Path | None, report: Report) -> BackupMade:
    begin = session.clock.monotonic()
    path = _folder(session, folder) / archive.file_name(session.config.name, session.clock.now())
    if wanted.recipients is not None:
        path = path.with_name(path.name + SUFFIX)
    with session.changing() as events, cleared(path):
        with durable.replacing(path, mode=0o600) as file:
            manifest = _write_file(session, file, wanted, report)
        made = BackupMade(
            path=str(path),
            bytes=path.stat().st_size,
            files=len(manifest.parts),
            history=manifest.history,
            images=wanted.images,
            left_out=manifest.left_out,
            seconds=round(session.clock.monotonic() - begin, 3),
        )
        session.audit(events, "backup.create", path.name, after=made.model_dump(mode="json"))
    return made


def _write_file(session: Session, file: BinaryIO, wanted: CreateBackup, report: Report) -> Manifest:
    if wanted.recipients is None:
        return _write(session, file, images=wanted.images, report=report)
    try:
        with encrypted(file, Path(wanted.recipients)) as inner:
            manifest = _write(session, inner, images=wanted.images, report=report)
    except EncryptionError as error:
        advice = f"see that {wanted.recipients} holds public keys as `age-keygen -y` prints them, one a line"
        raise ControlError("failed", f"the backup could not be encrypted: {error}", advice) from error
    return manifest


def list_backups(session: Session) -> tuple[BackupFile, ...]:
    """List the backups in the root's own folder, the newest first."""
    found = []
    folder = session.root.path / FOLDER
    for path in (*folder.glob("[!.]*.tar"), *folder.glob(f"[!.]*.tar{SUFFIX}")):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            found.append(BackupFile(name=path.name, path=str(path), bytes=state.st_size, modified=state.st_mtime))
    return tuple(sorted(found, key=lambda item: (item.modified, item.name), reverse=True))


@carries_out(api.LIST)
def list_(session: Session, wanted: Nothing) -> Backups:
    """List the backups in the root's own folder, the newest first."""
    return Backups(backups=list_backups(session))


@carries_out_for_caller(api.CHECK)
def check(asked: Asked, wanted: OneBackup) -> BackupChecked:
    """Read one of the root's own backups and compare each file with its digest.

    Raises
    ------
    ControlError
        There is no such backup. One that is damaged is an answer.
    """
    session, name = asked.session, wanted.name
    known = {item.name: Path(item.path) for item in list_backups(session)}
    if name not in known:
        advice = f"there are {', '.join(known)}" if known else "`mercure backup create` writes one"
        raise ControlError("not-found", f"there is no backup {name!r} in {session.root.path / FOLDER}", advice)
    return checked(known[name], asked.report)


def checked(path: Path, report: Report, identity: Path | None = None) -> BackupChecked:
    """Compare each file of a backup with its digest; of one that is encrypted, by the private key in a file."""
    counter = Counter(report, path.stat().st_size, "bytes read")
    try:
        manifest = archive.read(path, on_bytes=counter.add, identity=identity)
    except ArchiveError as error:
        return BackupChecked(path=str(path), ok=False, problem=str(error))
    return BackupChecked(
        path=str(path),
        ok=True,
        node=manifest.node,
        time=manifest.time,
        by=manifest.by,
        revision=manifest.revision,
        files=len(manifest.parts),
        history=manifest.history,
        images=manifest.images,
        left_out=manifest.left_out,
    )


def _folder(session: Session, folder: Path | None) -> Path:
    if folder is None:
        own = session.root.path / FOLDER
        durable.make_directory(own, mode=0o700)
        return own
    if not folder.is_absolute() or not folder.is_dir():
        raise ControlError("not-found", f"{folder} is no folder", "make it first, writable for the router's user")
    return folder


def _write(session: Session, file: BinaryIO, *, images: bool, report: Report) -> Manifest:
    counter = Counter(report, _expected(session, images=images), "bytes copied")
    writer = Writer(file, counter.add)
    spool, left_out = session.spool, []
    for name, path in (*_configuration(session.root), *_files(_STATE, spool.stage(Stage.STATE))):
        _add(writer, name, path)
    for name, path in _files("spool/outbox", spool.stage(Stage.OUTBOX)):
        _add(writer, name, path)
    counter.text = "bytes copied; the history"
    history, problem = _add_history(session, writer)
    left_out += [problem] if problem else []
    if images:
        counter.text = "bytes copied; the images"
        _add_images(writer, spool)
    counter.text = "bytes copied"
    counter.tell()
    return writer.end(
        Manifest(
            node=session.config.name,
            root=str(session.root.path),
            time=session.clock.now(),
            by=session.user,
            program=__version__,
            revision=session.loaded.revision,
            images=images,
            history=history,
            left_out=tuple(left_out),
        )
    )


def _configuration(root: Root) -> Iterator[tuple[str, Path]]:
    """Walk the configuration without private keys of TLS: a backup is not encrypted, and may lie anywhere."""
    for name, path in _files("config", root.config):
        if path.parent == root.keys or not holds_private_key(path):
            yield name, path


def holds_private_key(path: Path) -> bool:
    """Tell whether a file holds a private key in PEM; a file of settings (JSON) is none."""
    if path.suffix == ".json":
        return False
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return b"PRIVATE KEY-----" in file.read(_MOST_OF_A_KEY)
    return False


def _expected(session: Session, *, images: bool) -> int:
    """Return how many bytes there will be, for the display of progress; 0 where counting would take long."""
    if images:
        return 0
    spool = session.spool
    folders = {"config": session.root.config, _STATE: spool.stage(Stage.STATE), "outbox": spool.stage(Stage.OUTBOX)}
    history = session.root.path / "history.db"
    paths = [path for name, folder in folders.items() for _, path in _files(name, folder)] + [history]
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _files(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Walk the files of a folder that are not hidden, in order, with their names in the backup."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.name.startswith(".") or (name == _STATE and entry.name in _NOT_KEPT):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(f"{name}/{entry.name}", Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield f"{name}/{entry.name}", Path(entry.path)


def _add(writer: Writer, name: str, path: Path | str, folder: int | None = None) -> None:
    """Add a file, unless it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return
    with open(descriptor, "rb") as file:
        writer.add(name, file)


def _add_history(session: Session, writer: Writer) -> tuple[HistoryKind | None, str]:
    """Add a copy of the history; return its kind, or why there is none."""
    url = session.root.history_url(session.config)
    kind = kind_of(url)
    with scratch(session.root.run) as folder:
        copy = folder / "history"
        try:
            if not copy_history(url, password_of(session.config), copy):
                return None, ""
            _add(writer, HISTORY_NAMES[kind], copy)
        except PostgresToolMissingError as error:
            return None, f"the history: {error}"
        except HistoryError as error:
            raise ControlError("failed", str(error), "see that the history answers: `mercure status`") from error
    return kind, ""


def _add_images(writer: Writer, spool: Spool) -> None:
    """Add what is in the stages; a task that was met is not taken again where it has moved to meanwhile."""
    met: set[str] = set()
    for stage in _IMAGE_STAGES:
        for name in _entries(spool, stage):
            task = name.rpartition("/")[2]
            if is_id(task) and task in met:
                continue
            if _add_entry(writer, f"spool/{stage.value}/{name}", spool.stage(stage) / name):
                met.add(task)


def _entries(spool: Spool, stage: Stage) -> Iterator[str]:
    if stage is Stage.STUDIES:
        yield from (f"{study}/{task}" for study, task in spool.studies())
    else:
        yield from spool.names(stage)


def _add_entry(writer: Writer, name: str, path: Path) -> bool:
    """Add the files of one entry by its descriptor, so that they are found also when it is moved on meanwhile."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        for file in sorted(os.listdir(folder)):
            if not file.startswith("."):
                _add(writer, f"{name}/{file}", file, folder)
    finally:
        os.close(folder)
    return True


# What killed backups leave behind (half files under hidden names, copies of the history) the next one removes. While it
# is written a backup holds a lock on its folder and on that of its copy; the kernel releases both at any death.
_SCRATCH: Final = "backup-"
_HALF: Final = r"\.{name}-[0-9TZ]+\.tar(\.age)?\.[0-9a-f]{{8}}\.tmp"


@contextlib.contextmanager
def cleared(path: Path) -> Iterator[None]:
    """Remove the half backups of a router, unless one is being written; while the block runs one is.

    Parameters
    ----------
    path : Path
        The backup that is to be written; others may have files in its folder.
    """
    folder = path.parent
    with opened(folder) as descriptor:
        if _locked(descriptor):
            half = re.compile(_HALF.format(name=re.escape(path.name.rpartition("-")[0])))
            for name in os.listdir(folder):
                if half.fullmatch(name):
                    (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # a share without locks: then nothing is ever taken for a leftover
            lock(descriptor, shared=True)
        yield


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a folder of its own for a copy, removed at the end; those that dead ones left go first."""
    for left in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError), opened(left, follow=False) as descriptor:
            if _locked(descriptor):
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=folder))
    try:
        with opened(made, follow=False) as descriptor:
            _locked(descriptor)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _locked(descriptor: int) -> bool:
    """Lock a folder exclusively, if no other process holds it."""
    try:
        return try_lock(descriptor)
    except OSError:
        return False
