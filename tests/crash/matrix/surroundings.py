"""Scenarios about surroundings: targets that lead back, a spool that moves, people who hold, and an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.crash.matrix import actors, deeds
from tests.crash.matrix.scenario import BOTH, ONE, TO_A, Batch, Scenario, nodes
from tests.oracle.meaning import HELD, Rule, always
from tests.support.account import ct_series, images

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.matrix.world import World
    from tests.oracle.record import Image

LATE = Batch(tuple(ct_series("1.2.9.1", 2, first=4)))
HOLD = {"rule": "True", "targets": ["a", "b"], "late": "hold"}


def _comes_late(image: Image) -> bool:
    return image.sop in {sent.sop for sent in LATE.objects}


HELD_LATE = (Rule("all", HOLD, always, ("a", "b"), holds=_comes_late),)
RELEASED = (Rule("all", HOLD, always, ("a", "b")),)

NO_ROOM = {"pressure_free_bytes": 10**15}

GOES_ROUND = (Rule("all", {"rule": "True", "targets": ["a", "b"]}, always, ("b", HELD)),)
"""Each image is delivered at b; what comes back, and would go round again, is held for both."""


def _leads_to(name: str) -> Callable[[World], dict[str, Any]]:
    """Let target a be the router of a root."""
    return lambda world: {"a": world.router_target(name), "b": world.folder_target("b")}


FIRST, OTHER, THIRD = (
    Batch(tuple(images(f"1.2.10.{number}", 2, StudyInstanceUID=study)))
    for number, study in ((1, "1.2.3"), (2, "1.2.4"), (3, "1.2.3"))
)
ONE_AFTER_THE_OTHER = (actors.route, OTHER, actors.route, THIRD, actors.route)


def _refuses_one(number: int) -> int | None:
    return 0xC000 if number == 1 else 0


SURROUNDINGS: tuple[Scenario, ...] = (
    Scenario(
        "deliver to a target that is this router",
        actors.dispatch,
        GOES_ROUND,
        _leads_to("root"),
        (Batch(ONE),),
        before=(actors.route,),
        leads_back=0,
    ),
    Scenario(
        "hold what comes back from a target that is this router",
        actors.route,
        GOES_ROUND,
        _leads_to("root"),
        (Batch(ONE),),
        before=(actors.route, actors.dispatch),
        leads_back=0,
    ),
    Scenario(
        "hold what comes back through another router",
        actors.route,
        GOES_ROUND,
        _leads_to("router-0"),
        (Batch(ONE),),
        before=(actors.route, actors.dispatch, actors.route, actors.dispatch),
        more={"loops": {"returns": 0}},
        leads_back=1,
    ),
    Scenario(
        "move the spool on its disk",
        actors.move_spool,
        BOTH,
        late=(LATE,),
        before=(actors.route,),
        moves=True,
        meanwhile=(actors.route,),
    ),
    Scenario(
        "move the spool to another disk",
        actors.move_spool_to_another_disk,
        BOTH,
        late=(LATE,),
        before=(actors.route,),
        moves=True,
        meanwhile=(actors.route,),
    ),
    Scenario(
        "route from a disk that is away for a while",
        actors.route,
        BOTH,
        before=(actors.record, actors.move_spool_to_another_disk),
        moves=True,
        meanwhile=(deeds.start_without_the_disk,),
    ),
    Scenario(
        "make room on a full disk while the history is away",
        actors.clean_without_history,
        BOTH,
        before=(actors.route, actors.dispatch, LATE, actors.route),
        more={"retention": NO_ROOM},
    ),
    Scenario(
        "hold late arrivals for a person",
        actors.route,
        HELD_LATE,
        objects=(Batch(ONE),),
        late=(LATE,),
        before=(actors.route,),
    ),
    Scenario(
        "deliver beside late arrivals that are held",
        actors.dispatch,
        HELD_LATE,
        objects=(Batch(ONE),),
        before=(actors.route, LATE, actors.route),
    ),
    Scenario(
        "release late arrivals that were held",
        actors.release,
        RELEASED,
        objects=(Batch(ONE),),
        before=(actors.route, LATE, actors.route),
    ),
    Scenario(
        "deliver in the order received to a node that refuses an image once",
        actors.dispatch,
        TO_A,
        nodes("a", order="received", concurrency=4),
        (FIRST,),
        before=ONE_AFTER_THE_OTHER,
        nodes={"a": _refuses_one},
        orders={"a": "received"},
    ),
    Scenario(
        "deliver the series of a study in order to a node that refuses an image once",
        actors.dispatch,
        TO_A,
        nodes("a"),
        (FIRST,),
        before=ONE_AFTER_THE_OTHER,
        nodes={"a": _refuses_one},
        orders={"a": "study"},
    ),
)
