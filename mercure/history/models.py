"""The tables of the history as peewee models, for queries. ``docs/reference/history.md`` tells what the columns mean.

The models are not bound to a database: one process may read several, and every query names its own
(``query.execute(database)``). The schema itself is made by the migrations, which hold their own frozen copy.

Columns named ``…_order`` decide which of several events counts, see `mercure.history.upserts`.
"""

# ruff: noqa: D106 - peewee's Meta classes say nothing that a docstring could add

from __future__ import annotations

from datetime import datetime
from typing import Final

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from mercure.history.instants import instant, micros


class InstantField(BigIntegerField):
    """An aware UTC instant, kept as microseconds since 1970."""

    def db_value(self, value: datetime | int | None) -> int | None:
        """Turn an instant into what the column holds."""
        return micros(value) if isinstance(value, datetime) else value

    def python_value(self, value: int | None) -> datetime | None:
        """Turn what the column holds into an instant."""
        return None if value is None else instant(value)


class HistoryModel(Model):
    """The base of all tables."""

    class Meta:
        legacy_table_names = False


class Series(HistoryModel):
    """Images that came under one name of ``incoming/`` on one node: a SeriesInstanceUID, or an association's rest."""

    id = BigAutoField()
    node = TextField()
    folder = TextField()
    series_uid = TextField(null=True)
    study_uid = TextField(null=True)
    patient_id = TextField(null=True)
    patient_name = TextField(null=True)
    accession = TextField(null=True)
    modality = TextField(null=True)
    study_description = TextField(null=True)
    series_description = TextField(null=True)
    study_date = TextField(null=True)
    identity_order = TextField(null=True)
    address = TextField(null=True)
    calling_aet = TextField(null=True)
    called_aet = TextField(null=True)
    origin_order = TextField(null=True)
    first_received = InstantField(null=True)
    last_received = InstantField(null=True)
    images = BigIntegerField(default=0)
    bytes = BigIntegerField(default=0)
    repetitions = BigIntegerField(default=0)

    class Meta:
        table_name = "series"


class Identifier(HistoryModel):
    """Every value that a series was ever seen under, folded for search: also those that a later event corrected."""

    folded = TextField()
    kind = TextField()
    series = ForeignKeyField(Series, column_name="series_id")

    class Meta:
        table_name = "identifiers"
        primary_key = CompositeKey("folded", "kind", "series")
        without_rowid = True


class Association(HistoryModel):
    """One connection of a sender."""

    id = TextField(primary_key=True)
    node = TextField()
    address = TextField(null=True)
    calling_aet = TextField(null=True)
    called_aet = TextField(null=True)
    contexts = IntegerField(null=True)
    opened = InstantField(null=True)
    closed = InstantField(null=True)
    how = TextField(null=True)
    images = BigIntegerField(null=True)
    bytes = BigIntegerField(null=True)
    refused = BigIntegerField(null=True)
    seconds = DoubleField(null=True)

    class Meta:
        table_name = "associations"


class Image(HistoryModel):
    """One image that was acknowledged; `received` is null while only the completed series has told of it."""

    id = TextField(primary_key=True)
    node = TextField()
    series = ForeignKeyField(Series, null=True, column_name="series_id")
    association = TextField(null=True)
    received = InstantField(null=True)
    file = TextField(null=True)
    sop = TextField(null=True)
    sop_class = TextField(null=True)
    transfer_syntax = TextField(null=True)
    bytes = BigIntegerField(null=True)
    repetition = BooleanField(null=True)
    durable = BooleanField(null=True)
    task = TextField(null=True)

    class Meta:
        table_name = "images"


class ImageList(HistoryModel):
    """A list of images by its content: a series and the tasks derived from all of it share one."""

    id = BigAutoField()
    digest = TextField()
    images = IntegerField()
    bytes = BigIntegerField()

    class Meta:
        table_name = "image_lists"


class TaskImage(HistoryModel):
    """One entry of a list of images."""

    list = ForeignKeyField(ImageList, column_name="list_id")
    file = TextField()
    image = TextField(null=True)
    sop = TextField()
    bytes = BigIntegerField()

    class Meta:
        table_name = "task_images"
        primary_key = CompositeKey("list", "file")
        without_rowid = True


