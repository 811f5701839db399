"""What this machine shares among all guests, and can run out of."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.guests.commands import GuestError

INOTIFY_OF_A_GUEST: Final = 15
"""systemd and its kin hold ten to boot, logins some more; a router with all its services nine on top of them."""
_LIMIT: Final = Path("/proc/sys/fs/inotify/max_user_instances")


def inotify_left(enough: int) -> int:
    """Return how many more inotify instances this user may have, counted no further than ``enough``."""
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as open_ones:
        for number in range(enough):
            descriptor = libc.inotify_init1(os.O_CLOEXEC)
            if descriptor < 0:
                return number
            open_ones.callback(os.close, descriptor)
    return enough


def need_inotify() -> None:
    """See that a guest can boot: without inotify its udev fails, and nobody would think of that.

    Raises
    ------
    GuestError
        Root has too few left: containers have the machine's root, and share its limit.
    """
    left = inotify_left(INOTIFY_OF_A_GUEST)
    if left < INOTIFY_OF_A_GUEST:
        raise GuestError(
            f"root has {left} inotify instances left here, and a guest needs {INOTIFY_OF_A_GUEST}: "
            f"end other guests (python -m tests.guests all clean), or raise {_LIMIT} ({_LIMIT.read_text().strip()})"
        )
