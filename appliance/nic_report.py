"""NIC report: what the network interfaces are set to, what the hardware allows, what would help image traffic.

Read from ``/sys/class/net``, ``/proc/sys``, ``ip`` and ``ethtool``; nothing is changed. ``ethtool`` is read as text:
only some of its answers exist as JSON in Debian 12 and 13, and these lines have been the same for twenty years.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from appliance.control.errors import ControlError
from mercure.model import Model
from mercure.programs import run_program

_SECONDS: Final = 10.0
_SLOW_MBIT: Final = 1000
_OFFLOADS: Final = {
    "generic-receive-offload": "gro",
    "generic-segmentation-offload": "gso",
    "tcp-segmentation-offload": "tso",
}
_KERNEL: Final = (
    "net/core/netdev_max_backlog",
    "net/core/rmem_max",
    "net/core/somaxconn",
    "net/core/wmem_max",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_keepalive_time",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_slow_start_after_idle",
    "net/ipv4/tcp_wmem",
)
Ask = Callable[[tuple[str, ...]], str]


class Ring(Model):
    """A ring of packets in the NIC: how many it holds, and could hold."""

    direction: str
    now: int
    most: int


class Advice(Model):
    """What would help, and why."""

    what: str
    why: str
    how: str


class Nic(Model):
    """One network interface; None: it does not tell."""

    name: str
    driver: str | None
    up: bool
    speed_mbit: int | None
    full_duplex: bool | None
    mtu: int
    receive_queues: int
    send_queues: int
    spread: bool
    rings: tuple[Ring, ...]
    offloads: dict[str, bool]
    adaptive_coalescing: bool | None
    quickack: bool
    dropped: int
    errors: int
    interrupts: int | None = None
    """On how many cores or groups of cores; None if unknown."""
    advice: tuple[Advice, ...] = ()


class NicReport(Model):
    """All of a host."""

    cores: int
    kernel: dict[str, str]
    nics: tuple[Nic, ...]


def report(names: tuple[str, ...] = (), *, sys: Path = Path("/sys"), proc: Path = Path("/proc")) -> NicReport:
    """Look at network interfaces.

    Parameters
    ----------
    names : tuple of str
        Which; empty: all but loopback.
    sys, proc : Path
        Where the kernel's files are.

    Raises
    ------
    ControlError
        There is no interface of that name.
    """
    folder = sys / "class/net"
    there = sorted(path.name for path in folder.iterdir() if (path / "mtu").exists() and path.name != "lo")
    for name in names:
        if name not in there:
            raise ControlError("not-found", f"there is no network interface {name}", f"there are: {', '.join(there)}")
    cores, irq = os.cpu_count() or 1, proc / "irq"
    kernel = {name.replace("/", "."): text for name in _KERNEL if (text := _text(proc / "sys" / name)) is not None}
    return NicReport(
        cores=cores,
        kernel=kernel,
        nics=tuple(_nic(folder / name, cores, irq, output_of) for name in names or there),
    )


def output_of(command: tuple[str, ...]) -> str:
    """Run a program that only tells; what it cannot tell is nothing."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = run_program(command, seconds=_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _nic(folder: Path, cores: int, irq: Path, ask: Ask) -> Nic:
    name = folder.name
    queues = folder / "queues"
    masks = [_text(path / "rps_cpus") or "" for path in queues.glob("rx-*")]
    speed = _number(folder / "speed")
    duplex = _text(folder / "duplex")
    nic = Nic(
        name=name,
        driver=(folder / "device/driver").resolve().name if (folder / "device/driver").exists() else None,
        up=_number(folder / "carrier") == 1,
        speed_mbit=speed if speed and speed > 0 else None,
        full_duplex=None if duplex in {None, "unknown"} else duplex == "full",
        mtu=_number(folder / "mtu") or 0,
        receive_queues=len(masks),
        send_queues=len(list(queues.glob("tx-*"))),
        spread=len(masks) >= cores or any(re.search("[1-9a-f]", mask) for mask in masks),
        rings=rings(ask(("ethtool", "--show-ring", name))),
        offloads=offloads(ask(("ethtool", "--show-features", name))),
        adaptive_coalescing=adaptive(ask(("ethtool", "--show-coalesce", name))),
        quickack="quickack 1" in ask(("ip", "route", "show", "dev", name)),
        dropped=_number(folder / "statistics/rx_dropped") or 0,
        errors=_number(folder / "statistics/rx_errors") or 0,
        interrupts=_places(folder / "device/msi_irqs", irq),
    )
    return nic.model_copy(update={"advice": tuple(advice(nic, cores))})


