"""Tags that the history keeps of series by choice (``history.tags``): rows of a table, and columns of a view.

Tables and view are made when a router first has such tags. They are no part of the numbered schema, so that the release
before can go on with the same history: what it forgets of series takes their tags along (``ON DELETE CASCADE``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from peewee import Database, PeeweeException

from mercure.config.history_tags import TagKind, kind_of
from mercure.history.database import is_sqlite, run_sql
from mercure.history.identifiers import folded
from mercure.history.text import finite
from mercure.rules.dates import to_date, to_years
from mercure.rules.errors import Fault
from mercure.rules.keywords import vr_of
from mercure.rules.moments import MOMENTS, to_time
from mercure.rules.numbers import to_number

VIEW: Final = "series_data"

_LOCK_KEY: Final = 0x7365726965735F  # "series_"; one number for one lock among all of a PostgreSQL database
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS series_tags (
        series_id BIGINT NOT NULL REFERENCES series (id) ON DELETE CASCADE,
        keyword {text} NOT NULL,
        value {text} NOT NULL,
        folded {text} NOT NULL,
        number DOUBLE PRECISION,
        moment {text},
        PRIMARY KEY (keyword, series_id, value)
    ) {clustered}""",
    "CREATE INDEX IF NOT EXISTS series_tags_series ON series_tags (series_id)",
    """CREATE TABLE IF NOT EXISTS series_tag_columns (
        node {text} NOT NULL,
        keyword {text} NOT NULL,
        kind {text} NOT NULL,
        added BIGINT NOT NULL,
        wanted BOOLEAN NOT NULL,
        indexed BOOLEAN NOT NULL,
        filled BIGINT,
        PRIMARY KEY (node, keyword)
    ) {clustered}""",
)
_WORDS: Final = {
    True: {"text": "TEXT", "clustered": "WITHOUT ROWID"},
    False: {"text": 'TEXT COLLATE "C"', "clustered": ""},
}
_INDEX: Final = "series_tags_of_"
_LONGEST_NAME: Final = 63  # of PostgreSQL
_INDEXED: Final[dict[TagKind, str]] = {
    "text": "folded",
    "number": "number",
    "date": "moment",
    "time": "moment",
    "moment": "moment",
}
"""The column by which values of a kind are compared."""

_ONE: Final = "SELECT min({column}) FROM series_tags WHERE keyword = '{keyword}' AND series_id = s.id"
_ALL: Final = {
    True: "SELECT group_concat(value, char(92)) FROM (SELECT value FROM series_tags "
    "WHERE keyword = '{keyword}' AND series_id = s.id ORDER BY value)",
    False: "SELECT string_agg(value, chr(92) ORDER BY value) FROM series_tags "
    "WHERE keyword = '{keyword}' AND series_id = s.id",
}
"""In a text column of the view several values stand as DICOM writes them, with a backslash between (code 92)."""
_CAST: Final[dict[TagKind, str]] = {"date": "date", "time": "time", "moment": "timestamp"}
_INSTANT: Final = {
    True: "strftime('%Y-%m-%d %H:%M:%S', s.{name} / 1000000, 'unixepoch') AS {name}",
    False: "to_timestamp(s.{name} / 1000000.0) AS {name}",
}
_PLAIN: Final = (
    *("node", "study_uid", "series_uid", "modality", "study_date", "study_description", "series_description"),
    *("calling_aet", "called_aet", "address", "images", "bytes"),
)
"""Columns of the view that are those of the table: none of them tells who a patient is."""


@dataclass(frozen=True)
class TagColumn:
    """A keyword that is kept of each series, as a column."""

    keyword: str
    kind: TagKind

    @property
    def compared(self) -> str:
        """The column of ``series_tags`` in which its values are compared."""
        return _INDEXED[self.kind]


