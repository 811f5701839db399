"""Rules on real series: why one fired or not, and what a changed rule set would do."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from appliance.control.api import rules as api
from appliance.control.api.base import Progress
from appliance.control.api.rules import (
    DryRun,
    Explained,
    ExplainedPart,
    ExplainRule,
    KnownSeries,
    ListSeries,
    SeriesKnown,
)
from appliance.control.configuration import edits
from appliance.control.configuration.changes import checked
from appliance.control.errors import ControlError
from appliance.control.queue.task_actions import find_task
from appliance.control.registry import Asked, carries_out, carries_out_for_caller
from appliance.control.rules.rules import find_rule
from appliance.control.session import Session
from appliance.presentation.phrases import plural
from mercure.dicom.tags import read_tag_records
from mercure.event_details import Identity
from mercure.names import id_time
from mercure.routing.dry_run import DryRunReport, kept_tasks, recent, rehearse
from mercure.routing.units import named, units_of
from mercure.routing.verdicts import answers_of
from mercure.rules import Explanation, ExplanationPart, RuleError, compile_rule
from mercure.spool import TASK_STAGES, Stage, TagRecord, read_tags
from mercure.spool.images import read_arriving_tags, read_lines, text

DEFAULT_LAST = 100
_TOLD_EACH = 20


def explained(explanation: Explanation, columns: int, differs: str = "") -> Explained:
    """Turn an explanation into a document, whose page has so many columns; `differs` says what it is not true of."""
    page = explanation.render(columns)
    return Explained(
        expression=explanation.text,
        result=explanation.result,
        error=str(explanation.error) if explanation.error else None,
        parts=tuple(_parts(explanation.part, 0)),
        page="\n".join([*textwrap.wrap(differs, columns), "", page]) if differs else page,
        differs=differs,
    )


def _parts(part: ExplanationPart, depth: int) -> Iterator[ExplainedPart]:
    yield ExplainedPart(
        text=part.text,
        columns=part.columns,
        outcome=part.outcome,
        value=part.value,
        decided=part.decided,
        depth=depth,
    )
    for inner in part.parts:
        yield from _parts(inner, depth + 1)


def explain(expression: str, records: Sequence[TagRecord]) -> Explanation:
    """Explain what an expression says of a series, part by part.

    Raises
    ------
    ControlError
        It cannot be read; with the column and what to write instead.
    """
    try:
        return compile_rule(expression).explain(records)
    except RuleError as error:
        raise ControlError("invalid", str(error), f"\n{error.caret()}") from error


def one_unit(session: Session, records: Sequence[TagRecord]) -> tuple[list[TagRecord], str]:
    """Return the images of the first unit, and a sentence where there are others: they are decided by themselves."""
    records = [named(session.config, record) for record in records]
    units = list(units_of(session.config, records).values())
    if len(units) <= 1:
        return records, ""
    others = plural(len(records) - len(units[0]), "image")
    return units[0], f"{others} of other senders, studies or patients are decided on by themselves, and left out here."


def divided(expression: str, records: Sequence[TagRecord], now: datetime) -> str:
    """Say where the answer is not the same for all images of a unit."""
    answers = answers_of(expression, records, now)
    if len(answers) <= 1:
        return ""
    counts = {True: 0, False: 0, None: 0}
    for answer, images in answers:
        counts[None if answer.error else answer.result] += len(images)
    words = {True: "it is so for {}", False: "it is not so for {}", None: "it cannot be said of {}"}
    said = ", ".join(words[key].format(count) for key, count in counts.items() if count)
    return f"The images differ, and the series is divided: {said} of {len(records)}. Shown is the first image."


def records_of_file(path: Path, character_set: str = "") -> list[TagRecord]:
    """Read the tags of a DICOM file, as the receiver would: `character_set` is assumed where it names none.

    Raises
    ------
    ControlError
        It is no readable DICOM file.
    """
    if not path.is_file():
        raise ControlError("not-found", f"there is no file {path}")
    record = read_tag_records([path.absolute()], character_set).get(path.name)
    if record is None:
        raise ControlError("invalid", f"{path} cannot be read as DICOM", f"`getdcmtags {path}` says why")
    return [record]


def records_of_tags(path: Path) -> list[TagRecord]:
    """Read tag records from a file: one JSON object, a list of them, or one to a line.

    Raises
    ------
    ControlError
        There is none in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ControlError("not-found", f"{path} cannot be read: {error.strerror}") from error
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = read_lines(path)
    records = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    if not records:
        raise ControlError("invalid", f"{path} holds no tag record", "write it with `getdcmtags FILE > TAGS`")
    return records


