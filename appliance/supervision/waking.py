"""Lets a signal end the wait of supervisord's main loop.

The loop waits for up to a second in ``poll``, which Python goes on with after a signal (PEP 475). So supervisord sees a
child's end, or a request to end, up to a second late; stopping ten services in their order took five seconds, in which
no receiver answered. A byte in a pipe ends the wait (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

_ENOUGH: Final = 4096


class WakingPipe:
    """A pipe whose readable end is one of the sockets of supervisord's loop; a byte in it only wakes it."""

    def __init__(self) -> None:
        self.end, self.start = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._works = True

    def wake(self) -> None:
        """Have the loop go round once more without waiting."""
        with suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self.start, b"\0")

    def readable(self) -> bool:
        """Tell whether it is waited for."""
        return self._works

    def writable(self) -> bool:
        """Tell that nothing is written."""
        return False

    def handle_read_event(self) -> None:
        """Empty the pipe; the loop looks after signals and children by itself afterwards."""
        with suppress(BlockingIOError):
            os.read(self.end, _ENOUGH)

    def handle_error(self) -> None:
        """Do without: everything works, a second later."""
        self._works = False

    def close(self) -> None:
        """Close both ends."""
        os.close(self.start)
        os.close(self.end)


@contextmanager
def woken_by_signals(sockets: dict[int, Any]) -> Iterator[WakingPipe]:
    """Have every signal that has a handler wake the loop that waits for `sockets`, while the block runs.

    Parameters
    ----------
    sockets : dict of int to object
        What supervisord's loop listens to beside its children, by descriptor.

    Yields
    ------
    WakingPipe
        To wake it for other reasons.
    """
    pipe = WakingPipe()
    before = signal.set_wakeup_fd(pipe.start, warn_on_full_buffer=False)
    sockets[pipe.end] = pipe
    try:
        yield pipe
    finally:
        del sockets[pipe.end]
        signal.set_wakeup_fd(before)
        pipe.close()
