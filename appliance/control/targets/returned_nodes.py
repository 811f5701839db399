"""A node that calls us is back: a target at the same address is used at once, whatever its wait."""

from __future__ import annotations

import logging
from typing import Final

from appliance.control.history.outbox_tail import OutboxTail
from appliance.control.session import Session
from appliance.control.targets.targets import let_use
from mercure.config import TargetSettings
from mercure.delivery.target_breaker import read_outage
from mercure.event_details import AssociationOpened
from mercure.spool import Stage

_OPENED: Final = "association.opened"
_PAUSE_SECONDS: Final = 30.0
"""A node that sends all the time has its target tried so often at most."""

_log = logging.getLogger(__name__)


class ReturnedNodes:
    """Follows the outbox for associations from targets that are down."""

    def __init__(self) -> None:
        self._tail: OutboxTail | None = None
        self._tried: dict[str, float] = {}

    def look(self, session: Session) -> None:
        """Let the targets be used whose nodes have called since the last look."""
        try:
            callers = self._callers(session)
            down = [name for name in session.config.targets if callers and read_outage(session.spool, name) is not None]
        except OSError as error:
            _log.warning("it cannot be seen which nodes called: %s", error)
            return
        now = session.clock.monotonic()
        for name in down:
            is_early = now - self._tried.get(name, float("-inf")) < _PAUSE_SECONDS
            if not is_early and any(_is_node(session.config.targets[name], caller) for caller in callers):
                self._tried[name] = now
                let_use(session, name)

    def _callers(self, session: Session) -> list[AssociationOpened]:
        outbox = session.spool.stage(Stage.OUTBOX)
        if self._tail is None or self._tail.outbox != outbox:
            self.close()
            self._tail = OutboxTail(outbox, only=(_OPENED,))
        opened = (event.typed() for event in self._tail.read() if event.type == _OPENED)
        return [details for details in opened if isinstance(details, AssociationOpened)]

    def close(self) -> None:
        """Let go of all files."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None


def _is_node(settings: TargetSettings, caller: AssociationOpened) -> bool:
    """Tell whether a caller is the node of a target: by address, or by AE title where the target has a host name.

    Names are not resolved here: a name server that hangs would hold all alerts up. A wrong guess costs one try.
    """
    node = settings.node()
    called = getattr(settings, "called_aet", "")
    return node is not None and (node[0] == caller.address or (called != "" and called == caller.calling_aet))
