"""What senders were refused as associations began: one key from the history, and looked through like any table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tui.filling import fill

if TYPE_CHECKING:
    from appliance.control.session import Session
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person


def test_refusals_are_one_key_away_and_tell_class_syntax_and_reason(session: Session, plays: Plays) -> None:
    fill(session)

    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("P1")
        await person.press("r")
        await person.see("2 refusals", "of the last 7 days", "MR1@10.0.0.8", "     7")
        await person.press("slash", *"46.670589", "enter")
        await person.see("1 of 2 refusals", "transfer syntaxes: 1.3.46.670589.5.0.2.1, JPEG Lossless", "first, last")
        await person.press("escape", "escape")
        await person.see("last 7 days")

    plays(scene, "viewer", "vera")
