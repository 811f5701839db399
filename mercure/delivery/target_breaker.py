"""Circuit breaker of a target: while it is down it is asked whether it is back, and no task is tried on it.

An outage in which it could not be reached ends when it answers; one in which it answered and took no image ends when
it takes one, and one image at a time goes until then.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from mercure.config import Retry
from mercure.delivery.target_outage import TargetOutage
from mercure.scheduling.backoff import Backoff
from mercure.scheduling.circuit_breaker import CircuitBreaker
from mercure.spool import Spool, Stage
from mercure.targets import Trouble

FIRST_IMAGE_SECONDS: Final = 1.0
"""So soon a target that took no image is given another one for the first time: it may have been the image."""


def target_folder(spool: Spool, target: str) -> Path:
    """Return the folder in which the dispatchers share what they know of a target."""
    return spool.stage(Stage.STATE) / "targets" / target


def read_outage(spool: Spool, target: str) -> TargetOutage | None:
    """Read the outage of a target; None when it is not down, as far as is known."""
    return TargetBreaker(spool, target).outage()


class TargetBreaker(CircuitBreaker[TargetOutage]):
    """The breaker of one target.

    Parameters
    ----------
    spool : Spool
        Where its state is.
    target : str
        Its name.
    """

    def __init__(self, spool: Spool, target: str) -> None:
        super().__init__(target_folder(spool, target) / "outage.json", TargetOutage)

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

        def until(known: TargetOutage | None, failures: int) -> datetime | None:
            waits = known is not None and known.seconds_left(retry, now) > 0
            if known is not None and waits and not by_image and not known.by_image:
                return None  # deliveries that ran side by side fail together: that is one failure, not many
            if known is not None and waits and by_image:
                return known.until
            return now + _pace(retry, failures, by_image).after(failures)

        outage, known = self.open(now, until, kind=trouble.kind, error=trouble.text, by_image=by_image, tried=now)
        return outage, known is None

    def worked(self) -> TargetOutage | None:
        """Note that the target took images; return the outage that this ends, if there was one."""
        return self.close()

    def answered(self) -> TargetOutage | None:
        """Note that the target answered; return the outage that this ends: one in which it could not be reached."""
        return self.close(lambda outage: not outage.by_image)

    def ask_now(self, now: datetime) -> TargetOutage | None:
        """Note that somebody found out that the target may be back; return the outage that this ends.

        One in which it took no image goes on, and one image goes at once.
        """
        self.try_at(now, lambda outage: outage.by_image)
        return self.answered()


def _pace(retry: Retry, failures: int, by_image: bool) -> Backoff:
    """Return when a target that is down is asked again, whatever the back-off of tasks."""
    first = min(retry.first_seconds, FIRST_IMAGE_SECONDS) if by_image else retry.first_seconds
    return Backoff(first, min(retry.cap_seconds, retry.probe_seconds))
