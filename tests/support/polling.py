"""Waiting for something that real processes do, with a deadline. A test never sleeps for a guessed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


def eventually(predicate: Callable[[], T], *, seconds: float = 10.0, what: str = "") -> T:
    """Call ``predicate`` until it returns something true, and return that.

    Parameters
    ----------
    predicate
        What is waited for. It must be cheap; an exception from it ends the wait.
    seconds
        The deadline. Generous, because a machine in use is slow, and free when all is well.
    what
        The sentence that a person reads when it did not happen; the default names the predicate.

    Raises
    ------
    AssertionError
        When the deadline passed first; it carries the last value.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            wanted = what or getattr(predicate, "__name__", repr(predicate))
            message = f"not within {seconds:g} s: {wanted} (the last value was {value!r})"
            raise AssertionError(message)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
