"""A scanner that never stops: it sends series after series, and each until all of it is acknowledged."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.account import Sent

PATIENCE = 0.05
"""Seconds before what was not acknowledged is sent again: a router that is away must not cost a whole core."""


@dataclass
class Sender:
    """Begins at `go`; one association at a time.

    Parameters
    ----------
    port
        Of the receiver on loopback.
    series
        Makes the n-th series, from 1.
    """

    port: int
    series: Callable[[int], list[Sent]]
    account: Account = field(default_factory=Account)
    sent_series: int = 0
    is_idle: bool = True
    """Whether it is between two associations."""
    _may: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._may.wait()
            left = self.series(self.sent_series + 1)
            while left:
                self._may.wait()
                self.is_idle = False
                left = [sent for sent in self.account.send(self.port, left) if sent.readable]
                self.is_idle = True
                if left:
                    threading.Event().wait(PATIENCE)
            self.sent_series += 1

    def go(self) -> None:
        """Send."""
        self._may.set()

    def pause(self) -> None:
        """Begin no further association."""
        self._may.clear()

    def end(self) -> None:
        """Send the rest of the series, and no further one."""
        self._ended.set()
        self.go()
        self._thread.join(120)
        assert not self._thread.is_alive(), "the sender does not come to an end: what it sends is not acknowledged"
