"""What a scenario is: what is received, who is killed at its work, and where everything must be in the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.oracle.meaning import Rule, always
from tests.support.account import ct_series

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from mercure.clock import ManualClock
    from tests.crash.matrix.world import World
    from tests.oracle.order import Order
    from tests.support.account import Sent
    from tests.support.recording_node import RecordingNode

    Actor = Callable[[Path, ManualClock], None]

ONE = tuple(ct_series("1.2.9.1", 3))
TWO = (*ONE, *ct_series("1.2.9.2", 2))
BOTH = (Rule("all", {"rule": "True", "targets": ["a", "b"]}, always, ("a", "b")),)
TO_A = (Rule("all", {"rule": "True", "targets": ["a"]}, always, ("a",)),)
SHORT = {"first_seconds": 1, "cap_seconds": 2, "max_refusals": 2}


@dataclass(frozen=True)
class Batch:
    """What one sender sends over one association."""

    objects: tuple[Sent, ...]
    calling: str = "PEER"
    called: str = "MERCURE"
    source: str = ""
    sender: str = ""


def ending(rules: tuple[Rule, ...], *places: str) -> tuple[Rule, ...]:
    """Return the rules with other ends: a target that refuses, say, or a person who reroutes."""
    return tuple(replace(rule, to=places) for rule in rules)


def two_folders(world: World) -> dict[str, Any]:
    """Let targets a and b be folders."""
    return {name: world.folder_target(name) for name in "ab"}


def nodes(*names: str, **settings: Any) -> Callable[[World], dict[str, Any]]:
    """Let targets be DICOM nodes that remember what came in which order; folders are there beside them."""

    def made(world: World) -> dict[str, Any]:
        return {
            name: {
                "kind": "dicom",
                "host": "127.0.0.1",
                "port": world.recording[name].port,
                "called_aet": name.upper(),
                "concurrency": 1,
                "retry": {**SHORT, "max_refusals": 5},
                **settings,
            }
            for name in names
        }

    return made


@dataclass(frozen=True)
class Scenario:
    """One row of the matrix.

    Parameters
    ----------
    name
        What a person reads.
    victim
        Who is killed; None: the receiver, while it takes `objects`.
    rules
        As the router reads them, and what they mean: where each acknowledged image must be in the end.
    targets, more
        The rest of the configuration.
    objects, late
        What is sent, over one association for each batch; `late` comes when `before` is done.
    before
        Who works before the victim does, and what comes in between.
    receiver
        More settings of ``mercure-storescp``.
    dicom
        Target a is a real ``storescp``.
    takes
        Its options for what it takes; absent: everything, as it comes.
    nodes
        Targets that remember in which order images came, each with its answer to the n-th image.
    poison
        What an image must not hold: such a target ends the association in the middle of it.
    destinations
        Of targets that have several: see `tests.oracle.judge.Run`.
    forms
        What modules make of a data set.
    steps
        How wrong the wall clock is, in turn.
    damaged
        One image is destroyed on our own disk: it may be nowhere else, and never altered.
    orders
        Of targets that remember, to be judged; no series waits for so long there that others of its study may pass.
    leads_back
        Receivers listen while services work, and target a leads to this router again: through so many others.
    moves
        The spool moves: there is another disk.
    meanwhile
        Who works after the fault, before the victim is told to go on.
    once
        No fault of the victim explains that an image comes to a target twice.
    again
        How often a person has all sent again, by target: see `tests.oracle.judge.Run`.
    secure
        Senders call over TLS, and a real ``storescp`` is called so; all show certificates.
    """

    name: str
    victim: Actor | None
    rules: tuple[Rule, ...]
    targets: Callable[[World], dict[str, Any]] = two_folders
    objects: tuple[Batch, ...] = (Batch(TWO),)
    late: tuple[Batch, ...] = ()
    before: tuple[Actor | Batch, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    receiver: dict[str, Any] = field(default_factory=dict)
    dicom: bool = False
    takes: tuple[str, ...] = ()
    nodes: Mapping[str, Callable[[int], int | None]] = field(default_factory=dict)
    poison: bytes = b""
    destinations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forms: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    steps: tuple[timedelta, ...] = ()
    damaged: bool = False
    orders: Mapping[str, Order] = field(default_factory=dict)
    leads_back: int | None = None
    moves: bool = False
    meanwhile: tuple[Actor, ...] = ()
    once: bool = False
    again: Mapping[str, int] = field(default_factory=dict)
    secure: bool = False

    def recording(self, make: Callable[..., RecordingNode]) -> dict[str, RecordingNode]:
        """Make the nodes."""
        return {name: make(answer=answer, poison=self.poison) for name, answer in self.nodes.items()}
