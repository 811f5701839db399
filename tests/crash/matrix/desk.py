"""Scenarios of the desk: what people do to tasks and objects, cut off at each step while services go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.crash.matrix import actors, deeds
from tests.crash.matrix.scenario import BOTH, ONE, SHORT, TO_A, Batch, Scenario, ending, nodes
from tests.oracle.meaning import DISCARD, ERROR, Rule, always

if TYPE_CHECKING:
    from tests.crash.matrix.world import World

STUDY_UID = "1.2.3"
AT_ONCE = {"success_seconds": 0, "discard_seconds": 0, "pressure_free_bytes": 0}
NOBODY_WANTS = (Rule("all", {"rule": 'tags.Modality == "typo"', "targets": ["a"]}, always, ("a", DISCARD)),)
"""The rule is mended, and what it left is decided anew; the old tasks stay in ``discard/``."""

IMAGES = (Batch(ONE),)
_ROUTED = (actors.route,)
_DELIVERED = (actors.route, actors.dispatch)


def _takes_all(_number: int) -> int | None:
    return 0


def _only_a(world: World) -> dict[str, Any]:
    """Let target b be a folder that is not there: what goes there waits."""
    absent = {"kind": "folder", "path": str(world.folder / "world" / "absent"), "retry": SHORT}
    return {"a": world.folder_target("a"), "b": absent}


def _a_refuses(world: World) -> dict[str, Any]:
    """Let target a refuse each image, until the file is removed that is in the way of the study's folder."""
    targets = _only_a(world)
    (world.target("a") / STUDY_UID).touch()
    refusing = {**targets["a"], "layout": "study/series", "retry": {**SHORT, "give_up_seconds": 60}}
    return {**targets, "a": refusing}


DESK: tuple[Scenario, ...] = (
    Scenario("undo a hold", deeds.undo, TO_A, objects=IMAGES, before=(*_ROUTED, deeds.hold)),
    Scenario(
        "undo a reroute of what failed",
        deeds.undo,
        ending(TO_A, ERROR),
        _a_refuses,
        objects=IMAGES,
        before=(*_DELIVERED, actors.reroute, deeds.make_way),
        meanwhile=(actors.try_once,),
    ),
    Scenario(
        "undo a reroute of what waits",
        deeds.undo,
        TO_A,
        _only_a,
        objects=IMAGES,
        before=(*_ROUTED, deeds.reroute),
        meanwhile=(actors.try_once,),
    ),
    Scenario(
        "undo a discard of what failed",
        deeds.undo,
        ending(TO_A, ERROR),
        _a_refuses,
        objects=IMAGES,
        before=(*_DELIVERED, actors.discard, deeds.make_way),
        meanwhile=(actors.dispatch,),
    ),
    Scenario("undo a discard of what waits", deeds.undo, TO_A, objects=IMAGES, before=(*_ROUTED, deeds.discard)),
    Scenario(
        "discard what a person holds",
        deeds.discard,
        ending(TO_A, DISCARD),
        objects=IMAGES,
        before=(*_ROUTED, deeds.hold),
        meanwhile=(actors.try_once,),
    ),
    Scenario(
        "have kept what was discarded",
        deeds.keep,
        ending(TO_A, DISCARD),
        before=(*_ROUTED, deeds.discard, actors.record),
        more={"retention": AT_ONCE},
    ),
    Scenario(
        "leave what a person wants kept",
        actors.clean,
        ending(TO_A, DISCARD),
        before=(*_ROUTED, deeds.discard, actors.record, deeds.keep),
        more={"retention": AT_ONCE},
    ),
    Scenario(
        "send again what was delivered",
        deeds.send_again,
        BOTH,
        nodes("a", "b"),
        before=_DELIVERED,
        nodes={"a": _takes_all, "b": _takes_all},
        meanwhile=_DELIVERED,
        once=True,
        again={"a": 1},
    ),
    Scenario(
        "send what was delivered to another target",
        deeds.send_to_b,
        ending(TO_A, "a", "b"),
        nodes("a", "b"),
        before=_DELIVERED,
        nodes={"a": _takes_all, "b": _takes_all},
        meanwhile=_DELIVERED,
        once=True,
    ),
    Scenario(
        "decide anew on what no rule wanted",
        deeds.decide_anew,
        NOBODY_WANTS,
        nodes("a"),
        before=(*_ROUTED, deeds.mend_rules),
        nodes={"a": _takes_all},
        meanwhile=_DELIVERED,
        once=True,
    ),
    Scenario(
        "read the quarantine again",
        deeds.read_again,
        TO_A,
        nodes("a"),
        objects=IMAGES,
        before=(deeds.put_all_aside,),
        nodes={"a": _takes_all},
        meanwhile=_DELIVERED,
        once=True,
    ),
    Scenario(
        "send on from the quarantine",
        deeds.send_on,
        TO_A,
        nodes("a"),
        objects=IMAGES,
        before=(deeds.put_all_aside,),
        nodes={"a": _takes_all},
    ),
)
