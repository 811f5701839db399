"""What comes from the network reaches the history as it is or made harmless, and never stops it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercure.clock import ManualClock
from mercure.event_details import DETAILS
from mercure.history.database import run_sql
from mercure.history.handlers import HANDLERS
from mercure.history.models import AttemptRow
from mercure.history.recorder import Recorder
from mercure.history.rows import Rows
from mercure.names import safe_name
from tests.support.history import Outbox, Told
from tests.support.history_rows import count, empty
from tests.support.recording import record_all

if TYPE_CHECKING:
    from pathlib import Path

    from peewee import Database

    from mercure.events import Event

NASTY = {
    "NUL": "DOE\0^JANE",
    "escape sequences": "\x1b]0;owned\x07<script>alert(1)</script>",
    "a megabyte": "Ä" * 1_000_000,
    "four bytes each": "\U0001f480" * 300,
    "percent and quotes": "%s %(x)s '; DROP TABLE images; --",
    "right to left": "\u202egnp.exe",
    "unassigned": "\uffff\U0010ffff",
}


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY.keys())
def test_hostile_texts_in_every_place(recorder: Recorder, outbox: Outbox, database: Database, nasty: str) -> None:
    story = Told(images=2)
    events = []
    for event in story.all():
        details = _replaced(event.details, nasty)
        events.append(event.model_copy(update={"details": details, "service": nasty}))
    outbox.put(events)

    assert record_all(recorder) == len(events)

    assert count(database, "images") == 2
    assert run_sql(database, "SELECT count(*) FROM events WHERE type = 'unreadable'").fetchone()[0] == 0
    assert run_sql(database, "SELECT count(*) FROM tasks WHERE state = 'delivered'").fetchone()[0] == 1
    stored = run_sql(database, "SELECT patient_name FROM series").fetchone()[0]
    assert stored[:3] == nasty.replace("\0", "\N{REPLACEMENT CHARACTER}")[:3]
    assert len(stored) <= 256


FREE = {
    *("address", "calling_aet", "called_aet", "sop", "sop_class", "study", "patient", "accession", "modality"),
    *("transfer_syntax", "PatientID", "PatientName", "AccessionNumber", "StudyInstanceUID", "file", "Modality"),
    *("StudyDescription", "SeriesDescription", "StudyDate", "error", "reason"),
}


def _replaced(value: Any, nasty: str) -> Any:
    """Put a text into every place where a text from the network may stand."""
    if isinstance(value, dict):
        return {
            key: nasty if key in FREE and isinstance(item, str) and _open(value, key) else _replaced(item, nasty)
            for key, item in value.items()
        }
    return [_replaced(item, nasty) for item in value] if isinstance(value, list) else value


def _open(where: dict[str, Any], key: str) -> bool:
    """Tell whether a field takes any text: the reason of a retirement is one of two words."""
    return key != "reason" or where.get("stage") != "success"


def test_a_series_uid_that_is_none_leads_to_one_row(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    story, uid = Told(images=1), "../../x\u2028" + "y" * 300
    received = story.received(0)
    details = received.details | {"folder": safe_name(uid), "series": uid}
    completed = story.completed().model_copy(update={"series": uid})
    outbox.put([received.model_copy(update={"details": details, "series": uid}), completed])
    record_all(recorder)
    rows = run_sql(database, "SELECT folder, patient_name, images FROM series").fetchall()
    assert [tuple(row) for row in rows] == [(safe_name(uid), "Doe1^Jane", 1)]


def test_lone_surrogates_and_bytes_that_are_no_utf8(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    story = Told(images=1)
    text = story.completed().model_dump_json()
    outbox.put(
        text.replace("Doe1^Jane", "Do\\ud800e^\\udfff").encode()
        + b"\n"
        + story.received(0).model_dump_json().encode().replace(b"CT1", b"C\xff\xfeT")
        + b"\n"
    )
    assert record_all(recorder) == 2
    assert run_sql(database, "SELECT patient_name FROM series").fetchone()[0] == "Do\ufffde^\ufffd"
    assert run_sql(database, "SELECT calling_aet FROM associations").fetchone()[0] == "C\ufffd\ufffdT"


NUMBERS: dict[str, str] = {
    "beyond 64 bits": "9" * 30,
    "negative": "-5",
    "beyond float": "1e400",
    "not a number": "NaN",
    "thousands of digits": "1" * 4000,
    "true": "true",
    "text": '"many"',
    "null": "null",
    "a list": "[[[[]]]]",
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_hostile_numbers(recorder: Recorder, outbox: Outbox, database: Database, number: str) -> None:
    story = Told(images=1)
    lines = []
    for event in story.all():
        text = event.model_dump_json()
        for place in ('"bytes":1000', '"seconds":2.5', '"number":2', '"images":1', '"contexts":4', '"sent":1'):
            text = text.replace(place, f"{place.partition(':')[0]}:{number}")
        lines.append(text.encode() + b"\n")
    outbox.put(b"".join(lines))

    record_all(recorder)

    ids = {row[0] for row in run_sql(database, "SELECT id FROM events")}
    received = {event.id for event in story.all() if event.type == "image.received"}
    assert {event.id for event in story.all()} - received <= ids, "every event is recorded, whatever is in it"
    assert count(database, "images") + len(received & ids) >= 1


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["", "1.2.3", "2026-11-21T00:00:00Z", "success", "route", "x" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Write an event of a known type with some fields that fit and some that do not."""
    type_ = draw(st.sampled_from(sorted(DETAILS)))
    fields = DETAILS[type_].model_fields
    details = draw(st.dictionaries(st.sampled_from(sorted(fields)) | st.text(max_size=8), VALUES, max_size=8))
    good = [event.details for event in Told().all() if event.type == type_][:1]
    details = draw(st.sampled_from([{}, *good])) | details
    line = {
        "id": draw(st.sampled_from(["a", "b", "c"]) | st.text(min_size=1, max_size=140)),
        "time": draw(st.sampled_from(["2026-11-21T02:06:12.5Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])),
        "service": draw(st.text(max_size=5)),
        "type": type_,
        "task": draw(st.none() | st.text(max_size=10)),
        "series": draw(st.none() | st.text(max_size=10)),
        "details": details,
    }
    return json.dumps(line).encode() + b"\n"


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(events() | st.binary(max_size=60).map(lambda raw: raw + b"\n"), max_size=12))
def test_whatever_a_file_holds_it_is_read_to_its_end(lines: list[bytes], database: Database, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    recorder = Recorder(database, outbox.folder, "node-a", ManualClock())
    try:
        outbox.put(b"".join(lines) + Told().received(0).model_dump_json().encode() + b"\n")
        record_all(recorder)
        assert outbox.files() == []
        known = run_sql(database, f"SELECT count(*) FROM images WHERE id = '{Told().refs[0].image}'")  # noqa: S608
        assert known.fetchone()[0] == 1, "what is good behind the bad is recorded"
    finally:
        empty(database)


def test_what_the_database_refuses_all_the_same_is_kept_apart_from_its_neighbours(
    recorder: Recorder, outbox: Outbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poison(batch: Rows, event: Event, details: object) -> None:
        counts = dict.fromkeys(("time", "images", "sent", "confirmed", "bytes", "seconds"), 0)
        batch.add(AttemptRow, task=event.id, number=2**70, outcome="success", event_order="x", **counts)

    monkeypatch.setitem(HANDLERS, "task.released", poison)
    story = Told(images=20)
    good = story.all()
    bad = story.delivered("archive").model_copy(
        update={"id": "poison", "type": "task.released", "details": {"by": "anna"}}
    )
    outbox.put([*good[:9], bad, *good[9:]])

    assert record_all(recorder) == len(good)

    assert count(database, "images") == 20
    details = run_sql(database, "SELECT details FROM events WHERE type = 'unreadable'").fetchall()
    assert len(details) == 1
    assert json.loads(details[0][0])["reason"].startswith("refused by the database")
    assert '"poison"' in json.loads(details[0][0])["raw"]
    assert run_sql(database, "SELECT max(images) FROM series").fetchone()[0] == 20, "counted once in spite of it"
