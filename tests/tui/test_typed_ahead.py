"""Keys that come before what they are for: on a slow link, or from a quick hand."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from appliance.control.session import Session
from tests.tui.conftest import Serve
from tests.tui.screenplay import Person, Scene, play
from tests.tui.test_screenplays import HeldBack
from tui.widgets.dialogs import Confirm

Asked = Callable[[Callable[[Person], Awaitable[None]]], list[str | None]]


def test_a_key_after_saving_is_for_what_was_saved(session: Session, serve: Serve) -> None:
    def scene_of(source: HeldBack) -> Scene:
        async def scene(person: Person) -> None:
            await person.see("• live")
            await person.press("5")
            await person.see("delivered")
            await person.press("n")
            await person.see("A target of which kind?", "folder")
            await person.press("down", "enter")
            await person.see("New target of kind folder")
            await person.write("archive")
            await person.press("tab")
            await person.write(str(session.root.path))
            source.hold("targets.list")
            await person.press("ctrl+s")
            await person.see("saved as revision 2")
            await person.press("m")
            source.let.set()
            await person.see("Target archive")

        return scene

    with serve() as link:
        source = HeldBack(link)
        play(source, scene_of(source))


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


def test_a_form_is_saved_with_all_that_was_typed_in_the_same_moment(session: Session, serve: Serve) -> None:
    name = "a" * 60

    async def scene(person: Person) -> None:
        await person.see("• live")
        await person.press("5")
        await person.see("delivered")
        await person.press("n")
        await person.see("A target of which kind?", "folder")
        await person.press("down", "enter")
        await person.see("New target of kind folder")
        await person.in_one_moment(*name, "enter", "/", "ctrl+s")
        await person.see("saved as revision 2")

    with serve() as link:
        play(link, scene)
    targets = json.loads((session.root.path / "config/mercure.json").read_text())["targets"]
    assert set(targets) == {"delivered", name}


def test_enter_waits_for_the_rows_as_other_keys_do(session: Session, serve: Serve) -> None:
    def scene_of(source: HeldBack) -> Scene:
        async def scene(person: Person) -> None:
            await person.see("• live")
            source.hold("targets.list")
            await person.press("5", "enter")
            await person.until(lambda: "targets.list" in source.asked, "the targets to be asked for")
            source.let.set()
            await person.see("esc back", str(session.root.path / "delivered"))

        return scene

    with serve() as link:
        source = HeldBack(link)
        play(source, scene_of(source))


def test_enter_opens_what_a_viewer_may_see_and_says_why_not_the_rest(session: Session, serve: Serve) -> None:
    (session.root.path / "backup").mkdir()
    (session.root.path / "backup" / "mercure-x-20261120T120000000000Z.tar").touch()

    async def scene(person: Person) -> None:
        await person.see("• live")
        await person.press("4")
        await person.see("nothing is wrong")
        await person.press("enter")
        await person.see("Rule everything", "condition is good")
        await person.press("ctrl+s")
        await person.see("save: this needs the role admin, and yours is viewer")
        await person.press("escape", "9", "b")
        await person.see("1 backup")
        await person.press("enter")
        await person.see("check: this needs the role")

    with serve("viewer", "vera") as link:
        play(link, scene)
