"""Proving that nothing acknowledged is lost."""

from __future__ import annotations

from appliance.control.api.base import Progress
from appliance.control.rpc.jobs import Report as Told
from appliance.control.session import Session
from mercure.history.verify import Report
from mercure.history.verify import verify as check


def verify(session: Session, *, deep: bool = False, report: Told | None = None) -> Report:
    """Look at every image ever acknowledged, in the history and in the spool.

    Parameters
    ----------
    session : Session
        Whose router.
    deep : bool
        Read every kept image, too.
    report : callable, optional
        Told of the progress.

    Raises
    ------
    ControlError
        There is no configuration.
    OSError
        The spool cannot be read.
    """

    def told(done: int, total: int) -> None:
        if report is not None:
            report(Progress(done=done, total=total, text="read", unit="bytes"))

    return check(session.root, session.config, session.clock, deep=deep, told=told)
