"""Conditions on tags of series, as people type them: ``ContrastBolusAgent=*``, ``SliceThickness<2``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from peewee import SQL, Database, NodeList, Value, fn

from mercure.config.history_tags import KNOWN_ANYWAY, TagKind, refusal
from mercure.config.problems import suggest
from mercure.history.identifiers import folded
from mercure.history.models import SeriesRow, SeriesTagRow
from mercure.history.series_tags import TagColumn, read_value, tag_columns
from mercure.rules.dates import to_date
from mercure.rules.keywords import canonical

GRAMMAR: Final = "KEYWORD=VALUE, != < <= > >=; * in a text stands for anything, and alone for any value"

_CONDITION: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_ANY: Final = "*"
_EQUAL: Final = ("=", "!=")
_LAST_CHARACTER: Final = "\U0010ffff"


class ConditionError(ValueError):
    """A condition cannot be used; with what to do."""

    def __init__(self, text: str, advice: str = "") -> None:
        super().__init__(text)
        self.advice = advice


@dataclass(frozen=True)
class TagCondition:
    """A condition on the values of one tag: one of them is enough, and ``!=`` is that there is none such."""

    keyword: str
    operator: str
    value: str

    @classmethod
    def parse(cls, text: str) -> TagCondition | None:
        """Read a condition; None when the text is none.

        Raises
        ------
        ConditionError
            It has no value.
        """
        match = _CONDITION.fullmatch(text)
        if match is None:
            return None
        keyword, operator, value = match.groups()
        if not value.strip():
            raise ConditionError(f"{text!r} says no value", f"write {keyword}=* for any value, {keyword}!=* for none")
        return cls(canonical(keyword) or keyword, operator, value.strip())

    def __str__(self) -> str:
        return f"{self.keyword}{self.operator}{self.value}"


def conditions_of(texts: Iterable[str]) -> tuple[TagCondition, ...]:
    """Read conditions that must all hold.

    Raises
    ------
    ConditionError
        One of them is none.
    """
    found = []
    for text in texts:
        condition = TagCondition.parse(text)
        if condition is None:
            raise ConditionError(f"{text!r} is no condition", GRAMMAR)
        found.append(condition)
    return tuple(found)


def narrowed(query: Any, database: Database, conditions: Iterable[TagCondition]) -> Any:  # noqa: ANN401 - of peewee
    """Narrow a query for `SeriesRow` down to where conditions hold.

    Raises
    ------
    ConditionError
        A tag is not kept, or a value cannot be compared with it.
    """
    wanted = list(conditions)
    columns = {column.keyword: column for column in tag_columns(database)} if wanted else {}
    for condition in wanted:
        query = query.where(_expression(condition, columns))
    return query


def _expression(condition: TagCondition, columns: Mapping[str, TagColumn]) -> Any:  # noqa: ANN401 - of peewee
    keyword = condition.keyword
    if keyword in KNOWN_ANYWAY:
        return _of_series(condition)
    column = columns.get(keyword)
    if column is None:
        raise _unknown(keyword, columns)
    # Written out, and not as a parameter: only so is an index of this keyword used. It is one of the dictionary.
    rows = SeriesTagRow.select(SeriesTagRow.series).where(SQL(f"keyword = '{column.keyword}'"))
    if condition.value != _ANY or condition.operator not in _EQUAL:
        field = getattr(SeriesTagRow, column.compared)
        rows = rows.where(_compared(condition, column.kind, field, _value(condition, column)))
    return SeriesRow.id.not_in(rows) if condition.operator == "!=" else SeriesRow.id.in_(rows)


def _of_series(condition: TagCondition) -> Any:  # noqa: ANN401 - of peewee
    """Compare a column of the series itself."""
    field = getattr(SeriesRow, KNOWN_ANYWAY[condition.keyword])
    there = fn.COALESCE(field, "")
    if condition.value == _ANY and condition.operator in _EQUAL:
        found = there != ""
    elif condition.keyword == "StudyDate":
        day = to_date(condition.value)
        if day is None:
            raise ConditionError(f"{condition.value!r} is no {_WORDS['date']}, as StudyDate is")
        found = (there != "") & _compared(condition, "date", there, f"{day:%Y%m%d}")
    else:
        found = _compared(condition, "text", fn.LOWER(there), folded(condition.value))
    return ~found if condition.operator == "!=" else found


def _unknown(keyword: str, columns: Mapping[str, TagColumn]) -> ConditionError:
    refused = refusal(keyword)
    if refused is not None:
        return ConditionError(*refused)
    there = ", ".join((*KNOWN_ANYWAY, *columns))
    return ConditionError(
        f"the history does not keep {keyword}",
        suggest(keyword, columns) or f"add it to history.tags, or ask for one of {there}",
    )


def _value(condition: TagCondition, column: TagColumn) -> Any:  # noqa: ANN401 - as the column is compared
    if column.kind == "text":
        return folded(condition.value)
    value = next((found for found in read_value(column.keyword, condition.value) if found is not None), None)
    if value is None:
        raise ConditionError(f"{condition.value!r} is no {_WORDS[column.kind]}, as {column.keyword} is")
    return value


_WORDS: Final[dict[TagKind, str]] = {
    "text": "text",
    "number": "number",
    "date": "date such as 2026-01-31",
    "time": "time such as 081500",
    "moment": "date with a time such as 20260131081500",
}


def _compared(condition: TagCondition, kind: TagKind, field: Any, value: Any) -> Any:  # noqa: ANN401 - of peewee
    """Compare a column with a value; as in DICOM (PS3.4 section C.2.2.2.4) * stands for any number of characters."""
    operator = condition.operator
    if operator not in _EQUAL:
        if kind == "text":
            raise ConditionError(f"{condition.keyword} holds texts: {operator} compares numbers and dates", GRAMMAR)
        return {"<": field < value, "<=": field <= value, ">": field > value, ">=": field >= value}[operator]
    if kind != "text" or _ANY not in value:
        return field == value
    beginning = value.removesuffix(_ANY)
    if _ANY not in beginning:
        return (field >= beginning) & (field < beginning + _LAST_CHARACTER)
    pattern = re.sub(r"([!%_])", r"!\1", value).replace(_ANY, "%")
    return NodeList((field, SQL("LIKE"), Value(pattern), SQL("ESCAPE '!'")))
