"""Keys that come before what they are for: on a slow link, or from a quick hand."""

from __future__ import annotations

from appliance.control.session import Session
from tests.tui.conftest import Serve
from tests.tui.screenplay import Person, Scene, play
from tests.tui.test_screenplays import HeldBack


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
