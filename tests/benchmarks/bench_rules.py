"""The rule language: time of one evaluation, and of a large rule set over one series."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from mercure.rules import CompiledRule, ImageRecords, compile_rule

IMAGES: Final = 200
RULES: Final = 1000
MEDIAN_BOUND_US: Final = 20.0
SET_BOUND_MS: Final = 50.0

_RECORD: Final[Mapping[str, Any]] = {
    "Modality": "MR",
    "StudyDescription": "MRI Cardiac stress perfusion",
    "SeriesDescription": "T1 mprage SAG p2 iso",
    "BodyPartExamined": "HEART",
    "SliceThickness": "0.9",
    "EchoTime": "2.98",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "PatientID": "A-1007",
    "PatientBirthDate": "19800229",
    "StudyDate": "20260301",
    "SenderAET": "MRSCANNER",
    "SenderAddress": "10.0.3.17",
    "0019,100c[SIEMENS MR HEADER]": "1000",
    "ProcedureCodeSequence": [{"CodeValue": "36643-5"}, {"CodeValue": "30745-4"}],
} | {f"0029,10{number:02x}[SIEMENS CSA HEADER]": str(number) for number in range(100)}

TEMPLATES: Final = (
    'tags.Modality == "M{n}"',
    'tags.Modality == "MR" and "cardiac {n}" in tags.StudyDescription.lower()',
    '@SenderAET@ == "SCANNER{n}" or @SenderAddress@.startswith("10.{n}.")',
    'tags.Modality in ["CT", "US"] or (number(tags.SliceThickness) < 1 and number(tags.SeriesNumber, 0) == {n})',
    'matches(tags.SeriesDescription, "t{n}*", "*mprage{n}")',
    'regex(tags.SeriesDescription, "(?i)t[12].*p{n}\\\\b")',
    'age_years() >= 18 and contains(tags.StudyDescription, "stress{n}")',
    'images.any("DERIVED{n}" in tags.ImageType)',
    'images.all(number(tags.EchoTime) < 3) and tags.PatientID == "A-{n}"',
    'private("0019,xx0c", "SIEMENS MR HEADER") == "{n}"'
    ' or sequence("ProcedureCodeSequence").any(item.CodeValue == "{n}")',
)
"""What people write, the simple and the costly; `n` makes each rule a different one."""


class Row(TypedDict):
    """One figure: `bound` is the most that it may be."""

    name: str
    value: float
    unit: str
    bound: float


def run() -> list[Row]:
    """Measure both figures.

    Returns
    -------
    list of Row
        The median time of one evaluation over all sorts of rules, in µs, and the time of `RULES` different rules over a
        series of `IMAGES` images, in ms, with everything done for the series for the first time.
    """
    rules = [compile_rule(TEMPLATES[n % len(TEMPLATES)].replace("{n}", str(n))) for n in range(RULES)]
    return [
        {"name": "rules: one evaluation", "value": _median_us(rules), "unit": "µs", "bound": MEDIAN_BOUND_US},
        {"name": f"rules: {RULES} over one series", "value": _set_ms(rules), "unit": "ms", "bound": SET_BOUND_MS},
    ]


def _records() -> list[dict[str, object]]:
    return [{**_RECORD, "InstanceNumber": str(number), "SliceLocation": str(number * 0.9)} for number in range(IMAGES)]


def _median_us(rules: list[CompiledRule]) -> float:
    images = ImageRecords(_records())
    times = []
    for rule in rules:
        start = time.perf_counter()
        rule.evaluate(images)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def _set_ms(rules: list[CompiledRule]) -> float:
    times = []
    for _ in range(5):
        records = _records()
        start = time.perf_counter()
        images = ImageRecords(records)
        for rule in rules:
            rule.evaluate(images)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:<32} {row['value']:>8.2f} {row['unit']} (at most {row['bound']:g})")
