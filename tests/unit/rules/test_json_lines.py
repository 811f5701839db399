"""One JSON line in, one out: the contract of ``mercure rules eval``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mercure.rules import evaluate_json_line


def ask(expression: object, tags: object = None) -> dict[str, Any]:
    request = {"expression": expression} | ({} if tags is None else {"tags": tags})
    answer: dict[str, Any] = json.loads(evaluate_json_line(json.dumps(request)))
    return answer


def test_true_false_and_error() -> None:
    assert ask('tags.Modality == "MR"', {"Modality": "MR"}) == {"result": True, "error": None}
    assert ask('tags.Modality == "MR"', {"Modality": "CT"}) == {"result": False, "error": None}
    answer = ask("tags.SliceThickness < 3", {"SliceThickness": "2"})
    assert answer["result"] is False
    assert answer["error"].startswith("column 1: a text cannot be compared with a number")


def test_the_answer_is_one_line_with_the_keys_in_order() -> None:
    written = evaluate_json_line('{"expression": "\'\\n\' == \\"\\u2028\\" or foo(\'é\')", "tags": {}}\n')
    assert written.startswith('{"result": false, "error": "')
    assert written.isascii()
    assert written.isprintable()


def test_several_records_are_the_images_of_a_series() -> None:
    tags = [{"InstanceNumber": "1"}, {"InstanceNumber": "2"}]
    assert ask('images.count == 2 and images.any(tags.InstanceNumber == "2")', tags)["result"]


def test_keys_in_another_case_are_found() -> None:
    assert ask('tags.Modality == "MR"', {"modality": "MR"})["result"]


def test_values_that_are_no_texts_are_seen_as_texts() -> None:
    tags = {"SliceThickness": 1.5, "SeriesNumber": 7, "Modality": None, "ImageType": ["A", 1, True]}
    expression = (
        'tags.SliceThickness == "1.5" and tags.SeriesNumber == "7" and tags.Modality == "" '
        'and tags.ImageType == "A\\\\1\\\\True"'
    )
    assert ask(expression, tags) == {"result": True, "error": None}


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("nonsense", "not valid JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "expression is missing"),
        ('{"expression": 1}', "expression is missing"),
        ('{"expression": "True", "tags": 1}', "tags is no tag record"),
        ('{"expression": "True", "tags": [1]}', "tags is no tag record"),
        ('{"expression": "True", "tags": null}', "tags is no tag record"),
        ('{"expression": ""}', "the rule is empty"),
        ("[" * 100_000, "nests too deep"),
        ('{"expression": "True", "tags": ' + '{"a": ' * 50_000 + "1" + "}" * 50_001, "nests too deep"),
        ('{"expression": "tags.Modality", "tags": {"Modality": ' + "9" * 5_000 + "}}", "not valid JSON"),
        ('{"expression": "' + "(" * 50_000 + '"}', "at most 16,384 characters"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"expression": "tags.Modality == \'\xff\' and foo"}', "foo"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_whatever_is_wrong_is_said(line: str | bytes, part: str) -> None:
    answer = json.loads(evaluate_json_line(line))
    assert answer["result"] is False
    assert part in answer["error"]


def test_a_lone_surrogate_is_a_character_like_any_other() -> None:
    line = "{\"expression\": \"tags.PatientName == '\\ud800' and regex(tags.PatientName, '^.$')\", "
    line += '"tags": {"PatientName": "\\ud800"}}'
    assert json.loads(evaluate_json_line(line)) == {"result": True, "error": None}


def test_a_number_too_large_for_a_text_is_an_error_and_no_crash() -> None:
    line = '{"expression": "tags.Modality", "tags": {"Modality": 1' + "0" * 4_000 + "}}"
    assert "bits" in json.loads(evaluate_json_line(line))["error"]
