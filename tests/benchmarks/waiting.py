"""A root with many tasks that wait for a target that is down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mercure.names import new_id, utc_text
from mercure.spool import Spool, Stage, Task
from tests.support.series import synthetic_images


def write_root(root: Path, config: dict[str, Any]) -> Spool:
    """Make a root with a configuration and an empty spool."""
    (root / "config").mkdir(parents=True)
    (root / "run").mkdir()
    (root / "config" / "mercure.json").write_text(json.dumps({"version": 1, **config}))
    (root / "config" / "services.json").write_text('{"version": 1}')
    spool = Spool(root / "spool")
    spool.create()
    return spool


def add_waiting_tasks(spool: Spool, target: str, count: int) -> None:
    """Put tasks of one small image each into ``outgoing/``, an hour old."""
    start = datetime.now(UTC) - timedelta(hours=1)
    ((_, image),) = synthetic_images(1, 8, 8, seed="waiting")
    for number in range(count):
        instant = start + timedelta(milliseconds=number)
        task = Task(id=new_id(instant), created=instant, action="route", target=target, images=1, bytes=len(image))
        directory = spool.entry(Stage.OUTGOING, task.id)
        directory.mkdir()
        (directory / "1.dcm").write_bytes(image)
        (directory / "tags.jsonl").write_text(json.dumps({"FileName": "1.dcm", "ReceivedAt": utc_text(instant)}) + "\n")
        (directory / "task.json").write_text(task.model_dump_json(exclude_defaults=True))
