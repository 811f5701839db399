"""Lets a signal end the wait of supervisord's main loop.

The loop waits for up to a second in ``poll``, which Python goes on with after a signal (PEP 475). So supervisord sees a
child's end, or a request to end, up to a second late; stopping ten services in their order took five seconds, in which
no receiver answered. A byte in a pipe ends the wait (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_ENOUGH: Final = 4096


class _WakingPipe:
    """The readable end as supervisord's loop wants it; what is read says nothing more than the signals themselves."""

    def __init__(self, end: int) -> None:
        self._end = end

    def readable(self) -> bool:
        """Tell that it is waited for."""
        return True

    def writable(self) -> bool:
        """Tell that nothing is written."""
        return False

    def handle_read_event(self) -> None:
        """Empty the pipe; the loop looks after signals and children by itself afterwards."""
        os.read(self._end, _ENOUGH)

    def handle_error(self) -> None:
        """Show what went wrong: without the pipe everything works, a second later."""
        raise  # noqa: PLE0704 - supervisord calls this while it handles the error


@contextmanager
def woken_by_signals(sockets: dict[int, Any]) -> Iterator[None]:
    """Have every signal that has a handler wake the loop that waits for `sockets`, while the block runs.

    Parameters
    ----------
    sockets : dict of int to object
        What supervisord's loop listens to beside its children, by descriptor.
    """
    end, start = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(start, warn_on_full_buffer=False)
    sockets[end] = _WakingPipe(end)
    try:
        yield
    finally:
        del sockets[end]
        signal.set_wakeup_fd(before)
        os.close(start)
        os.close(end)
