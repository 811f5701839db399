"""Snapshot source: asks the control service at most once in a while, however many look at the page.

A request never waits for the router, save the first one after a pause; so the page can take a thousand requests a
second, and the router gets a few a minute. The stream of the control API would
look at the router all night, also when nobody looks at the page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.control.rpc.client import Client, ControlError, DisconnectedError, api
from mercure.clock import Clock
from mercure.config.site import SiteSettings
from mercure.config.status_page import StatusPage

CALL_SECONDS: Final = 10.0
"""The longest wait for one answer of the control service."""

STALE_SECONDS: Final = 60.0
"""What is older is not shown any more: better no answer than a wrong one."""

DAYS: Final = 90
"""So many days are drawn."""

DAYS_SECONDS: Final = 300.0
"""Between two questions about them."""

_NOWHERE: Final = SiteSettings()
_LEAST_SECONDS: Final = 2.0
_SHARE: Final = 10
"""Queries take at most this part of the time: a router with long answers is queried less often."""


@dataclass(frozen=True)
class Flow:
    """What the history tells: arrivals, rates and counters."""

    senders: api.traffic.Senders
    rates: api.traffic.Rates
    totals: api.traffic.Totals


@dataclass(frozen=True)
class PageSnapshot:
    """The router as it was seen at one moment."""

    status: api.status.Status
    alerts: tuple[api.status.Alert, ...]
    targets: tuple[api.targets.TargetState, ...]
    modules: tuple[api.configuration.ModuleState, ...]
    node: str
    version: str
    flow: Flow | None
    """None: the history cannot be queried; ``status.history`` says why."""
    fingerprint: str = ""
    """Of the key with which the router signs receipts; empty before the first one."""
    days: api.traffic.Days | None = None
    """None: they cannot be queried."""
    site: SiteSettings = _NOWHERE
    """Where the router stands, and whom people call."""

    @property
    def health(self) -> api.status.Health:
        """How the router is, by the alerts that are shown."""
        return api.status.Alerts(alerts=self.alerts).health


@dataclass(frozen=True)
class Snapshot:
    """What was found at one look.

    Parameters
    ----------
    time : datetime
        When; aware.
    tick : float
        The same on the monotonic clock, in seconds.
    settings : StatusPage
        Of the page, as last known; None before the control service has ever answered.
    site : SiteSettings
        As last known: whom to call is needed most when the router does not answer.
    seen : PageSnapshot
        None when the control service did not answer.
    problem : str
        Why not.
    seconds : float
        How long the look took.
    """

    time: datetime
    tick: float
    settings: StatusPage | None = None
    site: SiteSettings = _NOWHERE
    seen: PageSnapshot | None = None
    problem: str = ""
    seconds: float = 0.0


class RouterLook:
    """Asks the control service of a root for everything.

    Parameters
    ----------
    root : Path
        Of the router.
    """

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self._root = root
        self._clock = clock or Clock()
        self._days: api.traffic.Days | None = None
        self._days_at = float("-inf")

    def __call__(self) -> tuple[StatusPage, PageSnapshot]:
        """Ask once.

        Raises
        ------
        DisconnectedError, ControlError
            It does not answer, or refuses.
        """
        with Client(self._root, seconds=CALL_SECONDS) as client:
            shown = client.call(api.configuration.PAGE).content
            settings, site = _settings(shown), _site(shown)
            me = client.whoami()
            return settings, PageSnapshot(
                status=client.status(),
                alerts=client.alerts(),
                targets=client.call(api.targets.LIST).targets,
                modules=client.call(api.configuration.MODULES).modules,
                node=me.node,
                version=me.version,
                flow=_flow(client, settings),
                fingerprint=me.fingerprint,
                days=self._last_days(client),
                site=site,
            )

    def _last_days(self, client: Client) -> api.traffic.Days | None:
        """Return the outages of the last days; the history is asked for them every few minutes only."""
        if self._clock.monotonic() - self._days_at >= DAYS_SECONDS:
            try:
                self._days = client.call(api.traffic.DAYS, api.traffic.ListDays(days=DAYS))
            except ControlError:
                self._days = None
            self._days_at = self._clock.monotonic()
        return self._days


def find_exam(root: Path, accession: str) -> api.traffic.ExamFound:
    """Ask where an exam is.

    Raises
    ------
    DisconnectedError, ControlError
        The control service does not answer, or refuses.
    """
    with Client(root, seconds=CALL_SECONDS) as client:
        return client.call(api.traffic.EXAM, api.traffic.FindExam(accession=accession))


def _flow(client: Client, settings: StatusPage) -> Flow | None:
    wanted = api.traffic.ListSenders(hours=settings.hours)
    try:
        return Flow(
            senders=client.call(api.traffic.SENDERS, wanted),
            rates=client.call(api.traffic.RATES, api.traffic.RateOver(hours=settings.hours, step=60)),
            totals=client.call(api.traffic.TOTALS, api.traffic.CountAll(limit=settings.metric_labels)),
        )
    except ControlError:
        return None  # the status says what is wrong with the history


def _settings(content: dict[str, object]) -> StatusPage:
    try:
        return StatusPage.model_validate(content.get("status_page", {}))
    except ValidationError:
        # A control service of another version knows settings that we do not. The strict ones are safe for both.
        return StatusPage()


def _site(content: dict[str, object]) -> SiteSettings:
    try:
        return SiteSettings.model_validate(content.get("site", {}))
    except ValidationError:
        return SiteSettings()  # of another version


@dataclass
class SnapshotSource:
    """Keeps the last snapshot, and takes a new one when a request finds it old.

    Parameters
    ----------
    look : callable
        Asks the control service.
    """

    look: Callable[[], tuple[StatusPage, PageSnapshot]]
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        """Know nothing."""
        self._asking = threading.Lock()
        self._last: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return the snapshot; renew it first if it is old and no other thread does."""
        last = self._last
        if last is not None and self.clock.monotonic() - last.tick < _fresh_seconds(last):
            return last
        if last is None:
            with self._asking:
                return self._last or self._ask()
        if not self._asking.acquire(blocking=False):
            return self._unless_stale(last)
        try:
            return self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> Snapshot:
        begin = self.clock.monotonic()
        last = self._last or Snapshot(self.clock.now(), begin)
        try:
            settings, seen = self.look()
            found = Snapshot(self.clock.now(), 0.0, settings, seen.site, seen)
        except (ControlError, DisconnectedError, OSError) as error:
            found = Snapshot(self.clock.now(), 0.0, last.settings, last.site, problem=str(error))
        end = self.clock.monotonic()
        self._last = replace(found, tick=end, seconds=end - begin)
        return self._last

    def _unless_stale(self, last: Snapshot) -> Snapshot:
        age = self.clock.monotonic() - last.tick
        if age < STALE_SECONDS:
            return last
        return replace(last, seen=None, problem=f"the control service has not answered for {age:.0f} seconds")


def _fresh_seconds(snapshot: Snapshot) -> float:
    refresh = snapshot.settings.refresh_seconds if snapshot.settings is not None and snapshot.seen is not None else 0
    return max(_LEAST_SECONDS, refresh / 2, _SHARE * snapshot.seconds)
