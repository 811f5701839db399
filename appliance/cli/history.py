"""``mercure history``."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import click

from appliance.cli import shell_completion
from appliance.cli.common import json_option, narrate, output_form, root_option, show, watch_option
from appliance.cli.lazy import OrderedGroup
from appliance.cli.requests import ask, asking
from appliance.cli.text import csv_cell, pairs, table
from appliance.presentation.figures import short_moment, size, zoned_moment
from mercure.clock import wall_now

if TYPE_CHECKING:
    from appliance.cli.requests import Ask
    from appliance.control.api.history import ExportSeries, SeriesExported, TaskStory
    from appliance.control.api.traffic import RefusalRecord, Refusals
    from mercure.history.records import EventRecord, ImageRecord, SenderRecord, SeriesRecord, TaskRecord

    F = TypeVar("F", bound=Callable[..., Any])

UNITS: Final = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


class Since(click.ParamType[datetime]):
    """A time: how long ago (``30m``, ``12h``, ``7d``, ``2w``), or a date or time of ISO 8601 by the local clock."""

    name = "time"
    direction: ClassVar[int] = -1
    examples: ClassVar[str] = "30m, 12h, 7d, 2w, 2026-11-21 or 2026-11-21T14:00"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        """Return the instant, aware."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            if text[:-1].isdecimal() and text[-1] in UNITS:
                return wall_now() + self.direction * timedelta(seconds=int(text[:-1]) * UNITS[text[-1]])
            return datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{text!r} is no time: give {self.examples}", param, ctx)


class Until(Since):
    """An end: in how long (``12h``, ``7d``, ``2w``), or a date or time of ISO 8601 by the local clock."""

    direction = 1
    examples = "12h, 7d, 2w, 2026-12-24 or 2026-12-24T18:00"


def _exam_options(command: F) -> F:
    """Add the options that say which exam is meant, and how much is shown."""
    for option in (
        click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."),
        click.option("--since", type=Since(), help="Only after this: 30m, 12h, 7d, 2w ago, or a date or time."),
        click.option("--series", help="Series Instance UID."),
        click.option("--study", help="Study Instance UID."),
        click.option("--accession", help="Beginning of the accession number."),
        click.option("--patient", help="Beginning of the patient id, or of a part of the name."),
    ):
        command = option(command)
    return tags_option(command)


def tags_option(command: F) -> F:
    """Add ``--tag``."""
    return click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="CONDITION",
        help="Only series with such a tag (history.tags): 'BodyPartExamined=CHEST', 'SliceThickness<2', "
        "'ContrastBolusAgent=*', 'ProtocolName!=*test*'. Each must hold.",
    )(command)


@click.group(cls=OrderedGroup)
@root_option
def history() -> None:
    """Find what happened to an exam, a task, or at all."""


@history.command()
@watch_option
@_exam_options
@root_option
@json_option("appliance.control.api.history:SeriesFound")
def series(since: datetime | None, limit: int, tags: tuple[str, ...], **exam: str | None) -> None:
    """List series, the last received first."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.history.SERIES, api.history.ByExam(since=since, limit=limit, tags=tags, **exam))
    head = ["RECEIVED", "PATIENT", "ACCESSION", "MOD", "IMAGES", "FROM", "SERIES"]
    show(found, lambda: table(head, map(_series_row, found.series), whole=True))


def _series_row(record: SeriesRecord) -> tuple[str, ...]:
    return (
        short_moment(record.last_received),
        record.patient_id or "",
        record.accession or "",
        record.modality or "",
        str(record.images),
        record.calling_aet or record.address or "",
        record.series_uid or record.folder,
    )


@history.command()
@watch_option
@click.option(
    "--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="Images of so many are summed."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="At most so many.")
@root_option
@json_option("appliance.control.api.traffic:Senders")
def senders(hours: int, limit: int) -> None:
    """List who sends, the one with the last image first.

    RELEASE is the release time that the router has learned of a sender whose images came late again and again
    (`completion.longest_release_seconds`).
    """
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.traffic.SENDERS, api.traffic.ListSenders(hours=hours, limit=limit))
    head = ["LAST IMAGE", "SENDER", "ADDRESS", f"IN {hours} H", "BYTES", "RELEASE"]
    show(found, lambda: table(head, map(_sender_row, found.senders)))


def _sender_row(record: SenderRecord) -> tuple[str, ...]:
    release = f"{record.release_seconds:g} s (learned)" if record.release_seconds else ""
    last = short_moment(record.last_image)
    return last, record.calling_aet, record.address, str(record.images), size(record.bytes), release


@history.command()
@watch_option
@_exam_options
@root_option
@json_option("appliance.control.api.history:ImagesFound")
def images(since: datetime | None, limit: int, tags: tuple[str, ...], **exam: str | None) -> None:
    """List images, the last received first."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.history.IMAGES, api.history.ByExam(since=since, limit=limit, tags=tags, **exam))
    head = ["RECEIVED", "BYTES", "TASK", "SOP INSTANCE UID"]
    show(found, lambda: table(head, map(_image_row, found.images), whole=True))


