"""The scenarios: what is received, who is killed at its work, and where everything must be in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.crash.matrix import actors
from tests.crash.matrix.decisions import DECISIONS
from tests.crash.matrix.desk import DESK
from tests.crash.matrix.scenario import BOTH, ONE, SHORT, TO_A, TWO, Batch, Scenario, ending
from tests.crash.matrix.surroundings import SURROUNDINGS
from tests.oracle.meaning import DISCARD, ERROR, Rule, always
from tests.support.account import Sent, ct_series, pictured
from tests.support.data_sets import ct_image, nested_sequences
from tests.support.modules import COPY, script

if TYPE_CHECKING:
    from tests.crash.matrix.world import World

STUDY_UID = "1.2.3"
LATE = (Batch(tuple(ct_series("1.2.9.1", 2, first=4))),)
AWKWARD = (
    *TWO,
    ONE[0],  # a repetition
    Sent(ONE[1].sop, ct_image(ONE[1].sop, "1.2.9.1", pixels=b"other" * 64), tags=ONE[1].tags),  # one UID, other bytes
    Sent("1.2.9.9", nested_sequences(5_000), readable=False),
)
FEW = (Batch(ONE),)
AGAIN = (Rule("all", {"rule": "True", "targets": ["a", "b"], "late": "again"}, always, ("a", "b"), again=True),)
STUDY = (
    Rule(
        "study",
        {"rule": "True", "targets": ["a"], "trigger": "study", "study": {"quiet_seconds": 30}},
        always,
        ("a",),
    ),
)
NOT_CT = (Rule("no", {"rule": 'tags.Modality == "CT"', "action": "discard"}, always, (DISCARD,), discards=True),)
FAULTY = (Rule("bad", {"rule": "number(tags.PatientID) > 3", "targets": ["a"]}, always, (ERROR,)),)
EXPLICIT, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"
PIXELS = (Batch((*(pictured(sent) for sent in ONE), ct_series("1.2.9.1", 1, first=4)[0])),)
"""The last one has no rows and columns: it goes without compression."""
CHAIN = (
    Rule("all", {"rule": "True", "action": "process", "modules": ["one", "two"], "targets": ["a"]}, always, ("a",)),
)
AT_ONCE = {"success_seconds": 0, "discard_seconds": 0, "pressure_free_bytes": 0}


def _a_refusing(world: World) -> dict[str, Any]:
    """Let target a refuse each image: a file is in the way of the study's folder.

    Where no image gets through, none is blamed: the tasks are given up for their age.
    """
    refusing = {**world.folder_target("a"), "layout": "study/series", "retry": {**SHORT, "give_up_seconds": 60}}
    (world.target("a") / STUDY_UID).touch()
    return {"a": refusing, "b": world.folder_target("b")}


def _group(world: World) -> dict[str, Any]:
    """Let target a be a group whose first member is not there."""
    absent = {"kind": "folder", "path": str(world.folder / "world" / "absent"), "retry": SHORT}
    group = {"kind": "group", "members": ["one", "two"], "strategy": "failover"}
    return {"one": absent, "two": world.folder_target("two"), "a": group}


def _node(world: World, **more: Any) -> dict[str, Any]:
    address = {"kind": "dicom", "host": "127.0.0.1", "port": world.node_port, "called_aet": "NODE"}
    return {"a": {**address, "concurrency": 1, **more}}


def _secure_node(world: World) -> dict[str, Any]:
    """Speak TLS to it, and show a certificate of ours."""
    assert world.hospital is not None
    ours = world.hospital.sign("ours")
    return _node(world, tls={"ca": str(world.hospital.file), "certificate": str(ours.file), "key": str(ours.key)})


def _node_behind_a_slow_link(world: World) -> dict[str, Any]:
    """Ask for compression without loss."""
    return _node(world, transfer_syntaxes=[RLE, EXPLICIT])


_DELIVERED = (actors.route, actors.dispatch)
SCENARIOS: tuple[Scenario, ...] = (
    Scenario("receive: two series, a repetition, one UID twice, one unreadable", None, BOTH, objects=(Batch(AWKWARD),)),
    Scenario("receive without syncs", None, BOTH, receiver={"durability": "none"}),
    Scenario(
        "receive over TLS: two series, a repetition, one UID twice, one unreadable",
        None,
        BOTH,
        objects=(Batch(AWKWARD),),
        secure=True,
    ),
    Scenario("route to two targets", actors.route, BOTH),
    Scenario("route late arrivals", actors.route, BOTH, objects=FEW, late=LATE, before=(actors.route,)),
    Scenario(
        "route late arrivals, the whole again", actors.route, AGAIN, objects=FEW, late=LATE, before=(actors.route,)
    ),
    Scenario("collect and complete a study", actors.route, STUDY),
    Scenario("discard by a rule", actors.route, NOT_CT),
    Scenario("put a series aside that cannot be decided", actors.route, FAULTY),
    Scenario(
        "process by a chain of two modules",
        actors.process,
        CHAIN,
        objects=FEW,
        before=(actors.route,),
        more={"modules": {name: script(COPY) for name in ("one", "two")}, "processing": {"stop_grace_seconds": 0.5}},
    ),
    Scenario("deliver to two folders", actors.dispatch, BOTH, before=(actors.route,)),
    Scenario("deliver by DICOM", actors.dispatch, TO_A, _node, before=(actors.route,), dicom=True),
    Scenario(
        "deliver by DICOM over TLS",
        actors.dispatch,
        TO_A,
        _secure_node,
        before=(actors.route,),
        dicom=True,
        secure=True,
    ),
    Scenario(
        "deliver by DICOM to a node that takes Implicit VR alone",
        actors.dispatch,
        TO_A,
        _node,
        before=(actors.route,),
        dicom=True,
        takes=("--implicit",),
    ),
    Scenario(
        "deliver by DICOM, compressed for the target",
        actors.dispatch,
        TO_A,
        _node_behind_a_slow_link,
        objects=PIXELS,
        before=(actors.route,),
        dicom=True,
        takes=("--prefer-rle",),
    ),
    Scenario(
        "fail at one target, deliver to the other",
        actors.dispatch,
        ending(BOTH, ERROR, "b"),
        _a_refusing,
        before=(actors.route,),
    ),
    Scenario("fail over within a group", actors.dispatch, ending(TO_A, "two"), _group, before=(actors.route,)),
    Scenario("record the history", actors.record, BOTH, before=_DELIVERED),
    Scenario(
        "retire what is delivered",
        actors.clean,
        BOTH,
        before=(*_DELIVERED, actors.record),
        more={"retention": AT_ONCE},
    ),
    Scenario("retry what failed", actors.retry, ending(BOTH, ERROR, "b"), _a_refusing, before=_DELIVERED),
    Scenario("reroute what failed", actors.reroute, ending(TO_A, "b"), _a_refusing, before=_DELIVERED),
    Scenario("discard what failed", actors.discard, ending(BOTH, DISCARD, "b"), _a_refusing, before=_DELIVERED),
    Scenario("change the configuration", actors.configure, BOTH),
    *DECISIONS,
    *SURROUNDINGS,
    *DESK,
)
