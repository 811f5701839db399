"""Images of different senders, studies or patients under one Series Instance UID are never decided together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.health import status
from appliance.control.alerts.inputs import look
from appliance.control.api.history import ByExam, FindTasks
from appliance.control.history import search
from appliance.control.session import Session
from mercure.config import Config, Root
from mercure.routing.units import masked, names_of, units_of
from mercure.services.bookkeeper import Bookkeeper
from mercure.spool import Stage, image_files, read_tags
from mercure.spool.notices import notices
from tests.support.box import turn
from tests.support.incoming import make_images
from tests.support.verbs import change_task

if TYPE_CHECKING:
    from tests.support.incoming import Image
    from tests.support.router_desk import RouterDesk

BY_SENDER: dict[str, Any] = {
    "clinical": {"rule": 'tags.SenderAET == "CT1"', "targets": ["pacs"]},
    "anon": {"rule": 'tags.SenderAET == "ANON"', "targets": ["research"]},
}
BY_PATIENT: dict[str, Any] = {
    "trial": {"rule": 'tags.PatientID == "TRIAL-7"', "targets": ["research"]},
    "rest": {"rule": "True", "targets": ["pacs"], "fallback": True},
}
COMPLETE = {"quiet_seconds": 60, "after_release_seconds": 5}


def one(number: int, **tags: Any) -> Image:
    return make_images(1, first=number, **tags)[0]


def bring(desk: RouterDesk, *sent: tuple[dict[str, Any], dict[str, str]]) -> None:
    """Let images land one after the other, each over the open association of its sender, and route what comes of it."""
    opened: dict[tuple[tuple[str, str], ...], Any] = {}
    for number, (tags, sender) in enumerate(sent, 1):
        key = tuple(sorted(sender.items()))
        association = opened[key] = opened.get(key) or desk.box.associate(**sender)
        desk.clock.advance(0.001)
        association.store(one(number, **tags))
    for association in opened.values():
        association.close()
    desk.turn(1)
    desk.turn(61)


def targets(desk: RouterDesk, stage: Stage = Stage.OUTGOING) -> dict[str, list[set[str]]]:
    """Return by target the numbers of the images of each task."""
    found: dict[str, list[set[str]]] = {}
    for task in desk.tasks(stage):
        numbers = {name.split(".")[-2] for name in desk.files(task, stage)}
        found.setdefault(task.target or task.action, []).append(numbers)
    return {name: sorted(groups, key=min) for name, groups in found.items()}


def person(desk: RouterDesk) -> Session:
    """Let a person look at the router."""
    (desk.box.root / "config" / "services.json").write_text('{"version": 1}', encoding="utf-8")
    return Session(Root(desk.box.root), "ann", clock=desk.clock)


CT1, ANON, CT2 = {"calling": "CT1"}, {"calling": "ANON"}, {"calling": "CT1", "address": "10.0.0.9"}


@pytest.mark.parametrize("first", [CT1, ANON])
def test_two_senders_of_one_series_are_decided_apart(desk: RouterDesk, first: dict[str, str]) -> None:
    desk.configure(BY_SENDER)
    second = ANON if first is CT1 else CT1
    bring(desk, ({}, first), ({}, second), ({}, first), ({}, second), ({}, second))
    places = {"pacs": [{"1", "3"}], "research": [{"2", "4", "5"}]}
    assert targets(desk) == (places if first is CT1 else {"pacs": [{"2", "4", "5"}], "research": [{"1", "3"}]})
    assert desk.spool.names(Stage.ROUTING) == []
    for task in desk.tasks(Stage.OUTGOING):
        assert task.origin.sender == f"{task.origin.calling_aet}@127.0.0.1"
        assert (task.images, task.late) == (len(desk.files(task, Stage.OUTGOING)), False)
        directory = desk.spool.entry(Stage.OUTGOING, task.id)
        assert {record["SenderAET"] for record in read_tags(directory)} == {task.origin.calling_aet}
        assert len(read_tags(directory)) == len(image_files(directory))


def test_two_patients_of_one_series_are_decided_apart_and_known_apart(desk: RouterDesk) -> None:
    desk.configure(BY_PATIENT)
    trial, other = {"PatientID": "TRIAL-7", "PatientName": "A^B"}, {"PatientID": "4711", "PatientName": "Doe^Jane"}
    bring(desk, (trial, CT1), (trial, CT1), (other, CT1), (other, CT1))
    assert targets(desk) == {"research": [{"1", "2"}], "pacs": [{"3", "4"}]}
    completed = desk.events("series.completed")
    assert {told["identity"]["PatientID"]: len(told["images"]) for told in completed} == {"TRIAL-7": 2, "4711": 2}
    names = {task.identity.PatientID: task.identity.PatientName for task in desk.tasks(Stage.OUTGOING)}
    assert names == {"TRIAL-7": "A^B", "4711": "Doe^Jane"}


def test_a_mixed_series_is_told_with_its_patients_masked(desk: RouterDesk) -> None:
    desk.configure(BY_PATIENT)
    bring(desk, ({"PatientID": "TRIAL-7"}, CT1), ({"PatientID": "90014711"}, ANON))
    (kept,) = notices(desk.spool)
    (warned,) = desk.events("warning")
    assert warned["text"] == kept.text
    assert "patient …L-7 from CT1@127.0.0.1, study 1.2" in kept.text
    assert "patient …711 from ANON@127.0.0.1, study 1.2" in kept.text
    assert "TRIAL" not in kept.text
    assert "90014711" not in kept.text
    session = person(desk)
    (alert,) = [alert for alert in alerts_of(status(session), look(session)).alerts if alert.kind == "mixed"]
    assert (alert.text, alert.key) == (kept.text, f"mixed:{kept.about}")
    desk.clock.advance(86401)
    assert "mixed" not in {alert.kind for alert in alerts_of(status(session), look(session)).alerts}
    assert [masked(patient) for patient in ("", "1", "123456", "1234567")] == ["without an id", "…", "…", "…567"]


def test_three_units_interleaved_in_one_association(desk: RouterDesk) -> None:
    desk.configure({"all": {"rule": "images.count == 2", "targets": ["pacs"]}})
    bring(desk, *(({"PatientID": f"P{number % 3}"}, CT1) for number in range(6)))
    assert targets(desk) == {"pacs": [{"1", "4"}, {"2", "5"}, {"3", "6"}]}


@pytest.mark.parametrize(
    ("one_image", "other_image"),
    [
        (({}, CT1), ({}, CT2)),
        (({}, CT1), ({"StudyInstanceUID": "1.9"}, CT1)),
        (({"PatientID": "P1"}, CT1), ({"PatientID": "p1"}, CT1)),
        (({"PatientID": "P1"}, CT1), ({"PatientID": ""}, CT1)),
        (({"PatientID": ["P1", "A"]}, CT1), ({"PatientID": ["P1", "B"]}, CT1)),
        (({"IssuerOfPatientID": "A"}, CT1), ({"IssuerOfPatientID": "B"}, CT1)),
        (({"IssuerOfPatientID": "A"}, CT1), ({}, CT1)),
    ],
)
def test_what_makes_two_of_it(desk: RouterDesk, one_image: Any, other_image: Any) -> None:
    bring(desk, one_image, other_image)
    assert targets(desk) == {"pacs": [{"1"}, {"2"}]}
    assert len(desk.events("warning")) == 1


@pytest.mark.parametrize(
    ("one_image", "other_image"),
    [
        (({}, CT1), ({}, {"calling": "CT1 "})),
        (({}, CT1), ({}, {"calling": "CT1", "called": "OTHER"})),
        (({}, CT1), ({}, {"calling": "CT1", "address": "::ffff:127.0.0.1"})),
        (({"PatientID": "P1"}, CT1), ({"PatientID": " P1  "}, CT1)),
        (({"IssuerOfPatientID": "A"}, CT1), ({"IssuerOfPatientID": "A "}, CT1)),
        (({"PatientName": "Doe^Jane"}, CT1), ({"PatientName": "Doe^Jane^^"}, CT1)),
        (({"Modality": "DX"}, CT1), ({"Modality": "OT"}, CT1)),
    ],
)
def test_what_does_not(desk: RouterDesk, one_image: Any, other_image: Any) -> None:
    bring(desk, one_image, other_image)
    assert targets(desk) == {"pacs": [{"1", "2"}]}
    assert desk.events("warning") == []
    assert notices(desk.spool) == []


def test_the_two_addresses_of_a_sender_are_one(desk: RouterDesk) -> None:
    desk.configure(
        {"all": {"rule": "True", "targets": ["pacs"]}},
        senders={"ct": {"ae_titles": ["CT1"], "addresses": ["127.0.0.1", "10.0.0.0/24"]}},
    )
    bring(desk, ({}, CT1), ({}, CT2))
    (task,) = desk.tasks(Stage.OUTGOING)
    assert (task.images, task.origin.sender) == (2, "ct")


def test_a_name_that_alone_differs_is_warned_about_and_divides_nothing(desk: RouterDesk) -> None:
    bring(desk, ({"PatientName": "Doe^Jane"}, CT1), ({"PatientName": "Roe^Jane"}, CT1))
    assert targets(desk) == {"pacs": [{"1", "2"}]}
    (warned,) = desk.events("warning")
    assert "2 patient names" in warned["text"]
    assert "Doe" not in warned["text"]


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["Doe^Jane", "Doe^Jane^^^", "Doe ^Jane ", "Doe^Jane=", "Doe^Jane=^=^"], 1),
        (["Doe^Jane", "Doe^Jane^M"], 2),
        (["Doe^Jane", "doe^jane"], 2),
        (["Doe^Jane", "Doe^Jane=\u5c71^\u82b1"], 2),
        (["Doe^Jane", ""], 2),
    ],
)
def test_names_are_compared_by_what_is_significant(names: list[str], count: int) -> None:
    assert len(names_of({"PatientName": name} for name in names)) == count


def test_images_of_unknown_origin_are_apart_from_those_that_are_known(desk: RouterDesk) -> None:
    config = Config()
    record = {"PatientID": "P1", "StudyInstanceUID": "1.2"}
    known = {**record, "SenderAET": "", "SenderAddress": ""}
    assert [len(own) for own in units_of(config, [record, known, record]).values()] == [2, 1]


def test_one_who_sends_an_image_into_the_series_of_another_patient_moves_nothing_of_it(desk: RouterDesk) -> None:
    """An attacker who is first, and whose image the rules would send elsewhere, takes the rest with him no more."""
    desk.configure(BY_PATIENT)
    attacker = {"calling": "EVIL", "address": "10.66.6.6"}
    bring(desk, ({"PatientID": "TRIAL-7"}, attacker), *(({"PatientID": "4711"}, CT1) for _ in range(3)))
    assert targets(desk) == {"research": [{"1"}], "pacs": [{"2", "3", "4"}]}


# --- late arrivals


@pytest.mark.parametrize("policy", ["alone", "again", "hold"])
def test_the_images_of_another_patient_are_no_late_arrivals_of_the_first(desk: RouterDesk, policy: str) -> None:
    desk.configure({"all": {"rule": "True", "targets": ["pacs"], "late": policy}})
    bring(desk, ({"PatientID": "P1"}, CT1))
    desk.box.receive([one(2, PatientID="P2")], "CT1")
    desk.turn(1)
    desk.turn(61)
    second = desk.tasks(Stage.OUTGOING)[-1]
    assert (second.identity.PatientID, second.late, second.hold) == ("P2", False, None)
    assert desk.files(second, Stage.OUTGOING) == ["1.2.3.2.dcm"]


def test_what_is_sent_again_is_of_the_late_unit_alone(desk: RouterDesk) -> None:
    desk.configure({"all": {"rule": "True", "targets": ["pacs"], "late": "again"}})
    bring(desk, ({"PatientID": "P1"}, CT1), ({"PatientID": "P2"}, CT1))
    desk.box.receive([one(3, PatientID="P2")], "CT1")
    desk.turn(1)
    desk.turn(61)
    last = desk.tasks(Stage.OUTGOING)[-1]
    assert (last.late, desk.files(last, Stage.OUTGOING)) == (True, ["1.2.3.2.dcm", "1.2.3.3.dcm"])


# --- studies

WHOLE: dict[str, Any] = {
    "whole": {"rule": "True", "targets": ["pacs"], "trigger": "study", "study": {"quiet_seconds": 100}}
}


def test_the_studies_of_two_patients_under_one_uid_are_collected_apart(desk: RouterDesk) -> None:
    desk.configure(WHOLE)
    bring(desk, ({"PatientID": "P1"}, CT1), ({"PatientID": "P2"}, CT1))
    desk.box.receive(make_images(1, series="1.2.4", PatientID="P2"), "CT1")
    desk.turn(1)
    desk.turn(61)
    desk.turn(101)
    found = {task.identity.PatientID: task.images for task in desk.tasks(Stage.OUTGOING)}
    assert found == {"P1": 1, "P2": 2}


def test_two_senders_of_one_series_are_collected_apart_and_those_of_different_series_together(
    desk: RouterDesk,
) -> None:
    desk.configure(WHOLE)
    desk.box.receive(make_images(1, series="1.2.4"), "CT1")
    desk.box.receive(make_images(1, series="1.2.5"), "ANON")
    desk.turn(1)
    desk.turn(61)
    bring(desk, ({}, CT1), ({}, ANON))
    desk.turn(101)
    assert sorted(task.images for task in desk.tasks(Stage.OUTGOING)) == [1, 1, 2]


def test_a_study_that_an_older_router_collects_goes_on(desk: RouterDesk) -> None:
    desk.configure(WHOLE)
    bring(desk, ({}, CT1))
    (name,) = desk.spool.names(Stage.STUDIES)
    folder = desk.spool.entry(Stage.STUDIES, name)
    folder.rename(folder.with_name(name.rpartition("+")[0]))
    desk.box.receive([*make_images(1, series="1.2.4"), *make_images(1, series="1.2.5", PatientID="P2")], "CT1")
    desk.turn(1)
    desk.turn(61)
    assert len(desk.spool.names(Stage.STUDIES)) == 2
    desk.turn(101)
    assert sorted((task.identity.PatientID, task.images) for task in desk.tasks(Stage.OUTGOING)) == [
        ("P1", 2),
        ("P2", 1),
    ]


# --- held


def test_a_mixed_series_is_held_for_a_person_where_that_is_wanted(desk: RouterDesk) -> None:
    desk.configure(BY_PATIENT, completion={**COMPLETE, "mixed": "hold"})
    bring(desk, ({"PatientID": "TRIAL-7"}, CT1), ({"PatientID": "4711"}, CT1))
    assert [desk.spool.names(stage) for stage in (Stage.OUTGOING, Stage.DISCARD, Stage.ROUTING)] == [[], [], []]
    held = {task.identity.PatientID: task for task in desk.tasks(Stage.ERROR)}
    assert set(held) == {"TRIAL-7", "4711"}
    assert all(task.hold is not None and task.failure is not None for task in held.values())
    assert len(desk.events("task.failed")) == 2
    session = person(desk)
    change_task(session, "release", held["4711"].id)
    desk.turn(31)
    assert targets(desk) == {"pacs": [{"2"}]}
    assert [task.identity.PatientID for task in desk.tasks(Stage.ERROR)] == ["TRIAL-7"]


def test_each_patient_of_a_series_is_found_in_the_history(desk: RouterDesk) -> None:
    desk.configure(BY_PATIENT)
    bring(desk, ({"PatientID": "TRIAL-7"}, CT1), ({"PatientID": "4711", "PatientName": "Doe^Jane"}, CT1))
    desk.context.events.sync()
    turn(Bookkeeper(desk.box.context("bookkeeper")))
    session = person(desk)
    for patient, whole in (("trial", "TRIAL-7"), ("47", "4711"), ("jane", "4711")):
        (series,) = search.series(session, ByExam(patient=patient)).series
        assert (series.series_uid, series.patient_id) == ("1.2.3", whole)
        tasks = search.tasks(session, FindTasks(patient=patient)).tasks
        assert {task.patient_id for task in tasks} == {whole}
    assert search.series(session, ByExam(patient="nobody")).series == ()
    assert search.series(session, ByExam(patient="trial", study="9.9")).series == ()


def test_the_name_at_receipt_holds_whatever_the_table_of_now_says() -> None:
    record = {"SenderAET": "CT1", "SenderAddress": "10.0.0.7", "SenderName": "ct"}
    renamed = Config.model_validate({"senders": {"radiology": {"ae_titles": ["CT1"]}}})
    (unit,) = units_of(renamed, [record])
    assert unit.sender == "ct"
    (old,) = units_of(renamed, [{key: record[key] for key in ("SenderAET", "SenderAddress")}])
    assert old.sender == "radiology"
    (orphan,) = units_of(renamed, [{"SenderName": "ct"}])
    assert orphan.sender == ""
