"""A filter of system calls for the sandbox of ``bwrap``: what no module needs, and what has opened kernels before.

A fixed list in the kernel's own form (seccomp(2), classic BPF), so that no library is needed. What it refuses fails as
it does for a user without rights (``EPERM``), and the program goes on.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_NAMESPACES: Final = 0x7E020000
"""The flags of clone(2) that make namespaces of any kind."""

_TERMINAL: Final = (0x5412, 0x541C)
"""``TIOCSTI`` and ``TIOCLINUX`` put input into a terminal that is not theirs."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
"""Offsets into ``struct seccomp_data``; of an argument its lower half."""

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_FAIL: Final = 0x00050000


@dataclass(frozen=True)
class _Machine:
    """Numbers of one architecture: ``audit`` its own, ``foreign`` from where calls of another one begin."""

    audit: int
    clone: int
    ioctl: int
    refused: Mapping[str, int]
    foreign: int | None = None


_SAME: Final = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
}
_CLONE3: Final = 435
"""Its flags are in memory, where a filter cannot look: it answers ENOSYS, and clone(2) is used instead."""

_REFUSED: Final = {
    # name: (x86-64, AArch64); None where there is none
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279),  # memory that may count against no limit, as that of the two below
    "msgget": (68, 186),
    "shmget": (29, 194),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}


_SHARED_MEMORY: Final = ("memfd_create", "shmget")
"""What a module may have by its setting ``shared_memory``."""


def _numbers(place: int) -> dict[str, int]:
    own = {name: numbers[place] for name, numbers in _REFUSED.items()}
    return {**{name: number for name, number in own.items() if number is not None}, **_SAME}


_MACHINES: Final = {
    "x86_64": _Machine(audit=0xC000003E, clone=56, ioctl=16, refused=_numbers(0), foreign=0x40000000),
    "aarch64": _Machine(audit=0xC00000B7, clone=220, ioctl=29, refused=_numbers(1)),
}


def filter_program(machine: str | None = None, *, shared_memory: bool = False) -> bytes | None:
    """Return the filter for an architecture, as ``bwrap --seccomp`` takes it; None where the numbers are not known.

    Parameters
    ----------
    machine : str, optional
        As ``uname -m`` says; absent: that of this machine.
    shared_memory : bool
        Whether memory may be made that has no name in a file system.
    """
    numbers = _MACHINES.get(machine or os.uname().machine)
    if numbers is None:
        return None
    allowed = _SHARED_MEMORY if shared_memory else ()
    refuse = _step(_RETURN, _FAIL | errno.EPERM)
    lines = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, numbers.audit, when=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if numbers.foreign is not None:
        lines += [_step(_AT_LEAST, numbers.foreign, otherwise=1), refuse]
    for number in (number for name, number in numbers.refused.items() if name not in allowed):
        lines += [_step(_EQUAL, number, otherwise=1), refuse]
    lines += [_step(_EQUAL, _CLONE3, otherwise=1), _step(_RETURN, _FAIL | errno.ENOSYS)]
    lines += [_step(_EQUAL, numbers.clone, otherwise=3), _step(_LOAD, _FIRST)]
    lines += [_step(_ANY_BIT, _NAMESPACES, otherwise=1), refuse]
    lines += [_step(_LOAD, _NUMBER), _step(_EQUAL, numbers.ioctl, otherwise=4), _step(_LOAD, _SECOND)]
    lines += [_step(_EQUAL, _TERMINAL[0], when=1), _step(_EQUAL, _TERMINAL[1], otherwise=1), refuse]
    return b"".join([*lines, _step(_RETURN, _ALLOW)])


def programs(*, shared_memory: bool = False) -> dict[str, bytes]:
    """Return the filters of all architectures by their names, and by ``""`` one that refuses nothing."""
    known = {machine: filter_program(machine, shared_memory=shared_memory) or b"" for machine in _MACHINES}
    return {**known, "": _step(_RETURN, _ALLOW)}


def filter_descriptor(*, shared_memory: bool = False) -> tuple[int, ...]:
    """Return a descriptor from which ``bwrap`` reads the filter, to be closed by the caller; none without a filter."""
    program = filter_program(shared_memory=shared_memory)
    if program is None:
        return ()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(program)  # it fits into the pipe
    return (reading,)


def filtered(calls: tuple[int, ...]) -> list[str]:
    """Return the arguments for `filter_descriptor`."""
    return [argument for descriptor in calls for argument in ("--seccomp", str(descriptor))]


def _step(code: int, value: int, *, when: int = 0, otherwise: int = 0) -> bytes:
    """Encode one instruction: where a comparison holds `when` are left out, else `otherwise`."""
    return struct.pack("=HBBI", code, when, otherwise, value)
