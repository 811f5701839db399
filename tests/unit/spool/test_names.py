"""Names: no text from the network leaves its folder, and identifiers sort by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mercure.names import derived_id, id_time, is_id, new_id, safe_name, utc_text
from mercure.spool import Stage

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), min_size=1)
HOSTILE = [
    "../../etc/passwd",
    "..",
    ".",
    "/",
    "a/b",
    "1.2/../../x",
    "1.2\0",
    "1.2\n",
    "\ud800",
    "\udcff",
    "incoming",
    ".hidden",
    "1" * 65,
    "1.2.3 ",
    "१.२",
    "con",
    "x" * 5000,
    "1.2.3~2.dcm",
]


@given(ANY_TEXT)
@example("1.2.840.10008")
def test_any_text_becomes_a_plain_name(uid: str) -> None:
    name = safe_name(uid)
    assert name.isascii()
    assert 1 <= len(name) <= 64
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert name not in set(Stage)
    assert name == safe_name(uid)


@pytest.mark.parametrize("uid", HOSTILE)
def test_hostile_uids_become_digests_of_their_own(uid: str) -> None:
    assert safe_name(uid).startswith("x")
    assert len(safe_name(uid)) == 41
    assert len({safe_name(text) for text in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("uid", ["1", "1.2.840.10008.1.2", "0" * 64, "1..2", "9."])
def test_what_looks_like_a_uid_is_kept(uid: str) -> None:
    assert safe_name(uid) == uid


def test_a_digest_is_no_uid() -> None:
    """So a sender cannot claim the name of another's digest."""
    digest = safe_name("../x")
    assert safe_name(digest) != digest


def test_nothing_has_no_name() -> None:
    with pytest.raises(ValueError, match="empty"):
        safe_name("")


def test_the_digest_is_that_of_the_receiver() -> None:
    """The C++ twin hashes the bytes as they came; Python gets undecodable ones as surrogate escapes."""
    import hashlib  # noqa: PLC0415 - only this test

    raw = b"1.2\xff"
    assert safe_name(raw.decode("utf-8", "surrogateescape")) == "x" + hashlib.sha256(raw).hexdigest()[:40]


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001 - made aware below
def test_an_id_holds_its_instant(naive: datetime) -> None:
    instant = naive.replace(tzinfo=UTC)
    identifier = new_id(instant)
    assert is_id(identifier)
    assert id_time(identifier) == instant
    assert new_id(instant.astimezone(timezone(timedelta(hours=5, minutes=30))))[:21] == identifier[:21]


def test_ids_sort_by_time_and_differ() -> None:
    start = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
    ids = [new_id(start + timedelta(microseconds=step)) for step in range(0, 10_000_000, 100_000)]
    assert ids == sorted(ids)
    assert len({new_id(start) for _ in range(100)}) == 100
    assert is_id(new_id())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "20260101T000000000000",
        "20260101T000000000000-0000000G",
        "20260101T000000000000-0000000A",
        "20260101T000000000000-00000000\n",
        " 20260101T000000000000-00000000",
        "2026010१T000000000000-00000000",
        ".20260101T000000000000-00000000.new",
        "20260101T000000000000-000000000",
        "../20260101T00000000000-00000000",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)
    with pytest.raises(ValueError, match="identifier"):
        id_time(text)


def test_an_impossible_date_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r".+"):
        id_time("20261341T250000000000-00000000")


@given(ANY_TEXT)
def test_a_derived_id_is_always_the_same_and_keeps_the_place_in_the_queue(key: str) -> None:
    parent = "20260101T000000000000-0a0b0c0d"
    made = derived_id(parent, key)
    assert made == derived_id(parent, key)
    assert is_id(made)
    assert id_time(made) == id_time(parent)
    assert made != derived_id("20260101T000000000000-0a0b0c0e", key)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "2026-01-02T03:04:05.000678Z"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:00.000000Z"),
    ],
)
def test_instants_are_written_in_utc(instant: datetime, text: str) -> None:
    assert utc_text(instant) == text
    assert datetime.fromisoformat(text) == instant
