"""Proving that nothing acknowledged is lost."""

from __future__ import annotations

from appliance.control.api import verification as api
from appliance.control.api.base import Progress
from appliance.control.registry import Asked, carries_out_for_caller
from mercure.history.verify import Report
from mercure.history.verify import verify as check


@carries_out_for_caller(api.RUN)
def verify(asked: Asked, wanted: api.Verification) -> Report:
    """Look at every image ever acknowledged, in the history and in the spool.

    Raises
    ------
    ControlError
        There is no configuration.
    OSError
        The spool cannot be read.
    """
    session = asked.session

    def told(done: int, total: int) -> None:
        asked.report(Progress(done=done, total=total, text="read", unit="bytes"))

    return check(session.root, session.config, session.clock, deep=wanted.deep, told=told)