def _places(numbers: Path, irq: Path) -> int | None:
    """Count the places that the interrupts of a NIC go to (core-api/irq/irq-affinity.rst of the kernel)."""
    if not numbers.is_dir():
        return None
    places = {_text(irq / path.name / "smp_affinity_list") for path in numbers.iterdir()} - {None}
    return len(places) or None


def rings(text: str) -> tuple[Ring, ...]:
    """Read ``ethtool --show-ring``: the most, and below it what is set now."""
    most, _, now = text.partition("Current hardware settings")
    limits, values = _pairs(most), _pairs(now)
    return tuple(
        Ring(direction=label, now=int(values[key]), most=int(limits[key]))
        for key, label in (("RX", "receive"), ("TX", "send"))
        if limits.get(key, "").isdigit() and values.get(key, "").isdigit()
    )


def offloads(text: str) -> dict[str, bool]:
    """Read ``ethtool --show-features``, what is of interest for image traffic."""
    values = _pairs(text)
    return {short: values[long].startswith("on") for long, short in _OFFLOADS.items() if long in values}


def adaptive(text: str) -> bool | None:
    """Read ``ethtool --show-coalesce``: whether interrupts adapt to the traffic; None where the NIC cannot."""
    found = re.search(r"Adaptive RX: (on|off)", text)
    return found[1] == "on" if found else None


def advice(nic: Nic, cores: int) -> Iterator[Advice]:
    """Say what would help."""
    if nic.speed_mbit is not None and nic.speed_mbit < _SLOW_MBIT:
        yield Advice(
            what=f"the link runs at {nic.speed_mbit} Mbit/s",
            why="a CT study of 1 GB takes more than a minute and a half",
            how="look at the cable and at the port of the switch",
        )
    if nic.full_duplex is False:
        yield Advice(
            what="the link is half duplex",
            why="sending and receiving collide",
            how="let both ends negotiate, or set both to full",
        )
    for ring in nic.rings:
        if ring.now < ring.most:
            yield Advice(
                what=f"the {ring.direction} ring holds {ring.now} of {ring.most} packets",
                why="a burst that does not fit is dropped, and TCP slows down",
                how=f"ethtool --set-ring {nic.name} {'rx' if ring.direction == 'receive' else 'tx'} {ring.most}",
            )
    for name in sorted(name for name, is_on in nic.offloads.items() if not is_on):
        yield Advice(
            what=f"{name} is off",
            why="each packet costs the processor anew",
            how=f"ethtool --offload {nic.name} {name} on",
        )
    if nic.adaptive_coalescing is False:
        yield Advice(
            what="interrupts do not adapt to the traffic",
            why="either a response waits, or a stream interrupts for each packet",
            how=f"ethtool --coalesce {nic.name} adaptive-rx on",
        )
    if not nic.spread:
        yield Advice(
            what=f"{nic.receive_queues} receive queue for {cores} cores, and its work is not spread",
            why="one core handles all packets and is at its limit first",
            how=f"systemctl restart mercure-network@{nic.name}, or the playbook with network_spread: true",
        )
    if nic.interrupts is not None and nic.interrupts < min(nic.receive_queues, cores):
        yield Advice(
            what=f"the interrupts of {nic.receive_queues} queues go to {nic.interrupts} of {cores} cores",
            why="queues that share a core wait for each other",
            how=f"systemctl restart mercure-network@{nic.name}, or network_irq: spread and play",
        )
    if nic.up and not nic.quickack:
        yield Advice(
            what="acknowledgements on its routes may wait",
            why="a sender with Nagle's algorithm on is held to some 22 images a second",
            how=f"systemctl restart mercure-network@{nic.name}, or the playbook with network_quickack: true",
        )


def _pairs(text: str) -> Mapping[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, colon, value in lines if colon}


def _text(path: Path) -> str | None:
    try:
        return " ".join(path.read_text().split())
    except OSError:  # a link that is down refuses to tell its speed
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else None
