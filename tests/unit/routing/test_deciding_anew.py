"""A series that could not be decided, and the decision after the rule was corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercure.spool import Stage, load_task, save_task
from tests.support.incoming import make_images

if TYPE_CHECKING:
    from tests.unit.routing.conftest import RouterDesk


def test_both_decisions_are_told(desk: RouterDesk) -> None:
    desk.configure({"bad": {"rule": "1 / (images.count - 2) > 0", "targets": ["pacs"]}})
    desk.send(make_images(2))
    desk.turn(6)
    (failed,) = desk.tasks(Stage.ERROR)
    desk.configure({"good": {"rule": "True", "targets": ["pacs"]}})
    directory = desk.spool.entry(Stage.ERROR, failed.id)
    save_task(directory, load_task(directory).for_retry())
    directory.rename(desk.spool.entry(Stage.ROUTING, failed.id))
    desk.turn(31)
    (task,) = desk.tasks(Stage.OUTGOING)
    assert task.parent == failed.id
    assert [len(told["derived"]) for told in desk.events("series.decided")] == [0, 1]
