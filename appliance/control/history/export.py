"""Exports of series with the tags that the history keeps of them, for data mining; who patients are only on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from appliance.control.api import history as api
from appliance.control.api.history import ExportColumn, ExportSeries, SeriesExported
from appliance.control.errors import ControlError
from appliance.control.history.search import asking
from appliance.control.registry import Asked, carries_out_for_caller
from mercure.history.queries import ResultPage
from mercure.history.records import SeriesRecord
from mercure.history.series_tags import TagColumn, read_value
from mercure.history.tag_conditions import conditions_of

Cell = str | int | float | None


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


_OWN: Final[Mapping[str, tuple[ExportColumn, Callable[[SeriesRecord], Cell]]]] = {
    name: (ExportColumn.model_validate({"name": name, "kind": kind}), value)
    for name, kind, value in (
        ("node", "text", lambda it: it.node),
        ("study_uid", "text", lambda it: it.study_uid),
        ("series_uid", "text", lambda it: it.series_uid),
        ("modality", "text", lambda it: it.modality),
        ("study_date", "date", lambda it: read_value("StudyDate", it.study_date or "")[1]),
        ("study_description", "text", lambda it: it.study_description),
        ("series_description", "text", lambda it: it.series_description),
        ("calling_aet", "text", lambda it: it.calling_aet),
        ("called_aet", "text", lambda it: it.called_aet),
        ("address", "text", lambda it: it.address),
        ("images", "number", lambda it: it.images),
        ("bytes", "number", lambda it: it.bytes),
        ("first_received", "moment", lambda it: _instant(it.first_received)),
        ("last_received", "moment", lambda it: _instant(it.last_received)),
    )
}
"""Columns of every export, as those of the view ``series_data``."""

_PATIENTS: Final[Mapping[str, Callable[[SeriesRecord], Cell]]] = {
    "patient_id": lambda it: it.patient_id,
    "patient_name": lambda it: it.patient_name,
    "accession": lambda it: it.accession,
}


@carries_out_for_caller(api.EXPORT)
def export(asked: Asked, wanted: ExportSeries) -> SeriesExported:
    """Export a part of the series.

    Raises
    ------
    ControlError
        The caller may not see patients in an export, or the history cannot be asked or does not keep such a tag.
    """
    session = asked.session
    if wanted.patients and not asked.caller.may("operator"):
        text = f"an export with patients needs the role operator, and {asked.caller.user} has not"
        raise ControlError("not-allowed", text, "leave patients out", role="operator")
    page = ResultPage(limit=wanted.limit, since=wanted.since, until=wanted.until)
    with asking(session) as history:
        kept = history.tag_columns()
        found = history.export(conditions_of(wanted.tags), page, wanted.after)
    if wanted.patients and not wanted.after:
        with session.changing() as events:
            after: dict[str, Any] = {"tags": [*wanted.tags], "since": _instant(wanted.since)}
            session.audit(events, "history.export", "series", after=after)
    patients = _PATIENTS if wanted.patients else {}
    columns = [column for column, _ in _OWN.values()]
    columns += [ExportColumn(name=name, kind="text") for name in patients]
    columns += [ExportColumn(name=column.keyword, kind=column.kind) for column in kept]
    own = [*(value for _, value in _OWN.values()), *patients.values()]
    return SeriesExported(
        columns=tuple(columns),
        rows=tuple((*(value(record) for value in own), *_tags(record, kept)) for _, record in found),
        after=found[-1][0] if len(found) == wanted.limit else None,
    )


def _tags(record: SeriesRecord, kept: Sequence[TagColumn]) -> tuple[Cell, ...]:
    """Return a value for each tag: of several texts all, with a backslash between, else the smallest."""
    return tuple(_cell(column, record.tags.get(column.keyword, ())) for column in kept)


def _cell(column: TagColumn, values: Sequence[str]) -> Cell:
    if column.kind == "text":
        return "\\".join(values) or None
    read = [found for value in values for found in read_value(column.keyword, value) if found is not None]
    return min(read, default=None)
