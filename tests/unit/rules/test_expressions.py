"""What expressions mean: one table. A row is the expression, tags besides those of `IMAGE`, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import pytest

from mercure.rules import ImageRecords, compile_rule
from mercure.rules.vocabulary import ATTRIBUTES, FUNCTIONS, METHODS

IMAGE: Final[Mapping[str, object]] = {
    "Modality": "MR",
    "StudyDescription": "NEURO^HEAD",
    "SeriesDescription": "COR T1 POST",
    "BodyPartExamined": "",
    "SliceThickness": "3.0",
    "SeriesNumber": "12",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "PatientName": "Knight^Michael=騎士",
    "PatientBirthDate": "20100228",
    "StudyDate": "20260227",
    "StudyTime": "134112.1",
    "StationName": "MR20492",
    "SenderAddress": "10.1.2.3",
    "SenderAET": "STORESCU",
    "ReceiverAET": "ANY-SCP",
    "0019,110c[SIEMENS MR HEADER]": "850",
    "0029,1010[OTHER]": ["1", "2"],
    "0009,1001": "unknown public",
    "ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}, {"ReferencedSOPInstanceUID": "1.2.4"}],
    "RequestAttributesSequence": [
        {"ScheduledProtocolCodeSequence": [{"CodeValue": "A"}, {"CodeValue": "B"}]},
        {"ScheduledProtocolCodeSequence": [{"CodeValue": "C"}]},
    ],
    "SiteTag": "north",
}
Row = tuple[str, Mapping[str, object], bool]
NOTHING: Final[Mapping[str, object]] = {}

TAGS: Final[list[Row]] = [
    ('tags.Modality == "MR"', NOTHING, True),
    ("tags.Modality == 'CT'", NOTHING, False),
    ('tags.modality == "MR"', NOTHING, True),
    ('tags.MODALITY == "MR"', NOTHING, True),
    ('tags["Modality"] == "MR"', NOTHING, True),
    ('tags["modality"] == "MR"', NOTHING, True),
    ('@Modality@ == "MR"', NOTHING, True),
    ('@modality@=="MR"', NOTHING, True),
    ('"T1" in @SeriesDescription@.upper()', NOTHING, True),
    ('"@Modality@" == "@Modality@" and "@Modality@" != "MR"', NOTHING, True),
    ('tags.SeriesDescription == "a@b.c"', {"SeriesDescription": "a@b.c"}, True),
    ('tags.EchoTime == ""', NOTHING, True),
    ("tags.EchoTime", NOTHING, False),
    ("not tags.EchoTime", NOTHING, True),
    ("tags.Modality", NOTHING, True),
    ('"Modality" in tags', NOTHING, True),
    ('"modality" in tags', NOTHING, True),
    ('"EchoTime" in tags', NOTHING, False),
    ('"EchoTime" not in tags', NOTHING, True),
    ('"BodyPartExamined" in tags', NOTHING, True),
    ('tags.get("EchoTime", "5") == "5"', NOTHING, True),
    ('tags.get("BodyPartExamined", "HEAD") == "HEAD"', NOTHING, True),
    ('tags.get("Modality", "CT") == "MR"', NOTHING, True),
    ('tags.get("EchoTime") == ""', NOTHING, True),
    ('tags.get("EchoTime", 5) == 5', NOTHING, True),
    ('tags.SiteTag == "north"', NOTHING, True),
    ('tags.sitetag == "north"', NOTHING, True),
    ('"SiteTag" in tags', NOTHING, True),
    ('tags["0009,1001"] == "unknown public"', NOTHING, True),
    ('tags["0009,1002"] == ""', NOTHING, True),
    ('tags["0019,110c[SIEMENS MR HEADER]"] == "850"', NOTHING, True),
    (
        'tags.SenderAET == "STORESCU" and tags.SenderAddress == "10.1.2.3" and tags.ReceiverAET == "ANY-SCP"',
        NOTHING,
        True,
    ),
    ('tags.ImageType == "ORIGINAL\\\\PRIMARY\\\\AXIAL"', NOTHING, True),
    ('"PRIMARY" in tags.ImageType', NOTHING, True),
    ("tags.OverlayRows == '512'", {"OverlayRows": "512"}, True),
    ("tags.FileSize == '1024'", {"FileSize": 1024}, True),
    ("tags.SliceThickness == '0.5'", {"SliceThickness": 0.5}, True),
    ("tags.Modality == ''", {"Modality": None}, True),
    ("tags.ImageType == ''", {"ImageType": []}, True),
]

COMPARISONS: Final[list[Row]] = [
    ('tags.Modality != "CT"', NOTHING, True),
    ('"A" < "B" <= "B" < "C"', NOTHING, True),
    ('"A" < "B" > "C"', NOTHING, False),
    ("1 < 2 < 3 <= 3 >= 3 == 3 != 4", NOTHING, True),
    ("1 == 1.0 == True", NOTHING, True),
    ("2 > 1 > 1", NOTHING, False),
    ('tags.Modality in ["MR", "CT"]', NOTHING, True),
    ('tags.Modality in ("CT", "US")', NOTHING, False),
    ('tags.Modality in {"MR", "CT"}', NOTHING, True),
    ('tags.Modality not in ["CT"]', NOTHING, True),
    ("number(tags.SeriesNumber) in [11, 12]", NOTHING, True),
    ('tags.Modality in [tags.StationName[:2], "X"]', NOTHING, True),
    ('tags.Modality in ["MR", 1]', NOTHING, True),
    ('"HEAD" in tags.StudyDescription', NOTHING, True),
    ('"" in tags.EchoTime', NOTHING, True),
    ('["a", "b"] == ("a", "b")', NOTHING, True),
    ('"2" < "10"', NOTHING, False),
    ("2 < 10", NOTHING, True),
    ("not 1 == 2", NOTHING, True),
    ('values("ImageType") != ["ORIGINAL"]', NOTHING, True),
    ('tags.PatientName == "Knight^Michael=騎士"', NOTHING, True),
]

LOGIC: Final[list[Row]] = [
    ("True", NOTHING, True),
    ("False", NOTHING, False),
    ("not False and True or False", NOTHING, True),
    ("not (True and False)", NOTHING, True),
    ("True or 1 / 0 == 1", NOTHING, True),
    ("False and 1 / 0 == 1", NOTHING, False),
    ('(tags.EchoTime or "7") == "7"', NOTHING, True),
    ('(tags.Modality and "x") == "x"', NOTHING, True),
    ('"yes" if tags.Modality == "MR" else ""', NOTHING, True),
    ('"" if tags.Modality == "MR" else "no"', NOTHING, False),
    ("1 if False else 2 if False else 3", NOTHING, True),
    (
        "('Tr' in @ManufacturerModelName@) | (@ManufacturerModelName@ == 'Trio')",
        {"ManufacturerModelName": "Trio"},
        True,
    ),
    ('(tags.Modality == "MR") & (tags.Modality == "CT")', NOTHING, False),
    ('(tags.Modality == "MR") ^ (tags.Modality == "CT")', NOTHING, True),
    ("6 & 3 | 8 ^ 1 == 11", NOTHING, True),
    ("[]", NOTHING, False),
    ("[0]", NOTHING, True),
    ("tags.Modality == 'MR' # the scanner next door", NOTHING, True),
    ("tags.Modality == 'MR'\n  and tags.SeriesNumber == '12'", NOTHING, True),
    ("'''MR''' == r'MR' == u'MR' == \"\\x4d\\u0052\"", NOTHING, True),
    ("'T1' ' ' 'POST' in tags.SeriesDescription", NOTHING, True),
]

NUMBERS: Final[list[Row]] = [
    ("1 + 2 * 3 - 4 / 2 == 5", NOTHING, True),
    ("7 // 2 == 3 and 7 % 4 == 3 and -7 // 2 == -4", NOTHING, True),
    ("2 ** 3 ** 2 == 512 and -2 ** 2 == -4", NOTHING, True),
    ("2 ** -1 == 0.5", NOTHING, True),
    ("0x10 == 16 and 1_000 == 1000 and 1e3 == 1000 and .5 == 5e-1", NOTHING, True),
    ("+1 == 1 and -(-1) == 1", NOTHING, True),
    ("number(tags.SliceThickness) == 3", NOTHING, True),
    ("number(tags.SeriesNumber) == 12", NOTHING, True),
    ("number(' -1.5e1 ') == -15", NOTHING, True),
    ("number('+7') == 7 and number('.5') == 0.5 and number('5.') == 5", NOTHING, True),
    ("number(5) == 5 and number(True) == 1", NOTHING, True),
    ("number(tags.EchoTime, 0) == 0", NOTHING, True),
    ("number(tags.Modality, -1) == -1", NOTHING, True),
    ("number(tags.EchoTime, default='none') == 'none'", NOTHING, True),
    (
        "number('1_000', 0) == 0 and number('nan', 0) == 0 and number('inf', 0) == 0 and number('\\uff11', 0) == 0",
        NOTHING,
        True,
    ),
    ("numbers(['1', '', '2.5']) == [1, 2.5]", NOTHING, True),
    ("int(tags.SeriesNumber) == 12 and int('ff', 16) == 255 and int(3.9) == 3", NOTHING, True),
    ("float(tags.SliceThickness) <= 3", NOTHING, True),
    ("str(12) == tags.SeriesNumber", NOTHING, True),
    ("str(1.5) + 'x' == '1.5x'", NOTHING, True),
    ("bool(tags.Modality) and not bool('') and bool(1)", NOTHING, True),
    ("abs(-3) == 3 and abs(-1.5) == 1.5", NOTHING, True),
    ("round(2.5) == 2 and round(2.567, 2) == 2.57 and round(1234, ndigits=-2) == 1200", NOTHING, True),
    ("min(3, 1, 2) == 1 and max([3, 1, 2]) == 3 and min('b', 'a') == 'a'", NOTHING, True),
    ("max([], default=7) == 7", NOTHING, True),
    ("sum([1, 2.5]) == 3.5 and sum([], 4) == 4 and sum([True, False, True]) == 2", NOTHING, True),
    ("sorted([2, 1]) == [1, 2] and sorted(['a', 'b'], reverse=True) == ['b', 'a']", NOTHING, True),
    ("any([False, True]) and not any([]) and all([True, 1]) and all([])", NOTHING, True),
    ("any(['T1' in tags.SeriesDescription, 'T2' in tags.SeriesDescription])", NOTHING, True),
    ("len(tags.Modality) == 2 and len(values('ImageType')) == 3", NOTHING, True),
    ("(3.0).is_integer() and not number('2.5').is_integer()", NOTHING, True),
    ("between(number(tags.SliceThickness), 1, 3)", NOTHING, True),
    ("between(number(tags.SliceThickness), 4, 5)", NOTHING, False),
    ("between(tags.StudyTime, '130000', '140000')", NOTHING, True),
    ("between(date(tags.StudyDate), date('20260101'), date('20261231'))", NOTHING, True),
]

TEXTS: Final[list[Row]] = [
    ("tags.SeriesDescription.lower() == 'cor t1 post'", NOTHING, True),
    ("tags.Modality.lower().upper() == 'MR'", NOTHING, True),
    ("'straße'.casefold() == 'STRASSE'.casefold()", NOTHING, True),
    ("'a bc'.title() == 'A Bc' and 'aB'.capitalize() == 'Ab' and 'aB'.swapcase() == 'Ab'", NOTHING, True),
    ("' a '.strip() == 'a' and 'xxa'.lstrip('x') == 'a' and 'a '.rstrip() == 'a'", NOTHING, True),
    ("tags.StudyDescription.startswith('NEURO') and tags.StudyDescription.endswith('HEAD', 'NECK')", NOTHING, True),
    ("tags.StudyDescription.startswith(('SPINE', 'NEURO'))", NOTHING, True),
    ("'abcab'.find('ab') == 0 and 'abcab'.rfind('ab') == 3 and 'abc'.find('x') == -1", NOTHING, True),
    ("'abc'.index('c') == 2 and ['a', 'b'].index('b') == 1", NOTHING, True),
    ("'banana'.count('an') == 2 and values('ImageType').count('AXIAL') == 1", NOTHING, True),
    ("tags.StudyDescription.replace('^', ' ') == 'NEURO HEAD'", NOTHING, True),
    ("tags.StudyDescription.split('^') == ['NEURO', 'HEAD']", NOTHING, True),
    ("'a b  c'.split() == ['a', 'b', 'c'] and 'a,b,c'.split(',', 1) == ['a', 'b,c']", NOTHING, True),
    ("tags.StudyDescription.partition('^')[2] == 'HEAD'", NOTHING, True),
    ("'-'.join(['a', 'b']) == 'a-b'", NOTHING, True),
    ("'abc'.removeprefix('a').removesuffix('c') == 'b'", NOTHING, True),
    (
        "'7'.zfill(3) == '007' and 'a'.ljust(3, '.') == 'a..' and 'a'.rjust(2) == ' a' and 'a'.center(3) == ' a '",
        NOTHING,
        True,
    ),
    ("'ab'.isalpha() and '12'.isdigit() and 'a1'.isalnum() and '½'.isnumeric() and '1'.isdecimal()", NOTHING, True),
    ("'a'.islower() and 'A'.isupper() and ' '.isspace() and 'a'.isascii() and not 'ä'.isascii()", NOTHING, True),
    ("tags.StationName[0] == 'M' and tags.StationName[-1] == '2' and tags.StationName[2:5] == '204'", NOTHING, True),
    ("'abcdef'[::2] == 'ace' and 'abc'[::-1] == 'cba' and 'abc'[:] == 'abc' and 'abc'[5:] == ''", NOTHING, True),
    ("[1, 2, 3][1:] == [2, 3] and [1, 2, 3][0] == 1", NOTHING, True),
    ("'a' + 'b' == 'ab' and 'ab' * 2 == 'abab' and 2 * 'ab' == 'abab' and 'x' * -1 == ''", NOTHING, True),
    ("[1] + [2] == [1, 2]", NOTHING, True),
]

HELPERS: Final[list[Row]] = [
    ('iequals(tags.StudyDescription, "neuro^head")', NOTHING, True),
    ('iequals("STRASSE", "straße")', NOTHING, True),
    ('contains(tags.SeriesDescription, "t1")', NOTHING, True),
    ('contains(tags.SeriesDescription, "t2", "post")', NOTHING, True),
    ('contains(tags.SeriesDescription, ["t2", "flair"])', NOTHING, False),
    ('one_of(tags.Modality, "ct", "mr")', NOTHING, True),
    ('one_of(tags.Modality, ["ct", "us"])', NOTHING, False),
    ("one_of(number(tags.SeriesNumber), 11, 12)", NOTHING, True),
    ('matches(tags.SeriesDescription, "cor*")', NOTHING, True),
    ('matches(tags.SeriesDescription, "T1*")', NOTHING, False),
    ('matches(tags.SeriesDescription, "*T1*", "*T2*")', NOTHING, True),
    ('matches(tags.SeriesDescription, "COR T? POST")', NOTHING, True),
    ('matches(tags.SeriesDescription, "T1.*")', {"SeriesDescription": "T1.x"}, True),
    ('matches(tags.SeriesDescription, "T1[a]+")', {"SeriesDescription": "T1[a]+"}, True),
    ('matches(tags.SeriesDescription, "a*c")', {"SeriesDescription": "a\nb\nc"}, True),
    ('matches("", "*") and not matches("", "?")', NOTHING, True),
    ('matches(tags.PatientName, "*騎?")', NOTHING, True),
    ('regex(tags.StationName, "^MR[0-9]{5}$")', NOTHING, True),
    ('regex(tags.StationName, "\\d+")', NOTHING, True),
    ('regex(tags.SeriesDescription, "t1")', NOTHING, False),
    ('regex(tags.SeriesDescription, "(?i)t1")', NOTHING, True),
    ('regex(tags.PatientName, "騎.$")', NOTHING, True),
    ("date(tags.StudyDate) == date('2026-02-27') == date('2026.02.27')", NOTHING, True),
    ("date('20260227134112.000000+0100').day == 27", NOTHING, True),
    ("date(tags.AcquisitionDate, '19000101').year == 1900", NOTHING, True),
    ("date('20260230', tags.StudyDate).month == 2", NOTHING, True),
    ("date(tags.StudyDate) - date('20260220') == 7", NOTHING, True),
    ("date(tags.StudyDate).weekday() == 4", NOTHING, True),
    ("days_since(tags.StudyDate) == 267", NOTHING, True),
    ("days_since(date('20261122')) == -1", NOTHING, True),
    ("days_since(tags.AcquisitionDate, -1) == -1", NOTHING, True),
    ("age_years() == 15", NOTHING, True),
    ("age_years() == 16", {"StudyDate": "20260228"}, True),
    ("age_years() == 16", {"StudyDate": ""}, True),
    ("age_years() == 15", {"StudyDate": "", "SeriesDate": "20260101"}, True),
    ("age_years() == 4", {"PatientBirthDate": "20200229", "StudyDate": "20250228"}, True),
    ("age_years() == 45", {"PatientBirthDate": "", "PatientAge": "045Y"}, True),
    ("age_years() == 1", {"PatientBirthDate": "", "PatientAge": "018M"}, True),
    ("age_years() == 0", {"PatientBirthDate": "", "PatientAge": "010W"}, True),
    ("age_years() == 1", {"PatientBirthDate": "", "PatientAge": "400D"}, True),
    ("age_years(99) == 99", {"PatientBirthDate": ""}, True),
    ('has("Modality") and not has("BodyPartExamined") and not has("EchoTime")', NOTHING, True),
    ('has("ReferencedImageSequence") and not has("ProcedureCodeSequence")', NOTHING, True),
    ('values("ImageType") == ["ORIGINAL", "PRIMARY", "AXIAL"]', NOTHING, True),
    ('values("Modality") == ["MR"] and values("EchoTime") == []', NOTHING, True),
    ('values("ImageType") == ["A", "B"]', {"ImageType": "A\\B"}, True),
    ('values("ImageComments") == ["A\\\\B"]', {"ImageComments": "A\\B"}, True),
    ('private("0019,110c", "SIEMENS MR HEADER") == "850"', NOTHING, True),
    ('private("0019,100c", "SIEMENS MR HEADER") == "850"', NOTHING, True),
    ('private("0019,xx0C", "SIEMENS MR HEADER") == "850"', NOTHING, True),
    ('private("(0019,0c)", "SIEMENS MR HEADER") == "850"', NOTHING, True),
    ('private("0019,110c", "OTHER") == ""', NOTHING, True),
    ('private("0019,110d", "SIEMENS MR HEADER", "none") == "none"', NOTHING, True),
    ('private("0029,10", "OTHER") == "1\\\\2"', NOTHING, True),
]

SEQUENCES: Final[list[Row]] = [
    ('sequence("ReferencedImageSequence").count == 2', NOTHING, True),
    ('len(sequence("ReferencedImageSequence")) == 2', NOTHING, True),
    ('sequence("ProcedureCodeSequence").count == 0', NOTHING, True),
    ('sequence("ProcedureCodeSequence")', NOTHING, False),
    ('sequence("ReferencedImageSequence").any(item.ReferencedSOPInstanceUID == "1.2.4")', NOTHING, True),
    ('sequence("ReferencedImageSequence").any(item["ReferencedSOPInstanceUID"] == "1.2.5")', NOTHING, False),
    ('sequence("ReferencedImageSequence").all(item.ReferencedSOPInstanceUID.startswith("1.2."))', NOTHING, True),
    ('sequence("ReferencedImageSequence").all(tags.Modality == "MR" and item.CodeValue == "")', NOTHING, True),
    ('sequence("ProcedureCodeSequence").any(item.CodeValue == "X")', NOTHING, False),
    ('sequence("ProcedureCodeSequence").all(item.CodeValue == "X")', NOTHING, True),
    ('sequence("ReferencedImageSequence").values("ReferencedSOPInstanceUID") == ["1.2.3", "1.2.4"]', NOTHING, True),
    ('sequence("ReferencedImageSequence")[1].ReferencedSOPInstanceUID == "1.2.4"', NOTHING, True),
    ('sequence("ReferencedImageSequence")[0]["ReferencedSOPInstanceUID"] == "1.2.3"', NOTHING, True),
    ('sequence("RequestAttributesSequence", "ScheduledProtocolCodeSequence").count == 3', NOTHING, True),
    (
        '"C" in sequence("RequestAttributesSequence", "ScheduledProtocolCodeSequence").values("CodeValue")',
        NOTHING,
        True,
    ),
]

PYTHONIC: Final[list[Row]] = [
    ("sqrt(16) + log(1) + log10(10) + log2(2) + exp(0) == 7", {}, True),
    ("sin(0) + cos(0) + tan(0) + asin(0) + acos(1) + atan(0) + atan2(0, 1) == 1", {}, True),
    ("fabs(-2) == 2 and ceil(1.2) == 2 and floor(-1.2) == -2 and trunc(-1.9) == -1", {}, True),
    ("isnan(float('nan')) and isinf(float('inf')) and pi > 3.14 and e < 2.72", {}, True),
    ("factorial(5) == 120 and pow(2, 3) == 8 and pow(7, 2, 5) == 4 and divmod(7, 2) == (3, 1)", {}, True),
    (
        "list('ab') == ['a', 'b'] and tuple([1]) == [1] and set([1, 1, 2]) == [1, 2] and frozenset('aa') == ['a']",
        {},
        True,
    ),
    ("list(reversed([1, 2])) == [2, 1] and 3 in range(2, 9) and list(enumerate('a', 1))[0] == [1, 'a']", {}, True),
    ("list(zip([1, 2], [3])) == [[1, 3]] and chr(77) == 'M' and ord('M') == 77", {}, True),
    ("hex(255) + oct(8) + bin(5) == '0xff0o100b101'", {}, True),
    ("format(3.14159, '.2f') == '3.14' and format(5, '03d') == '005' and repr('a') == \"'a'\"", {}, True),
    ("'Ab'.istitle() and 'Ab'.isidentifier() and 'Ab'.isprintable() and 'aba'.rindex('a') == 2", {}, True),
    ("'a b c'.rsplit(' ', 1) == ['a b', 'c'] and 'a.b.c'.rpartition('.')[2] == 'c'", {}, True),
    ("'a\\nb'.splitlines() == ['a', 'b'] and len('\\t'.expandtabs(4)) == 4 and (5).bit_length() == 3", {}, True),
    (
        "list(map(float, ['1', '2'])) == [1, 2] and list(filter(None, ['', 'a'])) == ['a']",
        {},
        True,
    ),
    ("any(map(str.isdigit, ['1', 'a'])) and not all(map(str.isdigit, ['1', 'a']))", {}, True),
    ("[0] * 2 == [0, 0] and ~0 == -1 and 1 << 3 == 8 and 16 >> 2 == 4 and [1, 2] < [1, 3]", {}, True),
    ("'%s-%03d 100%%' % ('a', 7) == 'a-007 100%' and sorted('ba') == ['a', 'b']", {}, True),
    ("tags.Modality is not None and not (tags.Modality == None) and None is None", {}, True),
    ("int(tags.SeriesNumber) in range(9)", {"SeriesNumber": "9"}, False),
]
ROWS: Final[list[Row]] = [*PYTHONIC, *TAGS, *COMPARISONS, *LOGIC, *NUMBERS, *TEXTS, *HELPERS, *SEQUENCES]

SERIES: Final = [
    {"InstanceNumber": "1", "ImageType": ["ORIGINAL", "PRIMARY"], "SeriesNumber": "3", "SliceLocation": "-1.5"},
    {"InstanceNumber": "10", "ImageType": ["ORIGINAL", "PRIMARY"], "SeriesNumber": "3", "SliceLocation": "2"},
    {"InstanceNumber": "2", "ImageType": ["DERIVED", "PRIMARY"], "SeriesNumber": "3", "SliceLocation": ""},
]
IMAGES_ROWS: Final = [
    ("images.count == 3", True),
    ('tags.InstanceNumber == "1"', True),
    ('images.any("DERIVED" in tags.ImageType)', True),
    ('images.any(tags.InstanceNumber == "4")', False),
    ('images.all(tags.SeriesNumber == "3")', True),
    ('images.all("ORIGINAL" in tags.ImageType)', False),
    ('not images.all("ORIGINAL" in tags.ImageType) and "ORIGINAL" in tags.ImageType', True),
    ('images.any(tags.InstanceNumber == "10" and tags.SliceLocation == "2")', True),
    ('images.any(tags.InstanceNumber == "10" and tags.SliceLocation == "")', False),
    ('images.any("DERIVED" in values("ImageType") and has("InstanceNumber"))', True),
    ('images.values("InstanceNumber") == ["1", "10", "2"]', True),
    ('images.values("EchoTime") == ["", "", ""]', True),
    ('images.distinct("SeriesNumber") == ["3"]', True),
    ('max(numbers(images.values("SliceLocation"))) - min(numbers(images.values("SliceLocation"))) == 3.5', True),
    ('images.any(sequence("ReferencedImageSequence").count == 0)', True),
    ("images.any(age_years(7) == 7)", True),
    ('images.all(tags.InstanceNumber in ["1", "2", "10"]) and tags.InstanceNumber == "1"', True),
]


def clock() -> datetime:
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(("expression", "tags", "expected"), ROWS)
def test_an_expression_is(expression: str, tags: Mapping[str, object], expected: bool) -> None:
    evaluation = compile_rule(expression).evaluate({**IMAGE, **tags}, clock)
    assert evaluation.error is None
    assert evaluation.result is expected


@pytest.mark.parametrize(("expression", "expected"), IMAGES_ROWS)
def test_an_expression_over_several_images_is(expression: str, expected: bool) -> None:
    assert compile_rule(expression).evaluate(ImageRecords(SERIES), clock).result is expected


def test_the_table_is_large_enough_and_leaves_no_function_method_or_attribute_out() -> None:
    expressions = "\n".join([*(row[0] for row in ROWS), *(row[0] for row in IMAGES_ROWS)])
    assert len(ROWS) + len(IMAGES_ROWS) >= 200
    assert [name for name in FUNCTIONS if f"{name}(" not in expressions] == []
    assert [name for name in METHODS if f".{name}(" not in expressions] == []
    assert [name for name in ATTRIBUTES if f".{name}" not in expressions] == []


def test_no_images_at_all_is_no_accident() -> None:
    none = ImageRecords([])
    assert compile_rule("images.count == 0 and images.all(False) and not images.any(True)").evaluate(none).result
    assert compile_rule('tags.Modality == ""').evaluate(none).result


def test_the_day_is_that_of_this_machine_and_is_asked_once() -> None:
    asked = []

    def clock() -> datetime:
        asked.append(1)
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    rule = compile_rule('days_since("20261120") == 1 and days_since("20261121") == 0')
    assert rule.evaluate({}, clock).result
    assert asked == [1]


def test_a_compiled_rule_is_kept() -> None:
    assert compile_rule('tags.Modality == "KEPT"') is compile_rule('tags.Modality == "KEPT"')


def test_a_rule_tells_which_tags_it_looks_at() -> None:
    rule = compile_rule('@modality@ == "MR" and has("EchoTime") and "StudyDate" in tags and values("ImageType")')
    assert rule.keywords == {"Modality", "EchoTime", "StudyDate", "ImageType"}
