"""A router at one end of a cable, its scanners and its archive at the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from mercure.config import Root
from mercure.delivery.target_breaker import read_outage
from mercure.history.queries import History, HistoryUnavailableError
from mercure.services.common import open_store
from mercure.spool import Stage
from tests.crash.running_router import RunningRouter
from tests.oracle.judge import STAGE, Run, judged
from tests.oracle.meaning import DISCARD, ERROR
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import Disturbances
from tests.oracle.rules import ELSEWHERE
from tests.support.account import Account
from tests.support.dcmtk import StoreScp
from tests.support.held import arrivals, digests
from tests.support.polling import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.delivery.target_outage import TargetOutage
    from tests.oracle.meaning import Rule
    from tests.support.namespaces import NamespacePair


PATIENCE = {"retry": {"first_seconds": 0.2, "cap_seconds": 1}, "connect_timeout_seconds": 1}


LIMITS = {"acse_timeout_seconds": 2, "dimse_timeout_seconds": 2}


WAITING = (Stage.INCOMING, Stage.ROUTING, Stage.OUTGOING)


@dataclass
class Hospital:
    """The router is at `cable.receiver`, all else at `cable.sender`; `account` is the scanner's."""

    cable: NamespacePair
    router: RunningRouter
    archive: StoreScp
    account: Account
    rules: tuple[Rule, ...]
    elsewhere: Path
    disturbances: Disturbances = field(default_factory=Disturbances)

    def __post_init__(self) -> None:
        """Begin: from now on something may happen to the lines."""
        self.began = monotonic()

    def outage(self) -> TargetOutage | None:
        """Return what the router knows of an outage of the archive."""
        return read_outage(self.router.box.spool, "archive")

    def told(self, kind: str, *, seconds: float = 30.0) -> list[dict[str, Any]]:
        """Wait until the history knows events of a type, and return the details of each, in their order."""
        root = Root(self.router.root)
        config = open_store(root).mercure.load().value

        def found() -> list[dict[str, Any]]:
            try:
                with History.open(root, config) as history:
                    return [event.details for event in reversed(history.events(type=kind))]
            except HistoryUnavailableError:
                return []  # the bookkeeper makes it in the first seconds

        return eventually(found, seconds=seconds, what=f"the history tells of {kind}")

    def settled(self) -> None:
        """Wait until nothing is on its way; then let the oracle and ``mercure verify`` judge."""
        eventually(lambda: not any(map(self.router.box.spool.names, WAITING)), seconds=60, what="nothing waits")
        # Stock `storescp` writes under the final name from the first byte on, and removes what broke off later.
        whole = {sent.digest for sent in self.account.sent}
        eventually(lambda: digests(self.archive.folder) <= whole, seconds=60, what="the archive holds whole images")
        self.disturbances.spans.append((self.began, monotonic()))
        stages = {place: self.router.root / "spool" / place.removeprefix(STAGE) for place in (DISCARD, ERROR)}
        places = {"archive": self.archive.folder, ELSEWHERE: self.elsewhere, **stages}
        came = {name: arrivals(folder) for name, folder in places.items()}
        run = Run(self.account.sent, self.rules, came, disturbances=self.disturbances)
        judged(run)
        assert_planted_are_found(run)
        assert self.router.box.tasks(Stage.ERROR) == []
        assert self.outage() is None
        assert set(self.router.stop().values()) == {0}, "a service ended by something else than the request"
        verified = self.router.verify()
        assert verified.returncode == 0, verified.stdout + verified.stderr
