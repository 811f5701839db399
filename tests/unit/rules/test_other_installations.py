"""Rules of other mercure installations fire here as they do there; what differs is known, and the import says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from mercure.config.upstream_import import import_mercure, laxer
from mercure.rules import RuleError, compile_rule
from mercure.rules.record import ImageRecords

_LINES: Final = [
    line
    for line in Path(__file__).with_name("other_installations.txt").read_text().splitlines()
    if not line.startswith("# ")
]
_IMAGES: Final = ImageRecords.respelled([json.loads(_LINES[0])])
_TABLE: Final = {line[2:]: line[0] for line in _LINES[1:]}
_REFUSED: Final = {
    'complex(1, 2) == complex(1, 2)',
    'abs(complex(3, 4)) == 5',
    'dict(a=1)["a"] == 1',
    '{"MR": 1, "CT": 2}[tags.Modality] == 1',
    '{"MR": True}.get(tags.Modality, False)',
    'tags.Modality in {"MR": 1, "CT": 2}',
    '{"a": 1}.keys()',
    "(0.5).as_integer_ratio() == (1, 2)",
    'tags.Modality.encode() == b"MR"',
}  # fmt: skip
"""What fires there, and is refused here, with the reason."""
_LAXER: Final = {
    'tags.Modality == "MR" if tags.KVP else True',
    '"a" if True else "b"',
    "[1, 2] == (1, 2)",
    'tags["modality"] == "MR"',
    '@modality@ == "MR"',
}
"""What fires here and not there."""


def fires(rule: str) -> bool:
    try:
        return compile_rule(rule).evaluate(_IMAGES).result
    except RuleError:
        return False


def test_97_of_100_rules_fire_as_they_do_there() -> None:
    different = {rule for rule, there in _TABLE.items() if fires(rule) is not (there == "+")}
    assert different == _REFUSED | _LAXER
    assert len(_TABLE) > 450
    assert 1 - len(different) / len(_TABLE) >= 0.97


@pytest.mark.parametrize("rule", sorted(_REFUSED))
def test_what_is_refused_says_why(rule: str) -> None:
    with pytest.raises(RuleError, match=r".{20}"):
        compile_rule(rule)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('tags["modality"] == "MR"', "modality was no tag there, and is Modality here"),
        ('@modality@ == "MR"', "modality was no tag there"),
        ('tags.KVP == "120" if tags.KVP else True', "a conditional expression was an error there"),
        ('tags.StudyTime < "120000"', "compared by what they mean here"),
        ('between(number(tags.EchoTime), 1, 2)', "between(…) was an error there"),
        ('images.any(tags.Modality == "MR")', "any(…) over images or items"),
        ("float(tags.SliceThickness) < 2", "a decimal comma"),
    ],
)  # fmt: skip
def test_where_a_rule_is_laxer_here_the_import_says_so(rule: str, said: str) -> None:
    assert said in "; ".join(laxer(rule))
    content = {"rules": {"r": {"rule": rule, "action": "discard"}}}
    remarks = [remark.reason for remark in import_mercure(content).remarks if remark.place == "rules.r.rule"]
    assert len(remarks) == 1
    assert remarks[0].startswith("may fire where it did not")
    assert said in remarks[0]


@pytest.mark.parametrize(
    "rule",
    [
        'tags.Modality == "MR"',
        '@Modality@ in ["MR"]',
        '"T1" in tags.SeriesDescription.upper()',
        "int(tags.Rows) > 5",
        "!",
    ],
)
def test_a_rule_that_means_the_same_is_taken_over_without_a_word(rule: str) -> None:
    assert laxer(rule) == ()


@pytest.mark.parametrize(
    "rule",
    [
        "len(range(10**9)) > 0", "sum(range(0, 10**6)) > 0", "[0] * 10**8 == []", "list(map(str, range(10**5)))",
        "1 << 10**6 > 0", "factorial(10**6) > 0", "pow(9, 9**9) > 0", "format(1, '0999999d')", "'%999999999d' % 1",
        "'%.999999999f' % 1", "('x' * 10000 + '%s') % ('y' * 3000000)", "'\\t'.expandtabs(10**9)",
        "repr('\\n' * 3000000)",
        "len(list('x' * 100000)) > 0", "list(zip(range(10000), range(10000), range(10000), range(10000)))[0]",
        "sorted(list(range(10000)) * 10000)", "set(range(10**7))", "list(filter(None, range(10**6)))",
    ],
)  # fmt: skip
def test_what_was_added_is_bounded(rule: str) -> None:
    try:
        error = compile_rule(rule).evaluate(_IMAGES).error
    except RuleError as refused:
        error = refused
    assert error is not None
    assert error.code in {"limit", "value"}
