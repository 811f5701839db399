"""Keys that come before what they are for: on a slow link, or from a quick hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.drivers import linux_driver
from textual.events import Key

from appliance.control.session import Session
from mercure.spool import Stage
from tests.support.tasks import place_task
from tests.support.terminal_ui import Plays, Serve
from tests.tui.filling import HEAD
from tests.tui.holding import HeldBack
from tests.tui.screenplay import Person, begin_a_folder, play
from tui.app import MercureApp
from tui.router_client import RouterClient
from tui.widgets.dialogs import Confirm
from tui.widgets.lines import Static

Asked = Callable[[Callable[[Person], Awaitable[None]]], list[str | None]]


def test_a_key_after_saving_is_for_what_was_saved(session: Session, plays: Plays) -> None:
    source = HeldBack(RouterClient(session.root.path))
    archive = session.root.path / "archive"
    archive.mkdir()

    async def scene(person: Person) -> None:
        await begin_a_folder(person)
        await person.write("archive")
        await person.press("tab")
        await person.write(str(archive))
        source.hold("targets.list")
        await person.press("ctrl+s")
        await person.see("saved as revision 2")
        await person.press("m")
        source.let.set()
        await person.see("Target archive")

    plays(scene, source=source)


NAME = "a-name-of-many-letters"


@pytest.fixture
def asked(session: Session, serve: Serve) -> Asked:
    """Let a person answer a dialog that wants a name typed and a reason; return the answers."""

    def asking(answer: Callable[[Person], Awaitable[None]]) -> list[str | None]:
        answers: list[str | None] = []

        async def scene(person: Person) -> None:
            await person.see("• live")
            person.app.push_screen(Confirm("Delete it?", (), "Delete", type_name=NAME, reason=True), answers.append)
            await person.see(f"type its name: {NAME}")
            await answer(person)
            await person.until(lambda: answers, "an answer")

        with serve() as link:
            play(link, scene)
        return answers

    return asking


def test_a_name_that_must_be_typed_a_reason_and_the_button_may_come_in_one_moment(asked: Asked) -> None:
    async def answer(person: Person) -> None:
        await person.in_one_moment(
            "shift+tab", "shift+tab", *NAME, "tab", *"because of the letters", "enter", "right", "enter"
        )

    assert asked(answer) == ["because of the letters"]


def test_the_button_says_that_the_name_is_wrong_and_leads_back_to_it(asked: Asked) -> None:
    async def answer(person: Person) -> None:
        await person.in_one_moment("shift+tab", "shift+tab", *NAME[:-2], "enter", "right", "enter")
        await person.see(f"That is not its name; type: {NAME}")
        await person.in_one_moment(*NAME[-2:], "enter", "right", "enter")

    assert asked(answer) == [""]


def test_a_form_is_saved_with_all_that_was_typed_in_the_same_moment(session: Session, plays: Plays) -> None:
    name = "a" * 60

    async def scene(person: Person) -> None:
        await begin_a_folder(person)
        await person.in_one_moment(*name, "enter", "/", "ctrl+s")
        await person.see("saved as revision 2")

    plays(scene)
    targets = json.loads((session.root.path / "config/mercure.json").read_text())["targets"]
    assert set(targets) == {"delivered", name}


def test_enter_waits_for_the_rows_as_other_keys_do(session: Session, plays: Plays) -> None:
    source = HeldBack(RouterClient(session.root.path))

    async def scene(person: Person) -> None:
        await person.see("• live")
        source.hold("targets.list")
        await person.press("5", "enter")
        await person.until(lambda: "targets.list" in source.asked, "the targets to be asked for")
        source.let.set()
        await person.see("esc back", str(session.root.path / "delivered"))

    plays(scene, source=source)


def test_enter_opens_what_a_viewer_may_see_and_says_why_not_the_rest(session: Session, plays: Plays) -> None:
    (session.root.path / "backup").mkdir()
    (session.root.path / "backup" / "mercure-x-20261120T120000000000Z.tar").touch()

    async def scene(person: Person) -> None:
        await person.open("rules")
        await person.press("enter")
        await person.see("Rule everything", "condition is good")
        await person.press("ctrl+s")
        await person.see("save: this needs the role admin, and yours is viewer")
        await person.press("escape", "9", "b")
        await person.see("1 backup")
        await person.press("enter")
        await person.see("check: this needs the role")

    plays(scene, "viewer", "vera")


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\x1b1", ["escape", "1"]),
        ("\x1b12", ["escape", "1", "2"]),
        ("\x1bq", ["escape", "q"]),
        ("\x1b:rules", ["escape", "colon", *"rules"]),
        ("\x1b/", ["escape", "slash"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b\x13", ["escape", "ctrl+s"]),
        ("\x1b", ["escape"]),
        ("\x1b\x1b1", ["escape", "escape", "1"]),
        ("\x1b[A", ["up"]),
        ("\x1bOA", ["up"]),
        ("\x1b[1;3D", ["alt+left"]),
        ("\x1b\x7f", ["ctrl+w"]),
        ("\x1bb", ["ctrl+left"]),
        ("\x1b\t", ["shift+tab"]),
    ],
)
def test_esc_and_a_key_are_read_as_these_two(sent: str, keys: list[str]) -> None:
    MercureApp(RouterClient(Path("/nowhere")))
    parser = vars(linux_driver)["XTermParser"]()
    found = [*parser.feed(sent), *parser.feed("")]
    assert [event.key for event in found if isinstance(event, Key)] == keys


def test_a_key_after_esc_is_for_where_esc_has_led(session: Session, plays: Plays) -> None:
    place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("ctrl+d")
        await person.see("Discard 1 task?")
        await person.in_one_moment("escape", "5")
        await person.see("1 target")
        await person.in_one_moment("escape", "2", "enter")
        await person.see("series UID")
        await person.in_one_moment("escape", "h")
        await person.see("held by alice")
        await person.in_one_moment("escape", "escape", "5", "m")
        await person.see("Target delivered")
        await person.in_one_moment("escape", "4")
        await person.see("1 rule")

    plays(scene)


def test_esc_in_a_form_asks_first_also_when_letters_came_in_the_same_moment(session: Session, plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await begin_a_folder(person)
        await person.in_one_moment(*"archive", "escape", "1")
        await person.see("Discard changes?")
        await person.press("escape")
        await person.see("New target of kind folder", "archive")

    plays(scene)


def test_an_esc_that_somebody_keeps_does_not_keep_the_keys_after_it(session: Session, plays: Plays) -> None:
    class Keeper(Static, can_focus=True):
        def on_key(self, event: Key) -> None:
            event.stop()

    async def scene(person: Person) -> None:
        await person.open("queue")
        keeper = Keeper()
        await person.app.screen.mount(keeper)
        person.app.set_focus(keeper)
        await person.in_one_moment("escape", "5")
        await person.see("1 target")

    plays(scene)


def test_what_a_job_came_to_before_the_rows_are_there_does_not_stand_for_them(session: Session, serve: Serve) -> None:
    async def begin(person: Person) -> None:
        await person.open("targets")
        await person.press("t")
        await person.see("How many?")
        await person.press("enter")
        await person.see("1 of 1 confirmed")

    with serve() as link:
        play(link, begin)
        source = HeldBack(link)
        source.hold("targets.list")

        async def come_later(person: Person) -> None:
            await person.see("• live")
            await person.press("5")
            await person.see("…")
            await person.until(lambda: "jobs.join" in source.asked, "the job to be joined")
            await person.until(lambda: not person.app.page.under_way("jobs.join"), "its outcome")  # type: ignore[union-attr]
            await person.press("m")
            source.let.set()
            await person.see("Target delivered")

        play(source, come_later)
