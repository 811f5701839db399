"""The tables of the history, the one description of each: columns, and the rule by which events are merged in them.

``docs/reference/history.md`` explains the columns. The statements of the recorder, the rows of a batch and the merge of
a verification are made of these models (`mercure.history.merge.table_of`); what is answered (`mercure.history.records`)
and the migrations, which hold their own frozen copy of the schema, are compared with them by tests.

The models are not bound to a database: one process may read several, and every query names its own
(``query.execute(database)``).
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
from mercure.history.merge import (
    BY_RECEIPT,
    FIXED,
    KEY,
    LARGEST,
    SMALLEST,
    TOTAL,
    column,
    counter_or_gauge,
    told_by,
)


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


class SeriesRow(HistoryModel):
    """Images that came under one name of ``incoming/`` on one node: a SeriesInstanceUID, or an association's rest."""

    id = BigAutoField()
    node = column(TextField(), merge=KEY)
    folder = column(TextField(), merge=KEY)
    series_uid = column(TextField(null=True), merge=told_by("identity_order"))
    study_uid = column(TextField(null=True), merge=told_by("identity_order"))
    patient_id = column(TextField(null=True), merge=told_by("identity_order"))
    patient_name = column(TextField(null=True), merge=told_by("identity_order"))
    accession = column(TextField(null=True), merge=told_by("identity_order"))
    modality = column(TextField(null=True), merge=told_by("identity_order"))
    study_description = column(TextField(null=True), merge=told_by("identity_order"))
    series_description = column(TextField(null=True), merge=told_by("identity_order"))
    study_date = column(TextField(null=True), merge=told_by("identity_order"))
    identity_order = column(TextField(null=True), merge=told_by("identity_order"))
    address = column(TextField(null=True), merge=told_by("origin_order"))
    calling_aet = column(TextField(null=True), merge=told_by("origin_order"))
    called_aet = column(TextField(null=True), merge=told_by("origin_order"))
    origin_order = column(TextField(null=True), merge=told_by("origin_order"))
    first_received = column(InstantField(null=True), merge=SMALLEST)
    last_received = column(InstantField(null=True), merge=LARGEST)
    images = column(BigIntegerField(default=0), merge=TOTAL)
    bytes = column(BigIntegerField(default=0), merge=TOTAL)
    repetitions = column(BigIntegerField(default=0), merge=TOTAL)

    class Meta:
        table_name = "series"


class SeriesTagRow(HistoryModel):
    """A value that images of a series have under a keyword of ``history.tags``; several values are several rows.

    `number` and `moment` are the value read by its VR, where it can be read. Not of the numbered schema: see
    `mercure.history.series_tags`.
    """

    series = ForeignKeyField(SeriesRow, column_name="series_id")
    keyword = TextField()
    value = TextField()
    folded = column(TextField(), merge=FIXED)
    number = column(DoubleField(null=True), merge=FIXED)
    moment = column(TextField(null=True), merge=FIXED)

    class Meta:
        table_name = "series_tags"
        primary_key = CompositeKey("keyword", "series", "value")
        without_rowid = True


class IdentifierRow(HistoryModel):
    """Every value that a series was ever seen under, folded for search: also those that a later event corrected."""

    folded = TextField()
    kind = TextField()
    series = ForeignKeyField(SeriesRow, column_name="series_id")

    class Meta:
        table_name = "identifiers"
        primary_key = CompositeKey("folded", "kind", "series")
        without_rowid = True


class AssociationRow(HistoryModel):
    """One connection of a sender."""

    id = TextField(primary_key=True)
    node = column(TextField(), merge=LARGEST)
    address = column(TextField(null=True), merge=LARGEST)
    calling_aet = column(TextField(null=True), merge=LARGEST)
    called_aet = column(TextField(null=True), merge=LARGEST)
    contexts = column(IntegerField(null=True), merge=LARGEST)
    opened = column(InstantField(null=True), merge=SMALLEST)
    closed = column(InstantField(null=True), merge=told_by("closed"))
    how = column(TextField(null=True), merge=told_by("closed"))
    images = column(BigIntegerField(null=True), merge=told_by("closed"))
    bytes = column(BigIntegerField(null=True), merge=told_by("closed"))
    refused = column(BigIntegerField(null=True), merge=told_by("closed"))
    seconds = column(DoubleField(null=True), merge=told_by("closed"))

    class Meta:
        table_name = "associations"