def records_of_series(session: Session, series: str) -> list[TagRecord]:
    """Find the tags of a received series, wherever it is now: the newest first that the spool still knows.

    Raises
    ------
    ControlError
        Neither a task nor the kept tags know it.
    """
    for records in _known_series(session):
        if text(records[0], "SeriesInstanceUID") == series:
            return records
    raise ControlError(
        "not-found",
        f"no series {series} is in the spool or among the last ones routed",
        "take one of `mercure history series`, or a file with --file",
    )


def records_wanted(session: Session, wanted: ExplainRule) -> list[TagRecord]:
    """Return the tag records of a request: those given, or those of the task or series named.

    Raises
    ------
    ControlError
        There are none, or not exactly one of the three is given.
    """
    given = [bool(wanted.records), wanted.series is not None, wanted.task is not None]
    if given.count(True) != 1:
        raise ControlError("bad-parameters", "give one of 'series', 'task' and 'records'")
    if wanted.records:
        return [dict(record) for record in wanted.records]
    if wanted.series is not None:
        return records_of_series(session, wanted.series)
    return records_of_task(session, wanted.task or "")


def records_of_task(session: Session, task: str) -> list[TagRecord]:
    """Find the tags of a routed series by its routing task, or of a task in the spool.

    Raises
    ------
    ControlError
        Neither is known.
    """
    kept = next((kept for kept in recent(session.spool, session.config.rehearsal.series) if kept.task == task), None)
    if kept is not None:
        return kept.records
    name, stage = find_task(session, task)
    records = read_tags(session.spool.entry(stage, name)) if stage is not Stage.STUDIES else []
    if not records:
        raise ControlError("not-found", f"the tags of task {name} are not known", "take one of `rules.series`")
    return records


@carries_out(api.EXPLAIN)
def explain_rule(session: Session, wanted: ExplainRule) -> Explained:
    """Explain what a rule says of a series."""
    expression = wanted.expression
    if expression is None:
        expression = find_rule(session, wanted.rule or "").rule
    records, others = one_unit(session, records_wanted(session, wanted))
    explanation = explain(expression, records)
    differs = divided(expression, records, session.clock.now())
    return explained(explanation, wanted.columns, " ".join(filter(None, (differs, others))))


@carries_out(api.SERIES)
def list_series(session: Session, wanted: ListSeries) -> SeriesKnown:
    """List the series on which rules can be tried."""
    return SeriesKnown(series=tuple(known_series(session, wanted.last)))


def known_series(session: Session, last: int) -> Iterator[KnownSeries]:
    """Walk the last routed series, the newest first."""
    for kept in recent(session.spool, last):
        identity = {keyword: text(kept.records[0], keyword) for keyword in Identity.model_fields}
        yield KnownSeries(
            task=kept.task,
            routed=id_time(kept.task),
            images=len(kept.records),
            identity=Identity.model_validate(identity),
        )


def _known_series(session: Session) -> Iterator[list[TagRecord]]:
    spool = session.spool
    for kept in recent(spool, session.config.rehearsal.series):
        yield kept.records
    for name in spool.names(Stage.INCOMING):
        records = read_arriving_tags(spool.entry(Stage.INCOMING, name))
        if records:
            yield records
    for stage, task in spool.tasks(TASK_STAGES):
        records = read_tags(spool.entry(stage, task))
        if records:
            yield records


@carries_out_for_caller(api.DRY_RUN)
def dry_run(asked: Asked, wanted: DryRun) -> DryRunReport:
    """Try changed rules on the last series that were routed, and compare with the rules of now."""
    session, last = asked.session, wanted.last
    if wanted.config is None:
        changed = edits.tried(session, edits.with_rules(wanted.rules))
    elif wanted.rules:
        raise ControlError("bad-parameters", "give either 'rules' or 'config'")
    else:
        changed = checked(session, "mercure", wanted.config)
    total = min(last, len(kept_tasks(session.spool)))

    def done(series: int) -> None:
        if series % _TOLD_EACH == 0:
            asked.report(Progress(done=series, total=total, text="series tried"))

    return rehearse(session.spool, session.config, changed, last, done)


def read_changed(path: Path) -> DryRun:
    """Read what is to be tried: a whole ``mercure.json``, or only its table of rules, where there are no ``targets``.

    Raises
    ------
    ControlError
        It is not JSON.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ControlError("not-found", f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ControlError("invalid", f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ControlError("invalid", f"{path} is not a JSON object")
    try:
        if "targets" in content:
            return DryRun(config=content)
        return DryRun(rules=content.get("rules", content))
    except ValidationError as error:
        raise ControlError("invalid", f"{path} is no table of rules: each has a name and an object") from error
