"""`mercure compare`: what the history knows of exams, and what a target names of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from appliance.control import api
from appliance.control.api.base import Progress
from appliance.control.api.compare import Compare, Compared
from appliance.control.configuration import setup
from appliance.control.errors import ControlError
from appliance.control.queue.resend import ResendWorker
from appliance.control.rpc.client import Client
from appliance.control.session import Session
from appliance.control.targets import compare
from mercure.config import Root
from mercure.event_details import ImageRefused
from mercure.events import Event
from mercure.routing.execute_plan import load_plan
from mercure.spool import Stage, image_files
from mercure.spool.images import json_line
from tests.support.control_server import serving
from tests.support.control_session import edit, record
from tests.support.find_node import Archive, find_node
from tests.support.history import START, Told, event
from tests.support.history import lines as written
from tests.support.tasks import events_of, place_task
from tests.support.verbs import asked

FreePort = Callable[[], int]
Tell = Callable[..., None]
FIRST = Told(number=1, images=3, targets=("pacs",))
SECOND = Told(number=2, images=2, targets=("other",), start=7200)
STUDY = FIRST.identity.StudyInstanceUID
SOPS = [ref.sop for ref in FIRST.refs]


@pytest.fixture
def port(free_port: FreePort) -> int:
    return free_port()


@pytest.fixture
def session(mercure_root: Path, port: int) -> Session:
    """A root with a DICOM target ``pacs``, and two exams in its history."""
    session = Session(Root(mercure_root), "alice")
    setup.initialise(session)
    targets = dict(json.loads(session.store.mercure.path.read_text())["targets"])
    for name, number in (("pacs", port), ("other", 1)):
        targets[name] = {"kind": "dicom", "host": "127.0.0.1", "port": number, "called_aet": "ARCHIVE"}
    session = edit(session, targets=targets)
    events_of(session)
    tell(session, [*FIRST.all(), *SECOND.all()])
    return session


def tell(session: Session, events: list[Event]) -> None:
    (session.spool.stage(Stage.OUTBOX) / "router-20261121T000000000000-00000001.jsonl").write_bytes(written(events))
    record(session)


def ask(
    session: Session, exam: str | None = None, told: Callable[[Progress], None] = lambda _: None, **more: Any
) -> Compared:
    return compare.run(asked(session, told), Compare(name="pacs", exam=exam, **more))


def archive(images: list[str], **more: Any) -> Archive:
    return Archive({STUDY: {FIRST.uid: images}}, **more)


def run(session: Session, *words: str) -> Result:
    return CliRunner().invoke(mercure, ["compare", *words, "--root", str(session.root.path)])


@pytest.mark.parametrize("exam", [STUDY, "A000001", " a000001 "])
def test_an_exam_that_is_whole_there_has_no_findings(exam: str, session: Session, port: int) -> None:
    with find_node(port, archive(SOPS)):
        found = ask(session, exam)
    assert (found.ok, found.missing) == (True, ())
    (compared,) = found.exams
    assert (compared.study_uid, compared.accession, compared.here, compared.there) == (STUDY, "A000001", 3, 3)


def test_what_was_confirmed_and_is_gone_is_named_and_what_never_came(session: Session, port: int) -> None:
    with find_node(port, archive([*SOPS[1:], "9.9"])):
        found = ask(session, STUDY)
    assert not found.ok
    gone, strange = found.missing
    assert (gone.missing_at, gone.sop, gone.why, gone.series_uid) == ("target", SOPS[0], "confirmed", FIRST.uid)
    assert (gone.time - START).total_seconds() == 81 if gone.time else False
    assert gone.text.endswith("and gone since")
    assert (strange.missing_at, strange.sop, strange.why) == ("router", "9.9", "never-came")


def write_tag_lines(session: Session, task: str) -> None:
    """Write the tag lines of a delivered task that has the images of `SOPS`."""
    records = [
        {"FileName": f"1.2.3.{number}.dcm", "SOPInstanceUID": sop, "SeriesInstanceUID": "1.2.3"}
        for number, sop in enumerate(SOPS)
    ]
    path = session.spool.entry(Stage.SUCCESS, task) / "tags.jsonl"
    path.write_bytes(b"".join(map(json_line, records)))


def test_just_what_is_missing_is_sent(session: Session, port: int) -> None:
    task = place_task(session, Stage.SUCCESS, id=FIRST.derived("pacs"), target="pacs", images=3)
    write_tag_lines(session, task.id)
    with find_node(port, archive(SOPS[1:])):
        result = run(session, STUDY, "--at", "pacs", "--send", "--yes")
    assert "1 series, 1 image" in result.stderr
    ResendWorker(lambda: session).turn()
    (made,) = session.spool.names(Stage.ROUTING)
    directory = session.spool.entry(Stage.ROUTING, made)
    assert [image.name for image in image_files(directory)] == ["1.2.3.0.dcm"]
    plan = load_plan(directory)
    assert plan is not None
    assert [derived.task.target for derived in plan.derived] == ["pacs"]


def test_nothing_is_sent_where_nothing_is_missing(session: Session, port: int) -> None:
    with find_node(port, archive(SOPS)):
        result = run(session, STUDY, "--at", "pacs", "--send", "--yes")
    assert result.exit_code == 0
    assert "nothing that can be sent is missing there" in result.stderr


def test_a_study_that_is_gone_is_named_image_by_image(session: Session, port: int) -> None:
    with find_node(port, Archive({})):
        found = ask(session, STUDY)
    assert [finding.sop for finding in found.missing] == SOPS


def test_a_study_of_the_same_accession_number_under_another_uid_is_told(session: Session, port: int) -> None:
    strange = Archive({STUDY: {FIRST.uid: SOPS}, "7.7": {"7.7.1": ["7.7.1.1"]}}, accession="A000001")
    with find_node(port, strange):
        found = ask(session, "A000001")
    assert [exam.study_uid for exam in found.exams] == [STUDY, "7.7"]
    assert [(finding.study_uid, finding.why) for finding in found.missing] == [("7.7", "never-came")]
    assert found.ok


def test_what_was_refused_here_says_so(session: Session, port: int) -> None:
    refused = ImageRefused(association="a", sop="9.9", status="0xA900", reason="the SOP class does not match")
    late = (session.clock.now() - START).total_seconds() - 60
    tell(session, [event("image.refused", refused, late, service="receiver")])
    with find_node(port, archive([*SOPS, "9.9"])):
        (finding,) = ask(session, STUDY).missing
    assert (finding.why, finding.status) == ("refused-here", "0xA900")


def test_all_exams_of_a_time_are_asked_one_after_the_other(session: Session, port: int) -> None:
    told: list[Progress] = []
    with find_node(port, archive(SOPS[:2])) as node:
        found = ask(session, told=told.append, since=START)
    assert [(exam.study_uid, exam.missing_there, exam.meant) for exam in found.exams] == [
        (STUDY, 1, 1),
        (SECOND.identity.StudyInstanceUID, 2, 0),
    ]
    assert [finding.why for finding in found.missing] == ["confirmed", "not-sent", "not-sent"]
    assert [(step.done, step.total) for step in told] == [(0, 2), (1, 2)]
    assert node.asked == ["STUDY", "SERIES", "IMAGE", "STUDY"]


def test_a_target_that_is_away_ends_the_round_after_some_exams(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "FAILURES", 1)
    found = ask(session, since=START)
    assert (found.ok, found.not_asked, found.missing) == (False, 1, ())
    assert "refuses the connection" in found.unfinished
    assert not found.exams[0].complete


def test_too_many_exams_and_findings_are_cut_and_told(
    session: Session, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MOST_EXAMS", 1)
    monkeypatch.setattr(compare, "MOST_FINDINGS", 2)
    with find_node(port, Archive({})):
        found = ask(session, since=START)
    assert (len(found.exams), found.not_asked, found.ok) == (1, 1, False)
    assert (len(found.missing), found.not_named, found.exams[0].missing_there) == (2, 1, 3)


@pytest.mark.parametrize("exam", ["A*", "A?1", "1.2\\1.3", "*"])
def test_a_pattern_is_no_exam(exam: str, session: Session) -> None:
    with pytest.raises(ControlError, match="is no accession number and no UID"):
        ask(session, exam)


def test_what_cannot_be_compared_is_said_in_words(session: Session, port: int) -> None:
    with pytest.raises(ControlError, match="refuses the connection"):
        ask(session, STUDY)
    with pytest.raises(ControlError, match="give either an exam or a time"):
        ask(session)
    with pytest.raises(ControlError, match="is a folder and no DICOM node"):
        compare.run(asked(session), Compare(name="delivered", exam=STUDY))
    with pytest.raises(ControlError, match="there is no target 'nobody'"):
        compare.run(asked(session), Compare(name="nobody", exam=STUDY))
    with find_node(port, archive(SOPS)):
        with pytest.raises(ControlError, match="neither this router nor pacs knows an exam Z9"):
            ask(session, "Z9")
        with pytest.raises(ControlError, match=r"knows an exam 9\.8\.7"):
            ask(session, "9.8.7")
    refusing = archive(SOPS, otherwise={"STUDY": lambda _: iter([(0xA700, None)])})
    with find_node(port, refusing), pytest.raises(ControlError, match="out of resources"):
        ask(session, "Z9")


def test_who_asked_is_in_the_audit(session: Session, port: int) -> None:
    with find_node(port, archive(SOPS[1:])):
        ask(session, STUDY)
    (audit,) = [told for told in events_of(session) if told.type == "audit"]
    assert (audit.details["by"], audit.details["verb"], audit.details["object"]) == ("alice", "compare.run", "pacs")
    assert audit.details["after"] == {"about": STUDY, "exams": 1, "missing": 1, "ok": False, "unfinished": ""}


def test_a_round_is_a_job_of_the_control_service(session: Session, port: int) -> None:
    told: list[Progress] = []
    with find_node(port, archive(SOPS)), serving(session.root), Client(session.root.path, seconds=20) as client:
        found = client.call(api.compare.RUN, Compare(name="pacs", since=START), progress=told.append)
        (job,) = client.call(api.jobs.LIST).jobs
    assert [exam.there for exam in found.exams] == [3, 0]
    assert (job.verb, job.about, job.outcome) == ("compare.run", "pacs", "done")
    assert told[-1].job == job.job


def test_the_command_prints_lines_a_document_and_a_file(session: Session, port: int, tmp_path: Path) -> None:
    with find_node(port, archive(SOPS[1:])):
        shown = run(session, STUDY, "--at", "pacs")
        document = json.loads(run(session, STUDY, "--at", "pacs", "--json").stdout)
        filed = run(session, "--since", "2026-11-01", "--at", "pacs", "--csv", str(tmp_path / "missing.csv"))
    assert shown.exit_code == filed.exit_code == 1
    assert "1 exams, 1 instances that were meant for it are missing there" in " ".join(shown.output.split())
    assert f"! missing there: {SOPS[0]}" in shown.output
    assert max(map(len, shown.output.splitlines()[1:])) <= 80
    assert [finding["sop"] for finding in document["missing"]] == [SOPS[0]]
    with (tmp_path / "missing.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["accession"], row["missing_at"], row["why"]) for row in rows] == [
        ("A000001", "target", "confirmed"),
        ("A000002", "target", "not-sent"),
        ("A000002", "target", "not-sent"),
    ]


def test_the_command_wants_an_exam_or_a_time(session: Session) -> None:
    assert run(session, "--at", "pacs").exit_code == 2
    assert run(session, STUDY, "--at", "pacs", "--since", "1h").exit_code == 2


@pytest.mark.parametrize("member", ["pacs", "other"])
def test_what_went_to_a_group_is_sent_to_the_member_that_lacks_it(session: Session, port: int, member: str) -> None:
    targets = dict(json.loads(session.store.mercure.path.read_text())["targets"])
    targets["archives"] = {"kind": "group", "members": ["pacs", "other"], "strategy": "failover"}
    session = edit(session, targets=targets)
    task = place_task(
        session, Stage.SUCCESS, id=FIRST.derived("pacs"), target="archives", member=member, images=3, finished=START,
        identity=FIRST.identity,
    )  # fmt: skip
    write_tag_lines(session, task.id)
    with find_node(port, archive(SOPS[1:])):
        result = run(session, STUDY, "--at", "pacs", "--send", "--yes")
    assert "1 → pacs" in result.stderr
    ResendWorker(lambda: session).turn()
    (made,) = session.spool.names(Stage.ROUTING)
    plan = load_plan(session.spool.entry(Stage.ROUTING, made))
    assert plan is not None
    assert [derived.task.target for derived in plan.derived] == ["pacs"]