class ImageRow(HistoryModel):
    """One image that was acknowledged; `received` is null while it is known by its completed series alone."""

    id = TextField(primary_key=True)
    node = column(TextField(), merge=BY_RECEIPT)
    series = column(ForeignKeyField(SeriesRow, null=True, column_name="series_id"), merge=BY_RECEIPT)
    association = column(TextField(null=True), merge=BY_RECEIPT)
    received = column(InstantField(null=True), merge=SMALLEST)
    file = column(TextField(null=True), merge=BY_RECEIPT)
    sop = column(TextField(null=True), merge=BY_RECEIPT)
    sop_class = column(TextField(null=True), merge=BY_RECEIPT)
    transfer_syntax = column(TextField(null=True), merge=BY_RECEIPT)
    bytes = column(BigIntegerField(null=True), merge=BY_RECEIPT)
    repetition = column(BooleanField(null=True), merge=BY_RECEIPT)
    durable = column(BooleanField(null=True), merge=BY_RECEIPT)
    task = column(TextField(null=True), merge=SMALLEST)

    class Meta:
        table_name = "images"


class ImageListRow(HistoryModel):
    """A list of images by its content: a series and the tasks derived from all of it share one."""

    id = BigAutoField()
    digest = column(TextField(), merge=KEY)
    images = column(IntegerField(), merge=FIXED)
    bytes = column(BigIntegerField(), merge=FIXED)

    class Meta:
        table_name = "image_lists"


class TaskImageRow(HistoryModel):
    """One entry of a list of images."""

    list = ForeignKeyField(ImageListRow, column_name="list_id")
    file = TextField()
    image = column(TextField(null=True), merge=FIXED)
    sop = column(TextField(), merge=FIXED)
    bytes = column(BigIntegerField(), merge=FIXED)

    class Meta:
        table_name = "task_images"
        primary_key = CompositeKey("list", "file")
        without_rowid = True


class TaskRow(HistoryModel):
    """A task and how far it came; a row may exist before its ``task.created`` is read."""

    id = TextField(primary_key=True)
    node = column(TextField(), merge=LARGEST)
    parent = column(TextField(null=True), merge=LARGEST)
    series = column(ForeignKeyField(SeriesRow, null=True, column_name="series_id"), merge=told_by("facts_order"))
    action = column(TextField(null=True), merge=told_by("facts_order"))
    stage = column(TextField(null=True), merge=told_by("facts_order"))
    module = column(TextField(null=True), merge=told_by("facts_order"))
    rules = column(TextField(null=True), merge=told_by("facts_order"))
    priority = column(TextField(null=True), merge=told_by("facts_order"))
    late = column(BooleanField(null=True), merge=told_by("facts_order"))
    completion = column(TextField(null=True), merge=LARGEST)
    scope = column(TextField(null=True), merge=told_by("facts_order"))
    series_uid = column(TextField(null=True), merge=told_by("facts_order"))
    study_uid = column(TextField(null=True), merge=told_by("facts_order"))
    patient_id = column(TextField(null=True), merge=told_by("facts_order"))
    patient_name = column(TextField(null=True), merge=told_by("facts_order"))
    accession = column(TextField(null=True), merge=told_by("facts_order"))
    modality = column(TextField(null=True), merge=told_by("facts_order"))
    series_description = column(TextField(null=True), merge=told_by("facts_order"))
    study_task = column(TextField(null=True), merge=LARGEST)
    images = column(IntegerField(null=True), merge=told_by("facts_order"))
    bytes = column(BigIntegerField(null=True), merge=told_by("facts_order"))
    image_list = column(ForeignKeyField(ImageListRow, null=True, column_name="list_id"), merge=told_by("facts_order"))
    created = column(InstantField(null=True), merge=told_by("facts_order"))
    facts_order = column(TextField(null=True), merge=told_by("facts_order"))
    target = column(TextField(null=True), merge=told_by("target_order"))
    target_order = column(TextField(null=True), merge=told_by("target_order"))
    state = column(TextField(null=True), merge=told_by("state_order"))
    state_order = column(TextField(null=True), merge=told_by("state_order"))
    since = column(InstantField(null=True), merge=told_by("since_order"))
    reason = column(TextField(null=True), merge=told_by("since_order"))
    advice = column(TextField(null=True), merge=told_by("since_order"))
    since_order = column(TextField(null=True), merge=told_by("since_order"))
    decided = column(InstantField(null=True), merge=SMALLEST)
    discarded_by = column(TextField(null=True), merge=LARGEST)
    attempts = column(IntegerField(null=True), merge=LARGEST)
    last_attempt = column(InstantField(null=True), merge=told_by("attempt_order"))
    last_error = column(TextField(null=True), merge=told_by("attempt_order"))
    next_attempt = column(InstantField(null=True), merge=told_by("attempt_order"))
    attempt_order = column(TextField(null=True), merge=told_by("attempt_order"))
    delivered = column(InstantField(null=True), merge=told_by("delivered_order"))
    delivered_list = column(
        ForeignKeyField(ImageListRow, null=True, column_name="delivered_list_id"), merge=told_by("delivered_order")
    )
    delivered_order = column(TextField(null=True), merge=told_by("delivered_order"))
    retired = column(InstantField(null=True), merge=told_by("retired_order"))
    retired_from = column(TextField(null=True), merge=told_by("retired_order"))
    retired_reason = column(TextField(null=True), merge=told_by("retired_order"))
    retired_order = column(TextField(null=True), merge=told_by("retired_order"))

    class Meta:
        table_name = "tasks"


