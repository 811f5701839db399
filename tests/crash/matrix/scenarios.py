"""The scenarios: what is received, who is killed at its work, and where everything must be in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.crash.matrix import actors
from tests.support.account import Sent, ct_series
from tests.support.data_sets import ct_image, nested_sequences
from tests.support.modules import COPY, script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercure.clock import ManualClock
    from tests.crash.matrix.world import World

    Actor = Callable[[Path, ManualClock], None]

STUDY_UID = "1.2.3"
ONE = tuple(ct_series("1.2.9.1", 3))
TWO = (*ONE, *ct_series("1.2.9.2", 2))
LATE = tuple(ct_series("1.2.9.1", 2, first=4))
AWKWARD = (
    *TWO,
    ONE[0],  # a repetition
    Sent(ONE[1].sop, ct_image(ONE[1].sop, "1.2.9.1", pixels=b"other" * 64)),  # the same UID, other bytes
    Sent("1.2.9.9", nested_sequences(5_000), readable=False),
)
BOTH = {"all": {"rule": "True", "targets": ["a", "b"]}}
TO_A = {"all": {"rule": "True", "targets": ["a"]}}
STUDY = {"study": {"rule": "True", "targets": ["a"], "trigger": "study", "study": {"quiet_seconds": 30}}}
NOT_CT = {"no": {"rule": 'tags.Modality == "CT"', "action": "discard"}}
FAULTY = {"bad": {"rule": "number(tags.PatientID) > 3", "targets": ["a"]}}
AT_ONCE = {"success_seconds": 0, "discard_seconds": 0, "pressure_free_bytes": 0}
SHORT = {"first_seconds": 1, "cap_seconds": 2, "max_refusals": 2}


def _two_folders(world: World) -> dict[str, Any]:
    return {name: world.folder_target(name) for name in "ab"}


def _a_refusing(world: World) -> dict[str, Any]:
    """Let target a refuse each image: a file is in the way of the study's folder."""
    refusing = {**world.folder_target("a"), "layout": "study/series", "retry": SHORT}
    (world.target("a") / STUDY_UID).touch()
    return {"a": refusing, "b": world.folder_target("b")}


def _group(world: World) -> dict[str, Any]:
    """Let target a be a group whose first member is not there."""
    absent = {"kind": "folder", "path": str(world.folder / "world" / "absent"), "retry": SHORT}
    group = {"kind": "group", "members": ["one", "two"], "strategy": "failover"}
    return {"one": absent, "two": world.folder_target("two"), "a": group}


def _node(world: World) -> dict[str, Any]:
    return {
        "a": {"kind": "dicom", "host": "127.0.0.1", "port": world.node_port, "called_aet": "NODE", "concurrency": 1}
    }


@dataclass(frozen=True)
class Scenario:
    """One row of the matrix.

    Parameters
    ----------
    name
        What a person reads.
    victim
        Who is killed; None: the receiver, while it takes `objects`.
    rules, targets, more
        The configuration.
    objects, late
        What is sent; `late` comes when `before` is done.
    before
        Who works before the victim does.
    ends
        Targets at which every acknowledged image must be in the end, and stages (``stage/NAME``) that must hold it.
    receiver
        More settings of ``mercure-storescp``.
    dicom
        Target a is a real ``storescp``.
    """

    name: str
    victim: Actor | None
    rules: dict[str, Any]
    ends: tuple[str, ...]
    targets: Callable[[World], dict[str, Any]] = _two_folders
    objects: tuple[Sent, ...] = TWO
    late: tuple[Sent, ...] = ()
    before: tuple[Actor, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    receiver: dict[str, Any] = field(default_factory=dict)
    dicom: bool = False


_DELIVERED = (actors.route, actors.dispatch)
SCENARIOS = (
    Scenario(
        "receive: two series, a repetition, one UID twice, one unreadable", None, BOTH, ("a", "b"), objects=AWKWARD
    ),
    Scenario("receive without syncs", None, BOTH, ("a", "b"), receiver={"durability": "none"}),
    Scenario("route to two targets", actors.route, BOTH, ("a", "b")),
    Scenario("route late arrivals", actors.route, BOTH, ("a", "b"), objects=ONE, late=LATE, before=(actors.route,)),
    Scenario(
        "route late arrivals, the whole again",
        actors.route,
        {"all": {**BOTH["all"], "late": "again"}},
        ("a", "b"),
        objects=ONE,
        late=LATE,
        before=(actors.route,),
    ),
    Scenario("collect and complete a study", actors.route, STUDY, ("a",)),
    Scenario("discard by a rule", actors.route, NOT_CT, ("stage/discard",)),
    Scenario("put a series aside that cannot be decided", actors.route, FAULTY, ("stage/error",)),
    Scenario(
        "process by a chain of two modules",
        actors.process,
        {"all": {"rule": "True", "action": "process", "modules": ["one", "two"], "targets": ["a"]}},
        ("a",),
        objects=ONE,
        before=(actors.route,),
        more={"modules": {name: script(COPY) for name in ("one", "two")}, "processing": {"stop_grace_seconds": 0.5}},
    ),
    Scenario("deliver to two folders", actors.dispatch, BOTH, ("a", "b"), before=(actors.route,)),
    Scenario("deliver by DICOM", actors.dispatch, TO_A, ("a",), _node, before=(actors.route,), dicom=True),
    Scenario(
        "fail at one target, deliver to the other",
        actors.dispatch,
        BOTH,
        ("stage/error", "b"),
        _a_refusing,
        before=(actors.route,),
    ),
    Scenario("fail over within a group", actors.dispatch, TO_A, ("two",), _group, before=(actors.route,)),
    Scenario("record the history", actors.record, BOTH, ("a", "b"), before=_DELIVERED),
    Scenario(
        "retire what is delivered",
        actors.clean,
        BOTH,
        ("a", "b"),
        before=(*_DELIVERED, actors.record),
        more={"retention": AT_ONCE},
    ),
    Scenario("retry what failed", actors.retry, BOTH, ("stage/error", "b"), _a_refusing, before=_DELIVERED),
    Scenario("reroute what failed", actors.reroute, TO_A, ("b",), _a_refusing, before=_DELIVERED),
    Scenario("discard what failed", actors.discard, BOTH, ("stage/discard", "b"), _a_refusing, before=_DELIVERED),
    Scenario("change the configuration", actors.configure, BOTH, ("a", "b")),
)
