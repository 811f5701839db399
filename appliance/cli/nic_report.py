"""``mercure nic-report``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli.common import json_option, root_option, show
from appliance.cli.text import pairs
from mercure.printable import printable

if TYPE_CHECKING:
    from appliance.nic_report import Nic, NicReport


@click.command()
@click.argument("names", metavar="[NIC]...", nargs=-1)
@root_option
@json_option("appliance.nic_report:NicReport")
def nic_report(names: tuple[str, ...]) -> None:
    """How the network interfaces are set, what they could do, and what would help.

    It looks and changes nothing; without a name at all interfaces but loopback.
    """
    from appliance.nic_report import report  # noqa: PLC0415

    found = report(names)
    show(found, lambda: _lines(found))


def _lines(found: NicReport) -> Iterator[str]:
    for nic in found.nics:
        yield f"{printable(nic.name)}: {'up' if nic.up else 'DOWN'}"
        yield from pairs(_about(nic))
        for advice in nic.advice:
            yield f"  ! {printable(advice.what)}: {printable(advice.why)}"
            yield f"    → {printable(advice.how)}"
        yield ""
    yield f"kernel, {found.cores} cores"
    yield from pairs((f"  {name}", printable(value)) for name, value in found.kernel.items())


def _about(nic: Nic) -> Iterator[tuple[str, str]]:
    speed = f"{nic.speed_mbit} Mbit/s" if nic.speed_mbit else "not told"
    duplex = {True: ", full duplex", False: ", HALF DUPLEX", None: ""}[nic.full_duplex]
    yield "  link", f"{speed}{duplex}, MTU {nic.mtu}, driver {nic.driver or 'none (virtual)'}"
    spread = "spread over the cores" if nic.spread else "on one core"
    yield "  queues", f"{nic.receive_queues} to receive, {nic.send_queues} to send; work {spread}"
    rings = (f"{ring.direction} {ring.now} of {ring.most}" for ring in nic.rings)
    yield "  rings", ", ".join(rings) or "it has none that can be set"
    offloads = (f"{name} {'on' if is_on else 'off'}" for name, is_on in nic.offloads.items())
    yield "  offloads", ", ".join(offloads) or "not told"
    coalescing = {True: "adaptive", False: "fixed", None: "cannot be set"}[nic.adaptive_coalescing]
    places = "" if nic.interrupts is None else f", on {nic.interrupts} cores or groups of cores"
    yield "  interrupts", coalescing + places
    yield "  quick ack", "on its routes" if nic.quickack else "not set"
    yield "  lost", f"{nic.dropped} dropped, {nic.errors} errors since boot"
