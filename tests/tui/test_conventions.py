"""Keys as other programs have them: copy, write to a file, back to where one was."""

from __future__ import annotations

import csv
import stat
from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage
from tests.support.tasks import place_task
from tests.support.terminal_ui import Plays
from tests.tui.filling import HEAD
from tests.tui.screenplay import Person

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session


def test_a_value_of_a_row_is_copied_as_it_is(session: Session, plays: Plays) -> None:
    place_task(session, Stage.OUTGOING, identity=HEAD.model_copy(update={"PatientID": "P\x1b[2J1"}))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("y")
        await person.see("Copy what?", "accession", "A77", r"P\x1b[2J1", "study UID")
        await person.press("down", "down", "enter")
        await person.see("copied", r"patient P\x1b[2J1")
        assert person.app.clipboard == "P\x1b[2J1"
        await person.press("1", "y")
        await person.see("copy: there is no row to copy from on this page")
        await person.press("w")
        await person.see("write CSV: there is no table on this page")

    plays(scene)


def test_the_rows_shown_are_written_to_a_file_of_this_user(
    session: Session, plays: Plays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for patient in ("=HYPERLINK(1)", "P-803", "other"):
        place_task(session, Stage.OUTGOING, identity=HEAD.model_copy(update={"PatientID": patient}))

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("slash")
        await person.write("!other")
        await person.press("enter", "w")
        await person.see("2 tasks written to", ".csv")
        await person.press("w")
        await person.see("File exists")

    plays(scene)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert head == ["state", "age", "target", "images", "exam", "prio", "tries", "error"]
    assert sorted(row[4] for row in rows) == ["'=HYPERLINK(1) MR Head t1 axial", "P-803 MR Head t1 axial"]


def test_esc_leads_back_to_the_page_before(plays: Plays) -> None:
    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.open("targets")
        await person.open("rules")
        await person.press("escape")
        await person.until(lambda: person.app.current_mode == "targets", "the page before")
        await person.press("escape")
        await person.until(lambda: person.app.current_mode == "queue", "the page before that")
        await person.press("escape", "escape")
        await person.until(lambda: person.app.current_mode == "overview", "the first page")

    plays(scene)