def _image_row(record: ImageRecord) -> tuple[str, ...]:
    return (
        short_moment(record.received),
        size(record.bytes or 0),
        record.task or "still arriving",
        record.sop or record.file or "",
    )


@history.command()
@watch_option
@click.argument("task", required=False, shell_complete=shell_completion.tasks)
@_exam_options
@click.option("--target", help="Only for this target.", shell_complete=shell_completion.targets)
@click.option("--state", "states", multiple=True, help="Only in this state: waiting, delivered, failed …")
@root_option
@json_option("appliance.control.api.history:TasksFound", "appliance.control.api.history:TaskStory")
def tasks(
    task: str | None,
    since: datetime | None,
    limit: int,
    *,
    target: str | None,
    states: tuple[str, ...],
    tags: tuple[str, ...],
    **exam: str | None,
) -> None:
    """List tasks, the newest first; with TASK tell the whole story of one."""
    from appliance.control import api  # noqa: PLC0415

    if task is not None:
        story = ask(api.history.TASK, api.history.OneTaskStory(task=task))
        show(story, lambda: _story_lines(story))
        return
    wanted = api.history.FindTasks(since=since, limit=limit, target=target, states=states, tags=tags, **exam)
    found = ask(api.history.TASKS, wanted)
    head = ["TASK", "STATE", "FOR", "IMAGES", "TRIES", "PATIENT"]
    show(found, lambda: table(head, map(_task_row, found.tasks)))


def _task_row(record: TaskRecord) -> tuple[str, ...]:
    return (
        record.id,
        record.state or "",
        record.target or record.module or ("decision" if record.action == "complete" else record.action or ""),
        str(record.images if record.images is not None else ""),
        str(record.attempts or ""),
        record.patient_id or "",
    )


def _story_lines(story: TaskStory) -> Iterator[str]:
    task = story.task
    yield from pairs(
        [
            ("task", task.id),
            ("state", " ".join(filter(None, [task.state, zoned_moment(task.since)]))),
            ("reason", task.reason or ""),
            ("advice", task.advice or ""),
            ("for", task.target or task.module or task.action or ""),
            ("patient", " ".join(filter(None, [task.patient_id, task.patient_name]))),
            ("accession", task.accession or ""),
            ("series", " ".join(filter(None, [task.modality, task.series_description, task.series_uid]))),
            ("images", "" if task.images is None else f"{task.images} ({size(task.bytes or 0)})"),
            ("rules", ", ".join(task.rules or ())),
            ("parent", task.parent or ""),
        ]
    )
    yield ""
    yield from _event_lines(story.events, whole=True)


@history.command()
@watch_option
@_exam_options
@click.option("--task", help="Only of this task, in order.")
@click.option("--type", "type_", help="Only of this type, or of all that begin so: task. (with the dot)")
@click.option("--service", help="Only of this service.")
@root_option
@json_option("appliance.control.api.history:EventsFound")
def events(
    since: datetime | None,
    limit: int,
    *,
    task: str | None,
    type_: str | None,
    service: str | None,
    tags: tuple[str, ...],
    **exam: str | None,
) -> None:
    """List events: of a task or an exam in their order, else the latest first."""
    from appliance.control import api  # noqa: PLC0415

    wanted = api.history.FindEvents(task=task, type=type_, service=service, since=since, limit=limit, tags=tags, **exam)
    found = ask(api.history.EVENTS, wanted)
    show(found, lambda: _event_lines(found.events, whole=task is not None or any(exam.values()) or bool(tags)))


