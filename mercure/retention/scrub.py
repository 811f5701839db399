"""Scrub: all kept images are read from the disk, slowly, and compared with their digests.

It holds no claim: what it reads may move on or go at any time, and is then met further on, or is no longer of interest.
How far it has come lies in ``state/scrub.json``; a service that starts again goes on there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime

from mercure import durable
from mercure.clock import Clock
from mercure.config.models import ScrubSettings as Settings
from mercure.dicom.integrity import Integrity, IntegrityState, examine
from mercure.event_details import ScrubFinished, Warned
from mercure.events import TRIES_AGAIN, EventWriter
from mercure.model import Record, read_state
from mercure.retention.priority import be_idle
from mercure.spool import Spool, Stage
from mercure.spool.altered_images import AlteredBook, AlteredImage
from mercure.spool.image_walk import KeptImage, Place, facts_of, images_in, kept_entries

SAVE_SECONDS: Final = 30.0
"""A crash means that so much is read again."""

LEAST_WAIT: Final = 0.02
_AHEAD: Final = timedelta(days=1)
"""An end that lies farther in the future was written by a clock that was set back since."""

_BAD: Final[dict[IntegrityState, Literal["altered", "unreadable"]]] = {
    IntegrityState.ALTERED: "altered",
    IntegrityState.UNREADABLE: "unreadable",
}
_log = logging.getLogger(__name__)


class ScrubRun(Record):
    """One walk through all images, each copy counted once."""

    begun: AwareDatetime
    finished: AwareDatetime | None = None
    images: int = 0
    bytes: int = 0
    altered: int = 0
    unreadable: int = 0
    uncheckable: int = 0

    def with_image(self, state: IntegrityState, size: int) -> ScrubRun:
        """Return it with one more image."""
        update = {"images": self.images + 1, "bytes": self.bytes + size}
        if state is not IntegrityState.INTACT:
            update[state.value] = getattr(self, state.value) + 1
        return self.model_copy(update=update)


class ScrubProgress(Record):
    """What is kept of the scrub: the run under way and the last entry that it has read, and the last whole run."""

    run: ScrubRun | None = None
    place: Place | None = None
    last: ScrubRun | None = None


def read_scrub(spool: Spool) -> ScrubProgress:
    """Return how far the scrub is; a state that cannot be read counts as none."""
    return read_state(_path(spool), ScrubProgress) or ScrubProgress()


def _path(spool: Spool) -> Path:
    return spool.stage(Stage.STATE) / "scrub.json"


class StoppedError(Exception):
    """The scrub was stopped in the middle of an image."""


class Scrub:
    """Reads all images once, from where the last one was stopped.

    Parameters
    ----------
    spool, events, clock
        What is read, the writer of events, and the clock.
    settings : callable
        The settings of now.
    wait : callable
        Waits for so many seconds; True when the scrub is to stop.
    """

    def __init__(
        self,
        spool: Spool,
        events: EventWriter,
        clock: Clock,
        settings: Callable[[], Settings],
        wait: Callable[[float], bool],
    ) -> None:
        self._spool = spool
        self._events = events
        self._clock = clock
        self._settings = settings
        self._wait = wait
        self._next = 0.0
        self._seen: set[int] = set()

    def is_due(self) -> bool:
        """Return whether there is something to be read now: a run was interrupted, or the last one is old."""
        days = self._settings().every_days
        state, now = read_scrub(self._spool), self._clock.now()
        if not days:
            return False
        if state.run is not None or state.last is None or state.last.finished is None:
            return True
        return not timedelta(0) - _AHEAD <= now - state.last.finished < timedelta(days=days)

    def run(self) -> ScrubRun | None:
        """Read all images; None when it was stopped before the end.

        Raises
        ------
        OSError
            As the disk says of the spool as a whole; it goes on from the same place later.
        """
        state = read_scrub(self._spool)
        if state.run is None:
            state = ScrubProgress(run=ScrubRun(begun=self._clock.now()), last=state.last)
            self._save(state)
        self._seen.clear()
        self._next = saved = self._clock.monotonic()
        for place, entry in kept_entries(self._spool, state.place):
            run = self._read(entry, state.run or ScrubRun(begun=self._clock.now()))
            if run is None:
                self._save(state)
                return None
            state = state.model_copy(update={"run": run, "place": place})
            if self._clock.monotonic() - saved >= SAVE_SECONDS:
                self._save(state)
                saved = self._clock.monotonic()
        return self._finish(state)

    def _finish(self, state: ScrubProgress) -> ScrubRun | None:
        if state.run is None:
            return None
        done = state.run.model_copy(update={"finished": self._clock.now()})
        AlteredBook(self._spool).clear()
        details = ScrubFinished(**done.model_dump(exclude={"begun", "finished"}), begun=done.begun)
        self._events.emit(details)
        self._save(ScrubProgress(last=done))
        return done

    def _read(self, entry: Path, run: ScrubRun) -> ScrubRun | None:
        """Read the images of one entry; None if stopped, then it is read again."""
        for image in images_in(entry):
            if image.inode in self._seen:
                continue
            if self._wait(0.0) or not self._settings().every_days:
                return None
            try:
                result = self._examine(image)
            except FileNotFoundError:
                continue  # it moved on, and is met further on, or is gone
            except StoppedError:
                return None
            if image.links > 1:
                self._seen.add(image.inode)
            if result.state in _BAD:
                self._note(image, result)
            run = run.with_image(result.state, result.bytes)
        return run

    def _examine(self, image: KeptImage) -> Integrity:
        """Read an image; what looks bad is read once more: it may have been the cable."""
        result = examine(image.path, expected=image.digest, past_cache=True, pace=self._pace)
        if not result.is_bad:
            return result
        again = examine(image.path, expected=image.digest, past_cache=True, pace=self._pace)
        if not again.is_bad:
            _log.warning("an image was read wrongly once", extra={"path": str(image.path), "problem": result.text})
        return again

    def _note(self, image: KeptImage, result: Integrity) -> None:
        facts = facts_of(image)
        found = AlteredImage(
            path=image.seen_from(self._spool),
            task=image.task,
            series=facts.series,
            sop=facts.sop,
            sender=facts.sender,
            state=_BAD[result.state],
            text=result.text,
            target=facts.target,
            found_by="scrub",
            found=self._clock.now(),
        )
        if AlteredBook(self._spool).note(found, self._events):
            _log.error("a kept image is bad", extra={"path": found.path, "problem": found.text})

    def _pace(self, count: int) -> None:
        """Wait until so many bytes may be read again."""
        now = self._clock.monotonic()
        self._next = max(self._next, now - 1.0) + count / self._settings().bytes_per_second
        if self._next - now >= LEAST_WAIT and self._wait(self._next - now):
            raise StoppedError

    def _save(self, state: ScrubProgress) -> None:
        durable.write_file(_path(self._spool), state.model_dump_json(exclude_none=True).encode())


START_SECONDS: Final = 600.0
"""After a start, the disk is first for what waits."""

END_SECONDS: Final = 10.0


class ScrubThread:
    """Begins the scrub when it is due, and lets it go on between the turns of a service.

    Parameters
    ----------
    spool, events, clock
        What is read, the writer of events, and the clock.
    settings : callable
        The settings of now.
    """

    def __init__(self, spool: Spool, events: EventWriter, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._events = events
        self._clock = clock
        self._stop = threading.Event()
        self._scrub = Scrub(spool, events, clock, settings, self._stop.wait)
        self._thread: threading.Thread | None = None
        self._not_before = clock.monotonic() + START_SECONDS
        self._failing = False

    def turn(self) -> None:
        """Begin, or go on with, what is due."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._clock.monotonic() < self._not_before or self._stop.is_set() or not self._scrub.is_due():
            return
        self._thread = threading.Thread(target=self._work, name="scrub", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop; how far it came is written down."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _work(self) -> None:
        try:
            be_idle()
            self._scrub.run()
            self._failing = False
        except OSError as error:
            self._not_before = self._clock.monotonic() + START_SECONDS
            if not self._failing:
                _log.error("the scrub cannot go on for now", exc_info=error)
                self._events.emit(Warned(text=f"the kept images cannot be read: {error}", advice=TRIES_AGAIN))
            self._failing = True
        except Exception:  # noqa: BLE001 - a mistake of the scrub must not end the cleaner; the log has it
            self._not_before = self._clock.monotonic() + START_SECONDS
            _log.exception("the scrub failed")
