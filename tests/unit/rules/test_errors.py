"""What is wrong with a rule is said with its place and what to write instead: one table of every sort of error."""

from __future__ import annotations

import copy
import pickle
from typing import Final

import pytest

from mercure.rules import Diagnostic, ImageRecords, RuleError, check, compile_rule

# What compiling refuses: the expression, the code, the text under the caret, a part of message and advice.
REFUSED: Final = [
    ("", "syntax", "", "the rule is empty"),
    ("   ", "syntax", "", "the rule is empty"),
    ("tags.Modality ==", "syntax", "", "the rule ends where a value"),
    ('tags.Modality = "MR"', "syntax", "=", "to compare, write =="),
    ('tags.Modality === "MR"', "syntax", "===", "write =="),
    ('tags.Modality <> "MR"', "syntax", "<>", "write !="),
    ('tags.Modality == "MR" && True', "syntax", "&&", "write and"),
    ("True || False", "syntax", "||", "write or"),
    ("!True", "syntax", "!", "write not"),
    ("True AND False", "syntax", "AND", "write and"),
    ('"x" in %Modality%', "syntax", "%", "tags.Keyword"),
    ("tags.Modality == “MR”", "syntax", "“", 'write a plain "'),
    ("tags.Modality == 'MR", "syntax", "'", "this text has no end"),
    ("tags.Modality == 'MR\n'", "syntax", "'", "this text has no end"),
    ("'\\N{NO SUCH NAME}'", "syntax", "\\N{NO SUCH NAME}", "no such character"),
    ("'\\U00110000'", "syntax", "\\U00110000", "no such character"),
    ("tags.Modality\0", "syntax", "\0", "unexpected character"),
    ("tags.Modalität", "syntax", "ä", "unexpected character"),
    ("@Modality == 1", "syntax", "@", "@Keyword@"),
    ("3abc", "syntax", "3", "3a is not a number"),
    ("007", "syntax", "007", "is not a number"),
    ("(1", "syntax", "", "the rule ends where a comma or )"),
    ("1)", "syntax", ")", "found )"),
    ("[1 2]", "syntax", "2", "a comma or ]"),
    ("f(1 2)", "syntax", "2", "a comma or )"),
    ("1, 2", "syntax", ",", "found ,"),
    ("x[1,2]", "syntax", ",", "] or :"),
    ("'abc'[]", "syntax", "[]", "an index is"),
    ("'abc'[1:2:3:4]", "syntax", "[1:2:3:4]", "a slice is"),
    ("tags.", "syntax", "", "a name after the dot"),
    ("tags.in", "syntax", "in", "a name after the dot"),
    ("1 == not 2", "syntax", "not", "in brackets"),
    ("1 if 2", "syntax", "", "value if condition else other"),
    ("1; 2", "syntax", ";", "one expression"),
    ("x := 1", "syntax", ":=", "sets no names"),
    ("tags.Modality is 'MR'", "refused", "tags.Modality is 'MR'", "write == or !="),
    ("tags.Modality in [None]", "refused", "None", "empty text"),
    ("None", "refused", "None", "empty text"),
    ("any(x for x in [1])", "refused", "for", "no loops"),
    ("[x for x in [1]]", "refused", "for", "no loops"),
    ("lambda: 1", "refused", "lambda", "no loops"),
    ("f'{tags.Modality}'", "refused", "f'", "join texts with +"),
    ("b'x'", "refused", "b'", "not part of the rule language"),
    ("{'a': 1}", "refused", ":", "dictionaries"),
    ("{}", "refused", "{", "dictionaries"),
    ("max(*[1])", "refused", "*", "one by one"),
    ("tags", "syntax", "tags", "tags.Keyword"),
    ("images", "syntax", "images", "images.count"),
    ("item.Modality", "syntax", "item.Modality", "sequence"),
    ("number == 1", "syntax", "number", "number is a function"),
    ("Modality == 'MR'", "unknown-name", "Modality", "tags.Modality"),
    ("tags.Modality == MR", "unknown-name", "MR", '"MR"'),
    ("tag.Modality == 'MR'", "unknown-name", "tag", "did you mean tags?"),
    ("image.count", "unknown-name", "image", "did you mean images?"),
    ("images.size", "unknown-name", "images.size", "count"),
    ("images.size()", "unknown-method", "images.size", "count"),
    ("tags.Modality.foo", "unknown-name", "foo", "there is no .foo"),
    ("tags.Modality.lower == 'mr'", "syntax", "lower", "lower is a method"),
    ("tags.Modality.lowr()", "unknown-method", "lowr", "did you mean lower?"),
    ("tags.Modality.format(1)", "unknown-method", "format", "join texts with +"),
    ("tags.Modality.StudyDate()", "unknown-method", "StudyDate", "leave out the brackets"),
    ("tags.Modality()", "syntax", "tags.Modality()", "not a function"),
    ("tags.lower()", "unknown-method", "tags.lower", "tags.Keyword.lower"),
    ("nmber('1')", "unknown-function", "nmber", "did you mean number?"),
    ("open('/etc/passwd')", "unknown-function", "open", "there is no function open"),
    ("__import__('os')", "unknown-function", "__import__", "there is no function"),
    ("eval('1')", "unknown-function", "eval", "there is no function"),
    ("().__class__", "unknown-name", "__class__", "there is no .__class__"),
    ("''.__class__.__mro__", "unknown-name", "__class__", "there is no .__class__"),
    ("len.__self__", "syntax", "len", "len is a function"),
    ("(1)(2)", "syntax", "(1)(2)", "only functions"),
    ("len()", "arguments", "len()", "len needs value"),
    ("len('a', 'b')", "arguments", "'b'", "no more arguments"),
    ("len(x='a')", "arguments", "len(x='a')", "len needs value"),
    ("sorted([1], key=1)", "arguments", "1", "has no argument key"),
    ("sorted(reverse=True)", "arguments", "sorted(reverse=True)", "sorted needs list"),
    ("sorted([1], reverse=True, reverse=True)", "arguments", "sorted([1], reverse=True, reverse=True)", "twice"),
    ("any(True, False)", "arguments", "False", "any takes no more"),
    ("has(tags.Modality)", "arguments", "tags.Modality", 'write "Modality"'),
    ("has('a' + 'b')", "arguments", "'a' + 'b'", "a text in quotes"),
    ("tags[tags.Modality]", "arguments", "tags.Modality", "written out in quotes"),
    ("tags.Modality in tags", "arguments", "tags.Modality", "written out in quotes"),
    ("regex(tags.Modality, tags.StudyID)", "arguments", "tags.StudyID", "a text in quotes"),
    ("images.any()", "arguments", "images.any()", "one condition"),
    ("images.any(True, False)", "arguments", "images.any(True, False)", "one condition"),
    ("images.any(images.count == 1)", "refused", "images.count", "each image in turn"),
    ("images.any(images.all(True))", "refused", "images.all(True)", "each image in turn"),
    (
        'sequence("A").any(sequence("B").any(True))',
        "refused",
        'sequence("B").any(True)',
        'sequence("Outer", "Inner")',
    ),
    ('regex(tags.Modality, "(")', "value", 'regex(tags.Modality, "(")', "not a regular expression"),
    ('regex("a", "a(?=b)")', "value", 'regex("a", "a(?=b)")', "looking ahead"),
    ('regex("a", "(a)\\\\1")', "value", 'regex("a", "(a)\\\\1")', "not a regular expression"),
    ('private("0018,0c", "X")', "value", 'private("0018,0c", "X")', "it is even"),
    ('private("0019", "X")', "value", 'private("0019", "X")', "gggg,eeee"),
    ('private("0019,0c", "")', "value", 'private("0019,0c", "")', "creator is missing"),
    ("regex('a', '" + "a" * 501 + "')", "limit", "regex('a', '" + "a" * 501 + "')", "at most 500"),
    ("matches('a', '" + "a" * 501 + "')", "limit", "matches('a', '" + "a" * 501 + "')", "at most 500"),
    ("1" * 65, "limit", "1" * 65, "at most 64"),
]

