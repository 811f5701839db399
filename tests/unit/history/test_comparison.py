"""Comparison with a target, by table: what each side has, what is known of it, and what is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mercure.dicom.find import StudyAnswer
from mercure.history.comparison import Fate, FateKind, KnownImage, Refusal, at, compare
from mercure.history.fates import ComparedTarget, known_images
from mercure.history.records import TaskRecord
from mercure.history.whereabouts import StudyImages, TaskImages
from mercure.spool import LedgerLine

STUDY, SERIES, SOP = "1.2", "1.2.3", "1.2.3.4"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HERE = "dicom:10.0.0.5:104:PACS"
TARGET = ComparedTarget("pacs", HERE, frozenset({"archives"}))


def known(*kinds: FateKind, sop: str = SOP) -> KnownImage:
    fates = tuple(Fate(kind=kind, text=f"it is {kind}", time=NOON) for kind in kinds)
    return KnownImage(sop=sop, series_uid=SERIES, received=NOON, fates=fates)


def answer(*sops: str, **odd: Any) -> StudyAnswer:
    return StudyAnswer(study_uid=STUDY, instances=dict.fromkeys(sops, SERIES), **odd)


@pytest.mark.parametrize(
    ("fates", "why", "meant"),
    [
        (("confirmed",), "confirmed", True),
        (("waiting", "confirmed"), "confirmed", True),
        (("discarded", "waiting"), "waiting", True),
        (("failed", "refused"), "refused", True),
        (("not-sent", "discarded"), "discarded", False),
        (("not-sent", "processed"), "processed", False),
        (("elsewhere", "not-sent"), "elsewhere", True),
        ((), "undecided", True),
    ],
)
def test_the_most_telling_fate_says_why_the_target_lacks_it(fates: tuple[FateKind, ...], why: str, meant: bool) -> None:
    (found,) = compare([known(*fates)], answer())
    assert (found.missing_at, found.sop, found.why, found.was_meant) == ("target", SOP, why, meant)


@pytest.mark.parametrize(
    ("odd", "is_open"),
    [
        ({"complete": False}, True),
        ({"open_series": frozenset({SERIES})}, True),
        ({"open_series": frozenset({"9.9"})}, False),
        ({}, False),
    ],
)
def test_nothing_is_called_missing_where_the_target_did_not_name_all(odd: dict[str, Any], is_open: bool) -> None:
    (found,) = compare([known("confirmed")], answer(**odd))
    assert (found.why == "unclear") is is_open
    assert found.was_meant
    assert ("gone since" in found.text) is not is_open


def test_what_both_sides_have_is_no_finding() -> None:
    assert compare([known("confirmed")], answer(SOP)) == []
    assert compare([known("discarded")], answer(SOP)) == [], "it came there by another way"
    assert compare([], answer()) == []


def test_what_only_the_target_has_never_came_or_was_refused_here() -> None:
    refusals = {"1.2.3.5": Refusal(status="0xA900", reason="no SOP class", time=NOON)}
    first, second = compare([known(sop="9")], answer("9", SOP, "1.2.3.5"), refusals)
    assert (first.missing_at, first.why, first.sop, first.text) == ("router", "never-came", SOP, "never came here")
    assert (second.why, second.status, second.time) == ("refused-here", "0xA900", NOON)
    assert second.text == f"refused here with 0xA900{at(NOON)}: no SOP class"
    assert not first.was_meant


def test_findings_are_in_the_order_of_their_instances_first_what_the_target_lacks() -> None:
    found = compare([known(sop="2"), known(sop="1")], answer("0"))
    assert [finding.sop for finding in found] == ["1", "2", "0"]


def task(**fields: Any) -> TaskRecord:
    values = {"id": "t", "node": "n", "action": "route", "target": "pacs", "state": "waiting", "created": NOON}
    return TaskRecord.model_validate({**values, "since": NOON, "series_uid": SERIES, **fields})


def fate(held: TaskImages, *lines: LedgerLine) -> Fate | None:
    study = StudyImages(STUDY, received={SOP: (SERIES, NOON)}, tasks=(held,))
    (image,) = known_images(study, TARGET, {"t": lines} if lines else {})
    assert (image.sop, image.series_uid, image.received) == (SOP, SERIES, NOON)
    return image.fates[0] if image.fates else None


def line(destination: str | None = HERE, target: str = "pacs", status: str = "0x0000") -> LedgerLine:
    time = NOON - timedelta(minutes=5)
    return LedgerLine(file="a.dcm", sop=SOP, status=status, time=time, target=target, destination=destination)


WHEN = at(NOON)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"last_error": "no route"}, "waiting", f"waits since{WHEN[3:]}; the last attempt: no route"),
        ({"state": "planned"}, "waiting", "waits since"),
        ({"state": "held", "reason": "by alice: why"}, "held", f"held{WHEN} by alice: why"),
        ({"target": "archives"}, "waiting", "waits since"),
        ({"state": "failed", "reason": "altered"}, "failed", f"its task failed{WHEN}: altered"),
        (
            {"state": "failed", "last_error": "a.dcm: status 0x0110 (no)", "last_attempt": NOON},
            "refused",
            f"its task was refused with 0x0110{WHEN}: a.dcm: status 0x0110 (no)",
        ),
        ({"state": "discarded", "reason": "by bob: why"}, "discarded", f"discarded{WHEN} by bob: why"),
        (
            {"action": "discard", "target": None, "state": "discarded", "rules": ("phantoms",)},
            "discarded",
            f"discarded by the rule phantoms{WHEN}",
        ),
        (
            {"action": "complete", "target": None, "state": "decided", "discarded_by": "phantoms"},
            "discarded",
            f"discarded by the rule phantoms{WHEN}",
        ),
        (
            {"action": "complete", "target": None, "state": "decided", "discarded_by": "(no rule)"},
            "discarded",
            f"discarded, as no rule wanted it{WHEN}",
        ),
        ({"target": "other", "rules": ("mr",)}, "not-sent", "sent to other only, by the rule mr"),
        ({"action": "process", "target": None, "module": "anon"}, "processed", "went to the module anon"),
        ({"action": "complete", "target": None, "state": "deciding"}, "undecided", "it is not decided on yet"),
        ({"action": "complete", "target": None, "state": "decided"}, "not-sent", "no task with it goes to the target"),
        (
            {"action": "complete", "target": None, "state": "failed", "reason": "no"},
            "failed",
            "could not be routed: no",
        ),
        ({"state": "delivered", "delivered": NOON}, "superseded", "not sent"),
    ],
)
def test_the_state_of_a_task_says_what_became_of_its_images(fields: dict[str, Any], kind: str, text: str) -> None:
    found = fate(TaskImages(task(**fields), {"a.dcm": SOP}))
    assert found is not None
    assert found.kind == kind
    assert text in found.text


@pytest.mark.parametrize(
    ("held", "lines", "kind", "text"),
    [
        (task(), [line()], "confirmed", "with 0x0000"),
        (task(), [line(None)], "confirmed", "with 0x0000"),
        (task(state="failed"), [line(status="0xB000")], "confirmed", "with 0xB000"),
        (task(target="archives"), [line(target="pacs")], "confirmed", "with 0x0000"),
        (task(target="archives"), [line("dicom:x:1:X", "x")], "elsewhere", "by dicom:x:1:X, and not by the target"),
        (task(), [line("dicom:old:1:X")], "elsewhere", "by dicom:old:1:X, and not by the target as it is now"),
        (task(), [line("dicom:old:1:X"), line()], "confirmed", "with 0x0000"),
        (task(target="other"), [line("dicom:x:1:X", "x")], "not-sent", "sent to other only"),
    ],
)
def test_the_ledger_counts_where_the_task_is_still_there(
    held: TaskRecord, lines: list[LedgerLine], kind: str, text: str
) -> None:
    found = fate(TaskImages(held, {"a.dcm": SOP}), *lines)
    assert found is not None
    assert (found.kind, text in found.text) == (kind, True), found


@pytest.mark.parametrize(
    ("target", "destinations", "kind"),
    [
        ("pacs", (HERE,), "confirmed"),
        ("pacs", (), "confirmed"),
        ("pacs", ("dicom:old:1:X",), "elsewhere"),
        ("archives", (HERE,), "confirmed"),
        ("archives", ("dicom:x:1:X",), "elsewhere"),
        ("archives", (), "elsewhere"),
        ("other", ("dicom:x:1:X",), "not-sent"),
    ],
)
def test_the_history_counts_where_the_task_is_gone(target: str, destinations: tuple[str, ...], kind: str) -> None:
    record = task(target=target, state="delivered", delivered=NOON)
    found = fate(TaskImages(record, {"a.dcm": SOP}, frozenset({SOP}), destinations))
    assert found is not None
    assert found.kind == kind
    assert found.time == NOON


def test_what_a_module_made_counts_where_a_task_brings_it_there() -> None:
    made = TaskImages(task(), {"b.dcm": "7.7"})
    elsewhere = TaskImages(task(target="other"), {"c.dcm": "8.8"})
    images = known_images(StudyImages(STUDY, tasks=(made, elsewhere)), TARGET, {})
    assert [(image.sop, image.received, image.series_uid) for image in images] == [("7.7", None, SERIES)]


def test_an_image_that_just_came_is_not_decided_on() -> None:
    assert fate(TaskImages(task(), {"b.dcm": ""})) is None
    (found,) = compare(known_images(StudyImages(STUDY, received={SOP: (SERIES, NOON)}), TARGET, {}), answer())
    assert (found.why, found.text) == ("undecided", f"came{WHEN}; no task with it is known yet")
