"""The disk of the spool: how much room it has, and whether it takes anything at all."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance.control.api.status import DiskFault, DiskState, KeptState, QuarantineState, Status
from appliance.control.rows import KEPT_STAGES
from appliance.control.session import Session
from mercure.retention.kept import KeptTasks, ceiling, covered, kept_tasks
from mercure.spool import uptime
from mercure.spool.keeps import Keep, read_keeps
from mercure.spool.quarantine import load

FORECAST_SPAN: Final = (300.0, 900.0)
"""A forecast rests on at least so many seconds, and looks back at most so many."""

INODE_FLOOR: Final = 1024
"""With fewer the receiver refuses images, if it has a floor at all (``getdcmtags/src/receive/free_space.cc``)."""

QUARANTINE_PART: Final = 20
"""A twentieth of the disk at most may be quarantine (``getdcmtags/src/receive/quarantine.cc``)."""

_MOUNTS: Final = Path("/proc/self/mountinfo")
_READ_ONLY: Final = frozenset({"ro", "emergency_ro"})
"""Options of a file system that takes nothing. Since Linux 6.15 ext4 is `emergency_ro` after an error, and does not say
so to statvfs(2)."""


class DiskForecast:
    """Tells when the receiver will refuse images, from how the disk has filled in the last minutes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def seconds_left(self, tick: float, disk: DiskState) -> float | None:
        """Note what is free now, and return how long it lasts; None while that cannot be told, or is no concern.

        Parameters
        ----------
        tick : float
            Of the monotonic clock, in seconds.
        disk : DiskState
            As it is now.
        """
        least, most = FORECAST_SPAN
        self._seen.append((tick, disk.free_bytes))
        while tick - self._seen[0][0] > most:
            self._seen.popleft()
        begun, before = self._seen[0]
        used = before - disk.free_bytes
        if tick - begun < least or used <= 0:
            return None
        return max(0.0, (disk.free_bytes - disk.refuse_below_bytes) * (tick - begun) / used)


def with_forecast(found: Status, full_in: float | None) -> Status:
    """Return a status with the forecast of its disk."""
    return found.model_copy(update={"disk": found.disk.model_copy(update={"full_in_seconds": full_in})})


def disk_state(session: Session) -> DiskState:
    """Look at the disk of the spool, or at the one that it would be on."""
    root = session.spool.root
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    room, config = shutil.disk_usage(there), session.config
    floor = config.receiver.min_free_bytes
    return DiskState(
        path=str(root),
        free_bytes=room.free,
        total_bytes=room.total,
        refuse_below_bytes=floor,
        clean_below_bytes=config.retention.pressure_free_bytes,
        fault=_fault(there, INODE_FLOOR if floor else 1),
    )


def quarantine_state(session: Session) -> QuarantineState:
    """Tell how much lies in quarantine, and how much may."""
    receiver, root = session.config.receiver, session.spool.root
    objects, size = load(session.spool)
    part = shutil.disk_usage(root).total // QUARANTINE_PART if root.exists() else 0
    return QuarantineState(
        objects=objects,
        bytes=size,
        most_objects=receiver.quarantine_objects,
        most_bytes=min(receiver.quarantine_bytes, part),
    )


def kept_now(session: Session, keeps: Sequence[Keep]) -> KeptTasks:
    """Return what keeps in force keep, all of them together, and what of it does not fit under their ceiling."""
    if not keeps:
        return KeptTasks()
    most = ceiling(session.spool, session.config.retention.keep_percent)
    return kept_tasks(session.spool, covered(session.rows(KEPT_STAGES), keeps), most)


def kept_state(session: Session) -> KeptState:
    """Tell how much people have kept beyond its retention, and how much may be."""
    keeps, root = read_keeps(session.spool), session.spool.root
    most = ceiling(session.spool, session.config.retention.keep_percent) if root.exists() else 0
    in_force = keeps.in_force(uptime(session.spool, session.clock)) if keeps.keeps else ()
    found = kept_now(session, in_force)
    return KeptState(
        keeps=len(in_force),
        bytes=found.bytes,
        most_bytes=most,
        beyond=len(found.beyond),
        unreadable=keeps.unreadable,
    )


def _fault(there: Path, inodes: int) -> DiskFault | None:
    usage = os.statvfs(there)
    if usage.f_flag & os.ST_RDONLY or _READ_ONLY & _options(os.stat(there).st_dev):
        return "read-only"
    # Some file systems count none, because they make them as they are needed.
    return "no-inodes" if usage.f_files and usage.f_favail < inodes else None


def _options(device: int) -> set[str]:
    """Return the options of a mounted file system; none where the kernel does not tell."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {option for line in lines if line.split()[2] == wanted for option in line.rpartition(" ")[2].split(",")}
