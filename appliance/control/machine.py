"""Machine figures: processors, memory, load, network and disk, and what each process takes. Read by psutil."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from appliance.control.api.services import ProcessFigures
from appliance.control.api.status import DiskTraffic, MachineState, NetworkTraffic
from mercure.clock import Clock

LEAST_SECONDS: Final = 5.0
"""A rate is measured over at least so long; who asks sooner gets the last one, and of a process all that was seen."""

_MOST_INTERFACES: Final = 16
_MOST_KNOWN: Final = 500
_BLOCK_DEVICES: Final = Path("/sys/dev/block")


@dataclass(frozen=True)
class _Measured:
    """A counter at one moment, and how fast it grew until then."""

    tick: float
    value: float
    rate: float | None


class MachineMeter:
    """Reads the figures, and remembers counters so that it can say how fast they grow.

    Parameters
    ----------
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Measured] = {}
        self._seen: dict[int, tuple[float, ProcessFigures | None]] = {}

    def machine(self, spool: Path) -> MachineState:
        """Look at the machine.

        Parameters
        ----------
        spool : Path
            A folder on the disk whose traffic is told.
        """
        memory, times = psutil.virtual_memory(), psutil.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
        processors = psutil.cpu_count() or 1
        load = os.getloadavg()
        return MachineState(
            processors=processors,
            processor_seconds=round(busy, 2),
            waiting_seconds=round(getattr(times, "iowait", 0.0), 2),
            processor=_share(self._rate("processors", busy), processors),
            load=(round(load[0], 2), round(load[1], 2), round(load[2], 2)),
            memory_bytes=memory.total,
            memory_available_bytes=memory.available,
            up_seconds=max(0.0, self._clock.now().timestamp() - psutil.boot_time()),
            networks=tuple(self._networks()),
            disk=self._disk(spool),
        )

    def process(self, pid: int) -> ProcessFigures | None:
        """Look at a process; None when it is gone. What only its owner may see is absent for others."""
        now = self._clock.monotonic()
        with self._lock:
            tick, found = self._seen.pop(pid, (float("-inf"), None))
        if now - tick >= LEAST_SECONDS:
            tick, found = now, self._process(pid)
        with self._lock:
            self._seen[pid] = tick, found
            while len(self._seen) > _MOST_KNOWN:
                self._seen.pop(next(iter(self._seen)))
        return found

    def _process(self, pid: int) -> ProcessFigures | None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times, begun = process.cpu_times(), process.create_time()
                memory = process.memory_info().rss
        except psutil.Error:
            return None
        seconds = times.user + times.system
        rate = self._rate(f"process {pid} {begun}", seconds)
        if rate is None:
            age = self._clock.now().timestamp() - begun
            rate = seconds / age if age > 0 else None
        return ProcessFigures(
            processor=None if rate is None else round(max(0.0, rate), 4),
            processor_seconds=round(seconds, 2),
            memory_bytes=memory,
            open_files=_open_files(process),
        )

    def _networks(self) -> list[NetworkTraffic]:
        up = {name for name, state in psutil.net_if_stats().items() if state.isup and name != "lo"}
        counters = psutil.net_io_counters(pernic=True)
        return [
            NetworkTraffic(
                interface=name,
                received_bytes=found.bytes_recv,
                sent_bytes=found.bytes_sent,
                errors=found.errin + found.errout,
                dropped=found.dropin + found.dropout,
                received_per_second=self._rate(f"in {name}", found.bytes_recv),
                sent_per_second=self._rate(f"out {name}", found.bytes_sent),
            )
            for name, found in sorted(counters.items())
            if name in up
        ][:_MOST_INTERFACES]

    def _disk(self, spool: Path) -> DiskTraffic | None:
        """Tell of the device that holds a folder; None where it is on none, as in memory or in a container."""
        device = _device_of(spool)
        found = psutil.disk_io_counters(perdisk=True).get(device) if device else None
        if found is None:
            return None
        busy = getattr(found, "busy_time", 0) / 1000
        return DiskTraffic(
            device=device,
            read_bytes=found.read_bytes,
            written_bytes=found.write_bytes,
            busy_seconds=busy,
            read_per_second=self._rate(f"read {device}", found.read_bytes),
            written_per_second=self._rate(f"written {device}", found.write_bytes),
            busy=_share(self._rate(f"busy {device}", busy), 1),
        )

    def _rate(self, name: str, value: float) -> float | None:
        """Return how fast a counter grows, by the second; None the first time, and after it began anew."""
        now = self._clock.monotonic()
        with self._lock:
            last = self._known.get(name)
            if last is not None and now - last.tick < LEAST_SECONDS and value >= last.value:
                return last.rate
            rate = None if last is None or value < last.value else (value - last.value) / (now - last.tick)
            self._known.pop(name, None)
            self._known[name] = _Measured(now, value, rate)
            while len(self._known) > _MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
        return rate


METER: Final = MachineMeter(Clock())
"""The one of this process: rates need what was read before."""


def _share(rate: float | None, of: int) -> float | None:
    return None if rate is None else round(min(1.0, max(0.0, rate / of)), 4)


def _open_files(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except psutil.Error:
        return None


def _device_of(folder: Path) -> str:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    number = os.stat(there).st_dev
    try:
        return (_BLOCK_DEVICES / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True).name
    except OSError:
        return ""
