"""The table of a benchmark run."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

PEERS: Final = "MERCURE_BENCH_PEERS"
"""Set to ``no`` where revisions of ours are compared: most of the time of some benchmarks is the peers'."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    name : str
        What was measured.
    ours : float
        The median of ours, in `unit`.
    unit : str
        Of `ours` and `peer`.
    peer : float, optional
        The median of the peer, measured in turns with ours.
    peer_name : str
        Who that is.
    bound : float, optional
        What the figure must reach: the ratio ours/peer where there is a peer, else `ours` itself.
    at_most : bool
        The bound is an upper one.
    """

    name: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    bound: float | None = None
    at_most: bool = False

    @property
    def figure(self) -> float:
        """What is compared with the bound."""
        return self.ours if self.peer is None else self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether the bound is met; a figure without one always does."""
        if self.bound is None:
            return True
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


@dataclass(frozen=True)
class Skipped:
    """A figure that could not be had here."""

    name: str
    why: str


Result = Row | Skipped


def with_peers() -> bool:
    """Tell whether the peers are to be measured beside ours."""
    return os.environ.get(PEERS) != "no"


def median(values: Iterable[float]) -> float:
    """Return the median of some measurements."""
    return statistics.median(values)


def render(results: Sequence[Result]) -> str:
    """Write the table."""
    lines = [f"{'':62} {'ours':>10} {'peer':>10} {'ratio':>8} {'bound':>9}"]
    for result in results:
        if isinstance(result, Skipped):
            lines.append(f"{result.name:62} skipped: {result.why}")
            continue
        name = f"{result.name} [{result.unit}]" + (f" / {result.peer_name}" if result.peer_name else "")
        peer = "" if result.peer is None else f"{result.peer:10.1f}"
        ratio = "" if result.peer is None else f"{result.figure:8.2f}"
        sign = "<=" if result.at_most else ">="
        bound = "" if result.bound is None else f"{sign}{result.bound:g}"
        verdict = "" if result.bound is None else ("ok" if result.met else "MISSED")
        lines.append(f"{name:62} {result.ours:10.1f} {peer:>10} {ratio:>8} {bound:>9} {verdict}")
    return "\n".join(lines)
