"""Tags that the history keeps of series by choice: recorded, filled in, searched, seen by SQL, and forgotten."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercure.clock import ManualClock
from mercure.event_details import SeriesTags
from mercure.history.database import is_sqlite, run_sql, transaction
from mercure.history.forget import forget
from mercure.history.models import SeriesTagRow
from mercure.history.queries import History, ResultPage
from mercure.history.recorder import Recorder
from mercure.history.series_tags import VIEW, declare, ensure_tables
from mercure.history.tag_backfill import SETTLE_SECONDS
from mercure.history.tag_conditions import ConditionError, conditions_of
from mercure.services.bookkeeper import Bookkeeper
from mercure.spool import Spool, Stage, Task, save_task
from mercure.spool.images import json_line
from tests.integration.history.test_bookkeeper import ANYTHING, make_context
from tests.support.history import START, Outbox, Told, event
from tests.support.history_rows import count
from tests.support.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peewee import Database

    from mercure.events import Event

DOCS = Path(__file__).resolve().parents[3] / "docs"
TAGS = (
    "Manufacturer",
    "ContrastBolusAgent",
    "SliceThickness",
    "ContentDate",
    "ContentTime",
    "AcquisitionDateTime",
    "PatientAge",
)
ONE, TWO, THREE = (Told(number=number, start=number * 1000.0) for number in (1, 2, 3))
SAID: dict[Told, dict[str, tuple[str, ...]]] = {
    ONE: {
        "Manufacturer": ("SIEMENS",),
        "ContrastBolusAgent": ("Ultravist 370", "NaCl"),
        "SliceThickness": ("1.5", "3"),
        "ContentDate": ("20261121",),
        "ContentTime": ("081500.25",),
        "AcquisitionDateTime": ("20261121081500",),
        "PatientAge": ("018Y",),
    },
    TWO: {"Manufacturer": ("Siemens Healthineers",), "SliceThickness": ("thin",), "ContentDate": ("20260230",)},
    THREE: {"Manufacturer": ("100%_GE!",), "SliceThickness": ("-0.5",)},
}


def tagged(story: Told, seconds: float = 60, **tags: tuple[str, ...]) -> Event:
    details = SeriesTags(tags=tags or SAID[story], association=story.association)
    return event("series.tags", details, story.start + seconds, task=story.task, series=story.uid)


def want(database: Database, node: str, keywords: Sequence[str], indexed: Sequence[str] = ()) -> None:
    """Let a router want tags, later than any before."""
    with transaction(database):
        ensure_tables(database)
        declare(database, node, keywords, indexed, count(database, "series_tag_columns"))


@pytest.fixture
def history(history_url: str, recorder: Recorder, outbox: Outbox, database: Database) -> Iterator[History]:
    want(database, "node-a", TAGS, ("Manufacturer", "SliceThickness"))
    outbox.put([each for story in SAID for each in (*story.all(), tagged(story))])
    record_all(recorder)
    with History(history_url) as opened:
        yield opened


def found(history: History, *conditions: str) -> list[int]:
    """Return the numbers of the series for which conditions hold."""
    numbers = {story.uid: story.number for story in SAID}
    return sorted(numbers[it.series_uid or ""] for it in history.series(tags=conditions_of(conditions)))


FOUND: list[tuple[tuple[str, ...], list[int]]] = [
    (("Manufacturer=siemens",), [1]),
    (("manufacturer=SIEMENS*",), [1, 2]),
    (("Manufacturer=*health*",), [2]),
    (("Manufacturer=*mens",), [1]),
    (("Manufacturer=100%_ge!",), [3]),
    (("Manufacturer=*%_GE!",), [3]),
    (("Manufacturer=1__%*",), []),
    (("Manufacturer!=siemens*",), [3]),
    (("ContrastBolusAgent=*",), [1]),
    (("ContrastBolusAgent!=*",), [2, 3]),
    (("ContrastBolusAgent=nacl",), [1]),
    (("SliceThickness<2",), [1, 3]),
    (("SliceThickness<=-0.5",), [3]),
    (("SliceThickness>2.9",), [1]),
    (("SliceThickness=3.0",), [1]),
    (("SliceThickness=*",), [1, 2, 3]),
    (("SliceThickness!=3",), [2, 3]),
    (("ContentDate>=2026-11-21",), [1]),
    (("ContentDate<20261121",), []),
    (("ContentTime>=0815",), [1]),
    (("AcquisitionDateTime=20261121081500",), [1]),
    (("PatientAge>=018Y",), [1]),
    (("Modality=CT", "SliceThickness<2", "Manufacturer=siemens"), [1]),
    (("Modality=MR",), []),
    (("StudyDate>=2026-11-21",), [1, 2, 3]),
    (("StudyDate!=20261121",), []),
    (("StudyDescription=ct*",), [1, 2, 3]),
    (("PatientID=P000002",), [2]),
]


def test_series_are_found_by_conditions(history: History) -> None:
    assert [(it, found(history, *it)) for it, _ in FOUND] == FOUND


NONSENSE = [
    ("ProtocolName=x", "does not keep ProtocolName"),
    ("Manufacturor=x", "no DICOM keyword"),
    ("PatientBirthDate=x", "tells who somebody is"),
    ("SliceThickness=thin", "is no number"),
    ("PatientAge>=18", "is no number"),
    ("ContentDate>yesterday", "is no date"),
    ("StudyDate>yesterday", "is no date"),
    ("Manufacturer<x", "holds texts"),
    ("Manufacturer=", "says no value"),
    ("Manufacturer", "is no condition"),
    ("=", "is no condition"),
    ("'; DROP TABLE series; --=1", "is no condition"),
]


def test_a_condition_that_makes_no_sense_is_told_in_words(history: History) -> None:
    for condition, says in NONSENSE:
        with pytest.raises(ConditionError, match=says):
            found(history, condition)


def test_what_is_found_says_its_tags(history: History) -> None:
    (series,) = history.find("P000001", tags=conditions_of(["Manufacturer=siemens"]))
    assert series.tags["ContrastBolusAgent"] == ("NaCl", "Ultravist 370")
    assert history.find("P000002", tags=conditions_of(["Manufacturer=siemens"])) == []
    assert history.tagged(conditions_of(["Manufacturer=siemens*"]), "node-a") == [
        (it.identity.StudyInstanceUID, it.uid) for it in (ONE, TWO)
    ]
    assert history.tagged(conditions_of(["Manufacturer=siemens*"]), "node-b") == []


def test_in_parts_of_an_export_each_series_is_once(history: History) -> None:
    seen: list[str | None] = []
    after = 0
    while part := history.export((), ResultPage(limit=2), after):
        seen += [record.series_uid for _, record in part]
        after = part[-1][0]
    assert seen == [story.uid for story in SAID]
    since = ResultPage(since=START + timedelta(seconds=1500))
    assert [record.series_uid for _, record in history.export((), since)] == [TWO.uid, THREE.uid]


def test_the_view_has_a_typed_column_for_each(history: History, database: Database) -> None:
    del history
    columns = "Manufacturer, ContrastBolusAgent, SliceThickness, ContentDate, ContentTime, PatientAge, last_received"
    asked = run_sql(database, f"SELECT series_uid, {columns} FROM {VIEW}")  # noqa: S608
    rows = {row[0]: list(row[1:]) for row in asked}
    as_date: Any = str if is_sqlite(database) else date.fromisoformat
    assert rows[ONE.uid][:4] == ["SIEMENS", "NaCl\\Ultravist 370", 1.5, as_date("2026-11-21")]
    assert str(rows[ONE.uid][4]) == "08:15:00.250000"
    assert rows[ONE.uid][5] == 18.0
    assert str(rows[ONE.uid][6]).startswith("2026-11-21 0")
    assert rows[TWO.uid][:4] == ["Siemens Healthineers", None, None, None]
    assert rows[THREE.uid][2] == -0.5
    names = {column.name for column in database.get_columns(VIEW)}
    assert not names & {"patient_id", "patient_name", "accession", "folder"}


def test_an_index_by_choice_is_used_and_goes_again(history: History, database: Database) -> None:
    if is_sqlite(database):
        query = "SELECT series_id FROM series_tags WHERE keyword = 'Manufacturer' AND folded = 'x'"
        assert "series_tags_of_manufacturer" in str(run_sql(database, f"EXPLAIN QUERY PLAN {query}").fetchall())
    names = {index.name for index in database.get_indexes("series_tags")}
    assert {"series_tags_of_manufacturer", "series_tags_of_slicethickness"} <= names
    want(database, "node-a", TAGS, ("SliceThickness",))
    names = {index.name for index in database.get_indexes("series_tags")}
    assert "series_tags_of_slicethickness" in names
    assert "series_tags_of_manufacturer" not in names
    assert found(history, "Manufacturer=siemens") == [1]


def test_values_come_together_whatever_the_order_and_how_often(
    recorder: Recorder, outbox: Outbox, database: Database, history_url: str
) -> None:
    outbox.put([tagged(ONE, 70, Manufacturer=("B", "A")), tagged(ONE, 60, Manufacturer=("A",)), *ONE.all()])
    outbox.put([tagged(ONE, 80, Manufacturer=("B",))], service="other")
    record_all(recorder)
    with History(history_url) as history:
        (series,) = history.series()
    assert (series.tags, series.images) == ({"Manufacturer": ("A", "B")}, 3)
    assert count(database, "series") == 1


def test_of_a_tag_that_no_release_of_ours_knows_nothing_is_recorded(
    recorder: Recorder, outbox: Outbox, database: Database
) -> None:
    outbox.put([*ONE.all(), tagged(ONE, 60, NotOfThisDictionary=("A",), Manufacturer=("\0x", "y" * 300))])
    record_all(recorder)
    rows = run_sql(database, "SELECT keyword, value FROM series_tags ORDER BY value").fetchall()
    assert [(keyword, value[:2]) for keyword, value in rows] == [("Manufacturer", "yy"), ("Manufacturer", "\ufffdx")]


def test_the_release_before_forgets_series_with_their_tags(history: History, database: Database) -> None:
    """It knows nothing of the table, and removes the series: the database takes the tags along."""
    del history
    assert count(database, "series_tags") > 0
    after = ""
    while True:
        done = forget(database, "node-a", START + timedelta(days=365), after)
        after = done.after
        if not after:
            break
    assert (count(database, "series"), count(database, "series_tags")) == (0, 0)


def test_the_tables_hold_what_the_model_says(database: Database) -> None:
    for _ in range(2):
        with transaction(database):
            ensure_tables(database)
    columns = {column.name: column.null for column in database.get_columns("series_tags")}
    assert columns == {field.column_name: field.null for field in SeriesTagRow._meta.sorted_fields}


def test_without_the_table_nothing_is_found_and_nothing_fails(history_url: str, database: Database) -> None:
    with History(history_url) as history:
        assert history.series() == []
        assert history.tag_columns() == []
        with pytest.raises(ConditionError, match="does not keep Manufacturer"):
            history.series(tags=conditions_of(["Manufacturer=x"]))
    assert "series_tags" not in database.get_tables()


def test_several_routers_share_the_columns(history: History, database: Database) -> None:
    """One that wants less takes nothing away from another; who was granted the view keeps it."""
    if not is_sqlite(database):
        run_sql(database, f"GRANT SELECT ON {VIEW} TO PUBLIC")
    want(database, "node-b", ("ProtocolName", "Manufacturer"))
    want(database, "node-a", ())
    names = [column.name for column in database.get_columns(VIEW)]
    assert names[-1] == "protocolname"
    assert names.count("manufacturer") == 1
    assert [column.keyword for column in history.tag_columns()][-1] == "ProtocolName"
    if not is_sqlite(database):
        grants = run_sql(
            database,
            "SELECT grantee FROM information_schema.role_table_grants "
            "WHERE table_name = %s AND privilege_type = 'SELECT'",
            (VIEW,),
        ).fetchall()
        assert ("PUBLIC",) in grants


# --- filled in from what the spool still has -----------------------------------------------------------------------


def place(spool: Spool, stage: Stage, story: Told, target: str = "archive", **fields: Any) -> Task:
    """Put a task of a story into a stage, with the tag lines of its images."""
    values = {
        "id": story.derived(target),
        "created": START,
        "action": "route",
        "target": target,
        "identity": story.identity,
        "origin": story.origin,
        "images": story.images,
    }
    task = Task.model_validate(values | fields)
    folder = spool.entry(stage, task.id)
    folder.mkdir(parents=True)
    for ref in story.refs:
        (folder / ref.file).write_bytes(b"x")
    lines = [
        {"FileName": ref.file, "SeriesInstanceUID": story.uid, "Manufacturer": f"M{story.number}",
         "SliceThickness": ["1", "2"], "ContrastBolusAgent": ""}
        for ref in story.refs
    ]  # fmt: skip
    (folder / "tags.jsonl").write_bytes(b"".join(map(json_line, lines)))
    save_task(folder, task)
    return task


def test_what_the_spool_still_has_is_filled_in(history_url: str, tmp_path: Path) -> None:
    context = make_context(tmp_path, history_url)
    spool = context.spool
    spool.create()
    outbox = Outbox(spool.stage(Stage.OUTBOX))
    outbox.put([each for story in SAID for each in story.all()])
    outbox.close()
    place(spool, Stage.SUCCESS, ONE)
    place(spool, Stage.OUTGOING, ONE, "research")
    study = Told(number=9).task
    place(spool, Stage.ERROR, TWO, id=study, scope="study", study_rule="s")
    place(spool, Stage.SUCCESS, THREE, processed_by=("anon",))
    place(spool, Stage.SUCCESS, Told(number=7))  # the history does not know it
    broken = spool.entry(Stage.DISCARD, Told(number=8).task)
    broken.mkdir()
    (broken / "task.json").write_text("{")
    bookkeeper = Bookkeeper(context)
    run(bookkeeper)
    with History(history_url) as history:
        assert [it.tags for it in history.series()] == [{}, {}, {}]
    assert isinstance(context.clock, ManualClock)
    _reconfigure(context.root.path, history_url, tags=["Manufacturer", "SliceThickness", "ContrastBolusAgent"])
    assert context.live.refresh()
    run(bookkeeper)
    with History(history_url) as history:
        assert {it.series_uid: it.tags for it in history.series()}[ONE.uid] == {}
    context.clock.advance(SETTLE_SECONDS + 1)
    run(bookkeeper)
    with History(history_url) as history:
        assert {it.series_uid: it.tags for it in history.series()} == {
            ONE.uid: {"Manufacturer": ("M1",), "SliceThickness": ("1", "2")},
            TWO.uid: {"Manufacturer": ("M2",), "SliceThickness": ("1", "2")},
            THREE.uid: {},
        }
    bookkeeper.end()
    context.events.close()


def _reconfigure(root: Path, url: str, **history: object) -> None:
    content = {"version": 1, "name": "node-a", "history": {"url": url, **history}}
    (root / "config" / "mercure.json").write_text(json.dumps(content))


def run(bookkeeper: Bookkeeper) -> None:
    while bookkeeper.turn(ANYTHING) == 0:
        pass


def test_the_dashboard_asks_what_the_tables_can_answer(history: History, database: Database) -> None:
    del history
    if is_sqlite(database):
        return  # it is for PostgreSQL, which Grafana reads by itself
    board = json.loads((DOCS / "grafana-series.json").read_text(encoding="utf-8"))
    asked = [target["rawSql"] for panel in board["panels"] for target in panel.get("targets", [])]
    asked += [item["query"] for item in board["templating"]["list"] if item["type"] == "query"]
    assert len(asked) >= 15
    for tag in ("SliceThickness", "Manufacturer"):
        for text in asked:
            run_sql(database, _as_grafana_asks(text, tag)).fetchall()
    shown = next(panel for panel in board["panels"] if panel["title"] == "Values")
    rows = run_sql(database, _as_grafana_asks(shown["targets"][0]["rawSql"], "Manufacturer")).fetchall()
    assert sorted(rows) == [("100%_GE!", 1), ("SIEMENS", 1), ("Siemens Healthineers", 1)]
    for panel in board["panels"]:
        assert panel["type"] == "row" or panel["description"], panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def _as_grafana_asks(text: str, tag: str) -> str:
    """Put in what Grafana does: its macros and the variables of the board."""
    text = re.sub(r"\$__timeGroupAlias\((.*), \$__interval\)", r"date_trunc('hour', \1) AS time", text)
    text = re.sub(r"\$__timeFilter\((to_timestamp\([^)]*\)|[^)]*)\)", r"\1 IS NOT NULL", text)
    return text.replace("$node", "'node-a'").replace("$modality", "'CT'").replace("$tag", tag)
