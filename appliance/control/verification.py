"""Proving that nothing acknowledged is lost."""

from __future__ import annotations

from appliance.control.session import Session
from mercure.bookkeeping.verify import Report
from mercure.bookkeeping.verify import verify as check


def verify(session: Session) -> Report:
    """Look at every image ever acknowledged, in the history and in the spool.

    Raises
    ------
    ControlError
        There is no configuration.
    OSError
        The spool cannot be read.
    """
    return check(session.root, session.config, session.clock)
