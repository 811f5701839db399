"""How a row from an event meets the row that is there: rules that give the same result in any order of the events.

The files of different writers are read in no particular order, so ``task.delivered`` may be read before
``task.created``. Every column therefore follows one of a few rules that do not depend on the order (each is a maximum,
a minimum or a sum):

`largest`, `smallest`
    the greater or smaller of the two values; nothing known loses against anything.
`total`
    the sum; fed only by events that were never recorded before.
`told_by(order)`
    the value of that event whose order text is the greatest; the columns told by one event change together.

The order text is a letter for the weight of the event, its time, and its id (`mercure.history.handlers.order`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

Rule = Callable[[str, str], str]
"""Makes the SQL expression of the new value from table and column."""


def largest(table: str, column: str) -> str:
    """Keep the greater value."""
    mine, new = f"{table}.{column}", f"excluded.{column}"
    return f"CASE WHEN {mine} IS NULL OR {new} > {mine} THEN {new} ELSE {mine} END"


def smallest(table: str, column: str) -> str:
    """Keep the smaller value."""
    mine, new = f"{table}.{column}", f"excluded.{column}"
    return f"CASE WHEN {mine} IS NULL OR {new} < {mine} THEN {new} ELSE {mine} END"


def total(table: str, column: str) -> str:
    """Add the increase."""
    return f"{table}.{column} + excluded.{column}"


def told_by(order: str) -> Rule:
    """Take the value from the event with the greatest order."""

    def rule(table: str, column: str) -> str:
        newer = f"excluded.{order} IS NOT NULL AND ({table}.{order} IS NULL OR excluded.{order} > {table}.{order})"
        return f"CASE WHEN {newer} THEN excluded.{column} ELSE {table}.{column} END"

    return rule


def by_receipt(table: str, column: str) -> str:
    """Take the value from ``image.received``; ``series.completed`` only fills what is missing."""
    mine, new = f"{table}.{column}", f"excluded.{column}"
    better = f"excluded.received IS NOT NULL OR {table}.received IS NULL"
    return f"CASE WHEN {better} THEN coalesce({new}, {mine}) ELSE {mine} END"


@dataclass(frozen=True)
class Upsert:
    """A table, its key, and the rule of every other column; columns in `fixed` never change once the row is there."""

    table: str
    key: tuple[str, ...]
    rules: dict[str, Rule] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order of the statement's values."""
        return (*self.key, *self.rules, *self.fixed)

    def sql(self, parameter: str) -> str:
        """Return the statement for one row, with `parameter` (``?`` or ``%s``) for each value."""
        columns, key = ", ".join(self.columns), ", ".join(self.key)
        values = ", ".join([parameter] * len(self.columns))
        sets = ", ".join(f"{column} = {rule(self.table, column)}" for column, rule in self.rules.items())
        action = f"UPDATE SET {sets}" if sets else "NOTHING"
        # Only names of this module are put into the text.
        return f"INSERT INTO {self.table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO {action}"  # noqa: S608


def _together(order: str, *columns: str) -> dict[str, Rule]:
    return dict.fromkeys((*columns, order), told_by(order))


SERIES: Final = Upsert(
    "series",
    ("node", "folder"),
    {
        **_together(
            "identity_order",
            *("series_uid", "study_uid", "patient_id", "patient_name", "accession"),
            *("modality", "study_description", "series_description", "study_date"),
        ),
        **_together("origin_order", "address", "calling_aet", "called_aet"),
        "first_received": smallest,
        "last_received": largest,
        "images": total,
        "bytes": total,
        "repetitions": total,
    },
)

ASSOCIATIONS: Final = Upsert(
    "associations",
    ("id",),
    {
        "node": largest,
        "address": largest,
        "calling_aet": largest,
        "called_aet": largest,
        "contexts": largest,
        "opened": smallest,
        **_together("closed", "how", "images", "bytes", "refused", "seconds"),
    },
)

IMAGES: Final = Upsert(
    "images",
    ("id",),
    {
        **dict.fromkeys(("node", "series_id", "file", "sop", "bytes"), by_receipt),
        **dict.fromkeys(("association", "sop_class", "transfer_syntax", "repetition", "durable"), by_receipt),
        "received": smallest,
        "task": smallest,
    },
)

TASKS: Final = Upsert(
    "tasks",
    ("id",),
    {
        "node": largest,
        "parent": largest,
        "completion": largest,
        "study_task": largest,
        **_together(
            "facts_order",
            *("series_id", "action", "stage", "module", "rules", "priority", "late"),
            *("images", "bytes", "list_id", "created", "scope", "series_uid", "study_uid", "patient_id"),
            *("patient_name", "accession", "modality", "series_description"),
        ),
        **_together("target_order", "target"),
        **_together("state_order", "state"),
        **_together("since_order", "since", "reason", "advice"),
        "decided": smallest,
        "discarded_by": largest,
        "attempts": largest,
        **_together("attempt_order", "last_attempt", "last_error", "next_attempt"),
        **_together("delivered_order", "delivered", "delivered_list_id"),
        **_together("retired_order", "retired", "retired_from", "retired_reason"),
    },
)

ATTEMPTS: Final = Upsert(
    "attempts",
    ("task", "number"),
    _together(
        "event_order",
        *("node", "time", "target", "module", "outcome", "kind", "error"),
        *("images", "sent", "confirmed", "bytes", "seconds", "next_attempt"),
    ),
)

COUNTERS: Final = Upsert("metrics_minute", ("name", "minute", "label", "node"), {"value": total})
TOTALS: Final = Upsert("totals", ("node", "name", "label"), {"value": total, "first": smallest, "last": largest})
GAUGES: Final = Upsert("metrics_minute", ("name", "minute", "label", "node"), _together("gauge_order", "value"))
IDENTIFIERS: Final = Upsert("identifiers", ("folded", "kind", "series_id"))
IMAGE_LISTS: Final = Upsert("image_lists", ("digest",), fixed=("images", "bytes"))
TASK_IMAGES: Final = Upsert("task_images", ("list_id", "file"), fixed=("image", "sop", "bytes"))
NODES: Final = Upsert("nodes", ("node",), {"newest_event": largest, "recorded": largest})
POSITIONS: Final = Upsert("outbox_positions", ("node", "file"), {"position": largest})
