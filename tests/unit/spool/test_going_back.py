"""A release before this one reads what this one writes: new values of closed fields are written as ones it knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from mercure.event_details import DETAILS, FailureKind, TaskAttempt
from mercure.event_details.common import WRITTEN_AS
from mercure.model import Record
from mercure.routing.plan import Plan
from mercure.spool.task import Attempt, Task, load_task, save_task

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KINDS_OF_THEN = {"unreachable", "rejected", "timeout", "refused", "local"}
CLOSED: dict[str, set[object]] = {
    "Task.version": {1},
    "Task.action": {"complete", "route", "process", "collect", "discard"},
    "Task.scope": {"series", "study"},
    "Task.priority": {"urgent", "normal", "offpeak"},
    "Attempt.outcome": {"success", "partial", "failure"},
    "Attempt.kind": KINDS_OF_THEN | set(WRITTEN_AS),
    "Plan.version": {1},
    "Plan.ends_in": {"derived", "discard", "error"},
    # An event alone, no task: the first release keeps its line and makes no row of the part of a divided series.
    "TaskCreated.action": {"route", "process", "collect", "discard", "complete"},
    "TaskCreated.scope": {"series", "study"},
    "TaskAttempt.outcome": {"success", "partial", "failure"},
    "TaskAttempt.kind": KINDS_OF_THEN | set(WRITTEN_AS),
    "TaskRetired.reason": {"retention", "pressure"},
    "ModuleDown.kind": {"runner", "image", "configuration"},
}
"""The values that the first release knows. A new one of any needs a way like that of `Try.kind`."""

NEW_EVENTS = {"ImageAltered"}
"""Their types are not known to it, so nothing in them can disturb it."""


def closed_fields(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[tuple[str, set[object]]]:
    """Yield the fields of a model, and of those in it, that take only certain values."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        for kind in inner(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from closed_fields(kind, seen)
            elif get_origin(kind) is Literal:
                yield f"{model.__name__}.{name}", set(get_args(kind))


def inner(annotation: Any) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is not Literal:
        for argument in get_args(annotation):
            yield from inner(argument)


def test_no_closed_field_takes_a_value_that_the_first_release_does_not_know() -> None:
    seen: set[type[BaseModel]] = set()
    roots: list[type[Record]] = [Task, Plan, *(one for one in DETAILS.values() if one.__name__ not in NEW_EVENTS)]
    found = {name: values for root in roots for name, values in closed_fields(root, seen)}
    assert found == CLOSED


@pytest.mark.parametrize("kind", sorted(get_args(FailureKind)))
def test_a_task_keeps_its_kind_of_failure_and_is_read_by_the_release_before(tmp_path: Path, kind: FailureKind) -> None:
    attempt = Attempt(number=1, started=NOW, seconds=1, outcome="failure", kind=kind, error="why")
    task = Task(id="20260102T000000000000-00000000", created=NOW, attempts=(attempt,))
    save_task(tmp_path, task)
    assert load_task(tmp_path) == task
    written = json.loads((tmp_path / "task.json").read_text())["attempts"][0]
    assert written["kind"] in KINDS_OF_THEN
    assert ("finer_kind" in written) == (kind not in KINDS_OF_THEN)


@pytest.mark.parametrize("kind", sorted(get_args(FailureKind)))
def test_so_does_an_event(kind: FailureKind) -> None:
    details = TaskAttempt(number=1, outcome="failure", kind=kind)
    written = details.model_dump(mode="json", exclude_none=True)
    assert written["kind"] in KINDS_OF_THEN
    assert TaskAttempt.model_validate(written) == details
    assert TaskAttempt.model_validate_json(json.dumps(written)) == details


def test_a_finer_kind_of_a_later_release_is_passed_over() -> None:
    written = {"number": 1, "outcome": "failure", "kind": "local", "finer_kind": "of the year 2040"}
    assert TaskAttempt.model_validate(written).kind == "local"
