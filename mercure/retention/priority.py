"""Idle priority of a thread: it uses the disk and the processor only when nothing else does."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import threading
from typing import Final

_NUMBERS: Final = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
"""Of ioprio_set(2), which the C library has no function for."""

_WHO_PROCESS: Final = 1
_CLASS_IDLE: Final = 3 << 13
_NICEST: Final = 19
_log = logging.getLogger(__name__)


def be_idle() -> None:
    """Give the calling thread the lowest priority at the processor, and the idle class at the disk."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICEST)
    number = _NUMBERS.get(platform.machine())
    # With "who" 0 it is the calling thread (not the whole process); an I/O scheduler that knows no classes ignores it.
    if number is None or ctypes.CDLL(None, use_errno=True).syscall(number, _WHO_PROCESS, 0, _CLASS_IDLE) != 0:
        _log.info("the idle class of the disk cannot be had; the pace alone bounds the scrub")
