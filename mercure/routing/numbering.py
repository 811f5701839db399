"""Giving a complete series or study its id: one after the other, whatever the number of routers.

Ordered dispatch rests on it: when a task of some id can be seen, every smaller id that was ever given can be seen too.
Without the lock, a router that is held up between reading the clock and renaming would let later series overtake.
"""

from __future__ import annotations

import fcntl
import os

from mercure.clock import Clock
from mercure.names import new_id
from mercure.spool import Claim, Spool, Stage, move


def enter_routing(spool: Spool, claim: Claim, clock: Clock) -> None:
    """Move a claimed folder to ``routing/`` under an id of now.

    Waits for other routers that do the same, for as long as a rename takes; the kernel frees the lock at any death.

    Raises
    ------
    OSError
        As the disk says; see `mercure.spool.move`.
    """
    descriptor = os.open(spool.stage(Stage.ROUTING), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        move(spool, claim, Stage.ROUTING, new_id(clock.now()))
    finally:
        os.close(descriptor)