# What evaluating fails on with `IMAGE`, and what checking finds, too, unless it depends on the image.
IMAGE: Final = {
    "Modality": "MR",
    "SliceThickness": "3",
    "ImageType": ["A", "B"],
    "StudyDate": "20260227",
    "EncapsulatedDocument": {"base64": "AAAA"},
    "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}],
    "PatientName": "Secret^Name",
}
CERTAIN: Final = [
    ('tags.Modalty == "MR"', "unknown-keyword", "tags.Modalty", "did you mean Modality?"),
    ('tags["Modalty"] == "MR"', "unknown-keyword", 'tags["Modalty"]', "did you mean Modality?"),
    ('@Modalty@ == "MR"', "unknown-keyword", "@Modalty@", "did you mean Modality?"),
    ("tags.__class__ == ''", "unknown-keyword", "tags.__class__", "no DICOM keyword"),
    ("tags._record == ''", "unknown-keyword", "tags._record", "no DICOM keyword"),
    ('"Modalty" in tags', "unknown-keyword", '"Modalty"', "did you mean Modality?"),
    ('has("Modalty")', "unknown-keyword", '"Modalty"', "did you mean Modality?"),
    ('values("Modalty") == []', "unknown-keyword", '"Modalty"', "did you mean Modality?"),
    ('tags.get("Modalty", "") == ""', "unknown-keyword", '"Modalty"', "did you mean Modality?"),
    ('images.values("Modalty") == []', "unknown-keyword", '"Modalty"', "did you mean Modality?"),
    ('images.any(tags.Modalty == "")', "unknown-keyword", "tags.Modalty", "did you mean Modality?"),
    ('sequence("ReferencedImageSequenc")', "unknown-keyword", '"ReferencedImageSequenc"', "ReferencedImageSequence?"),
    ("tags.SliceThickness < 3", "type", "tags.SliceThickness < 3", "write number(tags.SliceThickness)"),
    ("tags.SliceThickness == 3", "type", "tags.SliceThickness == 3", "write number(tags.SliceThickness)"),
    ("3 != tags.SliceThickness", "type", "3 != tags.SliceThickness", "write number(tags.SliceThickness)"),
    ("1 < tags.SliceThickness < 5", "type", "1 < tags.SliceThickness < 5", "write number(tags.SliceThickness)"),
    ("tags.SliceThickness in [1, 2]", "type", "tags.SliceThickness in [1, 2]", "write number(tags.SliceThickness)"),
    ("tags.Modality == True", "type", "tags.Modality == True", "leave out the comparison"),
    ("date(tags.StudyDate) > '20260101'", "type", "date(tags.StudyDate) > '20260101'", "write date('20260101')"),
    ("values('ImageType') == 'A'", "type", "values('ImageType') == 'A'", "value in list"),
    ("3 in tags.Modality", "type", "3 in tags.Modality", "write str(3)"),
    ("'a' in 3", "type", "'a' in 3", "a text or a list"),
    ("tags.SliceThickness + 1 == 4", "type", "tags.SliceThickness + 1", "write number(tags.SliceThickness)"),
    ("tags.SliceThickness - 1 == 4", "type", "tags.SliceThickness - 1", "write number(tags.SliceThickness)"),
    ("-tags.SliceThickness == 4", "type", "-tags.SliceThickness", "write number(tags.SliceThickness)"),
    ("tags.Modality == 'MR' | tags.Modality == 'CT'", "type", "'MR' | tags.Modality", "write or"),
    ("1.5 | 2 == 3", "type", "1.5 | 2", "write and or or"),
    ("'a' * 1.5 == ''", "type", "'a' * 1.5", "a whole number of times"),
    ("abs(tags.Modality) == 1", "type", "abs(tags.Modality)", "write number(tags.Modality)"),
    ("(3).lower() == ''", "type", "(3).lower()", "write str((3))"),
    ("len(3) == 1", "type", "len(3)", "must be a text or a list or a sequence"),
    ("any(True)", "type", "any(True)", "must be a list"),
    ("sum(['a']) == 1", "type", "sum(['a'])", "numbers(…)"),
    ("sorted([1, 'a']) == []", "type", "sorted([1, 'a'])", "cannot be compared"),
    ("max('abc') == 'c'", "type", "max('abc')", "give a list"),
    ("max([]) == 1", "value", "max([])", "default=…"),
    ("between(tags.SliceThickness, 1, 5)", "type", "between(tags.SliceThickness, 1, 5)", "number(tags.SliceThickness)"),
    ("between(1, '1', 5)", "type", "between(1, '1', 5)", "number('1')"),
    ("one_of(tags.SliceThickness, 1, 2)", "type", "one_of(tags.SliceThickness, 1, 2)", "number(tags.SliceThickness)"),
    ("'a'.any(True)", "type", "'a'.any(True)", "must be a sequence"),
    ("'a'.values('Modality')", "type", "'a'.values('Modality')", "must be a sequence"),
    ("'a'.CodeValue == ''", "type", "'a'.CodeValue", "must be an item"),
    ("'a'.year == 1", "type", "'a'.year", "write date('a')"),
    ("'a'.startswith(['a', 1])", "type", "'a'.startswith(['a', 1])", "nothing but texts"),
    ("'a'.split('') == []", "value", "'a'.split('')", "the empty text"),
    ("'abc'.index('x') == 1", "value", "'abc'.index('x')", "find gives -1"),
    ("'abc'.count(1) == 1", "type", "'abc'.count(1)", "write str(1)"),
    ("'abc'.index(1) == 1", "type", "'abc'.index(1)", "write str(1)"),
    ("'abc'[5] == ''", "value", "'abc'[5]", "no value with this index"),
    ("'abc'[::0] == ''", "value", "'abc'[::0]", "cannot be 0"),
    ("'abc'[1.5] == ''", "value", "'abc'[1.5]", "cannot be done"),
    ("1 / 0 == 1", "value", "1 / 0", "division by zero"),
    ("10.0 ** 400 == 1", "value", "10.0 ** 400", "too large"),
    ("(-8) ** 0.5 == 1", "value", "(-8) ** 0.5", "not a real number"),
    ("9 ** 9 ** 9 == 1", "limit", "9 ** 9 ** 9", "an exponent is at most"),
    ("2 ** 400 == 1", "limit", "2 ** 400", "256 bits"),
    ("2 ** 120 * 2 ** 120 * 2 ** 120 == 1", "limit", "2 ** 120 * 2 ** 120 * 2 ** 120", "256 bits"),
    ("'a' * 10 ** 9 == ''", "limit", "'a' * 10 ** 9", "too much memory"),
    ("'a'.zfill(100000) == ''", "value", "'a'.zfill(100000)", "at most 10,000"),
    ("number('abc') == 1", "value", "number('abc')", "number(…, 0)"),
    ("number('') == 1", "value", "number('')", "number(…, 0)"),
    ("number('1\\\\2') == 1", "value", "number('1\\\\2')", 'numbers(values("Keyword"))'),
    ("numbers(['x']) == []", "value", "numbers(['x'])", "not a number"),
    ("int('3.5') == 3", "value", "int('3.5')", "number(…)"),
    ("int(1e400) == 3", "value", "int(1e400)", "infinity"),
    ("int(3, 16) == 3", "type", "int(3, 16)", "another base"),
    ("float('abc') == 1", "value", "float('abc')", "number(…, 0)"),
    ("round(1.5, 1000) == 1", "value", "round(1.5, 1000)", "at most 64"),
    ("round(1e400) == 1", "value", "round(1e400)", "infinity"),
    ("date('2026') == date('20260101')", "value", "date('2026')", "20260131"),
    ("date('') == date('20260101')", "value", "date('')", "no date"),
    ("date('20260230') == date('20260101')", "value", "date('20260230')", "20260131"),
    (
        "tags.ReferencedImageSequence == ''",
        "type",
        "tags.ReferencedImageSequence",
        'sequence("ReferencedImageSequence")',
    ),
    (
        "values('ReferencedImageSequence') == []",
        "type",
        "'ReferencedImageSequence'",
        'sequence("ReferencedImageSequence")',
    ),
]
WITH_THIS_IMAGE: Final = [
    ("number(tags.Modality) == 1", "value", "number(tags.Modality)", "not a number"),
    ("number(tags.EchoTime) == 1", "value", "number(tags.EchoTime)", "is empty"),
    ("number(tags.PatientName) == 1", "value", "number(tags.PatientName)", "not a number"),
    ("date(tags.PatientName) == date('20260101')", "value", "date(tags.PatientName)", "is not a date"),
    ("int(tags.PatientName) == 1", "value", "int(tags.PatientName)", "is not a whole number"),
    ("age_years() == 1", "value", "age_years()", "age_years(0)"),
    ("days_since(tags.EchoTime) == 1", "value", "days_since(tags.EchoTime)", "no date"),
    ("tags.EncapsulatedDocument == ''", "type", "tags.EncapsulatedDocument", "binary"),
    ("sequence('ImageType').count == 1", "type", "sequence('ImageType')", "tags.ImageType"),
    ("tags.ImageType.split('\\\\')[2] == ''", "value", "tags.ImageType.split('\\\\')[2]", "no value with this index"),
    (
        "sequence('ReferencedImageSequence')[3].CodeValue == ''",
        "value",
        "sequence('ReferencedImageSequence')[3]",
        "no value",
    ),
    ("images.all(number(tags.Modality) == 1)", "value", "number(tags.Modality)", "not a number"),
    (
        "sequence('ReferencedImageSequence').any(number(item.CodeValue) == 1)",
        "value",
        "number(item.CodeValue)",
        "empty",
    ),
]


