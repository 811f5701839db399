"""Waiting for the end of processes that are not our children."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Sequence
from types import TracebackType


class Watched:
    """Some processes, held by descriptors: a number that is given away again is not mistaken for them.

    Parameters
    ----------
    processes : sequence of int
        Their numbers; one that is not there has ended.
    """

    def __init__(self, processes: Sequence[int]) -> None:
        self._descriptors: list[int] = []
        self._gone = False
        for process in processes:
            try:
                self._descriptors.append(os.pidfd_open(process))
            except (ProcessLookupError, ValueError, OSError):
                self._gone = True

    def ended(self, seconds: float) -> bool:
        """Wait at most so long, and tell whether one of them has ended."""
        if self._gone:
            return True
        poll = select.poll()
        for descriptor in self._descriptors:
            poll.register(descriptor, select.POLLIN)
        self._gone = bool(poll.poll(seconds * 1000))
        return self._gone

    def __enter__(self) -> Watched:
        """Return them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of them."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
