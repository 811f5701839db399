"""Every example of the language's page does what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mercure.rules import ImageRecords, check, compile_rule
from mercure.rules.helpers import IMAGE_COUNT, IMAGES
from mercure.rules.vocabulary import FUNCTIONS, METHODS, QUANTIFIERS

PAGE = (Path(__file__).parents[3] / "docs/reference/rule-language.md").read_text()
BLOCK = re.compile(r"^```(\w+ ?\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \|.*\| `([^`]+)` \|$", re.MULTILINE)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(PAGE)]


def blocks(kind: str) -> list[str]:
    found = [text for name, text in BLOCKS if name == kind]
    assert found, f"no example of {kind}"
    return found


def images() -> ImageRecords:
    first = json.loads(blocks("json image")[0])
    third = ["DERIVED", "SECONDARY"]
    return ImageRecords(
        [first, first | {"InstanceNumber": "2"}, first | {"InstanceNumber": "3", "ImageType": third}],
    )


def clock() -> datetime:
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


def examples() -> Iterator[str]:
    for block in blocks("rule true"):
        yield from block.splitlines()
    for _, example in ROW.findall(PAGE):
        yield example


def marked(kind: str) -> Iterator[tuple[str, str, str]]:
    for block in blocks(kind):
        rule, carets, message = block.splitlines()
        yield rule, carets, message


@pytest.mark.parametrize("rule", list(examples()))
def test_what_the_page_shows_is_true_and_has_no_findings(rule: str) -> None:
    evaluation = compile_rule(rule).evaluate(images(), clock)
    assert evaluation.error is None
    assert evaluation.result
    assert [finding for finding in check(rule) if finding.code != "constant"] == []


@pytest.mark.parametrize(("rule", "carets", "message"), list(marked("rule error")))
def test_what_the_page_calls_an_error_is_one_with_this_place_and_message(rule: str, carets: str, message: str) -> None:
    findings = check(rule) or [error.finding() for error in [compile_rule(rule).evaluate(images()).error] if error]
    (finding,) = findings
    assert finding.severity == "error"
    assert finding.caret(120) == f"{rule}\n{carets}"
    assert str(finding).endswith(f"error: {message}")


@pytest.mark.parametrize(("rule", "carets", "message"), list(marked("rule warning")))
def test_what_the_page_warns_of_is_warned_of(rule: str, carets: str, message: str) -> None:
    (finding,) = check(rule)
    assert finding.severity == "warning"
    assert finding.caret(120) == f"{rule}\n{carets}"
    assert str(finding).endswith(f"warning: {message}")


def test_the_explanation_on_the_page_is_what_is_printed() -> None:
    (block,) = blocks("explain")
    lines = block.splitlines()
    rule = " ".join(line[8:] for line in lines[: lines.index("result  True")])
    assert compile_rule(rule).explain(images()).render(80) == block.rstrip("\n")


def test_every_function_is_in_the_tables_with_its_arguments() -> None:
    written = {usage for usage, _ in ROW.findall(PAGE)}
    expected = {function.usage for function in (*FUNCTIONS.values(), *IMAGES.values())}
    expected |= {f"images.{word}(condition)" for word in QUANTIFIERS} | {IMAGE_COUNT.name}
    assert written == expected


def test_every_method_is_named() -> None:
    section = PAGE[PAGE.index("## Methods") : PAGE.index("## Sequences")]
    assert set(METHODS) <= set(re.findall(r"\w+", section))
