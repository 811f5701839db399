"""Restore of a backup, into a root in which no router runs.

It is read twice: whole and compared with its digests before anything is touched, then into a folder beside its place.
What it replaces is kept in ``replaced-TIME/``. Images and event files that are there stay: nothing acknowledged is lost
by going back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import archive
from appliance.archive import ArchiveError, Manifest
from appliance.backup import FOLDER, HISTORY_NAMES, Counter, Report, holds_private_key
from appliance.control.errors import ControlError
from appliance.control.identity import require_owner
from appliance.control.session import Session
from appliance.supervision.errors import AlreadyRunningError
from appliance.supervision.foreground import sole_runner
from mercure import durable
from mercure.config import Config, Root
from mercure.event_details import Audit
from mercure.events import EventWriter
from mercure.history.copies import bring_back, kind_of
from mercure.history.database import HistoryError, sqlite_path
from mercure.history.reader import password_of
from mercure.model import Model
from mercure.names import is_id
from mercure.spool import TASK_STAGES, Spool, Stage
from mercure.spool.place import record

_UNPACKED: Final = ".restoring"
"""In the root; what a try that did not end left there is cleared away by the next."""

_KEYS: Final = "config/keys/"
"""In a backup: the key with which the router signs."""


class Restored(Model):
    """What was brought back: from when, how much, and where what it replaced is kept.

    ``kept`` counts images' folders and event files that were here already, and stay as they are.
    """

    root: str
    node: str
    time: str
    revision: int
    files: int
    history: str | None
    images: bool
    replaced: tuple[str, ...] = ()
    kept: int = 0
    left_out: tuple[str, ...] = ()


def restore(session: Session, path: Path, *, force: bool, report: Report, identity: Path | None = None) -> Restored:
    """Bring a backup back.

    Parameters
    ----------
    session : Session
        The root, and who asks. It may be empty, or not there yet.
    path : Path
        The backup.
    force : bool
        Also where there is a configuration, a history or a state already; they are kept aside. Images that are there
        stay where they are, in any case.
    report : callable
        Called with the progress in bytes.
    identity : Path, optional
        The private key, of a backup that is encrypted.

    Raises
    ------
    ControlError
        The backup is damaged or cannot be decrypted, a router runs here, or there is something already and `force` is
        not given.
    OSError
        The disk refuses; call again with `force` when it has room.
    """
    root, size = session.root, _size(path)
    for missing in reversed([folder for folder in (root.run, *root.run.parents) if not folder.exists()]):
        durable.make_directory(missing)
    require_owner(root.path)
    with ExitStack() as stack:
        try:
            stack.enter_context(sole_runner(root.path))
        except AlreadyRunningError as error:
            raise ControlError("busy", str(error)) from error
        unpacked = _cleared(root.path, stack)
        comparing = Counter(report, size, "bytes compared")
        backup = _Backup(path, identity)
        manifest = _read(backup, lambda name: unpacked if name.startswith("config/") else None, comparing)
        # What was brought back says where spool and history are: they may be on disks of their own.
        config = Session(Root(unpacked), session.user).config
        spool = Spool(root.named_spool(config))
        _require_empty(root, spool, config, force=force)
        spool.create()
        images = _cleared(spool.root, stack)
        writing = Counter(report, size, "bytes brought back")
        _read(backup, lambda name: images if name.startswith("spool/") else unpacked, writing)
        place = Session(root, session.user, service=session.service, clock=session.clock)
        return _Restoring(place, unpacked, images / "spool", spool, manifest).run(path, force=force)


@dataclass(frozen=True)
class _Backup:
    path: Path
    identity: Path | None


def _cleared(folder: Path, stack: ExitStack) -> Path:
    """Make an empty folder to unpack into, on the file system where its content will be; it goes at the end."""
    unpacked = folder / _UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)
    durable.make_directory(unpacked, mode=0o700)
    stack.callback(shutil.rmtree, unpacked, ignore_errors=True)
    return unpacked


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ControlError("not-found", f"{path} cannot be read: {error.strerror}") from error


def _read(backup: _Backup, folder_for: Callable[[str], Path | None], counter: Counter) -> Manifest:
    """Read the whole backup, and unpack what has a folder."""

    def take(name: str, pieces: Iterator[bytes]) -> None:
        folder = folder_for(name)
        if folder is None:
            for _ in pieces:
                pass
            return
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if name.startswith(_KEYS) else 0o640
        with durable.replacing(folder / name, mode=mode) as file:
            for piece in pieces:
                file.write(piece)

    try:
        return archive.read(backup.path, take, counter.add, backup.identity)
    except ArchiveError as error:
        raise ControlError("invalid", str(error), "take another backup; nothing was changed") from error


def _require_empty(root: Root, spool: Spool, config: Config, *, force: bool) -> None:
    """Refuse a root in which there is something that a person may want to keep."""
    url = root.history_url(config)
    history = [sqlite_path(url)] if kind_of(url) == "sqlite" else []
    occupied = [path for path in (root.config, spool.root, *history) if _holds_something(path)]
    if occupied and not force:
        names = ", ".join(str(path) for path in occupied)
        advice = "choose an empty --root, or give --force: what is replaced is kept aside, images stay where they are"
        raise ControlError("invalid", f"{root.path} is not empty: there is {names}", advice)


def _holds_something(path: Path) -> bool:
    if path.is_dir():
        return any(child.is_file() for child in path.rglob("*"))
    return path.exists()


class _Restoring:
    """Puts what was unpacked into its place."""

    def __init__(self, session: Session, unpacked: Path, images: Path, spool: Spool, manifest: Manifest) -> None:
        self._session = session
        self._root = session.root
        self._unpacked = unpacked
        self._images = images
        self._spool = spool
        self._manifest = manifest
        self._time = f"replaced-{session.clock.now():%Y%m%dT%H%M%SZ}"
        self._replaced: list[str] = []
        self._kept = 0

    def run(self, path: Path, *, force: bool) -> Restored:
        spool = self._spool
        self._keep_keys()
        self._replace(self._unpacked / "config", self._root.config)
        for folder in (self._root.log, self._root.path / FOLDER):
            durable.make_directory(folder)
        self._replace(self._images / Stage.STATE.value, spool.stage(Stage.STATE))
        spool.create()
        record(self._root.path, spool.root)
        self._add_files(self._images / Stage.OUTBOX.value, spool.stage(Stage.OUTBOX))
        self._add_images(spool)
        self._history(force=force)
        restored = Restored(
            root=str(self._root.path),
            node=self._manifest.node,
            time=self._manifest.time.isoformat(),
            revision=self._session.loaded.revision,
            files=len(self._manifest.parts),
            history=self._manifest.history,
            images=self._manifest.images,
            replaced=tuple(self._replaced),
            kept=self._kept,
            left_out=self._manifest.left_out,
        )
        self._tell(spool, path, restored)
        return restored

    def _tell(self, spool: Spool, path: Path, restored: Restored) -> None:
        events = EventWriter(spool.stage(Stage.OUTBOX), self._session.service, self._session.clock)
        details = Audit(
            by=self._session.user,
            verb="backup.restore",
            object=path.name,
            before=None,
            after=restored.model_dump(mode="json"),
        )
        events.emit(details)
        events.sync()
        events.close()

    def _replace(self, source: Path, place: Path) -> None:
        """Put a folder into its place; what is there is kept aside."""
        if place.exists() and any(place.iterdir()):
            self._put_aside(place)
        if source.is_dir():
            if place.exists():
                place.rmdir()
            durable.rename(source, place)

    def _keep_keys(self) -> None:
        """Give the configuration the key that is here, where the backup has none."""
        folder = self._unpacked / _KEYS
        if folder.is_dir():
            folder.chmod(0o700)
        elif self._root.keys.is_dir():
            durable.make_directory(folder, mode=0o700)
            for path in sorted(self._root.keys.iterdir()):
                durable.copy_file(path, folder / path.name, mode=0o600)
        self._keep_keys_of_tls()

    def _keep_keys_of_tls(self) -> None:
        """Give it also the keys of TLS that lie in the configuration here: no backup has them."""
        for path in sorted(self._root.config.rglob("*")):
            place = self._unpacked / "config" / path.relative_to(self._root.config)
            if path.is_file() and not place.exists() and holds_private_key(path):
                for folder in reversed([*place.relative_to(self._unpacked).parents][:-1]):
                    durable.make_directory(self._unpacked / folder)
                durable.copy_file(path, place, mode=0o600)

    def _put_aside(self, place: Path) -> None:
        aside = place.parent / self._time
        durable.make_directory(aside, mode=0o700)
        durable.rename(place, aside / place.name)
        self._replaced.append(str(aside / place.name))

    def _add_files(self, source: Path, place: Path) -> None:
        """Add files; one of the same name is the same file, and may hold more by now."""
        for path in sorted(source.iterdir()) if source.is_dir() else ():
            if (place / path.name).exists():
                self._kept += 1
            else:
                durable.rename(path, place / path.name)

    def _add_images(self, spool: Spool) -> None:
        """Add entries of stages; a task that is here already, in whatever stage, has come further and stays."""
        for stage in (stage for stage in Stage if stage not in (Stage.STATE, Stage.OUTBOX)):
            for source in self._entries(stage):
                name = source.relative_to(self._images / stage.value)
                place = spool.stage(stage) / name
                if place.exists() or (is_id(source.name) and _is_somewhere(spool, source.name)):
                    self._kept += 1
                    continue
                if not place.parent.exists():
                    durable.make_directory(place.parent)
                durable.rename(source, place)

    def _entries(self, stage: Stage) -> list[Path]:
        folder = self._images / stage.value
        pattern = "*/*" if stage is Stage.STUDIES else "*"
        return sorted(path for path in folder.glob(pattern) if path.is_dir())

    def _history(self, *, force: bool) -> None:
        kind, config = self._manifest.history, self._session.config
        if kind is None:
            return
        url, copy = self._root.history_url(config), self._unpacked / HISTORY_NAMES[kind]
        if kind_of(url) != kind:
            text = f"the backup holds a history in {kind}, and its configuration names {kind_of(url)}"
            raise ControlError("invalid", text, f"the copy is {HISTORY_NAMES[kind]} in the backup")
        if kind == "sqlite" and (there := sqlite_path(url)).exists():
            for path in (there, Path(f"{there}-wal"), Path(f"{there}-shm")):
                if path.exists():
                    self._put_aside(path)
        try:
            bring_back(url, password_of(config), copy, replace=force)
        except HistoryError as error:
            advice = "configuration and state are back; when the database answers, call again with --force"
            raise ControlError("failed", str(error), advice) from error


def _is_somewhere(spool: Spool, task: str) -> bool:
    found = spool.find(task, TASK_STAGES) is not None
    return found or any(
        os.path.isdir(spool.stage(Stage.STUDIES) / study / task) for study in spool.names(Stage.STUDIES)
    )
