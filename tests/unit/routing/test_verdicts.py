"""Inside one unit the images may differ in what the rules ask: the series is divided along the verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mercure.rules import ImageRecords, compile_rule
from mercure.spool import Claim, Stage, load_task, move, read_tags, save_task
from tests.unit.routing.test_units import CT1, bring, one, targets

if TYPE_CHECKING:
    from tests.support.router_desk import RouterDesk

DX: dict[str, Any] = {"rule": 'tags.Modality == "DX"', "targets": ["pacs"]}
OT: dict[str, Any] = {"rule": 'tags.Modality == "OT"', "targets": ["research"]}
MIXED = (({"Modality": "DX"}, CT1), ({"Modality": "OT"}, CT1), ({"Modality": "DX"}, CT1))


def order(first: int) -> tuple[Any, ...]:
    """Return the images of `MIXED` with another one first."""
    return MIXED[first:] + MIXED[:first]


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_series_is_divided_along_the_verdicts_whichever_image_came_first(desk: RouterDesk, first: int) -> None:
    desk.configure({"dx": DX, "ot": OT})
    bring(desk, *order(first))
    dx = {str(number) for number, (tags, _) in enumerate(order(first), 1) if tags["Modality"] == "DX"}
    assert targets(desk) == {"pacs": [dx], "research": [{"1", "2", "3"} - dx]}
    for task in desk.tasks(Stage.OUTGOING):
        directory = desk.spool.entry(Stage.OUTGOING, task.id)
        assert {record["FileName"] for record in read_tags(directory)} == {
            path.name for path in directory.glob("*.dcm")
        }
        assert (task.images, task.bytes) == (
            len(list(directory.glob("*.dcm"))),
            sum(path.stat().st_size for path in directory.glob("*.dcm")),
        )
    (decided,) = desk.events("series.decided")
    assert {outcome["rule"]: outcome["images"] for outcome in decided["rules"]} == {"dx": 2, "ot": 1}
    created = {event["target"]: len(event["images"]) for event in desk.events("task.created")}
    assert created == {"pacs": 2, "research": 1}


def test_where_all_images_agree_nothing_is_divided(desk: RouterDesk) -> None:
    rule = {**DX, "rule": 'tags.Modality in ["DX", "OT"]'}
    told = {"rule": 'tags.Modality == "OT"', "action": "notify"}
    desk.configure({"both": rule, "told": told})
    bring(desk, *MIXED)
    assert targets(desk) == {"pacs": [{"1", "2", "3"}]}
    assert [event["rule"] for event in desk.events("rule.notified")] == ["told"]


def test_what_no_rule_wants_while_others_are_wanted_is_kept_and_decided_anew_by_a_person(desk: RouterDesk) -> None:
    desk.configure({"dx": DX})
    bring(desk, *MIXED)
    assert targets(desk) == {"pacs": [{"1", "3"}]}
    assert desk.tasks(Stage.DISCARD) == []
    (kept,) = desk.tasks(Stage.ERROR)
    assert desk.files(kept, Stage.ERROR) == ["1.2.3.2.dcm"]
    assert kept.failure is not None
    assert "1 of the 3 images" in kept.failure.reason
    assert [event["reason"] for event in desk.events("task.failed")] == [kept.failure.reason]
    desk.configure({"dx": DX, "ot": OT})
    claim = Claim.take(desk.spool.entry(Stage.ERROR, kept.id))
    assert claim is not None
    with claim:
        save_task(claim.path, load_task(claim.path).for_retry())
        move(desk.spool, claim, Stage.ROUTING)
    desk.turn(31)
    assert targets(desk) == {"pacs": [{"1", "3"}], "research": [{"2"}]}
    assert not any(task.late for task in desk.tasks(Stage.OUTGOING))


def test_a_discard_takes_only_the_images_for_which_it_fires(desk: RouterDesk) -> None:
    desk.configure({"no": {"rule": OT["rule"], "action": "discard"}, "dx": DX})
    bring(desk, *MIXED)
    assert targets(desk) == {"pacs": [{"1", "3"}]}
    (task,) = desk.tasks(Stage.DISCARD)
    assert (desk.files(task, Stage.DISCARD), task.rules[0].rule) == (["1.2.3.2.dcm"], "no")
    assert task.finished is not None


def test_what_nobody_wants_is_discarded_as_before(desk: RouterDesk) -> None:
    desk.configure({"no": {"rule": OT["rule"], "action": "discard"}})
    bring(desk, *MIXED)
    found = {task.rules[0].rule: desk.files(task, Stage.DISCARD) for task in desk.tasks(Stage.DISCARD)}
    assert found == {"no": ["1.2.3.2.dcm"], "(no rule)": ["1.2.3.1.dcm", "1.2.3.3.dcm"]}


def test_a_fallback_acts_on_the_images_that_nothing_else_took(desk: RouterDesk) -> None:
    desk.configure({"dx": DX, "rest": {"rule": "True", "targets": ["research"], "fallback": True}})
    bring(desk, *MIXED)
    assert targets(desk) == {"pacs": [{"1", "3"}], "research": [{"2"}]}


def test_two_called_titles_are_one_sender_and_may_be_two_verdicts(desk: RouterDesk) -> None:
    rule = {"rule": 'tags.ReceiverAET == "RESEARCH"', "targets": ["research"]}
    desk.configure({"called": rule, "rest": {"rule": "True", "targets": ["pacs"], "fallback": True}})
    bring(desk, ({}, CT1), ({}, {**CT1, "called": "RESEARCH"}), ({}, CT1))
    assert targets(desk) == {"pacs": [{"1", "3"}], "research": [{"2"}]}
    assert desk.events("warning") == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("images.count == 3", {"pacs": [{"1", "2", "3"}]}),
        ('images.any(tags.Modality == "OT")', {"pacs": [{"1", "2", "3"}]}),
        ('images.all(tags.Modality == "DX")', {}),
        ('images.count == 3 and tags.Modality == "DX"', {"pacs": [{"1", "3"}]}),
    ],
)
def test_questions_over_all_images_are_of_the_whole_unit(desk: RouterDesk, rule: str, expected: dict[str, Any]) -> None:
    desk.configure({"all": {"rule": rule, "targets": ["pacs"]}})
    bring(desk, *MIXED)
    assert targets(desk) == expected


def test_the_parts_of_a_series_with_a_report_are_collected_and_processed_by_their_own_rules(desk: RouterDesk) -> None:
    study = {"trigger": "study", "study": {"quiet_seconds": 100}}
    module = {"runner": "command", "image": "/usr/bin/true"}
    desk.configure(
        {
            "ct": {"rule": 'tags.Modality == "CT"', "targets": ["pacs"], **study},
            "sr": {"rule": 'tags.Modality == "SR"', "action": "process", "modules": ["m"], "targets": ["research"]},
        },
        modules={"m": module},
    )
    bring(desk, ({"Modality": "SR"}, CT1), ({"Modality": "CT"}, CT1), ({"Modality": "CT"}, CT1))
    (sr,) = desk.tasks(Stage.PROCESSING)
    assert desk.files(sr, Stage.PROCESSING) == ["1.2.3.1.dcm"]
    desk.turn(101)
    assert targets(desk) == {"pacs": [{"2", "3"}]}


def test_what_is_sent_again_is_what_the_same_rules_had_sent(desk: RouterDesk) -> None:
    desk.configure({"dx": {**DX, "late": "again"}, "ot": OT})
    bring(desk, *MIXED)
    late = desk.box.associate("CT1")
    late.store(one(4, Modality="DX"))
    late.close()
    desk.turn(1)
    desk.turn(61)
    last = desk.tasks(Stage.OUTGOING)[-1]
    assert last.late
    assert desk.files(last, Stage.OUTGOING) == ["1.2.3.1.dcm", "1.2.3.3.dcm", "1.2.3.4.dcm"]


# --- what is not known


def unknown(**record: Any) -> dict[str, Any]:
    return {"SenderAET": "CT1", "SenderAddress": "10.0.0.1", "ReceiverAET": "M", "SOPInstanceUID": "1", **record}


UNDECODED = unknown(PatientName="D\ufffde", DecodingProblems=["PatientName: not valid in ISO_IR 100"])
CUT = unknown(
    Modality="CT", DecodingProblems=["ImageComments: the record is longer than the limit; left out from here on"]
)
LONG = unknown(
    Modality="CT",
    RequestAttributesSequence=[{"CodeMeaning": "Chest"}, {"CodeMeaning": "Head", "GraphicData": "1"}],
    LeftOut=["0029,1010[Siemens: X/FD 1.2]", "EncapsulatedDocument", ["RequestAttributesSequence", "GraphicData"]],
)
MANY_LONG = unknown(Modality="CT", LeftOut=["0029,1010[A]", "and more"])
CUT_PRIVATE = unknown(DecodingProblems=["0019,1001[Siemens: X/FD 1.2]: cut after 65536 bytes"])
CUT_PRIVATE["0019,1001[Siemens: X/FD 1.2]"] = "cut"
_SEQUENCE = 'sequence("RequestAttributesSequence")'
ORPHAN = {"Modality": "CT", "SOPInstanceUID": "1"}


@pytest.mark.parametrize(
    ("record", "rule", "answer"),
    [
        (UNDECODED, 'tags.PatientName == "Doe"', None),
        (UNDECODED, 'tags.PatientName != "Doe"', None),
        (UNDECODED, 'not contains(tags.PatientName, "x")', None),
        (UNDECODED, 'has("PatientName")', True),
        (UNDECODED, '"PatientName" in tags', True),
        (UNDECODED, 'tags.SenderAET == "CT1" or tags.PatientName == "Doe"', True),
        (UNDECODED, 'tags.PatientName == "Doe" or tags.SenderAET == "CT1"', True),
        (UNDECODED, 'tags.PatientName == "Doe" and tags.SenderAET == "X"', False),
        (UNDECODED, 'tags.PatientName == "Doe" and tags.SenderAET == "CT1"', None),
        (UNDECODED, 'not (tags.PatientName == "Doe" and tags.SenderAET == "X")', True),
        (UNDECODED, 'True if tags.PatientName == "Doe" else True', True),
        (UNDECODED, 'True if tags.PatientName == "Doe" else False', None),
        (UNDECODED, 'images.any(tags.PatientName == "Doe")', None),
        (UNDECODED, 'tags.PatientID == ""', True),
        (LONG, 'tags.Modality == "CT"', True),
        (LONG, 'tags.EncapsulatedDocument == ""', None),
        (LONG, 'not has("EncapsulatedDocument")', False),
        (LONG, '"EncapsulatedDocument" in tags', True),
        (LONG, 'private("0029,10", "Siemens: X/FD 1.2") == ""', None),
        (LONG, 'private("0029,11", "Siemens: X/FD 1.2") == ""', True),
        (LONG, 'tags.Modality == "CT" or tags.EncapsulatedDocument == "x"', True),
        (LONG, 'tags.OverlayData == ""', True),
        (LONG, _SEQUENCE + '.any(item.CodeMeaning == "Head")', True),
        (LONG, _SEQUENCE + '.any(item.GraphicData == "1")', True),
        (LONG, _SEQUENCE + '.any(item.GraphicData == "2")', None),
        (LONG, _SEQUENCE + '.all(item.GraphicData == "")', False),
        (MANY_LONG, 'tags.Modality == "CT"', True),
        (MANY_LONG, 'tags.EncapsulatedDocument == ""', None),
        (CUT_PRIVATE, 'private("0019,01", "Siemens: X/FD 1.2") == "cut"', None),
        (CUT, 'tags.Modality == "CT"', True),
        (CUT, 'tags.SeriesDescription == ""', None),
        (CUT, 'has("SeriesDescription")', None),
        (CUT, '"SeriesDescription" in tags', None),
        (CUT, 'private("0019,xx0c", "SIEMENS") == ""', None),
        (CUT, 'sequence("ProcedureCodeSequence").count == 0', None),
        (ORPHAN, 'tags.SenderAET == ""', None),
        (ORPHAN, 'tags.SenderAddress.startswith("10.")', None),
        (ORPHAN, 'tags.ReceiverAET != "M"', None),
        (ORPHAN, 'has("SenderAET")', None),
        (ORPHAN, 'tags.Modality == "CT" and not tags.SenderAET == "X"', None),
        (ORPHAN, 'tags.Modality == "MR" and tags.SenderAET == "X"', False),
    ],
)
def test_what_is_not_known_is_neither_true_nor_false(record: dict[str, Any], rule: str, answer: bool | None) -> None:
    found = compile_rule(rule).evaluate([record])
    assert (None if found.error else found.result) == answer
    if found.error:
        assert found.error.code == "unknown-value"


def test_an_item_that_cannot_be_read_leaves_the_others_readable() -> None:
    items = [{"CodeMeaning": "Herz\ufffd"}, {"CodeMeaning": "Chest"}]
    problem = "ProcedureCodeSequence.CodeMeaning: not valid in ISO_IR 100"
    record = unknown(ProcedureCodeSequence=items, DecodingProblems=[problem])
    ask = 'sequence("ProcedureCodeSequence").any(item.CodeMeaning == "{}")'
    assert compile_rule(ask.format("Chest")).evaluate([record]).result
    assert compile_rule(ask.format("Head")).evaluate([record]).error is not None


def test_two_versions_of_an_instance_are_counted_once() -> None:
    assert ImageRecords([unknown(), unknown(), unknown(SOPInstanceUID="2"), {"FileName": "x"}]).instances == 3


def test_many_values_left_out_of_many_items_cost_no_more_than_the_record() -> None:
    items = [{"CodeMeaning": "Chest"}] * 10_000
    left_out = [["ProcedureCodeSequence", f"0031,{number:04x}[A]"] for number in range(2_000)]
    record = unknown(ProcedureCodeSequence=items, LeftOut=left_out)
    ask = 'sequence("ProcedureCodeSequence").{}'
    assert compile_rule(ask.format('any(item.CodeMeaning == "Chest")')).evaluate([record]).result
    found = compile_rule(ask.format('any(item.CodeValue == "1")')).evaluate([record])
    assert found.error is not None
    assert found.error.code == "unknown-value"


UNKNOWN_NAME = {"PatientName": "D\ufffde", "DecodingProblems": ["PatientName: not valid in ISO_IR 100"]}
NAMED: dict[str, Any] = {"rule": 'tags.PatientName == "Doe"', "targets": ["pacs"]}
REST: dict[str, Any] = {"rule": "True", "targets": ["research"]}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"named": NAMED}, {}),
        ({"named": NAMED, "rest": {**REST, "fallback": True}}, {}),
        ({"named": NAMED, "rest": REST}, {"research": [{"1"}]}),
        ({"no": {"rule": NAMED["rule"], "action": "discard"}, "rest": REST}, {}),
        (
            {"told": {"rule": NAMED["rule"], "action": "notify"}, "rest": {**REST, "fallback": True}},
            {"research": [{"1"}]},
        ),
    ],
)
def test_a_series_whose_decision_hangs_on_what_is_not_known_is_kept(
    desk: RouterDesk, rules: dict[str, Any], expected: dict[str, Any]
) -> None:
    desk.configure(rules)
    bring(desk, (UNKNOWN_NAME, CT1))
    assert targets(desk) == expected
    assert desk.tasks(Stage.DISCARD) == []
    kept = desk.tasks(Stage.ERROR)
    assert len(kept) == (0 if expected else 1)
    assert all(task.failure is not None and "PatientName is not known" in task.failure.reason for task in kept)


def test_a_series_whose_decision_hangs_on_a_value_too_long_for_the_record_goes_to_error(desk: RouterDesk) -> None:
    desk.configure({"document": {"rule": 'tags.EncapsulatedDocument == ""', "targets": ["pacs"]}})
    bring(desk, ({"LeftOut": ["EncapsulatedDocument"]}, CT1))
    desk.turn(1)
    desk.turn(61)
    (kept,) = desk.tasks(Stage.ERROR)
    assert kept.failure is not None
    assert "EncapsulatedDocument is not known: its value is too long" in kept.failure.reason


@pytest.mark.parametrize("rule", ['tags.SenderAET == "CT1"', 'tags.Modality == "MR"'])
def test_a_series_of_unknown_origin_is_never_discarded_for_want_of_a_rule(desk: RouterDesk, rule: str) -> None:
    desk.configure({"some": {"rule": rule, "targets": ["pacs"]}})
    lost = desk.box.associate("CT1")
    lost._origin = {}  # what a crash leaves of an image of an older router
    lost.store(one(1))
    lost.close()
    desk.turn(1)
    desk.turn(61)
    assert desk.tasks(Stage.DISCARD) == []
    (kept,) = desk.tasks(Stage.ERROR)
    assert kept.failure is not None
    assert "nobody knows from where" in kept.failure.reason
