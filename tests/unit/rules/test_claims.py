"""What is claimed of rules holds: "never true" and "implies" are tried out on every image of a small world."""

from __future__ import annotations

import itertools
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mercure.rules import ImageRecords, check, compile_rule
from mercure.rules.impossible import implies, never_true

VALUES: Final = (None, "", "A", "a", "B", "1", "2", "A\\B")
WORLD: Final = [
    ImageRecords(
        [{key: value for key, value in zip(("Modality", "StationName"), values, strict=True) if value is not None}]
    )
    for values in itertools.product(VALUES, VALUES)
]
TWO_IMAGES: Final = [
    ImageRecords([{"Modality": one}, {"Modality": other}]) for one, other in itertools.product(VALUES[1:], VALUES[1:])
]

tags = st.sampled_from(["tags.Modality", "tags.StationName"])
constants = st.sampled_from(['""', '"A"', '"a"', '"B"', '"1"', '"A\\\\B"'])
numbers = st.sampled_from(["0", "1", "1.5", "2"])
atoms = st.one_of(
    st.tuples(tags, st.sampled_from(["==", "!=", "<", ">=", "in"]), constants).map(" ".join),
    st.tuples(constants, st.sampled_from(["==", "in", "<"]), tags).map(" ".join),
    st.tuples(tags, st.sampled_from(["in", "not in"]), st.sampled_from(['["A", "B"]', '["a"]', "[]"])).map(" ".join),
    st.builds("{}.{}() == {}".format, tags, st.sampled_from(["lower", "upper", "strip"]), constants),
    st.builds("number({}) {} {}".format, tags, st.sampled_from(["==", "<", "<=", ">", ">=", "!="]), numbers),
    st.builds("{} < number({}) <= {}".format, numbers, tags, numbers),
    st.builds("between(number({}), {}, {})".format, tags, numbers, numbers),
    st.sampled_from(
        [
            'has("Modality")',
            '"Modality" in tags',
            'values("Modality") == ["A", "B"]',
            'tags.get("Modality", "B") == "B"',
            "tags.Modality",
            "True",
            "1 == 2",
            "number('x') == 1",
            'images.any(tags.Modality == "A" and tags.Modality == "B")',
            'images.all(tags.Modality == "A")',
            'contains(tags.Modality, "a")',
        ]
    ),
)
rules = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} and {} and {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)


@example('tags.Modality == "" and "Modality" not in tags')
@example('tags.Modality == "A\\\\B" and values("Modality") == ["A", "B"]')
@example("not (number(tags.Modality) < 1) and not (number(tags.Modality) > 0)")
@example("not (number(tags.Modality) == 1 and number(tags.Modality) == 2)")
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(rules)
def test_what_is_never_true_is_true_of_no_image(text: str) -> None:
    rule = compile_rule(text)
    assert not never_true(rule.term) or not any(rule.evaluate(images).result for images in WORLD + TWO_IMAGES)


@example('tags.Modality == "A"', 'number(tags.Modality) == 1 or tags.Modality == "A"')
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(rules, rules)
def test_what_implies_another_is_true_only_with_it(one: str, other: str) -> None:
    first, second = compile_rule(one), compile_rule(other)
    for images in WORLD + TWO_IMAGES if implies(first.term, second.term) else []:
        assert second.evaluate(images).result or not first.evaluate(images).result


