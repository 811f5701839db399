"""Nightly verification that nothing acknowledged is lost: `mercure verify`, run by the router itself.

It is a thread of the cleaner and no timer of systemd: so a laptop has it too. Its result is in ``state/verify.json``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from mercure import durable
from mercure.clock import Clock
from mercure.config import Config, Root
from mercure.history.reader import HistoryUnavailableError
from mercure.history.verify import Report, verify
from mercure.model import Record, read_state
from mercure.retention.priority import be_idle
from mercure.spool import Spool, Stage, uptime

SETTLE_SECONDS: Final = 600.0
"""After a start, and before a failed one is made again: the disk is first for what waits."""

NIGHT_SECONDS: Final = 20 * 3600.0
"""It is made in its hour when the last one is older than this, as lived."""

MISSED_SECONDS: Final = 30 * 3600.0
"""It is made at any hour when the last one, or the start, is older than this: the box was off at night."""

AGAIN_SECONDS: Final = 3600.0
"""One that could not check everything is made again after this time."""

END_SECONDS: Final = 10.0
_log = logging.getLogger(__name__)


class NightlyProof(Record):
    """What the last one found: the exit code of `mercure verify`, and what to say of it."""

    finished: AwareDatetime
    exit_code: int
    acknowledged: int = 0
    findings: int = 0
    """What is not accounted for, or not as it was received."""
    unchecked: tuple[str, ...] = ()
    """What could not be checked, and why."""


def read_proof(spool: Spool) -> NightlyProof | None:
    """Return the last one; None when there is none, or it cannot be read."""
    return read_state(_path(spool), NightlyProof)


def write_proof(spool: Spool, report: Report) -> NightlyProof:
    """Keep what a verification found."""
    proof = NightlyProof(
        finished=report.time,
        exit_code=report.exit_code,
        acknowledged=report.acknowledged,
        findings=sum(finding.is_violation for finding in report.findings) + report.findings_not_named,
        unchecked=report.unchecked,
    )
    durable.write_file(_path(spool), proof.model_dump_json(indent=1).encode())
    return proof


def _path(spool: Spool) -> Path:
    return spool.stage(Stage.STATE) / "verify.json"


class NightlyVerify:
    """Makes the proof when it is due, beside the turns of a service.

    Parameters
    ----------
    root, spool, clock
        Of which router, and when.
    config : callable
        The configuration of now.
    """

    def __init__(self, root: Root, spool: Spool, clock: Clock, config: Callable[[], Config]) -> None:
        self._root, self._spool, self._clock, self._config = root, spool, clock, config
        self._thread: threading.Thread | None = None
        self._started = clock.monotonic()
        self._not_before = self._started + SETTLE_SECONDS

    def turn(self) -> None:
        """Begin what is due."""
        if self._thread is not None and self._thread.is_alive():
            return
        if not self.is_due():
            return
        self._not_before = self._clock.monotonic() + SETTLE_SECONDS
        self._thread = threading.Thread(target=self._work, name="verify", daemon=True)
        self._thread.start()

    def is_due(self) -> bool:
        """Return whether it is to be made now."""
        settings, now = self._config().nightly_verify, self._clock.monotonic()
        if not settings.enabled or now < self._not_before:
            return False
        last = read_proof(self._spool)
        age = now - self._started if last is None else uptime(self._spool, self._clock).age(last.finished)
        if last is not None and last.unchecked and age > AGAIN_SECONDS:
            return True
        if age > MISSED_SECONDS:
            return True
        is_night = self._clock.now().astimezone().hour == settings.hour
        return is_night and (last is None or age > NIGHT_SECONDS)

    def end(self) -> None:
        """Wait a little for one that is under way; it only looks, so it may be cut off."""
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def run(self) -> NightlyProof:
        """Make the proof now.

        Raises
        ------
        OSError
            The spool cannot be read, or the result not be kept.
        HistoryUnavailableError
            The history went away in the middle.
        """
        proof = write_proof(self._spool, verify(self._root, self._config(), self._clock))
        level = logging.INFO if proof.exit_code == 0 else logging.ERROR
        _log.log(level, "verified", extra=proof.model_dump(mode="json"))
        return proof

    def _work(self) -> None:
        try:
            be_idle()
            self.run()
        except (OSError, HistoryUnavailableError) as error:
            _log.warning("the proof of the night cannot be made now, and is tried again: %s", error)
        except Exception:  # noqa: BLE001 - a mistake of it must not end the cleaner; the alert tells that it is overdue
            _log.exception("the proof of the night failed")