def ensure_tables(database: Database) -> None:
    """Make the tables where they are not there; inside a transaction."""
    if not is_sqlite(database):  # SQLite's write lock is held already
        run_sql(database, "SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
    for statement in _TABLES:
        run_sql(database, statement.format(**_WORDS[is_sqlite(database)]))


def has_tables(database: Database) -> bool:
    """Return True if any router ever kept tags in this history."""
    return "series_tag_columns" in database.get_tables()


def tag_columns(database: Database) -> list[TagColumn]:
    """Return what is kept by any router, what was first wanted first; also what is not wanted any more."""
    if not has_tables(database):
        return []
    found = run_sql(
        database,
        "SELECT keyword, min(kind) FROM series_tag_columns GROUP BY keyword ORDER BY min(added), keyword",
    )
    return [TagColumn(keyword, kind) for keyword, kind in found if keyword.isidentifier() and kind in _INDEXED]


def tag_rows(series: object, tags: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Make the rows of the values of a series; `series` is what stands for it in a batch: folder or id."""
    for keyword, values in tags.items():
        kind = kind_of(keyword)
        if kind is None:
            continue  # of a newer release, whose dictionary knows more
        for value in values:
            number, moment = read_value(keyword, value)
            yield {
                "series": series,
                "keyword": keyword,
                "value": value,
                "folded": folded(value),
                "number": number,
                "moment": moment,
            }


def read_value(keyword: str, value: str) -> tuple[float | None, str | None]:
    """Read a value by the VR of its keyword: as number, or as date or time in ISO 8601; both None for texts."""
    read = _READERS.get(vr_of(keyword))
    if read is not None:
        return None, read(value)
    if kind_of(keyword) != "number":
        return None, None
    try:
        found = to_years(value) if vr_of(keyword) == "AS" else to_number(value)
        return (None if found is None else finite(float(found))), None
    except (Fault, OverflowError):
        return None, None


def _date(value: str) -> str | None:
    found = to_date(value)
    return None if found is None else found.isoformat()


def _time(value: str) -> str | None:
    seconds = to_time(value)
    return None if seconds is None else _clock(seconds)


def _moment(value: str) -> str | None:
    found = MOMENTS["DT"][0](value)
    return None if found is None else f"{date.fromordinal(int(found[0]))}T{_clock(found[1])}"


def _clock(seconds: float) -> str:
    """Write a time of day; a leap second is the last one of its minute."""
    text = str(timedelta(seconds=min(seconds, 86_399.999999)))
    return text.rjust(15 if "." in text else 8, "0")


_READERS: Final[dict[str, Callable[[str], str | None]]] = {"DA": _date, "TM": _time, "DT": _moment}


# --- what the configuration wants ---------------------------------------------------------------------------------


def declare(database: Database, node: str, keywords: Sequence[str], indexed: Iterable[str], now: int) -> list[str]:
    """Bring tables, indexes and view to what a router wants; return the keywords that are not filled in yet.

    Parameters
    ----------
    database : peewee.Database
        Inside a transaction.
    node : str
        The router.
    keywords, indexed : sequence of str
        ``history.tags`` and ``history.indexed_tags``.
    now : int
        Microseconds since 1970.
    """
    ensure_tables(database)
    mark, chosen = database.param, set(indexed)
    off = f"UPDATE series_tag_columns SET wanted = {mark}, indexed = {mark} WHERE node = {mark}"  # noqa: S608
    run_sql(database, off, (False, False, node))
    insert = (
        "INSERT INTO series_tag_columns (node, keyword, kind, added, wanted, indexed) "  # noqa: S608 - no values in it
        f"VALUES ({', '.join([mark] * 6)}) "
        "ON CONFLICT (node, keyword) DO UPDATE SET wanted = excluded.wanted, indexed = excluded.indexed"
    )
    for keyword in keywords:
        kind = kind_of(keyword)
        if kind is not None:
            run_sql(database, insert, (node, keyword, kind, now, True, keyword in chosen))
    # What is taken out is not recorded from now on: filled in anew when it comes back.
    run_sql(database, "UPDATE series_tag_columns SET filled = NULL WHERE NOT wanted")
    _set_indexes(database)
    _set_view(database)
    missing = f"SELECT keyword FROM series_tag_columns WHERE node = {mark} AND wanted AND filled IS NULL"  # noqa: S608
    return [keyword for (keyword,) in run_sql(database, missing, (node,)).fetchall()]


def note_filled(database: Database, node: str, keywords: Iterable[str], now: int) -> None:
    """Note that all that the spool has of some keywords is recorded."""
    mark = database.param
    statement = f"UPDATE series_tag_columns SET filled = {mark} WHERE node = {mark} AND keyword = {mark}"  # noqa: S608
    for keyword in keywords:
        run_sql(database, statement, (now, node, keyword))


def _set_indexes(database: Database) -> None:
    """Have an index for what any router wants one for, and for nothing else."""
    wanted = {keyword for (keyword,) in run_sql(database, "SELECT keyword FROM series_tag_columns WHERE indexed")}
    there = {index.name for index in database.get_indexes("series_tags") if index.name.startswith(_INDEX)}
    for column in tag_columns(database):
        name = f"{_INDEX}{column.keyword.lower()}"[:_LONGEST_NAME]
        if column.keyword in wanted and name not in there:
            # The keyword is one of the dictionary, so it can be written out: only then is such an index used.
            where = f"WHERE keyword = '{column.keyword}'"
            run_sql(database, f"CREATE INDEX {name} ON series_tags ({column.compared}) {where}")
        elif column.keyword not in wanted and name in there:
            run_sql(database, f"DROP INDEX {name}")


def _set_view(database: Database) -> None:
    """Make the view; in PostgreSQL it is replaced, so that who was granted it still may read it."""
    select = _select(tag_columns(database), sqlite=is_sqlite(database))
    if not is_sqlite(database):
        try:
            with database.atomic():
                run_sql(database, f"CREATE OR REPLACE VIEW {VIEW} AS {select}")
            return
        except PeeweeException:
            pass  # a column is of another kind than in an earlier release: only then it is made anew
    run_sql(database, f"DROP VIEW IF EXISTS {VIEW}")
    run_sql(database, f"CREATE VIEW {VIEW} AS {select}")


def _select(columns: Iterable[TagColumn], *, sqlite: bool) -> str:
    shown = [f"s.{name}" for name in _PLAIN]
    shown += [_INSTANT[sqlite].format(name=name) for name in ("first_received", "last_received")]
    for column in columns:
        form = _ALL[sqlite] if column.kind == "text" else _ONE
        value = f"({form.format(keyword=column.keyword, column=column.compared)})"
        if not sqlite and column.kind in _CAST:
            value = f"CAST({value} AS {_CAST[column.kind]})"
        shown.append(f'{value} AS "{column.keyword.lower()}"')
    return f"SELECT {', '.join(shown)} FROM series s"  # noqa: S608 - keywords of the dictionary, no values
