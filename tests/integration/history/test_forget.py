"""What was finished long ago is forgotten, and nothing that anybody may still ask about."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.event_details import Audit
from mercure.history import forget as forgetting
from mercure.history.database import run_sql
from mercure.history.forget import forget
from mercure.history.reader import Reader
from mercure.history.recorder import Recorder
from mercure.history.verify import Verifier
from mercure.services.bookkeeper import FORGET_SECONDS, Bookkeeper
from mercure.spool import Stage
from tests.integration.history.test_bookkeeper import ANYTHING, images_in, make_context
from tests.support.history import START, Outbox, Told, event
from tests.support.history_rows import TABLES, count
from tests.support.recording import record_all
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from peewee import Database

DAY = 86400.0
LATER = START + timedelta(days=365)


def forget_all(database: Database, before: object = LATER) -> int:
    tasks, after = 0, ""
    while True:
        done = forget(database, "node-a", before, after)  # type: ignore[arg-type]  # a datetime
        tasks, after = tasks + done.tasks, done.after
        if not after:
            return tasks


def test_a_family_that_is_over_leaves_no_row(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    over = Told(number=1, targets=("archive", "research"))
    audit = event("audit", Audit(by="anna", verb="v", object="o", before=None, after=None), 5)
    outbox.put([*over.all(), over.received(0, repetition=True), audit])
    record_all(recorder)
    assert forget_all(database, START) == 0, "nothing is old enough"
    assert forget_all(database) == 3
    left = {table: count(database, table) for table in TABLES if count(database, table)}
    assert left.pop("totals") > 0, "counters never fall"
    assert left == {"audit": 1, "nodes": 1}


def test_what_is_not_over_stays_whole(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    waiting = Told(number=1, targets=("archive", "research"))
    later = Told(number=2, start=400 * DAY)
    kept = Told(number=3)
    events = [*waiting.receiver(), *waiting.router(), *waiting.dispatcher("archive"), *waiting.cleaner("archive")]
    outbox.put([*events, *later.all(), *kept.receiver()])
    record_all(recorder)
    before = count(database, "images"), count(database, "tasks"), count(database, "task_images")
    assert forget_all(database) == 0
    assert (count(database, "images"), count(database, "tasks"), count(database, "task_images")) == before


def test_a_series_that_came_again_keeps_what_is_new(recorder: Recorder, outbox: Outbox, database: Database) -> None:
    first, again = Told(number=1), Told(number=1, images=2, start=400 * DAY)
    outbox.put([*first.all(), *again.all()])
    record_all(recorder)
    assert forget_all(database) == 2
    assert count(database, "images") == 2
    assert count(database, "series") == 1
    assert run_sql(database, "SELECT count(*) FROM identifiers").fetchone()[0] > 0


def test_many_families_are_forgotten_in_steps(
    recorder: Recorder, outbox: Outbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "FAMILIES", 3)
    for number in range(10):
        outbox.put(Told(number=number, start=number * 1000.0).all(), number=number)
    stuck = Told(number=20, start=500)
    outbox.put([*stuck.receiver(), *stuck.router()], number=20)
    record_all(recorder)
    first = forget(database, "node-a", LATER)
    assert first.after
    assert first.tasks < 20
    assert first.tasks + forget_all(database) == 20
    assert count(database, "tasks") == 2


def test_verify_is_content_with_what_was_forgotten(database: Database, history_url: str, tmp_path: Path) -> None:
    router = ScriptedRouter(tmp_path / "spool", ManualClock())
    recorder = Recorder(database, router.outbox, "node-a", router.clock)
    router.receive("1.1", 1, tag_line=False)
    router.receive("1.1", 2)
    router.receive("1.1", 2)
    (delivered,) = router.route(router.take("1.1"), "archive")
    router.deliver(delivered)
    router.retire(delivered, Stage.SUCCESS)
    router.receive("1.2")
    router.collect(router.take("1.2"))
    study = router.assemble(router.take_study())
    router.tell_study(study)
    (archive,) = router.route(study, "archive")
    router.receive("1.3")
    gone = router.take("1.3")
    router.discard(gone)
    router.retire(gone, Stage.DISCARD)
    record_all(recorder)

    def verified() -> tuple[int, int]:
        with Reader(history_url) as history:
            report = Verifier(router.spool, "node-a", history, router.clock).run()
        assert report.findings == ()
        return report.acknowledged, report.exit_code

    assert verified() == (5, 0)
    forget_all(database, router.clock.now() + timedelta(days=1))
    assert verified() == (1, 0), "the study is not over, so the series in it is not either"
    router.deliver(archive)
    router.retire(archive, Stage.SUCCESS)
    record_all(recorder)
    forget_all(database, router.clock.now() + timedelta(days=1))
    assert verified() == (0, 0)
    assert count(database, "tasks") == 0


def test_the_bookkeeper_forgets_as_the_configuration_says(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/history.db"
    context = make_context(tmp_path, url, keep_days=30)
    outbox = Outbox(context.spool.stage(Stage.OUTBOX))
    clock = context.clock
    assert isinstance(clock, ManualClock)
    clock.instant = START + timedelta(days=1)
    bookkeeper = Bookkeeper(context)
    outbox.put(Told(images=4).all(), service="receiver")
    bookkeeper.turn(ANYTHING)
    assert images_in(url) == 4
    clock.advance(40 * DAY)
    bookkeeper.turn(ANYTHING)
    assert images_in(url) == 0
    outbox.put(Told(number=2, images=4).all(), service="receiver")
    bookkeeper.turn(ANYTHING)
    assert images_in(url) == 4, "it looks only once in a while"
    clock.advance(FORGET_SECONDS)
    bookkeeper.turn(ANYTHING)
    assert images_in(url) == 0
    bookkeeper.end()
    context.finish()
