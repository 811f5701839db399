"""The bookkeeper: carries the events of the outbox into the history.

Nothing waits for it. When the database is away, the outbox grows, and the history catches up afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mercure.event_details import Recovered, Warned
from mercure.history.database import HistoryError, open_history, without_password
from mercure.history.ownership import ADVICE, NameTakenError, Owner, machine_id
from mercure.history.reader import password_of
from mercure.history.recorder import FAILURES, Recorder, RecorderRun
from mercure.history.tag_backfill import TagBackfill
from mercure.scheduling.backoff import Backoff
from mercure.services.common import Context
from mercure.spool import Changes, Claim, Stage, uptime
from mercure.spool.identity import forget_adoption, read_identity, wants_adoption
from mercure.spool.notices import post, withdraw

SCAN_SECONDS: Final = 0.5
"""The outbox is looked at this often: a line that is appended to an open file wakes no watcher."""

FORGET_SECONDS: Final = 3600.0
"""How often it looks for what the history may forget."""

LONGEST_PAUSE: Final = 60.0
PAUSES: Final = Backoff(1.0, LONGEST_PAUSE)
"""Seconds between two tries while the history cannot be written."""

_ADVICE: Final = "events wait in the outbox meanwhile; see that the database runs and its disk has room"
_log = logging.getLogger(__name__)


class Bookkeeper:
    """The service.

    Parameters
    ----------
    context : Context
        Root, configuration, events, clock.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._outbox = context.spool.stage(Stage.OUTBOX)
        self._claim: Claim | None = None
        self._recorder: Recorder | None = None
        self._tags: TagBackfill | None = None
        self._address: tuple[str, str | None, str] | None = None
        self._pause = 0.0
        self._again = float("-inf")
        self._forget_at = float("-inf")
        self._forgotten_to = ""
        spool = read_identity(context.spool)
        self._owner = Owner(spool, machine_id()) if spool else None

    def watched(self) -> Iterable[Path]:
        """Wake up for new files and for writers that end."""
        return [self._outbox]

    def turn(self, changes: Changes) -> float:
        """Record one batch, or wait for the database to come back."""
        now = self._context.clock.monotonic()
        if now < self._again:
            return self._again - now
        if not self._alone():
            return LONGEST_PAUSE
        try:
            progress = self.run_once()
            if not progress.more and now >= self._forget_at:
                self._forget(now)
            more = progress.more or self._advance_tags()
        except (HistoryError, *FAILURES) as error:
            return self._put_off(error, now)
        self._back()
        return 0.0 if more else SCAN_SECONDS

    def run_once(self) -> RecorderRun:
        """Record one batch.

        Raises
        ------
        HistoryError
            The configuration names no usable history, or one of a newer program.
        Exception
            One of `mercure.history.recorder.FAILURES`: the database or the disk. Call again later.
        """
        recorder = self._open()
        if wants_adoption(self._context.spool):
            recorder.claim(adopt=True)
            forget_adoption(self._context.spool)
        return recorder.run_once()

    def end(self) -> None:
        """Record the last events of the other services, as far as they are there."""
        try:
            while self._alone() and self.run_once().more:
                pass
        except (HistoryError, *FAILURES) as error:
            _log.warning("the history was not brought up to date at the end: %s", error)
        if self._recorder is not None:
            self._recorder.close()
        if self._claim is not None:
            self._claim.release()

    def _alone(self) -> bool:
        """Make sure that no other bookkeeper reads this outbox: two would undo each other's work."""
        if self._claim is None:
            self._claim = Claim.take(self._outbox)
            if self._claim is None:
                _log.error("another bookkeeper reads %s; this one waits until it ends", self._outbox)
        return self._claim is not None

    def _open(self) -> Recorder:
        """Return the recorder for the history that the configuration names now."""
        config = self._context.config
        address = (self._context.root.history_url(config), password_of(config), config.name)
        if self._recorder is None or address != self._address:
            url, password, node = address
            if self._recorder is not None:
                self._recorder.close()
            database = open_history(url, password=password, application=f"mercure-{node}")
            self._recorder = Recorder(database, self._outbox, node, self._context.clock, owner=self._owner)
            self._tags = TagBackfill(database, self._context.spool, node, self._context.clock)
            self._address = address
            _log.info("the history is at %s", without_password(url))
        return self._recorder

    def _advance_tags(self) -> bool:
        """Bring the tags that the history keeps of series to what the configuration wants; True: it is not all done."""
        wanted = self._context.config.history
        self._open()
        return self._tags is not None and self._tags.advance(wanted.tags, wanted.indexed_tags)

    def _forget(self, now: float) -> None:
        """Forget some of what was finished long ago, if the configuration says so; the rest with the next turns."""
        days, lived = self._context.config.history.keep_days, uptime(self._context.spool, self._context.clock)
        if days is not None and not lived.doubt():
            before = lived.instant_before(days * 86400.0)
            forgotten = self._open().forget(before, self._forgotten_to)
            self._forgotten_to = forgotten.after
            if forgotten.tasks:
                _log.info("forgotten: %s tasks that ended before %s", forgotten.tasks, before.date())
        if not self._forgotten_to:
            self._forget_at = now + FORGET_SECONDS

    def _put_off(self, error: Exception, now: float) -> float:
        text = f"the history cannot be written: {error}".strip()
        if isinstance(error, NameTakenError):
            self._notice(str(error))
        if not self._pause:
            _log.error("%s; %s", text, _ADVICE)
            self._context.events.emit(Warned(text=text, advice=_ADVICE))
        self._pause = PAUSES.longer(self._pause)
        self._again = now + self._pause
        return self._pause

    def _notice(self, text: str) -> None:
        """Write down that another router has our name; it goes on being an alert while that is so."""
        node, now = self._context.config.name, self._context.clock.now()
        text = f"the history is not written: {text}"
        post(self._context.spool, "name", node, text, ADVICE, now=now, times=0 if self._pause else 1)

    def _back(self) -> None:
        if self._pause:
            self._pause = 0.0
            withdraw(self._context.spool, "name", self._context.config.name)
            _log.info("the history can be written again")
            self._context.events.emit(Recovered(what="the history can be written again and catches up"))
