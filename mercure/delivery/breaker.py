"""Circuit breaker of a target: while it is down it is asked whether it is back, and no task is tried on it.

An outage in which it could not be reached ends when it answers; one in which it answered and took no image ends when
it takes one, and one image at a time goes until then.

Its state is a small file in ``state/targets/NAME/``, shared by all dispatchers. It is a hint and not synced: without it
the next attempt finds out again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from mercure import durable
from mercure.config import Retry
from mercure.delivery.policy import backoff
from mercure.delivery.target_outage import TargetOutage
from mercure.spool import Spool, Stage
from mercure.spool.hints import exclusive
from mercure.targets import Trouble

FIRST_IMAGE_SECONDS: Final = 5.0
"""So soon a target that took no image is given another one for the first time: it may have been the image."""


def target_folder(spool: Spool, target: str) -> Path:
    """Return the folder in which the dispatchers share what they know of a target."""
    return spool.stage(Stage.STATE) / "targets" / target


def make_folders(*folders: Path) -> None:
    """Make the folders of a target's state that are missing; one after the other, each may be in the one before."""
    for folder in folders:
        if not folder.is_dir():
            durable.make_directory(folder, sync=False)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let nobody else look at a target's state and change it in between; its folder is made where it is missing.

    Waiting is right here, unlike at a claim: nobody holds it for longer than it takes to write a small file.
    """
    make_folders(folder.parent)
    with exclusive(folder):
        yield


def read_outage(spool: Spool, target: str) -> TargetOutage | None:
    """Read the outage of a target; None when it is not down, as far as is known."""
    try:
        return TargetOutage.model_validate_json((target_folder(spool, target) / "outage.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


class Breaker:
    """The breaker of one target.

    Parameters
    ----------
    spool : Spool
        Where its state is.
    target : str
        Its name.
    """

    def __init__(self, spool: Spool, target: str) -> None:
        self._spool = spool
        self._target = target
        self._path = target_folder(spool, target) / "outage.json"

    def outage(self) -> TargetOutage | None:
        """Return what is known of the outage; None when the target takes images."""
        return read_outage(self._spool, self._target)

    def failed(
        self, trouble: Trouble, retry: Retry, now: datetime, *, by_image: bool = False
    ) -> tuple[TargetOutage, bool]:
        """Note that the target could not be used; return the outage and whether it is new.

        Parameters
        ----------
        trouble : Trouble
            Why.
        retry : Retry
            Its settings: when to ask again.
        now : datetime
            Aware instant.
        by_image : bool
            It answers, and takes no image.
        """
        with alone_in(self._path.parent):
            return self._failed(trouble, retry, now, by_image=by_image)

    def _failed(self, trouble: Trouble, retry: Retry, now: datetime, *, by_image: bool) -> tuple[TargetOutage, bool]:
        known = self.outage()
        waits = known is not None and known.seconds_left(retry, now) > 0
        if known is not None and waits and known.by_image == by_image and not by_image:
            return known, False  # deliveries that ran side by side fail together: that is one failure, not many
        failures = (known.failures if known else 0) + 1
        outage = TargetOutage(
            since=known.since if known else now,
            failures=failures,
            until=known.until if known is not None and waits and by_image else now + _wait(retry, failures, by_image),
            kind=trouble.kind,
            error=trouble.text,
            by_image=by_image,
            tried=now,
        )
        self._write(outage)
        return outage, known is None

    def worked(self) -> TargetOutage | None:
        """Note that the target took images; return the outage that this ends, if there was one."""
        return self._end(lambda outage: True)

    def answered(self) -> TargetOutage | None:
        """Note that the target answered; return the outage that this ends: one in which it could not be reached."""
        return self._end(lambda outage: not outage.by_image)

    def ask_now(self, now: datetime) -> TargetOutage | None:
        """Note that somebody found out that the target may be back; return the outage that this ends.

        One in which it took no image goes on, and one image goes at once.
        """
        with alone_in(self._path.parent):
            known = self.outage()
            if known is not None and known.by_image:
                self._write(known.model_copy(update={"until": now}))
        return self.answered()

    def _end(self, ends: Callable[[TargetOutage], bool]) -> TargetOutage | None:
        known = self.outage()
        if known is None or not ends(known):
            return None  # nearly always: no lock for that
        with alone_in(self._path.parent):
            known = self.outage()
            if known is None or not ends(known):
                return None
            durable.unlink(self._path)
            return known

    def _write(self, outage: TargetOutage) -> None:
        durable.write_file(self._path, outage.model_dump_json().encode(), sync=False)


def _wait(retry: Retry, failures: int, by_image: bool) -> timedelta:
    """Return the time until a target that is down is asked again, whatever the back-off of tasks."""
    longest = min(retry.probe_seconds, FIRST_IMAGE_SECONDS) if by_image and failures == 1 else retry.probe_seconds
    return min(backoff(retry, failures), timedelta(seconds=longest))
