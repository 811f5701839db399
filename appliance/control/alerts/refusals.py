"""Refused senders and images, and images that are not whole, read from what the receiver tells the history.

It writes no notices itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.control.history.outbox_tail import OutboxTail
from appliance.control.session import Session
from mercure.event_details import AssociationRefused, ImageRefused, ImageTruncated, SenderQuota
from mercure.model import Record
from mercure.spool import Stage
from mercure.spool.notices import NoticeKind, post

_log = logging.getLogger(__name__)

_MOST_HOLDERS: Final = 3


def _holders(details: Record) -> str:
    """Say who has the places, those with most first."""
    held = getattr(details, "held", None) or {}
    most = sorted(held.items(), key=lambda one: -one[1])[:_MOST_HOLDERS]
    return f" ({', '.join(f'{address} has {places}' for address, places in most)})" if most else ""


_WORDS: Final[dict[str, tuple[NoticeKind, Callable[[Record], str], str]]] = {
    "association.refused": (
        "refused",
        lambda details: f"was refused: {getattr(details, 'reason', '')}{_holders(details)}",
        "if it is to send here, see its AE titles and the limits in `receiver` of the configuration",
    ),
    "image.refused": (
        "refused",
        lambda details: f"was refused an image ({getattr(details, 'status', '')}): {getattr(details, 'reason', '')}",
        "the sender still has it: remove the cause, and have it sent again",
    ),
    "sender.quota": (
        "refused",
        lambda details: f"has used most of its quota `{getattr(details, 'quota', '')}`: {getattr(details, 'limit', 0)}",
        "what comes beyond it is refused; see whether so much is right, and change the quota in `senders`",
    ),
    "image.truncated": (
        "truncated",
        lambda details: f"sent an image that is not whole: {getattr(details, 'reason', '')}",
        "it is kept and delivered as it came, and a target may refuse it or end the association at it; see whether the "
        "sender has a better one, or breaks off: `mercure history events --type image.truncated` names the images",
    ),
}
"""What is said of each type of event."""


@dataclass
class _Refused:
    """What a sender was refused since the last look."""

    text: str
    advice: str
    last: datetime
    times: int = 1


class Refusals:
    """Follows the outbox, also while the history is away, and writes a notice for each sender that was refused."""

    def __init__(self) -> None:
        self._tail: OutboxTail | None = None

    def look(self, session: Session) -> None:
        """Write down what is new since the last look; a disk that takes nothing is an alert of its own."""
        try:
            for (kind, sender), refused in self._found(session).items():
                text, times = f"{sender} {refused.text}", refused.times
                post(session.spool, kind, sender, text, refused.advice, now=refused.last, times=times)
        except OSError as error:
            _log.warning("who was refused cannot be noted: %s", error)

    def _found(self, session: Session) -> dict[tuple[NoticeKind, str], _Refused]:
        outbox = session.spool.stage(Stage.OUTBOX)
        if self._tail is None or self._tail.outbox != outbox:
            self.close()
            # From the beginning: what came before this process began, and is not recorded yet, counts too.
            self._tail = OutboxTail(outbox, only=tuple(_WORDS), from_end=False)
        found: dict[tuple[NoticeKind, str], _Refused] = {}
        for event in self._tail.read():
            details = event.typed() if event.type in _WORDS else None
            if not isinstance(details, AssociationRefused | ImageRefused | ImageTruncated | SenderQuota):
                continue
            kind, words, advice = _WORDS[event.type]
            key = kind, session.config.sender_of(details.calling_aet, details.address)
            earlier = found[key].times if key in found else 0
            times = details.times if isinstance(details, AssociationRefused) else 1
            found[key] = _Refused(words(details), advice, event.time, earlier + times)
        return found

    def close(self) -> None:
        """Let go of all files."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None
