"""Health probe of targets that are down: each is asked whether it is back when its breaker says that it is time.

A target for which a task may be tried is asked by that task, before it goes; here the others are, by one dispatcher at
a time: those for which nothing waits, and members of groups, whose share the others take. A target that answered and
took no image is not asked: only an image shows that it is back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Final

from mercure.config import TargetSettings
from mercure.delivery.target_breaker import read_outage, target_folder
from mercure.delivery.target_health import TargetHealth
from mercure.spool import Claim, Spool, Task
from mercure.spool.hints import make_folders
from mercure.targets import Target, Trouble

END_SECONDS: Final = 1.0
TAKEN_SECONDS: Final = 1.0
"""Another dispatcher is asking; look again after this time."""

_log = logging.getLogger(__name__)


class HealthProbe:
    """Asks targets that are down, each in a thread of its own: the answer may take as long as a time limit.

    Parameters
    ----------
    spool : Spool
        Where the breakers are.
    health : callable
        Makes the `TargetHealth` of a target from its name and settings.
    open_target : callable
        Makes a target from its name and settings.
    wake : callable
        Ends the wait of the dispatcher's loop: a target may be back.
    """

    def __init__(
        self,
        spool: Spool,
        health: Callable[[str, TargetSettings], TargetHealth],
        open_target: Callable[[str, TargetSettings], Target],
        wake: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._health = health
        self._open = open_target
        self._wake = wake
        self._asking: dict[str, threading.Thread] = {}

    def turn(self, targets: Mapping[str, TargetSettings], now: datetime, besides: Collection[str] = ()) -> float:
        """Ask whoever is due, and is not asked by a task; return seconds until the next one is."""
        waits = [self._next(name, settings, now) for name, settings in targets.items() if name not in besides]
        return min(waits, default=float("inf"))

    def end(self) -> None:
        """Wait a little for the answers that are due; a question that goes on is without consequence."""
        for thread in list(self._asking.values()):
            thread.join(END_SECONDS)

    def _next(self, name: str, settings: TargetSettings, now: datetime) -> float:
        left = self._left(name, settings, now)
        return float("inf") if left is None else left or self._begin(name, settings, now)

    def _left(self, name: str, settings: TargetSettings, now: datetime) -> float | None:
        """Return seconds until a target is to be asked; None when there is nothing to ask."""
        if settings.disabled or settings.leads_to() or name in self._asking:
            return None
        outage = read_outage(self._spool, name)
        return None if outage is None or outage.by_image else outage.seconds_left(settings.retry, now)

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
            self._asking[name] = thread
            thread.start()
        except BaseException:
            self._asking.pop(name, None)
            claim.release()
            raise
        return float("inf")  # its end wakes the loop

    def _ask(self, name: str, settings: TargetSettings, claim: Claim) -> None:
        health = self._health(name, settings)
        try:
            health.ask(self._open(name, settings))
        except Exception as error:  # noqa: BLE001 - one that cannot even be asked is down, and asked again later
            _log.exception("a target could not be asked whether it is back", extra={"target": name})
            health.failed(Trouble("unreachable", f"{type(error).__name__}: {error}"))
        finally:
            claim.release()
            self._asking.pop(name, None)
            self._wake()


class TargetChanges:
    """Remembers the settings of all targets, and when they changed."""

    def __init__(self) -> None:
        self._known: Mapping[str, TargetSettings] = {}
        self._at: dict[str, datetime] = {}

    def follow(self, targets: Mapping[str, TargetSettings], now: datetime) -> Iterator[tuple[str, TargetSettings]]:
        """Compare the settings with those of the last time; yield the targets that changed, and groups' members."""
        known, self._known = self._known, targets
        if known is targets:
            return
        for name, settings in targets.items():
            if name in known and known[name] != settings:
                self._at[name] = now
                yield from ((other, targets[other]) for other in settings.leads_to() or (name,))

    def since(self, task: Task) -> bool:
        """Tell whether the target of a task, or the member of a group that had it, changed since it was last tried."""
        at = max((self._at[name] for name in (task.target, task.member) if name in self._at), default=None)
        return at is not None and bool(task.attempts) and task.attempts[-1].started < at