def matches(error: RuleError | Diagnostic, rule: str, code: str, under: str, part: str) -> bool:
    place = error.place
    return error.code == code and rule[place.start : place.end] == under and part in f"{error.message} ({error.advice})"


@pytest.mark.parametrize(("rule", "code", "under", "part"), REFUSED)
def test_compiling_refuses_at_the_place_and_says_why(rule: str, code: str, under: str, part: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(rule)
    assert matches(caught.value, rule, code, under, part), caught.value
    (finding,) = check(rule)
    assert finding.severity == "error"
    assert matches(finding, rule, code, under, part)


@pytest.mark.parametrize(("rule", "code", "under", "part"), CERTAIN)
def test_checking_finds_it_at_the_place(rule: str, code: str, under: str, part: str) -> None:
    errors = [finding for finding in check(rule) if finding.severity == "error"]
    assert any(matches(finding, rule, code, under, part) for finding in errors), errors


@pytest.mark.parametrize(
    ("rule", "code", "part"),
    [(rule, code, part) for rule, code, _, part in [*CERTAIN, *WITH_THIS_IMAGE]],
)
def test_evaluating_gives_false_and_the_error(rule: str, code: str, part: str) -> None:
    evaluation = compile_rule(rule).evaluate(IMAGE)
    assert evaluation.result is False
    assert evaluation.error is not None
    assert evaluation.error.code == code
    assert part in str(evaluation.error)


@pytest.mark.parametrize(("rule", "code", "under", "part"), WITH_THIS_IMAGE)
def test_what_depends_on_the_image_is_no_finding_and_its_error_has_the_place(
    rule: str, code: str, under: str, part: str
) -> None:
    assert check(rule) == []
    error = compile_rule(rule).evaluate(IMAGE).error
    assert error is not None
    assert matches(error, rule, code, under, part)


@pytest.mark.parametrize("rule", [row[0] for row in [*CERTAIN, *WITH_THIS_IMAGE] if "PatientName" in row[0]])
def test_an_error_never_holds_a_value_of_the_image(rule: str) -> None:
    assert "Secret" not in str(compile_rule(rule).evaluate(IMAGE).error)


def test_a_caret_stands_under_the_part() -> None:
    (finding,) = check('tags.PatientName == "騎士" and tags.SliceThickness < 3')
    rule, carets = finding.caret().split("\n")
    assert rule == 'tags.PatientName == "騎士" and tags.SliceThickness < 3'
    assert carets == " " * 31 + "^" * 23  # both wide characters take two columns
    assert (finding.column, finding.end_column) == (30, 52)


def test_of_a_long_line_the_neighbourhood_is_shown() -> None:
    rule = " or ".join(['tags.Modality == "MR"'] * 20 + ["tags.SliceThickness < 3"] + ['tags.Modality == "CT"'] * 20)
    (finding,) = check(rule)
    line, carets = finding.caret(60).split("\n")
    assert len(line) == 60
    start = carets.index("^")
    assert line[start : start + len(carets.strip())] == "tags.SliceThickness < 3"


def test_of_several_lines_that_of_the_part_is_shown() -> None:
    (finding,) = check('tags.Modality == "MR"\nand tags.SliceThickness < 3\nand True')[:1]
    assert (finding.line, finding.column, finding.end_column) == (2, 5, 27)
    assert finding.caret() == "and tags.SliceThickness < 3\n    ^^^^^^^^^^^^^^^^^^^^^^^"
    assert str(finding).startswith("line 2, column 5: error: ")


def test_control_characters_do_not_reach_the_terminal() -> None:
    (finding,) = check("tags.Modality == '\x1b[31m\x00' and foo('\u202e')")
    assert finding.caret().isprintable() is False  # only for the line break
    assert finding.caret().replace("\n", "").isprintable()


def test_errors_can_be_copied_and_sent() -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule("1 +")
    for copied in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - our own bytes
        assert str(copied) == str(caught.value)
        assert copied.place == caught.value.place


def test_an_unknown_keyword_that_the_image_has_can_be_evaluated() -> None:
    rule = compile_rule('tags.SiteTag == "north"')
    assert rule.evaluate({"SiteTag": "north"}).result
    assert rule.evaluate({"Modality": "MR"}).error is not None
    assert [finding.code for finding in rule.findings] == ["unknown-keyword"]


def test_an_unknown_keyword_in_some_images_only_is_found_in_each() -> None:
    rule = compile_rule('images.any(tags.sitetag == "south")')
    assert rule.evaluate(ImageRecords([{"SiteTag": "north"}, {"SiteTag": "south"}])).result
