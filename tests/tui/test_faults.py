"""What a new user found wrong on the screens, each with what must not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.style import Style

from appliance.control.rpc.client import api
from mercure.spool import Stage
from tests.support.tasks import place_task
from tests.support.terminal_ui import Plays
from tests.tui.filling import HEAD, receive
from tests.tui.screenplay import Person, begin_a_folder
from tui.actions import PAGES, matching_commands
from tui.screens.flow import target_state
from tui.widgets.dialogs import Choose
from tui.widgets.lines import strip_of

if TYPE_CHECKING:
    from appliance.control.session import Session


def place_some(session: Session, *patients: str, stage: Stage = Stage.OUTGOING) -> None:
    for patient in patients:
        place_task(session, stage, identity=HEAD.model_copy(update={"PatientID": patient}))


def test_texts_of_several_lines_are_lines_and_no_escapes(session: Session, plays: Plays) -> None:
    place_some(session, "P-801", "P-802")
    place_task(session, Stage.ERROR, age=90_000, identity=HEAD.model_copy(update={"PatientID": "P-9\x0a\x1b[2J"}))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("3 tasks", r"P-9\x0a\x1b[2J")
        await person.press("asterisk", "ctrl+d")
        await person.see("Discard 3 tasks?", "delivered: P-801", "They will not be delivered", "Reason (optional)")
        rows = [line.strip(" *┃║│╭╰─") for line in person.screen.split("\n")]
        assert sum(row.startswith("delivered: P-80") for row in rows) == 2
        assert r"\x0adelivered" not in person.screen
        await person.press("escape", "t")
        await person.see("Reroute to which target?", "delivered: P-801")
        assert r"\x0adelivered" not in person.screen

    plays(scene)


def test_a_filter_that_fits_nothing_any_more_does_not_say_that_all_is_delivered(session: Session, plays: Plays) -> None:
    place_some(session, "P-801", "P-802", "P-803", "P-803")

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("slash")
        await person.write("P-803")
        await person.press("enter", "asterisk", "ctrl+d")
        await person.see("Discard 2 tasks?")
        await person.press("tab", "enter")
        await person.see("2 tasks discarded", "0 of 2 tasks, filter: P-803", "No match.")
        assert "Nothing waits" not in person.screen
        assert "all is" not in person.screen

    plays(scene)


def test_the_beginning_of_a_command_is_enough_and_what_it_may_be_is_listed(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("colon")
        await person.write("re")
        await person.see("refusals, retry, release, reroute")
        await person.press("enter")
        await person.see("'re' can mean several commands")
        await person.press("colon")
        await person.write("tar")
        await person.press("enter")
        await person.see("5 Targets", "folder")
        await person.press("colon")
        await person.write("sft")
        await person.press("enter")
        await person.see("r runs it")
        await person.press("colon")
        await person.write("nonsense")
        await person.press("enter")
        await person.see("there is no command 'nonsense' here")

    plays(scene)


def test_a_whole_name_means_itself_whatever_begins_with_it() -> None:
    assert matching_commands("queue", "q") == [("action", "quit")]
    assert matching_commands("services", "start") == [("action", "start")]
    assert matching_commands("queue", "7") == [("page", "services")]
    assert matching_commands("history", "story") == [("action", "timeline")]
    assert matching_commands("rules", "rehearse") == [("action", "dry-run")]
    assert matching_commands("queue", " ") == matching_commands("queue", "") == []


@pytest.mark.parametrize("name", [entry.name for entry in PAGES])
def test_a_filter_is_typed_on_every_page(name: str, session: Session, plays: Plays) -> None:
    receive(session)
    place_some(session, "P-802")

    async def scene(person: Person) -> None:
        await person.open(name)
        await person.press("slash")
        await person.write("p-802")
        await person.press("enter")
        page = person.app.page
        assert page is not None
        assert name == page.NAME
        assert page.filtered is not None
        assert page.filtered.filter == "p-802"
        await person.press("escape")
        assert page.filtered.filter == ""
        assert person.app.page is page

    plays(scene)


def test_a_text_shows_the_lines_that_contain_the_filter(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("selftest")
        await person.see("r runs it", "made-up image")
        await person.press("slash")
        await person.write("RUNS IT")
        await person.press("enter")
        await person.see("1 line, filter: RUNS IT", "r runs it")
        await person.see_no_more("made-up image")
        await person.press("slash", "home", "exclamation_mark", "enter")
        await person.see("made-up image")
        await person.see_no_more("r runs it")
        await person.press("escape")
        await person.see("r runs it", "made-up image")

    plays(scene)


def test_on_the_overview_the_pane_with_the_keys_is_filtered_and_what_it_names_is_opened(
    session: Session, plays: Plays
) -> None:
    place_some(session, "P-802")

    async def scene(person: Person) -> None:
        await person.see("• live", "quarantine")
        await person.press("tab", "slash")
        await person.write("OUTG")
        await person.press("enter")
        await person.see("1 of 7, filter: OUTG", "outgoing")
        await person.see_no_more("quarantine")
        await person.press("escape")
        await person.see("quarantine")
        await person.press("enter")
        await person.see("1 task", "P-802")
        await person.press("1", "tab", "enter")
        await person.see("1 target", "state")

    plays(scene)


def test_the_row_under_the_cursor_is_one_bar() -> None:
    line = (("‼ failed", "bad"), (" ", ""), ("held", "warn"))
    assert len({segment.style for segment in strip_of(line, 20, "here")}) == 1
    assert len({segment.style for segment in strip_of(line, 20)}) > 1


@pytest.mark.parametrize("columns", range(1, 12))
def test_what_is_longer_than_its_line_ends_with_an_ellipsis(columns: int) -> None:
    line = (("1234", "bold"), ("日本語", ""), ("   ", ""))
    strip = strip_of(line, columns)
    assert strip.cell_length == columns
    assert strip.text.rstrip().endswith("…") is (columns < 10)
    assert strip_of((("12  ", ""),), 2).text == "12"
    assert isinstance(next(iter(strip)).style, Style)


def test_the_last_column_is_cut_with_an_ellipsis_beside_a_scroll_bar(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.see("• live")
        rows = [(f"name{number}", f"{'x' * 90}END") for number in range(200)]
        person.app.push_screen(Choose("Which one?", [], rows))
        await person.see("Which one?", "name8")
        shown = [line for line in person.screen.split("\n") if "name" in line and "xx" in line]
        assert len(shown) == 9
        assert all("x…" in line for line in shown)

    plays(scene)


def test_a_series_is_picked_by_what_it_is(session: Session, plays: Plays) -> None:
    receive(session)

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.press("x")
        await person.see("Explain everything on which series?", "2 images  P1 CT")
        box = [line for line in person.screen.split("\n") if "┃" in line]
        assert not any("…" in line for line in box)

    plays(scene)


def test_a_refused_save_shows_each_problem_once(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await begin_a_folder(person)
        await person.write("a b")
        await person.press("tab")
        await person.write("/srv/b")
        await person.press("ctrl+s")
        await person.see("‼ it cannot be saved:", "targets.a b")
        assert person.screen.count("targets.a b") == 1

    plays(scene)


def test_a_target_that_was_never_spoken_to_is_not_up() -> None:
    target = api.targets.TargetState.model_validate(
        {"name": "pacs", "kind": "dicom", "settings": {}, "waiting": 0, "failed": 0, "rules": (), "disabled": False}
    )
    assert target_state(target) == "unused"
