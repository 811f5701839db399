"""The first tables. Frozen: plain SQL, independent of the models of later versions."""

from __future__ import annotations

from typing import Final

from peewee import Database

from mercure.history.database import is_sqlite, run_sql

# PostgreSQL would compare texts by the language of the cluster; the history compares them by their code points, as
# Python and SQLite do, so that "the greater of two" is the same everywhere and a prefix is a range.
_WORDS: Final = {
    True: {"text": "TEXT", "serial": "INTEGER PRIMARY KEY", "clustered": "WITHOUT ROWID"},
    False: {"text": 'TEXT COLLATE "C"', "serial": "BIGSERIAL PRIMARY KEY", "clustered": ""},
}

_STATEMENTS: Final = (
    """CREATE TABLE series (
        id {serial},
        node {text} NOT NULL,
        folder {text} NOT NULL,
        series_uid {text},
        study_uid {text},
        patient_id {text},
        patient_name {text},
        accession {text},
        modality {text},
        study_description {text},
        series_description {text},
        study_date {text},
        identity_order {text},
        address {text},
        calling_aet {text},
        called_aet {text},
        origin_order {text},
        first_received BIGINT,
        last_received BIGINT,
        images BIGINT NOT NULL DEFAULT 0,
        bytes BIGINT NOT NULL DEFAULT 0,
        repetitions BIGINT NOT NULL DEFAULT 0,
        UNIQUE (node, folder)
    )""",
    "CREATE INDEX series_last_received ON series (last_received)",
    """CREATE TABLE identifiers (
        folded {text} NOT NULL,
        kind {text} NOT NULL,
        series_id BIGINT NOT NULL REFERENCES series (id),
        PRIMARY KEY (folded, kind, series_id)
    ) {clustered}""",
    "CREATE INDEX identifiers_series ON identifiers (series_id)",
    """CREATE TABLE associations (
        id {text} PRIMARY KEY NOT NULL,
        node {text} NOT NULL,
        address {text},
        calling_aet {text},
        called_aet {text},
        contexts INTEGER,
        opened BIGINT,
        closed BIGINT,
        how {text},
        images BIGINT,
        bytes BIGINT,
        refused BIGINT,
        seconds DOUBLE PRECISION
    )""",
    """CREATE TABLE images (
        id {text} PRIMARY KEY NOT NULL,
        node {text} NOT NULL,
        series_id BIGINT REFERENCES series (id),
        association {text},
        received BIGINT,
        file {text},
        sop {text},
        sop_class {text},
        transfer_syntax {text},
        bytes BIGINT,
        repetition BOOLEAN,
        durable BOOLEAN,
        task {text}
    )""",
    "CREATE INDEX images_series ON images (series_id, id)",
    "CREATE INDEX images_sop ON images (sop)",
    "CREATE INDEX images_without_task ON images (node, id) WHERE task IS NULL",
    """CREATE TABLE image_lists (
        id {serial},
        digest {text} NOT NULL UNIQUE,
        images INTEGER NOT NULL,
        bytes BIGINT NOT NULL
    )""",
    """CREATE TABLE task_images (
        list_id BIGINT NOT NULL REFERENCES image_lists (id),
        file {text} NOT NULL,
        image {text},
        sop {text} NOT NULL,
        bytes BIGINT NOT NULL,
        PRIMARY KEY (list_id, file)
    ) {clustered}""",
    """CREATE TABLE tasks (
        id {text} PRIMARY KEY NOT NULL,
        node {text} NOT NULL,
        parent {text},
        series_id BIGINT REFERENCES series (id),
        action {text},
        stage {text},
        module {text},
        rules {text},
        priority {text},
        late BOOLEAN,
        completion {text},
        scope {text},
        series_uid {text},
        study_uid {text},
        patient_id {text},
        patient_name {text},
        accession {text},
        modality {text},
        series_description {text},
        study_task {text},
        images INTEGER,
        bytes BIGINT,
        list_id BIGINT REFERENCES image_lists (id),
        created BIGINT,
        facts_order {text},
        target {text},
        target_order {text},
        state {text},
        state_order {text},
        since BIGINT,
        reason {text},
        advice {text},
        since_order {text},
        decided BIGINT,
        discarded_by {text},
        attempts INTEGER,
        last_attempt BIGINT,
        last_error {text},
        next_attempt BIGINT,
        attempt_order {text},
        delivered BIGINT,
        delivered_list_id BIGINT REFERENCES image_lists (id),
        delivered_order {text},
        retired BIGINT,
        retired_from {text},
        retired_reason {text},
        retired_order {text}
    )""",
    "CREATE INDEX tasks_parent ON tasks (parent)",
    "CREATE INDEX tasks_series ON tasks (series_id)",
    "CREATE INDEX tasks_study_task ON tasks (study_task) WHERE study_task IS NOT NULL",
    "CREATE INDEX tasks_study_uid ON tasks (study_uid)",
    "CREATE INDEX tasks_state ON tasks (state, id)",
    "CREATE INDEX tasks_target ON tasks (target, id)",
    "CREATE INDEX tasks_list ON tasks (list_id)",
    "CREATE INDEX tasks_delivered_list ON tasks (delivered_list_id)",
    """CREATE TABLE attempts (
        task {text} NOT NULL,
        number INTEGER NOT NULL,
        node {text} NOT NULL,
        time BIGINT NOT NULL,
        target {text},
        module {text},
        outcome {text} NOT NULL,
        kind {text},
        error {text},
        images INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        confirmed INTEGER NOT NULL,
        bytes BIGINT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        next_attempt BIGINT,
        event_order {text} NOT NULL,
        PRIMARY KEY (task, number)
    ) {clustered}""",
    """CREATE TABLE events (
        id {text} PRIMARY KEY NOT NULL,
        node {text} NOT NULL,
        time BIGINT NOT NULL,
        service {text} NOT NULL,
        type {text} NOT NULL,
        task {text},
        series {text},
        details {text} NOT NULL
    )""",
    "CREATE INDEX events_time ON events (time)",
    "CREATE INDEX events_type ON events (type, time)",
    "CREATE INDEX events_task ON events (task, time) WHERE task IS NOT NULL",
    "CREATE INDEX events_series ON events (series, time) WHERE series IS NOT NULL",
    """CREATE TABLE audit (
        id {text} PRIMARY KEY NOT NULL,
        node {text} NOT NULL,
        time BIGINT NOT NULL,
        by {text} NOT NULL,
        verb {text} NOT NULL,
        object {text} NOT NULL,
        task {text},
        before {text} NOT NULL,
        after {text} NOT NULL
    )""",
    "CREATE INDEX audit_time ON audit (time)",
    """CREATE TABLE metrics_minute (
        node {text} NOT NULL,
        minute BIGINT NOT NULL,
        name {text} NOT NULL,
        label {text} NOT NULL,
        value DOUBLE PRECISION NOT NULL,
        gauge_order {text},
        PRIMARY KEY (name, minute, label, node)
    ) {clustered}""",
    """CREATE TABLE nodes (
        node {text} PRIMARY KEY NOT NULL,
        newest_event BIGINT NOT NULL,
        recorded BIGINT NOT NULL
    )""",
    """CREATE TABLE outbox_positions (
        node {text} NOT NULL,
        file {text} NOT NULL,
        position BIGINT NOT NULL,
        PRIMARY KEY (node, file)
    ) {clustered}""",
)


def apply(database: Database) -> None:
    """Make the tables and their indexes."""
    words = _WORDS[is_sqlite(database)]
    for statement in _STATEMENTS:
        run_sql(database, statement.format(**words))