@history.command()
@click.option("--csv", "csv_file", type=click.File("w", encoding="utf-8", lazy=True), help="Write CSV to this file.")
@click.option("--parquet", "parquet_file", type=click.File("wb", lazy=True), help="Write Apache Parquet to this file.")
@click.option("--patients", is_flag=True, help="With patient id, name and accession number (operators; audited).")
@click.option("--since", type=Since(), help="Only what came after this: 30m, 12h, 7d, 2w ago, or a date or time.")
@click.option("--until", type=Since(), help="Only what came before this.")
@tags_option
@root_option
@json_option("appliance.control.api.history:SeriesExported")
def export(csv_file: IO[str] | None, parquet_file: IO[bytes] | None, **wanted: Any) -> None:  # noqa: ANN401 - of the API
    """Export series with their tags (history.tags), a row for each: to a file, or as CSV on standard output.

    Of a tag with several values the texts stand with a backslash between, as in DICOM, and of numbers, dates and times
    the smallest. Times of the router are in UTC. Patients are left out unless asked for.

    \b
    mercure history export --since 7d --tag 'ContrastBolusAgent=*' --csv a.csv
    mercure history export --parquet series.parquet
    """  # noqa: D301 - click keeps the lines after a backspace
    from appliance.control import api  # noqa: PLC0415

    with asking() as ask_for:
        parts = _parts(ask_for, api.history.ExportSeries(**wanted))
        first = next(parts)
        if output_form() == "json":
            rows = tuple(row for part in itertools.chain([first], parts) for row in part.rows)
            show(first.model_copy(update={"rows": rows, "after": None}), lambda: ())
            return
        _write_parts(first, itertools.chain([first], parts), csv_file, parquet_file)


def _parts(ask_for: Ask, wanted: ExportSeries) -> Iterator[SeriesExported]:
    from appliance.control import api  # noqa: PLC0415

    while True:
        part = ask_for(api.history.EXPORT, wanted)
        yield part
        if part.after is None:
            return
        wanted = wanted.model_copy(update={"after": part.after})


def _write_parts(
    first: SeriesExported, parts: Iterable[SeriesExported], csv_file: IO[str] | None, parquet_file: IO[bytes] | None
) -> None:
    from appliance.cli.parquet import ParquetFile  # noqa: PLC0415 - only when it is wanted

    if csv_file is None and parquet_file is None:
        csv_file = sys.stdout
    columns = [(column.name, column.kind) for column in first.columns]
    table_ = csv.writer(csv_file, lineterminator="\n") if csv_file else None
    parquet = ParquetFile(parquet_file, columns) if parquet_file else None
    if table_:
        table_.writerow(name for name, _ in columns)
    rows = 0
    for part in parts:
        rows += len(part.rows)
        if table_:
            table_.writerows(map(csv_cell, row) for row in part.rows)
        if parquet:
            parquet.add(part.rows)
    if parquet:
        parquet.end()
    narrate(f"{rows} series exported")


@history.command()
@watch_option
@click.option(
    "--hours", type=click.IntRange(1, 8760), default=168, show_default=True, help="Of the last so many hours."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="At most so many.")
@root_option
@json_option("appliance.control.api.traffic:Refusals")
def refusals(hours: int, limit: int) -> None:
    """List what senders were refused while associations began: by sender, class and reason, the last first."""
    from appliance.control import api  # noqa: PLC0415

    found = ask(api.traffic.REFUSALS, api.traffic.ListRefusals(hours=hours, limit=limit))
    head = ["LAST", "TIMES", "SENDER", "REFUSED", "REASON"]
    show(found, lambda: _refusal_lines(found, table(head, map(_refusal_row, found.refusals), whole=True)))


def _refusal_lines(found: Refusals, lines: list[str]) -> list[str]:
    if not found.refusals:
        return [f"nothing was refused in the last {found.hours} h"]
    return [*lines, "", "there are more: ask for fewer hours"] if found.cut else lines


def _refusal_row(record: RefusalRecord) -> tuple[str, ...]:
    from appliance.presentation.phrases import refusal_in_words  # noqa: PLC0415

    return (short_moment(record.last), str(record.times), *refusal_in_words(record))


def _event_lines(events: Iterable[EventRecord], *, whole: bool) -> list[str]:
    from appliance.presentation.events import sentence  # noqa: PLC0415 - the help does without models

    rows = [
        (short_moment(event.time), event.service, event.type, sentence(event.type, event.details).text)
        for event in events
    ]
    return table(["TIME", "SERVICE", "EVENT", "DETAILS"], rows, whole=whole)
