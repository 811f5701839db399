"""Values as equipment writes them: what is unambiguous is read, the rest is an error with its reason, never False."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from mercure.rules import RuleError, check, compile_rule
from mercure.rules.dates import to_date, to_years
from mercure.rules.likeness import significant
from mercure.rules.moments import to_time
from mercure.rules.record import ImageRecords

FORMS: dict[str, Any] = {
    "Modality": "CT ", "StationName": " CT1", "SliceThickness": "0,625", "StudyDate": "2026.03.01",
    "SeriesDate": "20260301", "StudyTime": "16:30:00", "AcquisitionTime": "0815", "ContentTime": "",
    "SeriesTime": "about noon",
    "AcquisitionDateTime": "20260301081502.500000+0100", "PatientAge": "18Y", "SeriesNumber": "+7", "KVP": "120.0",
    "PatientName": "Yamada^Tarou=山田^太郎", "OtherPatientNames": "Doe^Jane^^^ ", "ReferringPhysicianName": "",
    "StudyDescription": "Scha\u0308del m\u00fcde", "SpacingBetweenSlices": "1,250", "PixelSpacing": ["0.5", "0.5"],
    "SliceLocationVector": ["0,5", "1.50"],
    "RequestAttributesSequence": [{"ScheduledProcedureStepStartTime": "0815"}],
    "EchoTime": "2,98\0", "PatientID": "A1", "InstitutionName": "Mu\u0308nch",
}  # fmt: skip


def value_of(rule: str, tags: dict[str, Any] | None = None) -> object:
    found = compile_rule(rule).evaluate(ImageRecords.respelled([FORMS if tags is None else tags]))
    if found.error is not None:
        raise found.error
    return found.result


TRUE = [
    # times, of which the end may be missing, and the older form
    'between(tags.StudyTime, "080000", "165959")',
    'tags.StudyTime > "120000"',
    '"120000" <= tags.StudyTime < "16:31"',
    'tags.StudyTime == "163000"',
    'tags.StudyTime in ["1630", "1700"]',
    'tags.StudyTime not in ["1631"]',
    'between(tags.AcquisitionTime, "081500", "081559")',
    'tags.AcquisitionTime >= "081500.000000"',
    'tags.get("AcquisitionTime", "12") == "08:15"',
    '@AcquisitionTime@ < "9:00"',
    "tags.AcquisitionTime < tags.StudyTime",
    'images.all(tags.StudyTime > "16")',
    # dates, and dates with times
    'tags.StudyDate == "20260301"',
    "tags.StudyDate == tags.SeriesDate",
    'tags.StudyDate >= "2026-03-01"',
    'between(tags.StudyDate, "20260101", "20261231")',
    'date(tags.StudyDate) == date("2026/3/1")',
    'tags.AcquisitionDateTime > "20260301"',
    'tags.AcquisitionDateTime < "202604"',
    'tags.AcquisitionDateTime == "20260301081502.5"',
    # ages
    "age_years() == 18",
    "age_years(0) >= 18",
    'tags.PatientAge == "018Y"',
    'tags.PatientAge >= "200M"',
    'between(tags.PatientAge, "010Y", "018Y")',
    # numbers
    "number(tags.SliceThickness) < 1",
    "number(tags.SliceThickness, 99) < 1",
    "float(tags.SliceThickness) == 0.625",
    "number(tags.EchoTime) == 2.98",
    'tags.SeriesNumber == "7"',
    'tags.SeriesNumber in ["6", "07"]',
    'tags.KVP == "120"',
    'one_of(tags.KVP, "100", "120")',
    'tags.SeriesNumber != "8"',
    # names of people
    'tags.PatientName == "Yamada^Tarou"',
    'tags.PatientName == "山田^太郎"',
    'tags.PatientName in ["Nobody", "Yamada^Tarou"]',
    'iequals(tags.PatientName, "yamada^tarou")',
    'one_of(tags.PatientName, "YAMADA^TAROU")',
    'tags.OtherPatientNames == "Doe^Jane"',
    'tags.OtherPatientNames == "Doe ^ Jane"',
    'iequals(tags.OtherPatientNames, "DOE^JANE")',
    # value by value
    '"0.5" in values("SliceLocationVector")',
    '"0,50" in values("SliceLocationVector")',
    '"3" not in values("SliceLocationVector")',
    'values("SliceLocationVector")[1] == "1.5"',
    'images.distinct("StudyTime")[0] == "1630"',
    '"16:30" in images.values("StudyTime")',
    'images.values("AcquisitionTime")[0] < "9:00"',
    'values("OtherPatientNames")[0] == "Doe^Jane"',
    'one_of(values("SliceLocationVector")[0], "0.50")',
    'between(images.values("StudyTime")[0], "16", "17")',
    'sequence("RequestAttributesSequence")[0].ScheduledProcedureStepStartTime < "9:00"',
    'sequence("RequestAttributesSequence").any(item.ScheduledProcedureStepStartTime == "08:15")',
    '"08:15" in sequence("RequestAttributesSequence").values("ScheduledProcedureStepStartTime")',
    'values("StudyTime")[0][0] == "1"',
    # padding
    'tags.Modality == "CT"',
    'tags.Modality in ["MR", "CT"]',
    'tags.StationName == "CT1"',
    'one_of(tags.StationName, "ct1")',
    # umlauts, composed or not
    'tags.InstitutionName == "M\u00fcnch"',
    'tags.InstitutionName == "Mu\u0308nch"',
    '"Sch\u00e4del" in tags.StudyDescription',
    'tags.StudyDescription.endswith("mu\u0308de")',
    'contains(tags.StudyDescription, "SCHA\u0308DEL")',
    'matches(tags.StudyDescription, "sch\u00e4*")',
    'regex(tags.StudyDescription, "^Sch.del m.de$")',
    'len(tags.InstitutionName) == 5',
]  # fmt: skip


@pytest.mark.parametrize("rule", TRUE)
def test_what_is_unambiguous_is_read(rule: str) -> None:
    assert value_of(rule) is True
    assert not [finding for finding in check(rule) if finding.code == "never-true"]


FALSE = [
    'between(tags.StudyTime, "080000", "162959")',
    'tags.StudyTime == "16:30:01"',
    'tags.AcquisitionTime == "081501"',
    'tags.StudyDate == "20260302"',
    'tags.StudyDate != "20260301"',
    'tags.PatientAge == "018M"',
    'tags.SeriesNumber == "70"',
    'tags.PatientName == "Yamada"',
    'tags.PatientName == ""',
    'tags.PatientName == "Yamada^Tarou=田中^太郎"',
    'tags.ReferringPhysicianName == "Doe"',
    'tags.OtherPatientNames == "Doe^John"',
    'tags.Modality == "C T"',
    'tags.PatientID == "a1"',
    '"5" in values("SliceLocationVector")',
    'values("StudyTime")[0][0] == "16"',
    'tags.InstitutionName == "Munch"',
    'tags.SeriesTime == "120000"',  # no time is no time that is asked for
]


@pytest.mark.parametrize("rule", FALSE)
def test_what_is_another_value_is_not_taken_for_it(rule: str) -> None:
    assert value_of(rule) is False


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('tags.SeriesTime < "120000"', "the left side is no time such as 081500"),
        ('between(tags.SeriesTime, "080000", "120000")', "is no time such as 081500"),
        ("number(tags.SpacingBetweenSlices) > 1", "that of a fraction, or that of thousands"),
        ("number(tags.SpacingBetweenSlices, 0) > 1", "that of a fraction, or that of thousands"),
        ("float(tags.SpacingBetweenSlices) > 1", "that of a fraction, or that of thousands"),
        ("number(tags.PixelSpacing, 0) == 0", "the text is several values"),
        ('date("202603").year == 2026', "is not a date"),
        ('date("01.03.2026").year == 2026', "is not a date"),
        ('date("20260230").year == 2026', "is not a date"),
    ],
)
def test_what_is_not_unambiguous_is_an_error_with_its_reason(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        value_of(rule)


@pytest.mark.parametrize("age", ["18", "Y18", "18 years", "1018Y", "-18Y"])
def test_an_age_that_is_none_is_told(age: str) -> None:
    with pytest.raises(RuleError, match="PatientAge is no age such as 018Y"):
        value_of("age_years() == 18", {"PatientAge": age})


def test_an_empty_time_comes_before_all_others_as_an_empty_text_does() -> None:
    assert value_of('tags.ContentTime < "000000"') is True
    assert value_of('between(tags.ContentTime, "000000", "235959")') is False


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ('tags.StudyTime < "noon"', "error"),
        ('between(tags.StudyTime, "8", "17")', "error"),
        ('tags.StudyDate >= "01.03.2026"', "error"),
        ('tags.StudyDate == "01.03.2026"', "warning"),
        ('tags.PatientAge > "18"', "error"),
    ],
)
def test_what_can_be_no_such_value_is_found_when_the_rule_is_saved(rule: str, severity: str) -> None:
    assert severity in {finding.severity for finding in check(rule) if finding.code == "value"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("081502", 29702), ("0815", 29700), ("08", 28800), ("081502.25", 29702.25), ("08:15:02", 29702),
        ("8:15", 29700),        ("235960", 86400), ("081502 ", 29702), ("08:15:02,5", 29702.5),
        ("081502.1234567", 29702.1234567),
        ("24", None), ("0860", None), ("81500", None), ("815", None), ("", None), ("0815-0900", None),
        ("08:15:2", None),        ("8", None), ("٠٨١٥", None), ("1" * 50, None),
    ],
)  # fmt: skip
def test_times(text: str, seconds: float | None) -> None:
    assert to_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "years"), [("018Y", 18), ("18Y", 18), ("6m", 0.5), (" 003 W", 21 / 365.25), ("Y", None), ("18", None)]
)
def test_ages(text: str, years: float | None) -> None:
    assert to_years(text) == pytest.approx(years)


@pytest.mark.parametrize(
    "text", ["2026.03.01", "2026-03-01", "2026/03/01", "2026-3-1", "20260301", "20260301081502.5+0100", "20260301 \0"]
)
def test_dates(text: str) -> None:
    found = to_date(text)
    assert found is not None
    assert (found.year, found.month, found.day) == (2026, 3, 1)


@pytest.mark.parametrize("text", ["2026.0301", "2026-03/01", "26-03-01", "2026", "20261301", "1.3.2026", "20260301x"])
def test_no_dates(text: str) -> None:
    assert to_date(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,5", 0.5), ("-0,625", -0.625), (",5", 0.5), ("12,5", 12.5), ("1,2500", 1.25), ("1234,567", 1234.567),
        ("1,5E2", 150.0), ("0,001", 0.001),
    ],
)  # fmt: skip
def test_decimal_commas(text: str, value: float) -> None:
    assert value_of(f"number(tags.SliceThickness) == {value}", {"SliceThickness": text}) is True


@pytest.mark.parametrize("text", ["1,234,567", "1.234,5", "1,234.5", "1,", "1,5,2", "1 ,5", "0x1,5"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(RuleError):
        value_of("number(tags.SliceThickness) > 0", {"SliceThickness": text})
    assert value_of("number(tags.SliceThickness, -1) == -1", {"SliceThickness": text}) is True


def test_what_a_name_means() -> None:
    assert significant("Doe^Jane^^^= = ") == ("Doe^Jane",)
    assert significant(" Doe ^Jane=") == ("Doe^Jane",)
    assert significant("=山田") == ("", "山田")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_rule_may_be_written_in_either_form(form: str) -> None:
    rule = unicodedata.normalize(form, 'tags.InstitutionName == "M\u00fcnch"')  # type: ignore[arg-type]  # one of two
    assert value_of(rule) is True
