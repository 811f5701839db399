"""News of senders: what one uses that it did not use before, and whom a changed configuration would refuse."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Final

from appliance.control.errors import ControlError
from appliance.control.history.search import reading
from appliance.control.registry import warns
from appliance.control.senders.accounts import accounts, standing, traits_of
from appliance.control.session import Session
from mercure import durable
from mercure.config import Config
from mercure.event_details import SenderChanged
from mercure.history.records import TraitRecord
from mercure.history.rows import MOST_TRAITS
from mercure.history.traffic import Traffic
from mercure.model import Record, read_state
from mercure.spool import Stage

SECONDS: Final = 300.0
"""Between two looks: what is new is seen in the history."""

_log = logging.getLogger(__name__)


class ToldChanges(Record):
    """What was told already: sender, kind and value of each."""

    told: tuple[tuple[str, str, str], ...] = ()


class SenderNews:
    """Looks for what is new of each sender, and tells each once."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def look(self, session: Session) -> None:
        """Tell what is new, if it is time to look; a history that cannot be asked is an alert of its own."""
        now = session.clock.monotonic()
        if now - self._at < SECONDS:
            return
        self._at = now
        try:
            self._tell(session)
        except (ControlError, OSError) as error:
            _log.warning("what is new of senders cannot be told: %s", error)

    def _tell(self, session: Session) -> None:
        path = _path(session)
        before, found = read_state(path, ToldChanges), _changes(session)
        keys = tuple(sorted(found))
        if before is not None and keys == before.told:
            return
        # Where nothing was ever told, what is known is where it begins: an upgrade is no news.
        fresh = [key for key in keys if key not in before.told] if before is not None else []
        if fresh:
            with session.changing() as events:
                for key in fresh:
                    events.emit(found[key])
        if not path.parent.is_dir():
            durable.make_directory(path.parent)
        durable.write_file(path, ToldChanges(told=keys).model_dump_json().encode(), sync=bool(fresh))


def _path(session: Session) -> Path:
    return session.spool.stage(Stage.STATE) / "senders" / "told.json"


def _changes(session: Session) -> dict[tuple[str, str, str], SenderChanged]:
    config, by_sender = session.config, defaultdict[str, list[TraitRecord]](list)
    with reading(session, Traffic) as traffic:
        for trait in traffic.traits(config.name, MOST_TRAITS):
            by_sender[config.sender_of(trait.calling_aet, trait.address)].append(trait)
    return {
        (name, new.kind, new.value): SenderChanged(sender=name, kind=new.kind, value=new.value, since=new.first)
        for name, traits in by_sender.items()
        for new in traits_of(traits, session.clock.now())
        if new.new
    }


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
