"""The list of series that completes a study."""

from __future__ import annotations

import pytest

from mercure.rules import RuleError, StudyList

LIST = "'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')"


@pytest.mark.parametrize(
    ("text", "descriptions", "expected"),
    [
        (LIST, ["Axial T2", "Sag T1 GRE"], True),
        (LIST, ["AXIAL T2 fs", "sag t1 tse pre"], True),
        (LIST, ["Axial T2"], False),
        (LIST, ["Sag T1 GRE", "Sag T1 TSE"], False),
        (LIST, [], False),
        ("'SAG' or ('COR' and 'AX')", ["AX T2", "T1-COR", "T2"], True),
        ("'SAG' or 'COR' and 'AX'", ["COR"], False),
        ("('SAG' or 'COR') and 'AX'", ["SAG"], False),
        ("'T1' and 'MPRAGE'", ["T1 mprage"], True),
        ("'T1'", ["t2", "xT1x"], True),
        ('"T1" AND \'it"s\'', ["T1", 'it"s'], True),
        ("'a\\n'", ["a\\n"], True),
        ("'STRASSE'", ["straße"], True),
        ("(('a'))", ["A"], True),
        ("'騎士'", ["x騎士x"], True),
        ("'a' and 'b' and 'c'", ["abc"], True),
    ],
)
def test_a_study_is_complete(text: str, descriptions: list[str], expected: bool) -> None:
    assert StudyList.parse(text).matches(descriptions) is expected


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("", 1, "the list of series is empty"),
        ("   ", 1, "the list of series is empty"),
        ("'a", 1, "close it with '"),
        ('"a', 1, 'close it with "'),
        ("'a' 'b'", 5, "found 'b'"),
        ("'a' and", 8, "the list ends where a name in quotes"),
        ("and 'a'", 1, "found and"),
        ("a and b", 1, "names of series stand in quotes"),
        ("('a'", 5, "the list ends where )"),
        ("'a')", 4, "found )"),
        ("()", 2, "found )"),
        ("'a' and not 'b'", 9, "by what has arrived"),
        ("''", 1, "this name is empty"),
        ("'a' or '  '", 8, "this name is empty"),
        ("'a' & 'b'", 5, "unexpected"),
        ("'a' == 'b'", 5, "unexpected"),
        ("(" * 40, 31, "nests deeper than 30"),
        ("'" + "a" * 5_000 + "'", 1, "at most 4,000"),
        ("'a' and \x1b[31m", 9, "\\x1b"),
    ],
)
def test_what_is_no_list_is_refused_at_its_place(text: str, column: int, part: str) -> None:
    with pytest.raises(RuleError) as caught:
        StudyList.parse(text)
    assert caught.value.column == column
    assert part in str(caught.value)
    assert StudyList.check(text) == [caught.value.finding()]


def test_names_and_what_is_missing() -> None:
    wanted = StudyList.parse(LIST)
    assert wanted.names == ("Axial T2", "Sag T1 GRE", "Sag T1 TSE")
    assert wanted.missing(["axial t2"]) == ("Sag T1 GRE", "Sag T1 TSE")
    assert wanted.missing(["axial t2", "sag t1 tse"]) == ("Sag T1 GRE",)


def test_an_explanation_names_the_series_for_each_name() -> None:
    explanation = StudyList.parse(LIST).explain(["AXIAL T2 fs", "sag t1 tse"])
    assert explanation.result
    assert explanation.render().splitlines() == [
        "list    'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')",
        "result  True",
        "",
        "  columns  part (* decided)                                        value",
        "* 1-45     'Axial T2' and ('Sag T1 GRE' or 'Sag T1 TSE')           True",
        "* 1-10       'Axial T2'                                            \"AXIAL T2 fs\"",
        "* 16-45      ('Sag T1 GRE' or 'Sag T1 TSE')                        True",
        "  17-28        'Sag T1 GRE'                                        not arrived",
        "* 33-44        'Sag T1 TSE'                                        \"sag t1 tse\"",
    ]


def test_an_explanation_marks_what_is_missing() -> None:
    explanation = StudyList.parse("'a' and 'b'").explain(["a"])
    assert not explanation.result
    assert [(part.text, part.decided) for part in explanation.part.parts] == [("'a'", False), ("'b'", True)]
