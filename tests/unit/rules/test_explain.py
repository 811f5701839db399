"""Explanations: every part with its value, which parts decided, and a table that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from mercure.printable import cells
from mercure.rules import Explanation, ExplanationPart, ImageRecords, compile_rule

IMAGE: Final[Mapping[str, object]] = {"Modality": "MR", "SliceThickness": "0.9", "PatientName": "Doe^Jane"}


def explain(text: str, *records: Mapping[str, object]) -> Explanation:
    return compile_rule(text).explain(ImageRecords(records or [IMAGE]))


def parts(part: ExplanationPart) -> Iterator[ExplanationPart]:
    yield part
    for child in part.parts:
        yield from parts(child)


def values(explanation: Explanation) -> dict[str, str]:
    return {part.text: part.value or part.outcome for part in parts(explanation.part)}


def decided(explanation: Explanation) -> list[str]:
    return [part.text for part in parts(explanation.part) if part.decided]


def test_every_part_has_its_value_and_columns() -> None:
    explanation = explain('tags.Modality == "MR" and number(tags.SliceThickness) < 1')
    assert explanation.result
    assert [(part.text, part.columns, part.value) for part in parts(explanation.part)] == [
        ('tags.Modality == "MR" and number(tags.SliceThickness) < 1', "1-57", "True"),
        ('tags.Modality == "MR"', "1-21", "True"),
        ("tags.Modality", "1-13", '"MR"'),
        ("number(tags.SliceThickness) < 1", "27-57", "True"),
        ("number(tags.SliceThickness)", "27-53", "0.9"),
        ("tags.SliceThickness", "34-52", '"0.9"'),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('tags.Modality == "CT" and tags.StudyID == ""', ['tags.Modality == "CT"']),
        ('tags.Modality == "MR" and tags.StudyID == "x"', ['tags.StudyID == "x"']),
        ('tags.Modality == "MR" and tags.StudyID == ""', ['tags.Modality == "MR"', 'tags.StudyID == ""']),
        ('tags.Modality == "MR" or tags.StudyID == "x"', ['tags.Modality == "MR"']),
        ('tags.Modality == "CT" or tags.StudyID == ""', ['tags.StudyID == ""']),
        ('tags.Modality == "CT" or tags.StudyID == "x"', ['tags.Modality == "CT"', 'tags.StudyID == "x"']),
        ('not tags.Modality == "MR"', ['tags.Modality == "MR"']),
        ('tags.StudyID == "" if tags.Modality == "MR" else False', ['tags.Modality == "MR"', 'tags.StudyID == ""']),
        ('number(tags.Modality) == 1 or tags.Modality == "MR"', ["number(tags.Modality) == 1"]),
        (
            'tags.Modality == "MR" and (tags.StudyID == "x" or not tags.PatientName == "")',
            [
                'tags.Modality == "MR"',
                '(tags.StudyID == "x" or not tags.PatientName == "")',
                'not tags.PatientName == ""',
                'tags.PatientName == ""',
            ],
        ),
    ],
)
def test_the_parts_on_which_the_result_hung_are_marked(text: str, expected: list[str]) -> None:
    assert decided(explain(text)) == [text, *expected]


def test_what_was_not_reached_says_so() -> None:
    explanation = explain('tags.Modality == "CT" and tags.StudyID == ""')
    assert values(explanation)['tags.StudyID == ""'] == "not reached"
    assert values(explanation)["tags.StudyID"] == "not reached"


def test_an_error_stands_at_its_part() -> None:
    explanation = explain("tags.Modality == 'MR' and number(tags.StudyID) == 1")
    assert explanation.error is not None
    assert not explanation.result
    (failed,) = [part for part in parts(explanation.part) if part.text == "number(tags.StudyID)"]
    assert (failed.outcome, failed.value) == ("error", str(explanation.error))
    assert values(explanation)["tags.StudyID"] == '""'


def test_a_question_over_images_shows_the_one_that_decided() -> None:
    records = [{"Modality": "MR", "InstanceNumber": "1"}, {"Modality": "MR", "InstanceNumber": "2"}, {"Modality": "CT"}]
    explanation = explain('images.any(tags.Modality == "CT" or tags.InstanceNumber == "2")', *records)
    assert explanation.part.note == "decided by image 2 of 3, which is shown"
    shown = values(explanation)
    assert (shown["tags.Modality"], shown["tags.InstanceNumber"]) == ('"MR"', '"2"')

    explanation = explain('images.all(tags.Modality in ["MR", "CT"])', *records)
    assert explanation.part.note == "the same for each image of 3; one of them is shown"


def test_no_value_of_one_image_is_shown_beside_those_of_another() -> None:
    records = [{"Modality": "MR", "StudyID": "1"}, {"Modality": "CT", "StudyID": "2"}]
    explanation = explain('not images.any(tags.Modality == "MR" and tags.StudyID == "2")', *records)
    shown = values(explanation)
    assert shown["tags.Modality"] == '"CT"'
    assert shown["tags.StudyID"] == "not reached"


def test_a_question_over_items_shows_the_one_that_decided() -> None:
    record = {"ProcedureCodeSequence": [{"CodeValue": "A"}, {"CodeValue": "B"}]}
    explanation = explain('sequence("ProcedureCodeSequence").any(item.CodeValue == "B")', record)
    assert explanation.part.note == "decided by item 2 of 2, which is shown"
    assert values(explanation)["item.CodeValue"] == '"B"'
    explanation = explain('sequence("ReferencedImageSequence").any(item.CodeValue == "B")', record)
    assert explanation.part.note == "there is no item"


@pytest.mark.parametrize(
    "value",
    [
        "\x1b[2J\x1b[31mred\x07",
        "a\0b\r\nc\td",
        "\u202eevil\u202c\u200b\u2028\ufeff",
        "\ud800 lone",
        "<script>alert('x')</script>",
        "x" * 1_000_000,
        "騎士" * 100_000,
        "e\u0301" * 1000,
        "\U000f0000\U0010ffff\u0378",
        '"quoted\\',
    ],
)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_any_value_is_shown_printable_bounded_and_within_the_width(value: str, width: int) -> None:
    explanation = explain(
        'tags.PatientName == "x" or "a" in values("PatientName") or contains(tags.PatientName, "z")',
        {"PatientName": value},
    )
    for part in parts(explanation.part):
        assert part.value.isprintable()
        assert len(part.value) < 1000
    for line in explanation.render(width).splitlines():
        assert line.isprintable()
        assert cells(line) <= width


def test_a_quoted_value_can_be_told_from_its_escapes() -> None:
    assert values(explain("tags.PatientName", {"PatientName": 'a"\\n\n'}))["tags.PatientName"] == '"a\\"\\\\n\\n"'


def test_a_long_rule_of_several_lines_is_readable() -> None:
    text = 'tags.Modality == "MR"\n  and (tags.PatientName == "Doe^Jane"\n    or tags.StudyID == "1")'
    rendered = explain(text).render()
    assert "2:7-" in rendered
    assert all(cells(line) <= 80 for line in rendered.splitlines())


def test_a_constant_rule_has_an_explanation_too() -> None:
    explanation = explain("True")
    assert (explanation.part.value, explanation.part.decided, explanation.result) == ("True", True, True)


def test_explaining_and_evaluating_agree_about_lists_and_sequences() -> None:
    assert values(explain('values("ImageType")', {"ImageType": ["A", "B"]}))['values("ImageType")'] == '["A", "B"]'
    many = {"ImageType": [str(number) for number in range(1000)]}
    assert values(explain('values("ImageType")', many))['values("ImageType")'].endswith("… (1,000 values)]")
    items = {"ProcedureCodeSequence": [{"CodeValue": "A"}]}
    assert explain('sequence("ProcedureCodeSequence")', items).part.value == "a sequence of 1"
    assert explain('sequence("ProcedureCodeSequence")[0]', items).part.value == "an item with 1 tags"
