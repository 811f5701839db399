"""Service base: a root, a live configuration, events, a clock, and a loop that ends on request."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

from mercure import __version__
from mercure.clock import Clock, wall_offset
from mercure.config import Config, ConfigError, ConfigStore, LiveConfig, Loaded, Root
from mercure.config.store import Checks
from mercure.event_details import ConfigLoaded, ConfigRejected, ServiceChanged, Warned
from mercure.events import TRIES_AGAIN, EventWriter
from mercure.notifications.template_checks import problems_of
from mercure.printable import json_text
from mercure.scheduling.backoff import PAUSE_AFTER_ERROR
from mercure.spool import Changes, Spool, Stage, Watcher, uptime
from mercure.spool.identity import ensure_identity
from mercure.spool.place import ADVICE, in_force, mount_advice, record, spool_in_force, unmounted
from mercure.spool.uptime import NOTE_SECONDS
from mercure.targets import MODELS

NO_CONFIG_WAIT: Final = 2.0
"""Seconds between two looks at a configuration that cannot be used and has no predecessor."""

_log = logging.getLogger(__name__)
_STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes a log record as one JSON line: time, level, where, message, and what `extra` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created + wall_offset(), UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json_text(line, default=str)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send every log record of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class StopFlag:
    """Set once when the service is to end; waiting threads are woken.

    A plain attribute and pipes, not `threading.Event`: a signal handler that sets an event can meet the lock held by
    the very thread that it interrupts.
    """

    def __init__(self) -> None:
        self._set = False
        self._wakers: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        """Return whether the service is to end."""
        return self._set

    def on_set(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the flag is set; it must be safe in a signal handler."""
        self._wakers.append(wake)

    def set(self) -> None:
        """Ask all threads to end."""
        self._set = True
        for wake in self._wakers:
            wake()

    def catch_signals(self) -> None:
        """Set the flag on TERM and INT (in the main thread of a service)."""

        def handle(number: int, frame: FrameType | None) -> None:
            self.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)


def open_store(root: Root) -> ConfigStore:
    """Return the configuration of a root, with all that it is checked by."""
    return ConfigStore(root, MODELS, Checks(problems_of, in_force))


