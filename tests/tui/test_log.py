"""The log page: level, text, following, and the exam that a line is about."""

from __future__ import annotations

import json
from typing import Final

from appliance.control.session import Session
from mercure.spool import Stage
from tests.support.terminal_ui import Plays
from tests.tui.filling import receive
from tests.tui.screenplay import Person
from tui.screens.log import LogPage

LOG: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("INFO", "series complete (released): 2 images", {"series": "1.2.3"}),
    ("WARNING", "connection refused: attempt 1 at pacs", {"target": "pacs"}),
    ("ERROR", "0xC000 cannot understand: task failed in outgoing", {}),
)


def _log_line(number: int, level: str, message: str, more: dict[str, str]) -> str:
    line = {"time": f"2026-11-21T11:59:{number % 60:02}Z", "level": level, "message": message, **more}
    return f"{json.dumps(line)}\n"


def test_a_log_is_narrowed_by_level_and_text_followed_and_leads_to_the_exam(session: Session, plays: Plays) -> None:
    receive(session, accession="ACC1")
    task = next(iter(session.spool.names(Stage.OUTGOING)))
    path = session.root.log / "dispatcher_00.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    old = _log_line(0, "INFO", "the needle of long ago", {}) * 2
    path.write_text(old + "".join(_log_line(number, *LOG[number % 3]) for number in range(60)))

    async def scene(person: Person) -> None:
        await person.see("• live")
        person.app.push_screen(LogPage("dispatcher"))
        await person.see("62 lines", "following", "0xC000 cannot understand")
        with path.open("a") as file:
            file.write(_log_line(1, "INFO", "delivered: 2 images", {"task": task}))
        await person.see("63 lines", "following", "accession", "ACC1")
        await person.press("enter")
        await person.see("Timeline", "route → delivered")
        await person.press("escape")
        await person.press("v", "v")
        await person.see("40 lines", "warning and worse")
        assert "series complete" not in person.screen
        await person.press("v")
        await person.see("20 lines", "error and worse", "0xC000")
        await person.press("v", "slash", *"needle", "enter")
        await person.see("2 of 2 lines, filter: needle", "long ago")
        await person.press("escape")
        await person.see("63 lines", "following")
        await person.press("home")
        await person.see("G follows")

    plays(scene)
