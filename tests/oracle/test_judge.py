"""What the oracle says of small runs that are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.oracle.judge import KINDS, Run, judge
from tests.oracle.meaning import DISCARD, HELD, Rule, always, wanted
from tests.oracle.planting import assert_planted_are_found
from tests.oracle.record import AS_RECEIVED, Arrival, Disturbances, Image, digest
from tests.support.data_sets import instance_of, tagged_image
from tests.support.held import arrivals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.order import Order

ALL = Rule("all", {}, always, ("a",))


def image(sop: str, *, version: str = "", began: float = 0.0, association: str = "1", **tags: str) -> Image:
    whole = {"PatientID": "P", "SeriesInstanceUID": "1", **tags}
    return Image(
        sop,
        {AS_RECEIVED: digest(f"{sop}{version}{whole}".encode())},
        whole,
        association=association,
        began=began,
        ended=began,
    )


def came(*images: Image) -> list[Arrival]:
    return [Arrival(each.sop, each.digest, 100.0 + number) for number, each in enumerate(images)]


def run(sent: list[Image], arrived: dict[str, list[Arrival]], *rules: Rule, **more: object) -> Run:
    return replace(Run(sent, rules or (ALL,), arrived), **more)  # type: ignore[arg-type]  # fields of a run


def kinds(found: Run) -> list[tuple[str, str, str]]:
    return [(verdict.kind, verdict.sop, verdict.place) for verdict in judge(found)]


ONE, TWO, THREE = image("1.1"), image("1.2"), image("1.3")


def test_all_is_well() -> None:
    assert kinds(run([ONE, TWO], {"a": came(ONE, TWO)})) == []
    assert_planted_are_found(run([ONE, TWO], {"a": came(ONE, TWO), "b": []}))


def test_missing_and_unexpected() -> None:
    found = run([ONE, TWO], {"a": came(ONE), "b": came(TWO)})
    assert kinds(found) == [("missing", "1.2", "a"), ("unexpected", "1.2", "b")]
    assert kinds(run([ONE], {"a": came(ONE, image("9.9"))})) == [("unexpected", "9.9", "a")]


@pytest.mark.parametrize("answer", ["refused", "unknown"])
def test_what_is_not_acknowledged_may_be_where_it_is_wanted_or_nowhere(answer: str) -> None:
    unsure = replace(TWO, answer=answer)  # type: ignore[arg-type]  # one of its words
    assert kinds(run([ONE, unsure], {"a": came(ONE)})) == []
    assert kinds(run([ONE, unsure], {"a": came(ONE, TWO)})) == []
    assert kinds(run([ONE, unsure], {"a": came(ONE), "b": came(TWO)})) == [("unexpected", "1.2", "b")]


def test_half_is_split_over_members() -> None:
    group = {"a": ("a1", "a2")}
    assert kinds(run([ONE, TWO], {"a1": came(ONE), "a2": came(TWO)}, destinations=group)) == [
        ("half", "1.1", "a"),
        ("half", "1.2", "a"),
    ]
    assert kinds(run([ONE, TWO], {"a1": came(ONE), "a2": came(ONE, TWO)}, destinations=group)) == []
    later = replace(TWO, association="2")
    assert kinds(run([ONE, later], {"a1": came(ONE), "a2": came(TWO)}, destinations=group)) == []


def test_versions_come_in_their_order_and_the_first_may_be_passed_over() -> None:
    first, second = image("1.1", version="first"), image("1.1", version="second", began=1.0)
    assert kinds(run([first, second], {"a": came(first, second)})) == []
    assert kinds(run([first, second], {"a": came(second)})) == []
    assert kinds(run([first, second], {"a": came(second, first)})) == [("stale", "1.1", "a")]
    assert kinds(run([first, second], {"a": came(first)})) == [("missing", "1.1", "a")]


def test_versions_of_two_senders_are_two_images() -> None:
    first, second = image("1.1"), replace(image("1.1", version="x", began=1.0), calling="OTHER")
    assert kinds(run([first, second], {"a": came(second, first)})) == []
    assert kinds(run([first, second], {"a": came(second)})) == [("missing", "1.1", "a")]


@pytest.mark.parametrize(
    ("order", "studies", "early"), [("study", "11", True), ("study", "12", False), ("received", "12", True)]
)
def test_a_series_may_not_overtake_one_that_was_taken_before_it_was_sent(
    order: Order, studies: str, early: bool
) -> None:
    first, second = (
        image(f"1.{number}.1", began=began, SeriesInstanceUID=f"1.{number}", StudyInstanceUID=study)
        for number, began, study in ((1, 0.0, studies[0]), (2, 2.0, studies[1]))
    )
    known = {"orders": {"a": order}, "taken": [1.0, 3.0]}
    assert kinds(run([first, second], {"a": came(first, second, first)}, **known)) == [("repeated", "1.1.1", "a")]
    found = [("early", "1.2.1", "a")] if early else []
    assert kinds(run([first, second], {"a": came(second, first)}, **known)) == found
    assert kinds(run([first, second], {"a": came(second, first)}, **known | {"orders": {}})) == []
    assert kinds(run([first, second], {"a": came(second, first)}, **known | {"taken": [3.0]})) == [], "nobody knows"
    unsure = replace(first, answer="unknown")
    assert kinds(run([unsure, second], {"a": came(second, first)}, **known)) == []
    again = replace(first, began=4.0, ended=4.0, association="2")
    assert kinds(run([first, second, again], {"a": came(first, second, first)}, **known)) == []


def test_one_of_many_that_was_overtaken_is_found() -> None:
    images = [image(f"1.{each}", began=float(2 * each), SeriesInstanceUID=f"1.{each}") for each in range(8)]
    taken = [each.began + 1 for each in images]
    order = [*images[:4], images[5], images[4], *images[6:]]
    found = run(images, {"a": came(*order)}, orders={"a": "received"}, taken=taken)
    assert kinds(found) == [("early", "1.5", "a")]


def test_what_a_rule_holds_waits_for_a_person() -> None:
    held = replace(ALL, holds=lambda image: image.sop == "1.2")
    assert kinds(run([ONE, TWO], {"a": came(ONE), HELD: came(TWO)}, held)) == []
    assert kinds(run([ONE, TWO], {"a": came(ONE, TWO)}, held)) == [("missing", "1.2", HELD), ("unexpected", "1.2", "a")]


def test_other_bytes_are_altered() -> None:
    assert kinds(run([ONE], {"a": came(replace(ONE, forms={AS_RECEIVED: "other"}))})) == [
        ("altered", "1.1", "a"),
        ("missing", "1.1", "a"),
    ]


def test_a_repetition_needs_an_excuse() -> None:
    twice = {"a": came(ONE, ONE)}
    assert kinds(run([ONE], twice)) == [("repeated", "1.1", "a")]
    assert kinds(run([ONE], twice, disturbances=Disturbances([(100.5, 100.5)]))) == []
    assert kinds(run([ONE], twice, disturbances=Disturbances([(90.0, 91.0)]))) == [("repeated", "1.1", "a")]
    assert kinds(run([ONE, replace(ONE, association="2")], twice)) == [], "it was sent twice"
    late = image("1.2", association="2")
    assert kinds(run([ONE, late], {"a": came(ONE, ONE, late)}, replace(ALL, again=True))) == []
    assert kinds(run([ONE, late], {"a": came(ONE, ONE, ONE, late)}, replace(ALL, again=True))) != []


def test_what_a_person_has_sent_again_comes_so_many_times_more() -> None:
    asked = {"again": {"a": 1}}
    assert kinds(run([ONE, TWO], {"a": came(ONE, TWO, TWO, ONE)}, **asked)) == []
    assert kinds(run([ONE, TWO], {"a": came(ONE, TWO, TWO)}, **asked)) == [("missing", "1.1", "a")]
    assert kinds(run([ONE], {"a": came(ONE, ONE, ONE)}, **asked)) == [("repeated", "1.1", "a")]
    assert_planted_are_found(run([ONE, TWO], {"a": came(ONE, TWO, TWO, ONE), "b": []}, **asked))


def test_rules_that_count_are_sure_only_of_what_came_at_once() -> None:
    few = Rule("few", {}, lambda image: None if image.count is None else image.count < 3, ("a",))
    assert kinds(run([ONE, TWO], {}, few)) == [("missing", "1.1", "a"), ("missing", "1.2", "a")]
    assert kinds(run([ONE, TWO, THREE], {DISCARD: came(ONE, TWO, THREE)}, few)) == []
    slowly = [ONE, replace(TWO, association="2")]
    assert kinds(run(slowly, {}, few)) == []
    assert kinds(run([ONE, TWO], {}, few, disturbances=Disturbances([(0.0, 0.0)]))) == []


def test_rules_add_up_and_the_first_discard_wins() -> None:
    def by(tag: str, value: str) -> dict[str, object]:
        return {"fires": lambda image: image.tags.get(tag) == value}

    a = Rule("a", {}, to=("a",), **by("Modality", "CT"))  # type: ignore[arg-type]  # a predicate
    b = Rule("b", {}, to=("b",), **by("PatientID", "P"))  # type: ignore[arg-type]  # a predicate
    no = Rule("no", {}, to=(DISCARD,), discards=True, **by("Modality", "OT"))  # type: ignore[arg-type]  # a predicate
    rest = Rule("rest", {}, always, ("rest",), fallback=True)

    def places(tags: dict[str, str], *rules: Rule) -> set[str]:
        return {place for place, _ in wanted(replace(ONE, tags={**ONE.tags, **tags}), rules).must}

    assert places({"Modality": "CT"}, a, b, no, rest) == {"a", "b"}
    assert places({"Modality": "OT"}, a, b, no, rest) == {DISCARD}
    assert places({"Modality": "MR", "PatientID": "Q"}, a, b, no, rest) == {"rest"}
    assert places({"Modality": "MR", "PatientID": "Q"}, a, b, no) == {DISCARD}


def test_what_a_sender_cannot_know_may_be() -> None:
    unsure = Rule("unsure", {}, lambda _: None, ("a",))
    rest = Rule("rest", {}, always, ("b",), fallback=True)
    for there in ({"a": came(ONE)}, {"b": came(ONE)}, {}):
        assert kinds(run([ONE], there, unsure, rest)) == []
    assert kinds(run([ONE], {"c": came(ONE)}, unsure, rest)) == [("unexpected", "1.1", "c")]


def test_a_form_that_a_module_makes() -> None:
    made = replace(ONE, forms={AS_RECEIVED: "raw", "made": "made"})
    rule = replace(ALL, form="made")
    assert kinds(run([made], {"a": [Arrival("1.1", "made")]}, rule)) == []
    assert kinds(run([made], {"a": [Arrival("1.1", "raw")]}, rule)) == [
        ("missing", "1.1", "a"),
        ("unexpected", "1.1", "a"),
    ]


def test_a_run_without_a_delivery_cannot_be_planted_in() -> None:
    with pytest.raises(AssertionError, match="nothing was delivered"):
        assert_planted_are_found(run([ONE, TWO], {"a": []}))


def test_each_kind_is_planted() -> None:
    assert set(KINDS) == {"missing", "unexpected", "half", "stale", "altered", "repeated", "early"}


def test_what_stands_in_a_folder_stands_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    for name in ("1.2~10.dcm", "1.2.dcm", "1.2~2.dcm", ".1.2~3.dcm", "notes.txt"):
        data = tagged_image({"SOPInstanceUID": "1.2", "Modality": "CT"}, name.encode())
        (tmp_path / "study" / name).write_bytes(bytes(128) + b"DICM\2\0\0\0UL\4\0\0\0\0\0" + data)
    wanted_order = [
        digest(tagged_image({"SOPInstanceUID": "1.2", "Modality": "CT"}, name.encode()))
        for name in ("1.2.dcm", "1.2~2.dcm", "1.2~10.dcm")
    ]
    found = arrivals(tmp_path)
    assert [each.digest for each in found] == wanted_order
    assert {each.sop for each in found} == {"1.2"} == {instance_of(tagged_image({"SOPInstanceUID": "1.2"}, b""))}


def test_a_version_from_another_address_of_one_sender_replaces_the_first() -> None:
    old, new = (
        replace(image("1.1", version=version, began=began), address=address, sender="ct")
        for version, began, address in (("", 0.0, "127.0.0.2"), ("new", 1.0, "127.0.0.3"))
    )
    assert kinds(run([old, new], {"a": came(new)})) == []
    assert kinds(run([old, new], {"a": came(new, old)})) == [("stale", "1.1", "a")]
    strangers = [replace(each, sender="") for each in (old, new)]
    assert kinds(run(strangers, {"a": came(new)})) == [("missing", "1.1", "a")]