class Context:
    """What a service works with, made once at its start.

    Parameters
    ----------
    root : Path
        ``MERCURE_ROOT``.
    service : str
        Name of the service.
    """

    def __init__(self, root: Path, service: str, clock: Clock | None = None) -> None:
        self.service = service
        self.clock = clock or Clock()
        self.root = Root(root.absolute())
        self.store = open_store(self.root)
        self.stop = StopFlag()
        self.wake: Callable[[], None] = lambda: None
        """Ends the loop's wait, from any thread."""
        self._events: EventWriter | None = None
        self._untold: list[ConfigRejected] = []
        self._failing: set[str] = set()
        self.live = LiveConfig(self.store, self._config_loaded, self._config_rejected)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.live.config

    @property
    def spool(self) -> Spool:
        """The spool of the configuration that the service started with."""
        return self._spool

    @property
    def events(self) -> EventWriter:
        """The writer of this process."""
        if self._events is None:
            self._events = EventWriter(self._spool.stage(Stage.OUTBOX), self.service, self.clock)
        return self._events

    def start(self) -> bool:
        """Wait for a usable configuration, make the spool, tell that the service is here; False when stopped before."""
        with contextlib.closing(Watcher([])) as bell:
            self.stop.on_set(bell.wake)
            while self.live.loaded is None and not self.live.refresh():
                if self.stop:
                    return False
                bell.wait(NO_CONFIG_WAIT)
        if not self._await_spool():
            return False
        uptime(self._spool, self.clock)
        self.events.emit(ServiceChanged(pid=os.getpid(), version=__version__), type="service.started")
        self._tell_config()
        return True

    def _await_spool(self) -> bool:
        """Make the spool in force; False when stopped before it was there.

        A spool that the configuration does not name any more, and that is not there, is a disk that is not mounted, and
        so is one whose recorded mount point has nothing mounted: to begin another would leave its images behind.
        """
        reported = False
        with contextlib.closing(Watcher([])) as bell:
            self.stop.on_set(bell.wake)
            while True:
                spool, named = self.spool_in_force(), self.root.named_spool(self.config)
                mount = unmounted(self.root.path, spool.root)
                if mount is None and (spool.root == named or spool.root.is_dir()):
                    break
                if not reported:
                    advice = ADVICE if mount is None else mount_advice(self.root.path)
                    _log.error("waiting for the spool %s, which is not there; %s", spool.root, advice)
                    reported = True
                if self.stop:
                    return False
                bell.wait(NO_CONFIG_WAIT)
                self.live.refresh()
        self._spool = spool
        self._spool.create()
        try:
            ensure_identity(spool)
            record(self.root.path, spool.root)
        except OSError as error:
            _log.warning("the place of the spool cannot be written down: %s", error)
        return True

    def spool_in_force(self) -> Spool:
        """Return the spool where it was when it was used last, whatever the configuration says."""
        return spool_in_force(self.root.path, self.root.named_spool(self.config))

    def finish(self, reason: str = "asked to stop") -> None:
        """Tell that the service ends, and let go of its outbox file."""
        details = ServiceChanged(pid=os.getpid(), version=__version__, reason=reason)
        self.events.emit(details, type="service.stopped")
        self.events.close()

    @contextlib.contextmanager
    def contained(self, what: str) -> Iterator[None]:
        """Keep an error of the disk in one part of a turn from stopping the rest; it is logged once, until it is over.

        Parameters
        ----------
        what : str
            What is then not done, as the beginning of a sentence.
        """
        try:
            yield
        except OSError as error:
            self.failed(what, error)
        else:
            self._failing.discard(what)

    def contained_turn(self, what: str, turn: Callable[[], float]) -> float | None:
        """Do a part that says in how many seconds it is due again, `contained`; None when the disk refused."""
        waits: list[float] = []
        with self.contained(what):
            waits.append(turn())
        return waits[0] if waits else None

    def failed(self, what: str, error: OSError) -> None:
        """Log an error that is `contained`, unless it was logged before."""
        if what not in self._failing:
            _log.error("part of a turn failed and will be repeated", extra={"part": what}, exc_info=error)
            self.events.emit(Warned(text=f"{what}: {error}", advice=TRIES_AGAIN))
        self._failing.add(what)

    def _tell_config(self) -> None:
        for rejected in self._untold:
            self.events.emit(rejected)
        self._untold.clear()
        if self.live.loaded is not None:
            self.events.emit(ConfigLoaded(revision=self.live.loaded.revision))

    def _config_loaded(self, loaded: Loaded[Config]) -> None:
        _log.info("configuration in force", extra={"revision": loaded.revision, "by_hand": loaded.by_hand})
        if self._events is not None:
            self._tell_config()

    def _config_rejected(self, error: ConfigError, using: int | None) -> None:
        _log.error(
            "the configuration cannot be used%s",
            "; the one before stays in force" if using is not None else ", waiting for a better one",
            extra={"problems": [str(problem) for problem in error.problems], "using": using},
        )
        rejected = ConfigRejected(reason=str(error), using=using)
        if self._events is not None:
            self.events.emit(rejected)
        else:
            self._untold.append(rejected)


class Service(Protocol):
    """A supervised program as the loop sees it."""

    def watched(self) -> Iterable[Path]:
        """Name the folders whose changes are worth waking up for."""

    def turn(self, changes: Changes) -> float:
        """Do what is to be done now.

        Parameters
        ----------
        changes : Changes
            What is known to have changed since the last turn: a hint.

        Returns
        -------
        float
            Seconds after which the next turn is due, whether something changes or not.
        """

    def end(self) -> None:
        """Finish or put back what is in hand; the service was asked to stop."""


def serve(context: Context, make: Callable[[Context], Service]) -> None:
    """Run a service until it is asked to stop.

    An `OSError` that gets as far as here (no space, say) is logged and the turn tried again; any other exception ends
    the process, and the supervisor begins it anew with nothing in memory.
    """
    context.stop.catch_signals()
    if not context.start():
        return
    service = make(context)
    with contextlib.closing(Watcher([*service.watched(), context.root.config])) as watcher:
        context.stop.on_set(watcher.wake)
        context.wake = watcher.wake
        _loop(context, service, watcher)
    service.end()
    context.finish()


def _loop(context: Context, service: Service, watcher: Watcher) -> None:
    changes = Changes.everything()
    noted = context.clock.monotonic()
    while not context.stop:
        context.live.refresh()
        if context.clock.monotonic() - noted > NOTE_SECONDS / 2:
            uptime(context.spool, context.clock)
            noted = context.clock.monotonic()
        turn = functools.partial(service.turn, changes)
        wait = context.contained_turn(f"a turn of the {context.service} failed", turn)
        if wait is None:
            watcher.wait(PAUSE_AFTER_ERROR)
            changes = Changes.everything()
            continue
        if context.events.flush():
            wait = min(wait, PAUSE_AFTER_ERROR)
        changes = watcher.wait(wait)
