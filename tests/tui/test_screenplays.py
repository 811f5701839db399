"""What people do at the terminal UI, against a real control service over a real root."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from appliance.control.rpc.client import Client, api
from appliance.control.session import Session
from mercure.event_details import Identity
from mercure.spool import Stage, load_task
from tests.support.tasks import events_of, place_task
from tests.support.terminal_ui import Plays
from tests.tui.filling import HEAD, fill, receive
from tests.tui.holding import HeldBack
from tests.tui.screenplay import Person, begin_a_folder
from tui.router_client import RouterClient


def audited(session: Session) -> list[dict[str, Any]]:
    return [event.details for event in events_of(session) if event.type == "audit"]


def config(session: Session) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(session.store.mercure.path.read_text())
    return content


def bob_saves(session: Session) -> None:
    """Change the rule meanwhile, as somebody else."""
    change = config(session)
    change["rules"]["everything"]["comment"] = "changed by somebody else"
    session.store.mercure.save(session.store.parse(change), author="bob", comment="", edited_from=1)


def test_failed_tasks_are_found_marked_and_sent_again(session: Session, plays: Plays) -> None:
    tasks = [place_task(session, Stage.ERROR, age=4000 + number, identity=HEAD) for number in range(3)]
    place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("4 tasks", "‼ failed")
        await person.press("slash")
        await person.write("failed")
        await person.press("enter")
        await person.see("3 of 4 tasks, filter: failed")
        await person.press("asterisk", "r")
        await person.see("3 tasks retried", "0 of 4 tasks")
        await person.press("escape")
        await person.see_no_more("filter")

    plays(scene)
    assert sorted(session.spool.names(Stage.OUTGOING))[:3] == sorted(task.id for task in tasks)
    assert [(record["by"], record["verb"]) for record in audited(session)] == [("alice", "queue.retry")] * 3


def test_a_task_is_held_released_and_rerouted(session: Session, plays: Plays) -> None:
    task = place_task(session, Stage.OUTGOING, identity=HEAD)
    change = config(session)
    change["targets"]["second"] = {**change["targets"]["delivered"], "path": str(session.root.path / "second")}
    (session.root.path / "second").mkdir()
    session.store.mercure.path.write_text(json.dumps(change))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task")
        await person.press("h")
        await person.see("■ held", "held by alice")
        await person.press("l")
        await person.see("1 task released", "∙ waiting")
        await person.press("t")
        await person.see("Reroute to which target?", "second")
        await person.press("down", "enter")
        await person.see("1 task rerouted to second")

    plays(scene)
    assert load_task(session.spool.entry(Stage.OUTGOING, task.id)).target == "second"


def test_discarding_asks_first_on_cancel_and_keeps_the_reason(session: Session, plays: Plays) -> None:
    task = place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task")
        await person.press("ctrl+d")
        await person.see("Discard 1 task?", "P1001")
        await person.press("enter")  # it stands on Cancel
        await person.see_no_more("Discard 1 task?")
        assert session.spool.names(Stage.OUTGOING) == [task.id]
        await person.press("ctrl+d")
        await person.see("Discard 1 task?")
        await person.press("shift+tab")
        await person.write("sent twice")
        await person.press("tab", "right", "enter")
        await person.see("1 task discarded")

    plays(scene)
    thrown = load_task(session.spool.entry(Stage.DISCARD, task.id))
    assert thrown.discarded is not None
    assert thrown.discarded.reason == "sent twice"


def test_what_was_done_to_several_tasks_is_undone_from_the_same_screen(session: Session, plays: Plays) -> None:
    tasks = [place_task(session, Stage.OUTGOING, age=60 + number, identity=HEAD) for number in range(3)]

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("3 tasks")
        await person.press("asterisk", "h")
        await person.see("3 tasks held", "u undoes it", "3 marked")  # marks stay for the next action
        await person.press("l")
        await person.see("3 tasks released")
        await person.press("ctrl+d")
        await person.see("Discard 3 tasks?")
        await person.press("tab", "enter")
        await person.see("3 tasks discarded", "u undoes it", "Nothing waits")
        await person.press("u")
        await person.see("Undo what was done to 3 tasks?", "delivered: P1001 MR Head t1 axial")
        await person.press("enter")  # it stands on Cancel
        await person.see_no_more("Undo what was done")
        assert session.spool.names(Stage.OUTGOING) == []
        await person.press("u")
        await person.see("Undo what was done to 3 tasks?")
        await person.press("tab", "enter")
        await person.see("3 tasks as before", "∙ waiting")
        await person.press("u", "tab", "enter")
        await person.see("that can be undone")  # it is undone once

    plays(scene)
    assert sorted(session.spool.names(Stage.OUTGOING)) == sorted(task.id for task in tasks)


@pytest.mark.parametrize(("keys", "question"), [(("ctrl+d",), "Discard 1 task?"), (("t",), "Reroute to which target?")])
def test_what_is_asked_about_a_task_is_done_to_no_other_that_is_at_the_cursor_by_then(
    keys: tuple[str, ...], question: str, session: Session, plays: Plays
) -> None:
    named, other = (place_task(session, Stage.OUTGOING, age=age, identity=HEAD) for age in (90, 60))
    before = load_task(session.spool.entry(Stage.OUTGOING, other.id))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("2 tasks")
        await person.press(*keys)
        await person.see(question)
        with Client(session.root.path) as bob:
            bob.call(api.queue.DISCARD, api.queue.ChangeTask(task=named.id))
        page = person.app.page
        assert page is not None
        await person.until(lambda: page.grid is not None and len(page.grid.rows) == 1, "the list to be shorter")
        await person.press(*(("tab", "enter") if "ctrl+d" in keys else ("enter",)))
        await person.see_no_more(question)
        await person.see("is in discard/")

    plays(scene)
    assert load_task(session.spool.entry(Stage.OUTGOING, other.id)) == before


def test_a_viewer_sees_everything_and_is_told_why_he_may_not(session: Session, plays: Plays) -> None:
    task = place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.see("• live", "(viewer)")
        await person.press("2")
        await person.see("1 task")
        await person.press("ctrl+d")
        await person.see("discard: this needs the role operator, and yours is viewer")
        await person.press("enter")
        await person.see("1.2.3", "images")
        await person.press("escape", "9")
        await person.see("in force")
        await person.press("ctrl+b")
        await person.see("roll back: this needs the role admin")

    plays(scene, "viewer", "vera")
    assert session.spool.names(Stage.OUTGOING) == [task.id]


def test_a_target_is_added_fails_its_echo_is_corrected_and_deleted(session: Session, plays: Plays) -> None:
    path = session.root.path / "archive"

    async def scene(person: Person) -> None:
        await begin_a_folder(person)
        await person.write("archive")
        await person.press("tab")
        await person.write(str(path))
        await person.press("ctrl+t")
        await person.see("‼")
        path.mkdir()
        await person.press("ctrl+t")
        await person.see_no_more("‼")
        await person.press("ctrl+s")
        await person.see("saved as revision", "2 targets")
        await person.press("down", "ctrl+d")
        await person.see("Delete target archive?", "type its name: archive")
        await person.press("shift+tab", "shift+tab")
        await person.write("archive")
        await person.press("tab", "tab", "right", "enter")
        await person.see("deleted: revision", "1 target")

    plays(scene)
    assert list(config(session)["targets"]) == ["delivered"]


def test_a_rule_is_checked_while_typed_rehearsed_saved_and_rolled_back(session: Session, plays: Plays) -> None:
    receive(session)

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.see("everything", "no problems found")
        await person.press("n")
        await person.see("New rule")
        await person.write("ct")
        await person.press("tab")
        await person.write("tags.Modalty == 'CT'")
        await person.see("‼ column", "Modality")
        for _ in range(len("ty == 'CT'")):
            await person.press("backspace")
        await person.write("ity == 'CT' and")
        await person.see("is expected")  # the end of a sentence that is longer than a line
        for _ in range(len(" and")):
            await person.press("backspace")
        await person.see("• the condition is good")
        await person.press("tab", "tab")
        await person.write("delivered")
        await person.press("ctrl+t")
        await person.see("Dry run", "No change for the last series")
        await person.press("escape")
        await person.see("New rule")
        await person.press("ctrl+s")
        await person.see("saved as revision", "2 rules")
        await person.press("down", "x")
        await person.see("Explain ct on which series?", "2 images")
        await person.press("enter")
        await person.see("match: the rule applies", "tags.Modality")
        await person.press("escape", "9")
        await person.see("2 revisions")
        await person.press("enter")
        await person.see("from revision 1 to 2", "rules")
        await person.press("escape", "down", "ctrl+b")
        await person.see("Roll mercure.json back to revision 1?")
        await person.press("right", "enter")
        await person.see("rolled back: revision 3 is in force")

    plays(scene)
    assert list(config(session)["rules"]) == ["everything"]


def test_two_admins_save_at_once_and_the_second_sees_what_the_first_did(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.press("enter")
        await person.see("Rule everything", "condition is good")
        bob_saves(session)
        await person.write("2")
        await person.press("ctrl+s")
        await person.see("‼", "rules.everything", "^s once more")
        assert list(config(session)["rules"]) == ["everything"]
        await person.press("ctrl+s")
        await person.see("saved as revision 3", "everything2")
        assert list(config(session)["rules"]) == ["everything2"]

    plays(scene)


def test_a_save_is_taken_while_a_check_is_under_way_and_its_answer_stays(session: Session, plays: Plays) -> None:
    source = HeldBack(RouterClient(session.root.path))

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.see("no problems found")
        source.hold("rules.check")
        await person.press("enter")
        await person.see("Rule everything")
        await person.until(lambda: "rules.check" in source.asked, "the check of the condition")
        bob_saves(session)
        await person.press("ctrl+s")
        await person.see("rules.everything", "changed by somebody else")
        source.let.set()
        await person.at_rest()
        assert "rules.everything" in person.screen
        assert "condition is good" not in person.screen

    plays(scene, source=source)


def test_a_save_pressed_twice_is_made_once(session: Session, plays: Plays) -> None:
    source = HeldBack(RouterClient(session.root.path))

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.press("enter")
        await person.see("Rule everything")
        source.hold("rules.save_one")
        await person.press("ctrl+s", "ctrl+s")
        await person.see("saving …", "it is being saved")
        source.let.set()
        await person.see("saved as revision 2")

    plays(scene, source=source)
    assert source.asked.count("rules.save_one") == 1


def test_each_of_two_changes_is_made_and_told_while_the_router_is_slow(session: Session, plays: Plays) -> None:
    tasks = [place_task(session, Stage.OUTGOING, age=age, identity=HEAD) for age in (500, 10)]

    source = HeldBack(RouterClient(session.root.path))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("2 tasks")
        source.hold("queue.hold")
        await person.press("h", "down", "h")
        await person.until(lambda: source.asked.count("queue.hold") == 2, "both to be asked for")
        source.let.set()
        await person.until(lambda: person.screen.count("■ held") == 2, "both to be held")

    plays(scene, source=source)
    assert {record["object"] for record in audited(session)} >= {task.id for task in tasks}


HOSTILE = Identity(
    PatientID="\x1b[2J\x1b]0;owned\x07",
    PatientName="[bold red]Smith[/] \u202egnp.exe",
    StudyDescription="日本語の説明 שלום עולם",
    SeriesDescription="a" + "\u0301" * 200 + "[link=file:///etc/passwd]x",
    Modality="M\rR",
    SeriesInstanceUID="1.2.3",
)


def test_hostile_texts_are_shown_as_what_they_are(session: Session, plays: Plays) -> None:
    place_task(session, Stage.OUTGOING, identity=HOSTILE)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task", "\\x1b[2J")
        await person.press("enter")
        await person.see(
            "\\x1b[2J\\x1b]0;owned\\x07", "[bold red]Smith[/] \\u202egnp.exe", "[link=file:///etc/passwd]x"
        )
        assert "\x1b" not in person.screen
        assert "\u202e" not in person.screen

    plays(scene, size=(120, 40))


def test_a_text_that_is_longer_than_the_router_takes_ends_nothing(session: Session, plays: Plays) -> None:
    task = place_task(session, Stage.OUTGOING, identity=HEAD)
    receive(session)

    async def scene(person: Person) -> None:
        await person.open("history")
        await person.press("f")
        await person.see("Find an exam")
        person.app.screen.query_one(Input).value = "x" * 300
        await person.press("enter")
        await person.see(f"found for '{'x' * 20}")
        await person.open("queue")
        await person.press("slash")
        await person.write("P1001")
        await person.press("enter", "ctrl+d")
        await person.see("Discard 1 task?")
        person.app.screen.query_one("#reason", Input).value = "y" * 3000
        await person.press("right", "enter")
        await person.see("1 task discarded")
        await person.open("rules")
        await person.press("enter")
        await person.see("Rule everything")
        person.app.screen.query_one(TextArea).text = "z" * 100_001
        await person.see("a condition has at most 100,000 letters")

    plays(scene)
    thrown = load_task(session.spool.entry(Stage.DISCARD, task.id))
    assert thrown.discarded is not None
    assert thrown.discarded.reason == "y" * 2000


def test_all_of_a_task_stands_beside_the_queue_where_there_is_room(session: Session, plays: Plays) -> None:
    fill(session)

    async def look(person: Person) -> None:
        await person.open("queue")
        await person.see("5 attempts, the last first", "do next", "what keeps tasks", "check that it runs")
        await person.resize(120, 40)
        await person.see("5 attempts, the last first", "target refuses")
        await person.see_no_more("what keeps tasks")
        await person.resize(80, 24)
        await person.see("target refuses images", "target unreachable")
        assert "attempts, the last first" not in person.screen

    plays(look, size=(200, 60))
