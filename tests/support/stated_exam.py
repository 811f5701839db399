"""An exam with a repetition, a delivery that worked at the second try, and one that failed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mercure.event_details import TaskAttempt, TaskFailed
from mercure.history.outbox import file_names
from mercure.spool import LedgerLine, Stage, Task, add_to_ledger, save_task
from tests.support.control_session import record
from tests.support.history import START, Outbox, Told, event
from tests.support.receipts import received_file

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.control.session import Session

EXAM: Final = Told(number=7, images=3, targets=("archive", "research"))
NEIGHBOUR: Final = Told(number=70, images=1, start=2000)
"""Its accession number begins as that of the other, when a zero is left out; it must not be in the receipt."""

ACCESSION: Final = EXAM.identity.AccessionNumber
FAILED: Final = EXAM.derived("research")
DELIVERED: Final = EXAM.derived("archive")


def data_set(index: int) -> bytes:
    """Return the data set of one of its images."""
    return f"data set {index}".encode() * 50


def place_exam(session: Session) -> Path:
    """Put it into history and spool, and return the folder of the task that failed; the other one is gone already."""
    failed = [
        event(
            "task.attempt",
            TaskAttempt(
                target="research",
                number=1,
                outcome="partial",
                kind="refused",
                error="0xA700 out of resources",
                images=3,
                sent=2,
                confirmed=1,
            ),
            100,
            task=FAILED,
            service="dispatcher",
        ),
        event("task.failed", TaskFailed(stage="outgoing", reason="0xA700"), 101, task=FAILED, service="dispatcher"),
    ]
    events = [*EXAM.receiver(), EXAM.received(0, repetition=True), *EXAM.router()]
    events += [*EXAM.dispatcher("archive"), *EXAM.cleaner("archive"), *failed, *NEIGHBOUR.all()]
    outbox = Outbox(session.spool.stage(Stage.OUTBOX))
    outbox.put(events, service="test")
    record(session)
    assert not [name for name in file_names(outbox.folder) if name.startswith("test-")]
    outbox.close()
    return _place_task(session)


def _place_task(session: Session) -> Path:
    folder = session.spool.entry(Stage.ERROR, FAILED)
    folder.mkdir()
    for index, ref in enumerate(EXAM.refs):
        (folder / ref.file).write_bytes(received_file(data_set(index), image=ref.image or "", address="10.0.0.7"))
    lines = [{"FileName": ref.file, "SOPInstanceUID": ref.sop, "ImageID": ref.image} for ref in EXAM.refs]
    (folder / "tags.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    save_task(
        folder,
        Task(id=FAILED, created=START, action="route", target="research", images=3, identity=EXAM.identity,
             origin=EXAM.origin),
    )  # fmt: skip
    confirmed = LedgerLine(
        file=EXAM.refs[1].file,
        sop=EXAM.refs[1].sop,
        status="0xB000",
        time=START + timedelta(seconds=99),
        target="research",
        destination="research@10.0.0.9:104",
    )
    add_to_ledger(folder, [confirmed])
    return folder
