"""Whatever a rule and the tags hold: an answer, soon, and nothing but the answer."""

from __future__ import annotations

import json
import time
import unicodedata
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercure.printable import cells
from mercure.rules import CompiledRule, ImageRecords, RuleError, StudyList, check, compile_rule, evaluate_json_line
from mercure.rules.vocabulary import FUNCTIONS, METHODS

SOON: Final = 0.5
"""Seconds of CPU for one example, all together: far above what it takes, far below a hang."""

PIECES: Final = [
    "tags", ".Modality", ".ImageType", ".ImageComments", '["Modality"]', "@Modality@", "item", ".CodeValue", "images",
    ".count", ".any(", ".all(", ".values(", ".distinct(", '"ImageType"', '"ProcedureCodeSequence"', "sequence(",
    ".get(", "(", ")", "[", "]", ",", ":", "+", "-", "*", "/", "//", "%", "**", "|", "&", "^", "~", "==", "!=", "<",
    ">=", "=",
    " and ", " or ", " not ", " in ", " not in ", " if ", " else ", " for ", " is ", "lambda x: ", "None", "True",
    "0", "1", "-1", "9999999999", "1e308", "0.5", "''", '"a"', '"\\x00\\u202e"', '"(a+)+$"', '"%s"', '"{}"', "'''",
    "__class__", ".__class__", "__import__", "os", "\n", "#", "\\", "“", "\0", "é", "x=",
    *(f"{name}(" for name in FUNCTIONS), *(f".{name}(" for name in METHODS),
]  # fmt: skip

rules = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
texts = st.one_of(
    st.text(max_size=50),
    st.sampled_from(["\0" * 10, "\x1b[31m", "<script>alert(1)</script>", "a" * 70_000, "\ud800", "\u202eabc", "1\\2"]),
)
values = st.recursive(
    st.one_of(texts, st.none(), st.integers(), st.floats(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
KEYWORDS: Final = [
    "Modality",
    "ImageType",
    "ImageComments",
    "ProcedureCodeSequence",
    "CodeValue",
    "PatientAge",
    "StudyDate",
]
records = st.dictionaries(st.one_of(st.sampled_from(KEYWORDS), texts), values, max_size=6)


def compiled(text: str) -> CompiledRule | RuleError:
    try:
        return compile_rule(text)
    except RuleError as error:
        return error


def may_be_shown(line: str) -> bool:
    """Tell whether a terminal obeys nothing in a line; blanks other than the usual one are shown as they are."""
    return all(char.isprintable() or unicodedata.category(char) == "Zs" for char in line)


def answer(text: str, images: ImageRecords) -> None:
    """Ask a rule in every way there is."""
    findings = check(text)
    rule = compiled(text)
    if isinstance(rule, RuleError):
        assert findings == [rule.finding()]
        assert may_be_shown(str(rule))
        return
    evaluation = rule.evaluate(images)
    assert evaluation.error is None or not evaluation.result
    explanation = rule.explain(images)
    assert explanation.result is evaluation.result
    assert str(explanation.error) == str(evaluation.error)
    for line in explanation.render(80).splitlines():
        assert may_be_shown(line)
        assert cells(line) <= 80
    for finding in findings:
        assert all(may_be_shown(line) for line in [str(finding), *finding.caret().split("\n")])


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(rules, st.lists(records, max_size=3))
def test_any_text_on_any_tags_is_answered(text: str, tags: list[dict[str, Any]]) -> None:
    start = time.thread_time()
    answer(text, ImageRecords(tags))
    assert time.thread_time() - start < SOON


tags = st.sampled_from(["tags.Modality", "tags.ImageType", "tags.ImageComments", "tags.PatientAge"])
simple = st.one_of(
    tags, st.sampled_from(["1", "0.5", "'a'", "''", "True", "[1, 'a']", "values('ImageType')", "9" * 40])
)
calls = st.sampled_from(
    [*FUNCTIONS, *(f"'a'.{name}" for name in METHODS), *(f"tags.ImageComments.{n}" for n in METHODS)]
)
expressions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(
            "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "**", "%", "//", "|", "==", "<", "in"]), inner
        ),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}({})".format, calls, st.lists(inner, max_size=3).map(", ".join)),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds("images.any({})".format, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("not {}".format, inner),
    ),
    max_leaves=10,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(expressions, st.lists(records, max_size=3))
def test_any_expression_on_any_tags_is_answered(text: str, tags: list[dict[str, Any]]) -> None:
    start = time.thread_time()
    answer(text, ImageRecords(tags))
    assert time.thread_time() - start < SOON


json_values = st.recursive(
    st.one_of(st.text(max_size=20), st.none(), st.integers(), st.floats(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)),
    max_leaves=6,
)
lines = st.one_of(
    st.text(max_size=100),
    st.binary(max_size=100),
    json_values.map(json.dumps),
    st.fixed_dictionaries({"expression": st.one_of(rules, json_values), "tags": st.one_of(records, json_values)}).map(
        json.dumps
    ),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(lines)
def test_any_line_has_an_answer_of_one_line(line: str | bytes) -> None:
    written = evaluate_json_line(line)
    assert "\n" not in written
    assert written.isascii()
    answer = json.loads(written)
    assert list(answer) == ["result", "error"]
    assert answer["result"] in (True, False)
    assert answer["error"] is None or (isinstance(answer["error"], str) and answer["error"] and not answer["result"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.text(max_size=100),
        st.lists(st.sampled_from(["'a'", '"b"', "and", "or", "not", "(", ")", " ", "x", "'"]), max_size=15).map(
            " ".join
        ),
    ),
    st.lists(texts, max_size=4),
)
def test_any_list_of_series_is_answered(text: str, descriptions: list[str]) -> None:
    findings = StudyList.check(text)
    if findings:
        with pytest.raises(RuleError) as caught:
            StudyList.parse(text)
        assert findings == [caught.value.finding()]
        return
    wanted = StudyList.parse(text)
    explanation = wanted.explain(descriptions)
    assert explanation.result is wanted.matches(descriptions)
    assert all(may_be_shown(line) and cells(line) <= 80 for line in explanation.render().splitlines())