class Task(HistoryModel):
    """A task and how far it came; a row may exist before its ``task.created`` is read."""

    id = TextField(primary_key=True)
    node = TextField()
    parent = TextField(null=True)
    series = ForeignKeyField(Series, null=True, column_name="series_id")
    action = TextField(null=True)
    stage = TextField(null=True)
    module = TextField(null=True)
    rules = TextField(null=True)
    priority = TextField(null=True)
    late = BooleanField(null=True)
    completion = TextField(null=True)
    scope = TextField(null=True)
    series_uid = TextField(null=True)
    study_uid = TextField(null=True)
    patient_id = TextField(null=True)
    patient_name = TextField(null=True)
    accession = TextField(null=True)
    modality = TextField(null=True)
    series_description = TextField(null=True)
    study_task = TextField(null=True)
    images = IntegerField(null=True)
    bytes = BigIntegerField(null=True)
    image_list = ForeignKeyField(ImageList, null=True, column_name="list_id")
    created = InstantField(null=True)
    facts_order = TextField(null=True)
    target = TextField(null=True)
    target_order = TextField(null=True)
    state = TextField(null=True)
    state_order = TextField(null=True)
    since = InstantField(null=True)
    reason = TextField(null=True)
    advice = TextField(null=True)
    since_order = TextField(null=True)
    decided = InstantField(null=True)
    discarded_by = TextField(null=True)
    attempts = IntegerField(null=True)
    last_attempt = InstantField(null=True)
    last_error = TextField(null=True)
    next_attempt = InstantField(null=True)
    attempt_order = TextField(null=True)
    delivered = InstantField(null=True)
    delivered_list = ForeignKeyField(ImageList, null=True, column_name="delivered_list_id")
    delivered_order = TextField(null=True)
    retired = InstantField(null=True)
    retired_from = TextField(null=True)
    retired_reason = TextField(null=True)
    retired_order = TextField(null=True)

    class Meta:
        table_name = "tasks"


class Attempt(HistoryModel):
    """One try to deliver or process a task."""

    task = TextField()
    number = IntegerField()
    node = TextField()
    time = InstantField()
    target = TextField(null=True)
    module = TextField(null=True)
    outcome = TextField()
    kind = TextField(null=True)
    error = TextField(null=True)
    images = IntegerField()
    sent = IntegerField()
    confirmed = IntegerField()
    bytes = BigIntegerField()
    seconds = DoubleField()
    next_attempt = InstantField(null=True)
    event_order = TextField()

    class Meta:
        table_name = "attempts"
        primary_key = CompositeKey("task", "number")
        without_rowid = True


class EventRow(HistoryModel):
    """One event, save ``image.received``, which is a row of `Image`. Lists of images are left out of `details`."""

    id = TextField(primary_key=True)
    node = TextField()
    time = InstantField()
    service = TextField()
    type = TextField()
    task = TextField(null=True)
    series = TextField(null=True)
    details = TextField()

    class Meta:
        table_name = "events"


class AuditRow(HistoryModel):
    """What a person changed."""

    id = TextField(primary_key=True)
    node = TextField()
    time = InstantField()
    by = TextField()
    verb = TextField()
    object = TextField()
    task = TextField(null=True)
    before = TextField()
    after = TextField()

    class Meta:
        table_name = "audit"


class MetricsMinute(HistoryModel):
    """A counter's increase within one minute, or a gauge's last value in it (`gauge_order` is set)."""

    node = TextField()
    minute = InstantField()
    name = TextField()
    label = TextField()
    value = DoubleField()
    gauge_order = TextField(null=True)

    class Meta:
        table_name = "metrics_minute"
        primary_key = CompositeKey("name", "minute", "label", "node")
        without_rowid = True


class Total(HistoryModel):
    """What a counter has come to in all; `first` and `last` are the minutes of its first and its last increase.

    Written in the transaction that records the events, and never taken from: monitors take a counter that falls for one
    that began anew. Counting in the page would begin at nothing after each restart.
    """

    node = TextField()
    name = TextField()
    label = TextField()
    value = DoubleField()
    first = InstantField()
    last = InstantField()

    class Meta:
        table_name = "totals"
        primary_key = CompositeKey("node", "name", "label")
        without_rowid = True


class Node(HistoryModel):
    """A router that writes to this history, and how far it has come."""

    node = TextField(primary_key=True)
    newest_event = InstantField()
    recorded = InstantField()

    class Meta:
        table_name = "nodes"


class OutboxPosition(HistoryModel):
    """Up to which byte a file of a node's outbox is recorded."""

    node = TextField()
    file = TextField()
    position = BigIntegerField()

    class Meta:
        table_name = "outbox_positions"
        primary_key = CompositeKey("node", "file")
        without_rowid = True


class SchemaMigration(HistoryModel):
    """A migration that was applied to this database."""

    number = IntegerField(primary_key=True)
    name = TextField()
    applied = InstantField()

    class Meta:
        table_name = "schema_migrations"


TABLES: Final[tuple[type[HistoryModel], ...]] = (
    Series,
    Identifier,
    Association,
    Image,
    ImageList,
    TaskImage,
    Task,
    Attempt,
    EventRow,
    AuditRow,
    MetricsMinute,
    Total,
    Node,
    OutboxPosition,
    SchemaMigration,
)
"""Every table, those that others refer to first."""
