"""Waiting for what real machines do, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.guests.commands import GuestError

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.1


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Ask a condition again and again until it holds.

    Raises
    ------
    GuestError
        It did not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise GuestError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(PAUSE)
