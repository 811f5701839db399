"""Rules on the texts of every character set in pydicom's files, as `getdcmtags` gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from pydicom.data import get_charset_files

from mercure.printable import cells
from mercure.rules import ImageRecords, check, compile_rule
from tests.support.getdcmtags import getdcmtags

FILES: Final = [Path(name) for name in sorted(get_charset_files("*.dcm"))]
NAMES: Final = {
    "chrArab.dcm": "قباني^لنزار",
    "chrFren.dcm": "Buc^Jérôme",
    "chrGerm.dcm": "Äneas^Rüdiger",
    "chrGreek.dcm": "Διονυσιος",
    "chrH31.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrHbrw.dcm": "שרון^דבורה",
    "chrI2.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrRuss.dcm": "Люкceмбypг",  # noqa: RUF001 - some letters in it are Latin
    "chrX1.dcm": "Wang^XiaoDong=王^小東=",
    "chrX2.dcm": "Wang^XiaoDong=王^小东=",
}


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    return {record["FileName"]: record for record in getdcmtags(FILES).records}


def literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def test_the_files_are_there(records: dict[str, dict[str, Any]]) -> None:
    assert len(FILES) >= 15
    assert len(records) >= len(FILES) - 1  # one is no DICOM file
    assert NAMES.keys() <= records.keys()


@pytest.mark.parametrize("file", NAMES)
def test_a_name_in_any_script_is_compared_folded_cut_and_matched(file: str, records: dict[str, dict[str, Any]]) -> None:
    name = NAMES[file]
    rule = " and ".join(
        [
            f"tags.PatientName == {literal(name)}",
            f"{literal(name[1:4])} in tags.PatientName",
            f"iequals(tags.PatientName, {literal(name.swapcase())})",
            f"contains(tags.PatientName, {literal(name[-2:].upper())})",
            f"matches(tags.PatientName, {literal(name[:2] + '*' + name[-1:])}, 'x')",
            f"matches(tags.PatientName, {literal('?' * len(name))})",
            f"regex(tags.PatientName, {literal('^.{' + str(len(name)) + '}$')})",
            f"len(tags.PatientName) == {len(name)}",
            f"tags.PatientName[-1] == {literal(name[-1])}",
        ]
    )
    assert check(rule) == []
    evaluation = compile_rule(rule).evaluate(records[file])
    assert evaluation.error is None
    assert evaluation.result


def test_every_text_of_every_file_equals_itself_and_can_be_shown(records: dict[str, dict[str, Any]]) -> None:
    for record in records.values():
        for keyword, value in record.items():
            if not isinstance(value, str) or "," in keyword:
                continue
            rule = compile_rule(f"tags.{keyword} == {literal(value)} and tags.{keyword}.lower().upper() != 'x'")
            explanation = rule.explain(ImageRecords([record]))
            assert explanation.result
            assert all(line.isprintable() and cells(line) <= 80 for line in explanation.render().splitlines())
