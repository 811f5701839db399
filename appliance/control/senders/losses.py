"""Losses: the senders of the last days that a changed configuration would refuse, and the one in force does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from appliance.control.errors import ControlError
from appliance.control.registry import warns
from appliance.control.senders.listing import accounts, standing
from appliance.control.session import Session
from mercure.config import Config

DAYS: Final = 14
_MOST: Final = 1000
_NAMED: Final = 10


def losses(session: Session, wanted: Config) -> list[str]:
    """Name the machines (``AE_TITLE@address``) that have sent in the last days, may send now, and could not any more.

    Raises
    ------
    ControlError
        The history cannot be asked.
    """
    since, now = session.clock.now() - timedelta(days=DAYS), session.config
    refused = {"refused", "disabled"}
    machines = {
        machine
        for account in accounts(session, DAYS, _MOST).values()
        if account.last is not None and account.last >= since
        for machine in account.machines
    }
    return sorted(
        f"{title}@{address}"
        for title, address in machines
        if standing(now, now.sender_of(title, address)) not in refused
        and standing(wanted, wanted.sender_of(title, address)) in refused
    )


@warns
def losses_in_words(session: Session, wanted: Config) -> tuple[str, ...]:
    """Say it in a sentence; nothing where nobody would be refused, or who may send stays as it is."""
    now = session.config
    if (wanted.receiver.access, wanted.senders) == (now.receiver.access, now.senders):
        return ()
    try:
        found = losses(session, wanted)
    except ControlError as error:
        return (f"whether it refuses senders of the last days is not known: {error.text}",)
    if not found:
        return ()
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = "1 sender" if len(found) == 1 else f"{len(found)} senders"
    return (f"it refuses {what} of the last {DAYS} days: {', '.join(found[:_NAMED])}{more}",)
