"""Tags of any received image, one key away: filtered, copied as a rule writes them, beside those of another image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.spool import Stage
from mercure.spool.images import json_line
from tests.support.control_session import record
from tests.support.data_sets import ct_image
from tests.support.quarantine import receive, torn_image
from tests.support.tasks import place_task
from tests.support.terminal_ui import NOW
from tests.tui.filling import HEAD
from tests.tui.filling import receive as receive_series
from tests.tui.views import compare
from tui.screens.tags import TagRow, tag_rows

if TYPE_CHECKING:
    from appliance.control.session import Session
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person

RECORD = {
    "FileName": "1.2.3.0.dcm",
    "SOPInstanceUID": "1.2.3.0",
    "SeriesInstanceUID": "1.2.3",
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "EchoTime": "12.5",
    "0019,100a[SIEMENS MR HEADER]": "3",
    "PatientName": "[bold]Weaver\x1b[2J^Ann",
}


def tagged(
    session: Session, stage: Stage = Stage.OUTGOING, patient: str = "P1001", age: float = 60.0, **tags: object
) -> None:
    """Put a task with two images into the spool; the second differs in one tag."""
    identity = HEAD.model_copy(update={"PatientID": patient})
    task = place_task(session, stage, age=age, identity=identity, finished=NOW if stage is Stage.SUCCESS else None)
    records = (RECORD | tags, RECORD | {"FileName": "1.2.3.1.dcm", "SOPInstanceUID": "1.2.3.1"} | tags)
    path = session.spool.entry(stage, task.id) / "tags.jsonl"
    path.write_bytes(b"".join(map(json_line, records)))


def test_they_are_one_key_away_filtered_and_copied_as_rules_write_them(session: Session, plays: Plays) -> None:
    tagged(session)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task")
        await person.press("T")
        await person.see("image 1 of 2", "EchoTime", "12.5", r"ORIGINAL\PRIMARY", r"[bold]Weaver\x1b[2J^Ann")
        await compare("tags-queue", person, session)
        await person.press("slash")
        await person.write("echo")
        await person.press("enter")
        await person.see("1 of 8 tags, filter: echo")
        await person.press("y")
        await person.see("copied", "tags.EchoTime")
        assert person.app.clipboard == "tags.EchoTime"
        await person.press("c")
        await person.see("value 12.5")
        assert person.app.clipboard == "12.5"
        await person.press("escape", "slash")
        await person.write("siemens")
        await person.press("enter", "y")
        await person.see('tags["0019,100a[SIEMENS MR HEADER]"]')
        await person.press("escape", "n")
        await person.see("image 2 of 2", "1.2.3.1")
        await person.press("n")
        await person.see("this is the last of 2")
        await person.press("escape")
        await person.see("1 task")

    plays(scene)


def test_two_images_stand_side_by_side_also_of_two_exams(session: Session, plays: Plays) -> None:
    tagged(session, age=90)
    tagged(session, patient="P2002", EchoTime="80", Modality="CT")

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("2 tasks")
        await person.press("T")
        await person.see("image 1 of 2")
        await person.press("d")
        await person.see("no image is kept beside this one")
        await person.press("b")
        await person.see("kept beside the images shown next", "image beside")
        await person.press("escape", "down", "T")
        await person.see("image beside", "beside 1.2.3.0.dcm", "80", "12.5")
        await person.press("d")
        await person.see("2 tags", "differences only", "Modality")
        await compare("tags-beside", person, session)
        assert "ImageType" not in person.screen
        await person.press("b")
        await person.see("8 tags")
        assert "image beside" not in person.screen

    plays(scene, size=(100, 30))


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_from_every_page_with_images_for_every_role(session: Session, plays: Plays, role: str) -> None:
    receive_series(session)
    tagged(session, Stage.SUCCESS)
    receive(session.root.path, torn_image())
    receive(session.root.path, ct_image("1.2.3.4.5", "1.2.3.4"))
    record(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.see("1 task")
        await person.press("T")
        await person.see("EchoTime")
        await person.press("escape", "enter")
        await person.see("series UID")
        await person.press("T")
        await person.see("EchoTime")
        await person.press("escape", "escape")
        await person.open("quarantine")
        await person.see("1 object")
        await person.press("T")
        await person.see("SOPInstanceUID")
        await person.press("escape")
        await person.open("queue")
        await person.see("↓ arriving")
        await person.press("slash")
        await person.write("arriving")
        await person.press("enter", "T")
        await person.see("SCANNER")
        await person.press("end")
        await person.see("SenderAET")
        await person.press("escape")
        await person.open("history")
        await person.see("1 exam", "P1")
        await person.press("end", "T")
        await person.see("SeriesInstanceUID")

    plays(scene, role)


def test_what_is_not_known_any_more_is_said(session: Session, plays: Plays) -> None:
    place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task")
        await person.press("T")
        await person.see("‼ the tags of task", "are not known here")
        await person.press("b", "y")
        await person.see("copy: there is no row")

    plays(scene)


def test_what_only_one_of_two_images_has() -> None:
    assert tag_rows({"A": "1", "B": ["x", "y"]}, {"A": "1", "C": [{"D": "1"}]}) == [
        TagRow("A", "1", "1"),
        TagRow("B", "x\\y", None, differs=True),
        TagRow("C", None, '[{"D": "1"}]', differs=True),
    ]
    assert tag_rows({"A": ""}, None) == [TagRow("A", "", None)]
