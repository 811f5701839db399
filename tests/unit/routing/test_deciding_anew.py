"""A series that could not be decided, and the decision after the rule was corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.control.session import Session
from mercure.spool import Stage, load_task, save_task
from tests.support.incoming import make_images
from tests.support.verbs import change_task

if TYPE_CHECKING:
    from tests.support.router_desk import RouterDesk


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


def test_a_series_that_no_rule_wanted_is_decided_anew_when_a_person_retries_it(desk: RouterDesk) -> None:
    desk.configure({"ct": {"rule": "tags.Modality == 'TC'", "targets": ["pacs"]}})
    desk.send(make_images(2))
    desk.turn(6)
    (discarded,) = desk.tasks(Stage.DISCARD)
    session = Session(desk.context.root, "alice", clock=desk.clock)
    assert change_task(session, "retry", discarded.id).after is Stage.ROUTING
    desk.turn(31)
    assert [task.id for task in desk.tasks(Stage.DISCARD)] == [discarded.id], "the rule is still wrong"
    desk.configure({"ct": {"rule": "tags.SeriesInstanceUID != ''", "targets": ["pacs"]}})
    change_task(session, "retry", discarded.id)
    desk.turn(31)
    (task,) = desk.tasks(Stage.OUTGOING)
    assert (task.parent, task.images, task.action) == (discarded.id, 2, "route")
    assert not desk.tasks(Stage.DISCARD)
    events = [event for event in desk.box.events() if event.type == "series.decided"]
    assert len({event.id for event in events}) == 3, "each decision is one of its own"