class AttemptRow(HistoryModel):
    """One try to deliver or process a task."""

    task = TextField()
    number = IntegerField()
    node = column(TextField(), merge=told_by("event_order"))
    time = column(InstantField(), merge=told_by("event_order"))
    target = column(TextField(null=True), merge=told_by("event_order"))
    module = column(TextField(null=True), merge=told_by("event_order"))
    outcome = column(TextField(), merge=told_by("event_order"))
    kind = column(TextField(null=True), merge=told_by("event_order"))
    error = column(TextField(null=True), merge=told_by("event_order"))
    images = column(IntegerField(), merge=told_by("event_order"))
    sent = column(IntegerField(), merge=told_by("event_order"))
    confirmed = column(IntegerField(), merge=told_by("event_order"))
    bytes = column(BigIntegerField(), merge=told_by("event_order"))
    seconds = column(DoubleField(), merge=told_by("event_order"))
    next_attempt = column(InstantField(null=True), merge=told_by("event_order"))
    event_order = column(TextField(), merge=told_by("event_order"))

    class Meta:
        table_name = "attempts"
        primary_key = CompositeKey("task", "number")
        without_rowid = True


class EventRow(HistoryModel):
    """One event, save ``image.received``, which is a row of `ImageRow`. Lists of images are left out of `details`."""

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


class MetricsMinuteRow(HistoryModel):
    """A counter's increase within one minute, or a gauge's last value in it (`gauge_order` is set)."""

    node = TextField()
    minute = InstantField()
    name = TextField()
    label = TextField()
    value = column(DoubleField(), merge=counter_or_gauge("gauge_order"))
    gauge_order = column(TextField(null=True), merge=told_by("gauge_order"))

    class Meta:
        table_name = "metrics_minute"
        primary_key = CompositeKey("name", "minute", "label", "node")
        without_rowid = True


class TotalRow(HistoryModel):
    """What a counter has come to in all; `first` and `last` are the minutes of its first and its last increase.

    Written in the transaction that records the events, and never taken from: monitors take a counter that falls for one
    that began anew. Counting in the page would begin at nothing after each restart.
    """

    node = TextField()
    name = TextField()
    label = TextField()
    value = column(DoubleField(), merge=TOTAL)
    first = column(InstantField(), merge=SMALLEST)
    last = column(InstantField(), merge=LARGEST)

    class Meta:
        table_name = "totals"
        primary_key = CompositeKey("node", "name", "label")
        without_rowid = True


class NodeRow(HistoryModel):
    """A router that writes to this history, and how far it has come."""

    node = TextField(primary_key=True)
    newest_event = column(InstantField(), merge=LARGEST)
    recorded = column(InstantField(), merge=LARGEST)

    class Meta:
        table_name = "nodes"


class OutboxPositionRow(HistoryModel):
    """Up to which byte a file of a node's outbox is recorded."""

    node = TextField()
    file = TextField()
    position = column(BigIntegerField(), merge=LARGEST)

    class Meta:
        table_name = "outbox_positions"
        primary_key = CompositeKey("node", "file")
        without_rowid = True


class SchemaMigrationRow(HistoryModel):
    """A migration that was applied to this database."""

    number = IntegerField(primary_key=True)
    name = TextField()
    applied = InstantField()

    class Meta:
        table_name = "schema_migrations"


TABLES: Final[tuple[type[HistoryModel], ...]] = (
    SeriesRow,
    IdentifierRow,
    AssociationRow,
    ImageRow,
    ImageListRow,
    TaskImageRow,
    TaskRow,
    AttemptRow,
    EventRow,
    AuditRow,
    MetricsMinuteRow,
    TotalRow,
    NodeRow,
    OutboxPositionRow,
    SchemaMigrationRow,
)
"""Every table, those that others refer to first."""
