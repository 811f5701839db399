"""Asking the members of target groups that are down whether they are back.

A target of its own is asked by the next task that waits for it. For a member of a group no task waits, because the
others take its share; so it is asked here, when its breaker says that it is time, by one dispatcher at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from mercure.config import TargetSettings
from mercure.delivery.breaker import Breaker, make_folders, target_folder
from mercure.delivery.health import Health
from mercure.spool import Claim, Spool
from mercure.targets import Target, Trouble

TAKEN_SECONDS: Final = 1.0
"""Another dispatcher is asking; look again after this time."""

_log = logging.getLogger(__name__)


class Prober:
    """Asks members that are down, each in a thread of its own: the answer may take as long as a time limit.

    Parameters
    ----------
    spool : Spool
        Where the breakers are.
    health : callable
        Makes the `Health` of a target from its name and settings.
    open_target : callable
        Makes a target from its name and settings.
    wake : callable
        Ends the wait of the dispatcher's loop: a member may be back.
    """

    def __init__(
        self,
        spool: Spool,
        health: Callable[[str, TargetSettings], Health],
        open_target: Callable[[str, TargetSettings], Target],
        wake: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._health = health
        self._open = open_target
        self._wake = wake
        self._asking: set[str] = set()

    def turn(self, targets: Mapping[str, TargetSettings], now: datetime) -> float:
        """Ask whoever is due; return seconds until the next one is."""
        due = {name: self._left(name, targets[name], now) for name in _members(targets.values())}
        waits = [left or self._begin(name, targets[name], now) for name, left in due.items() if left is not None]
        return min(waits, default=float("inf"))

    def _left(self, name: str, settings: TargetSettings, now: datetime) -> float | None:
        """Return seconds until a member is to be asked; None when there is nothing to ask."""
        if settings.disabled or name in self._asking:
            return None
        outage = Breaker(self._spool, name).outage()
        return None if outage is None else outage.seconds_left(settings.retry, now)

    def _begin(self, name: str, settings: TargetSettings, now: datetime) -> float:
        folder = target_folder(self._spool, name)
        make_folders(folder.parent, folder, folder / "probe")
        claim = Claim.take(folder / "probe")
        if claim is None:
            return TAKEN_SECONDS
        try:
            left = self._left(name, settings, now)
            if left is None or left:
                claim.release()  # another dispatcher has just asked
                return left or TAKEN_SECONDS
            thread = threading.Thread(target=self._ask, args=(name, settings, claim), name=f"ask {name}", daemon=True)
            self._asking.add(name)
            thread.start()
        except BaseException:
            self._asking.discard(name)
            claim.release()
            raise
        return float("inf")  # its end wakes the loop

    def _ask(self, name: str, settings: TargetSettings, claim: Claim) -> None:
        health = self._health(name, settings)
        try:
            if health.is_back(self._open(name, settings)):
                health.note(None)
        except Exception as error:  # noqa: BLE001 - a member that cannot even be asked is down, and asked again later
            _log.exception("a target could not be asked whether it is back", extra={"target": name})
            health.note(Trouble("unreachable", f"{type(error).__name__}: {error}"))
        finally:
            claim.release()
            self._asking.discard(name)
            self._wake()


def _members(targets: Iterable[TargetSettings]) -> set[str]:
    """Collect the members of all groups in use."""
    return {name for settings in targets if not settings.disabled for name in settings.leads_to()}
