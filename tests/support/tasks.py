"""Tasks put into the spool of an initialised root, and the events that its outbox holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from appliance.control.session import Session
from mercure.event_details import Identity
from mercure.events import Event
from mercure.history.outbox import file_names
from mercure.names import derived_id, new_id
from mercure.spool import Claim, Spool, Stage, Task
from mercure.spool.task import TASK_FILE

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


PutTask = Callable[..., Task]


def place_task(session: Session, stage: Stage, *, age: float = 60.0, images: int = 2, **fields: Any) -> Task:
    created = datetime.fromtimestamp(session.clock.now().timestamp() - age, UTC)
    values: dict[str, Any] = {
        "id": derived_id(new_id(created), "test"),
        "created": created,
        "action": "route",
        "target": "delivered",
        "images": images,
        "identity": Identity(PatientID="P1", SeriesInstanceUID="1.2.3", Modality="MR"),
    }
    task = Task.model_validate(values | fields)
    directory = session.spool.entry(stage, task.id)
    directory.mkdir()
    for number in range(images):
        (directory / f"1.2.3.{number}.dcm").write_bytes(b"x" * 100)
    # Not by save_task: ten thousand of them are not worth twenty thousand syncs.
    (directory / TASK_FILE).write_text(task.model_dump_json(exclude_defaults=True))
    return task


def events_of(session: Session) -> list[Event]:
    """Take what was told so far out of the outbox, as the bookkeeper does."""
    outbox = session.spool.stage(Stage.OUTBOX)
    found = []
    for name in file_names(outbox):
        found += [Event.model_validate_json(line) for line in (outbox / name).read_bytes().splitlines()]
        (outbox / name).unlink()
    return found


def claim_of(spool: Spool, stage: Stage, task: Task) -> Claim:
    claim = Claim.take(spool.entry(stage, task.id))
    assert claim is not None
    return claim
