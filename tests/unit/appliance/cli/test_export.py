"""``mercure history export``: a row for each series with its tags, as CSV, Parquet and JSON; conditions on tags."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from appliance.cli import exit_codes
from appliance.cli.parquet import MAGIC, ParquetFile
from mercure.clock import Clock
from mercure.event_details import SeriesTags
from mercure.events import EventWriter
from mercure.spool import Stage
from tests.support.control_session import edit, record
from tests.support.parquet import read_table
from tests.support.tasks import place_task

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session
    from mercure.spool import Task
    from tests.support.command_line import Call

TAGS = {"Manufacturer": ("=cmd()",), "ContrastBolusAgent": ("A", "B"), "SliceThickness": ("3", "1.5")}


@pytest.fixture
def tagged(session: Session, exam: Task) -> Task:
    """The exam, of which the history keeps tags."""
    edit(session, history={"tags": [*TAGS, "ContentDate"]})
    events = EventWriter(session.spool.stage(Stage.OUTBOX), "test", Clock())
    events.emit(SeriesTags(tags=TAGS), task=exam.parent, series="1.2.3.4", key="series.tags")
    events.close()
    record(session)
    return exam


@pytest.mark.usefixtures("tagged")
class TestExport:
    def test_as_csv_without_patients_and_without_formulas(self, call: Call) -> None:
        result = call("history", "export")
        assert result.exit_code == 0
        (row,) = csv.DictReader(io.StringIO(result.stdout))
        assert (row["Manufacturer"], row["ContrastBolusAgent"], row["SliceThickness"]) == ("'=cmd()", "A\\B", "1.5")
        assert (row["series_uid"], row["modality"], row["ContentDate"]) == ("1.2.3.4", "MR", "")
        assert "patient_id" not in row
        assert "P-17" not in result.stdout
        assert "1 series exported" in result.stderr

    def test_with_patients_it_is_audited(self, call: Call, session: Session) -> None:
        (row,) = csv.DictReader(io.StringIO(call("history", "export", "--patients").stdout))
        assert (row["patient_id"], row["accession"]) == ("P-17", "A-99")
        record(session)
        assert "history.export" in call("audit", "list").stdout

    def test_to_files(self, call: Call, tmp_path: Path) -> None:
        wanted = tmp_path / "a.csv", tmp_path / "a.parquet"
        result = call("history", "export", "--csv", str(wanted[0]), "--parquet", str(wanted[1]))
        assert (result.exit_code, result.stdout) == (0, "")
        assert wanted[0].read_text().startswith("node,study_uid,series_uid")
        (row,) = read_table(wanted[1].read_bytes())
        assert (row["Manufacturer"], row["SliceThickness"], row["ContentDate"]) == ("=cmd()", 1.5, None)
        assert (row["images"], row["series_uid"]) == (1.0, "1.2.3.4")

    def test_as_json(self, call: Call) -> None:
        document = json.loads(call("history", "export", "--json").stdout)
        names = [column["name"] for column in document["columns"]]
        assert dict(zip(names, document["rows"][0], strict=True))["SliceThickness"] == 1.5

    def test_by_conditions(self, call: Call) -> None:
        for command in ("series", "tasks", "images", "events", "export"):
            assert len(call("history", command, "--tag", "SliceThickness<2").stdout.splitlines()) > 1, command
            assert len(call("history", command, "--tag", "SliceThickness>4").stdout.splitlines()) <= 1, command
        result = call("history", "series", "--tag", "SliceTickness<2")
        assert result.exit_code != 0
        assert "did you mean 'SliceThickness'?" in result.stderr

    def test_a_resend_is_chosen_by_them(self, call: Call, session: Session, tagged: Task) -> None:
        place_task(session, Stage.SUCCESS, identity={"SeriesInstanceUID": "1.9", "StudyInstanceUID": "1.8"})
        for condition, count in (("ContrastBolusAgent=*", 1), ("ContrastBolusAgent!=*", 0), ("SliceThickness>4", 0)):
            plan = json.loads(call("resend", "--tag", condition, "--plan", "--json").stdout)
            assert (plan["series"], plan["gone"]) == (count, 0), condition
        assert call("resend", "--tag", "ContrastBolusAgent", "--plan").exit_code == exit_codes.FAILED
        begun = call("resend", "--tag", "ContrastBolusAgent=*", "--yes")
        assert "running, 0 of 1" in begun.stdout


def test_a_parquet_file_of_several_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [
        ("Müller", 1.5, "2026-11-21", "08:15:00.250000", "2026-11-21T08:15:00"),
        (None, None, None, None, None),
        ("", -3, "1969-12-31", "00:00:00", "1969-12-31T23:59:59"),
        *[("x" * number, number, None, None, None) for number in range(40)],
    ]
    with path.open("wb") as file:
        table = ParquetFile(file, [("a", "text"), ("b", "number"), ("c", "date"), ("d", "time"), ("e", "moment")])
        table.add(rows[:20])
        table.add([])
        table.add(rows[20:])
        table.end()
    data = path.read_bytes()
    assert data.startswith(MAGIC)
    assert data.endswith(MAGIC)
    read = [tuple(row.values()) for row in read_table(data)]
    day, second = 86_400, 1_000_000
    assert read[:3] == [
        ("Müller", 1.5, 20778, (8 * 3600 + 900) * second + 250_000, (20778 * day + 8 * 3600 + 900) * second),
        (None, None, None, None, None),
        ("", -3.0, -1, 0, -second),
    ]
    assert [row[:2] for row in read[3:]] == [("x" * number, float(number)) for number in range(40)]


def test_a_parquet_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with path.open("wb") as file:
        ParquetFile(file, [("a", "text")]).end()
    assert read_table(path.read_bytes()) == []