@pytest.mark.parametrize(
    "text",
    [
        'tags.Modality == "MR" and tags.Modality == "CT"',
        '"MR" == tags.Modality and tags.Modality == "CT"',
        'tags.Modality == "MR" and @Modality@ == "CT"',
        'tags.Modality == "MR" and tags["modality"] != "MR"',
        'tags.Modality == "MR" and not tags.Modality == "MR"',
        'tags.Modality == "MR" and tags.Modality.lower() == "ct"',
        'tags.Modality in ["MR", "CT"] and tags.Modality in ["US"]',
        'tags.Modality in ["MR", "CT"] and tags.Modality.startswith("X")',
        'tags.Modality == "MR" and (tags.Modality == "CT" or tags.Modality == "US")',
        '(tags.Modality == "CT" or tags.Modality == "US") and has("EchoTime") and tags.Modality == "MR"',
        'tags.Modality == "" and has("Modality")',
        'not has("Modality") and tags.Modality == "MR"',
        'tags.Modality.lower() == "MR"',
        'tags.Modality.upper() in ["mr", "ct"]',
        "number(tags.SliceThickness) < 1 and number(tags.SliceThickness) > 2",
        "number(tags.SliceThickness) == 1 and number(tags.SliceThickness) == 2",
        "5 < number(tags.SliceThickness) < 3",
        "1 < number(tags.SliceThickness) <= 1",
        "between(number(tags.SliceThickness), 5, 3)",
        "between(number(tags.SliceThickness), 1, 3) and number(tags.SliceThickness) > 3",
        'images.any(tags.Modality == "MR" and tags.Modality == "CT")',
        'images.all(tags.Modality.lower() == "MR")',
        'sequence("ProcedureCodeSequence").any(1 == 2)',
        "age_years() < 5 and age_years() > 10",
        "False",
        "1 > 2",
        'tags.Modality == "MR" and False',
        'tags.Modality == "A" if False else False',
    ],
)
def test_what_can_never_be_true_is_found(text: str) -> None:
    (finding,) = [finding for finding in check(text) if finding.code == "never-true"]
    assert finding.severity == "warning"
    assert (finding.place.start, finding.place.end) == (0, len(text))


@pytest.mark.parametrize(
    "text",
    [
        'tags.Modality == "MR"',
        'tags.Modality == "MR" or tags.Modality == "CT"',
        'tags.Modality == "MR" and tags.StationName == "CT"',
        'tags.Modality.lower() in ["MR", "mr"]',
        'sequence("ProcedureCodeSequence").all(1 == 2)',
        'images.any(tags.Modality == "MR") and images.any(tags.Modality == "CT")',
        'tags.Modality == "MR" and images.any(tags.Modality == "CT")',
        "number(tags.SliceThickness) <= 1 and number(tags.SliceThickness) >= 1",
        "not (number(tags.SliceThickness) < 1) and not (number(tags.SliceThickness) >= 1)",
        'tags.Modality == "A\\\\B" and "B" in values("Modality")',
    ],
)
def test_what_can_be_true_is_not_called_never_true(text: str) -> None:
    assert [finding for finding in check(text) if finding.code == "never-true"] == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ('tags.Modality == "CT"', 'tags.Modality == "CT"', True),
        ('tags.Modality == "CT"', '@Modality@ == "CT"', True),
        ('tags.Modality == "CT" and has("EchoTime")', 'tags.Modality == "CT"', True),
        ('tags.Modality == "CT"', 'tags.Modality == "CT" or has("EchoTime")', True),
        ('tags.Modality == "CT"', 'tags.Modality in ["MR", "CT"]', True),
        ('tags.Modality == "CT"', 'tags.Modality.lower() == "ct"', True),
        ('tags.Modality == "CT"', "True", True),
        ("False", 'tags.Modality == "CT"', True),
        ('tags.Modality == "CT"', 'has("EchoTime") or tags.Modality == "CT"', True),
        ('tags.Modality == "CT"', 'number(tags.EchoTime) > 1 or tags.Modality == "CT"', False),
        ('tags.Modality == "CT" or tags.Modality == "MR"', 'tags.Modality == "CT"', False),
        ('tags.Modality == "CT"', 'tags.Modality == "CT" and has("EchoTime")', False),
        ('tags.Modality == "CT"', "days_since(tags.StudyDate) < 3", False),
    ],
)
def test_implication(one: str, other: str, expected: bool) -> None:
    assert implies(compile_rule(one).term, compile_rule(other).term) is expected


def test_letters_that_a_change_of_case_never_leaves() -> None:
    every = "".join(map(chr, itertools.chain(range(0xD800), range(0xE000, 0x110000))))
    assert not set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") & set(every.lower())
    assert not set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") & set(every.casefold())
    assert not set("abcdefghijklmnopqrstuvwxyz") & set(every.upper())


def test_very_many_alternatives_are_not_judged_but_end_soon() -> None:
    text = " and ".join(f'(tags.Modality == "M{n}" or tags.PatientID == "P{n}")' for n in range(40))
    assert [finding for finding in check(text) if finding.code == "never-true"] == []
