"""The desk at the terminal: send again, decide again, what is missing at a target, receipt, keep; each asks before."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from mercure.event_details import SeriesTags
from mercure.events import EventWriter
from mercure.spool import Stage
from mercure.spool.images import json_line
from mercure.spool.keeps import read_keeps
from mercure.spool.task import FiredRule
from tests.support.control_session import edit, record
from tests.support.find_node import Archive, find_node
from tests.support.history import Told
from tests.support.history import lines as written
from tests.support.tasks import NOW, events_of, place_task
from tests.tui.filling import HEAD, receive

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session
    from mercure.spool.task import Task
    from tests.support.router import FreePort
    from tests.support.terminal_ui import Plays
    from tests.tui.screenplay import Person


def kept(session: Session, stage: Stage = Stage.SUCCESS, patient: str = "P1001", **fields: Any) -> Task:
    """Put a finished task with two images of one series into the spool."""
    head = HEAD.model_copy(update={"PatientID": patient})
    values: dict[str, Any] = {"identity": head, "finished": NOW, "age": 3600.0}
    task = place_task(session, stage, **values | fields)
    records = [
        {"FileName": f"1.2.3.{number}.dcm", "SOPInstanceUID": f"1.2.3.{number}", "SeriesInstanceUID": "1.2.3",
         "StudyInstanceUID": "1.2", "PatientID": patient, "Modality": "MR"}
        for number in range(2)
    ]  # fmt: skip
    path = session.spool.entry(stage, task.id) / "tags.jsonl"
    path.write_bytes(b"".join(map(json_line, records)))
    return task


def jobs(session: Session) -> list[dict[str, Any]]:
    """Return the records in the audit of the jobs that were begun."""
    found = [event.details for event in events_of(session) if event.type == "audit"]
    return [details["after"] for details in found if details["verb"] == "resend.begin"]


def test_a_delivered_task_is_sent_again_after_its_plan_was_seen(session: Session, plays: Plays) -> None:
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.press("f")
        await person.see("Finished", "1 task", "delivered", "P1001")
        await person.press("s")
        await person.see("Send again to which target?", "its own target", "nothing is sent yet")
        await person.press("enter")
        await person.see("Send 2 images again?", "1 series, 2 images", "1 → delivered", "behind all that arrives")
        await person.press("enter")  # it stands on Cancel
        await person.see_no_more("Send 2 images again?")
        assert jobs(session) == []
        await person.press("s", "enter")
        await person.see("Send 2 images again?")
        await person.press("shift+tab")
        await person.write("lost there")
        await person.press("tab", "right", "enter")
        await person.see("sends 1 series again", "`:resends` shows, pauses and stops it")
        await person.open("resends")
        await person.see("1 job", "alice", "lost there")

    plays(scene)
    (job,) = jobs(session)
    assert (job["how"], job["images"], job["reason"]) == ("again", 2, "lost there")


def test_what_a_mistyped_rule_discarded_is_decided_again(session: Session, plays: Plays) -> None:
    for patient in ("P1", "P2", "P3"):
        kept(session, Stage.DISCARD, patient, action="discard", target=None, rules=(FiredRule(rule="(no rule)"),))

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.press("slash", *"no rule", "enter")
        await person.see("3 of 3 tasks", "discarded")
        await person.press("s", "enter")
        await person.see("Nothing can be sent again", "a rule discarded it")
        await person.press("escape", "asterisk", "d")
        await person.see("Decide again on 3 series?", "3 → delivered", "The rules in force decide")
        await person.press("tab", "enter")
        await person.see("sends 3 series again")

    plays(scene)
    assert [(job["how"], job["series"]) for job in jobs(session)] == [("anew", 3)]


def test_series_are_found_by_their_tags_and_sent_again(session: Session, plays: Plays) -> None:
    edit(session, history={"tags": ["ContrastBolusAgent", "SliceThickness"]})
    events = EventWriter(session.spool.stage(Stage.OUTBOX), "router", session.clock)
    tags = {"ContrastBolusAgent": ("Ultravist 370",), "SliceThickness": ("1.5",)}
    events.emit(SeriesTags(tags=tags), task="20261121T115900000000-0000abcd", series="1.2.3", key="series.tags")
    events.close()
    receive(session)
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("1 exam", "tags", "ContrastBolusAgent Ultravist 370")
        for condition, found in (
            ("ContrastBolusAgent!=*", "0 exams"),
            ("Modality=MR SliceThickness<1", "0 exams"),
            ('ContrastBolusAgent="ultravist 370" SliceThickness<2', "1 exam"),
        ):
            await person.press("f", *["backspace"] * 60)
            await person.write(condition)
            await person.press("enter")
            await person.see(found, f"found for '{condition}'"[:40])
        await person.press("asterisk", "s")
        await person.see("Send again to which target?")
        await person.press("enter")
        await person.see("Send 2 images again?")
        await person.press("tab", "enter")
        await person.see("sends 1 series again")
        await person.press("f", *["backspace"] * 60)
        await person.write("ProtocolName=x")
        await person.press("enter")
        await person.see("does not keep ProtocolName")

    plays(scene)
    assert [(job["how"], job["series"]) for job in jobs(session)] == [("again", 1)]


def test_a_job_is_paused_resumed_and_stopped(session: Session, plays: Plays) -> None:
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.press("s", "enter")
        await person.see("Send 2 images again?")
        await person.press("tab", "enter")
        await person.see("sends 1 series again")
        await person.open("resends")
        await person.see("1 job")
        await person.press("p")
        await person.see("is paused · p resumes it")
        await person.press("p")
        await person.see("is running · p pauses it")
        await person.press("ctrl+x")
        await person.see("Stop job", "1 of 1 series are not sent again")
        await person.press("tab", "enter")
        await person.see("is stopped")

    plays(scene)


def test_a_study_is_kept_with_an_end_and_a_reason_and_the_keep_is_ended(session: Session, plays: Plays) -> None:
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.see("1 task")
        await person.press("K")
        await person.see("Keep what?", "study", "patient", "task")
        await person.press("enter")
        await person.see("Keep for how long?", "1 week")
        await person.press("enter")
        await person.see("Keep 1 study?", "is removed before", "Reason:")
        await person.press("tab", "enter")
        await person.see("A reason is needed")
        await person.write("second opinion")
        await person.press("tab", "right", "enter")
        await person.see("1 task kept until", "`:keeps` ends it")
        await person.open("keeps")
        await person.see("1 keep", "study 1.2", "second opinion")
        await person.press("ctrl+d")
        await person.see("End 1 keep?")
        await person.press("tab", "enter")
        await person.see("1 keep ended", "nothing is kept")

    plays(scene)
    assert not read_keeps(session.spool).keeps


def test_what_a_person_discarded_is_undone_where_it_is_seen(session: Session, plays: Plays) -> None:
    task = place_task(session, Stage.OUTGOING, identity=HEAD)

    async def scene(person: Person) -> None:
        await person.open("queue")
        await person.see("1 task")
        await person.press("ctrl+d", "tab", "enter")
        await person.see("1 task discarded")
        await person.press("f")
        await person.see("1 task", "discarded", "alice")
        await person.press("u")
        await person.see("Undo what was done to 1 task?")
        await person.press("tab", "enter")
        await person.see("1 task as before", "nothing was delivered or discarded")

    plays(scene)
    assert session.spool.names(Stage.OUTGOING) == [task.id]


def test_a_viewer_sees_what_is_kept_and_begins_nothing(session: Session, plays: Plays) -> None:
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.see("1 task")
        words = {"s": "send again", "d": "decide again", "m": "missing", "p": "receipt", "K": "keep"}
        for key, word in words.items():
            await person.press(key)
            await person.see(f"{word}: this needs the role operator, and yours is viewer")

    plays(scene, "viewer")
    assert not [event for event in events_of(session) if event.type != "config.saved"]


def test_an_operator_sends_to_its_own_target_only(session: Session, plays: Plays) -> None:
    kept(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.see("1 task")
        await person.press("s")
        await person.see("Send 2 images again?")
        await person.press("escape")

    plays(scene, "operator")


def test_a_receipt_is_written_for_this_user_alone(
    session: Session, plays: Plays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    receive(session)

    async def scene(person: Person) -> None:
        await person.open("history")
        await person.see("1 exam", "P1")
        await person.press("p")
        await person.see("Sign a receipt?", "came when from whom")
        await person.press("tab", "enter")
        await person.see("receipt of 2 images", "mercure-receipt-")

    plays(scene)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["statement"]["counts"]["images"] == 2


EXAM = Told(number=1, images=3, targets=("pacs",))


def test_what_is_missing_at_a_target_is_named_and_just_that_is_sent(
    session: Session, plays: Plays, free_port: FreePort
) -> None:
    sops = [ref.sop for ref in EXAM.refs]
    content = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
    port = free_port()
    content["targets"]["pacs"] = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "ARCHIVE"}
    session.store.mercure.save(session.store.parse(content), author="bob", comment="", edited_from=1)
    task = place_task(session, Stage.SUCCESS, id=EXAM.derived("pacs"), target="pacs", images=3, identity=EXAM.identity)
    records = [
        {"FileName": f"1.2.3.{number}.dcm", "SOPInstanceUID": sop, "SeriesInstanceUID": "1.2.3"}
        for number, sop in enumerate(sops)
    ]
    (session.spool.entry(Stage.SUCCESS, task.id) / "tags.jsonl").write_bytes(b"".join(map(json_line, records)))
    outbox = session.spool.stage(Stage.OUTBOX)
    (outbox / "router-20261121T000000000000-00000001.jsonl").write_bytes(written(EXAM.all()))
    record(session)

    async def scene(person: Person) -> None:
        await person.open("finished")
        await person.see("1 task")
        await person.press("m")
        await person.see("What is missing at which target?", "pacs")
        await person.press("enter")
        await person.see("What pacs has of", "! missing there", "and gone since", "s sends just what is missing there")
        await person.press("s")
        await person.see("Send 1 image again?", "1 → pacs")
        await person.press("tab", "enter")
        await person.see("sends 1 series again")

    study = EXAM.identity.StudyInstanceUID
    with find_node(port, Archive({study: {EXAM.uid: sops[1:]}})):
        plays(scene)
    assert [(job["how"], job["images"]) for job in jobs(session)] == [("again", 1)]
