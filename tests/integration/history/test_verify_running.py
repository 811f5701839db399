"""A verification beside a running router: things move while it looks, and nothing that only moved is named."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mercure.clock import ManualClock
from mercure.history.database import open_history
from mercure.history.reader import Reader
from mercure.history.recorder import Recorder
from mercure.history.verify import Report, Verifier
from mercure.spool import Stage
from tests.support.scripted_router import ScriptedRouter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERIES = 20


class Beside:
    """Runs something in a thread of its own until it is told to stop, and then what ends it."""

    def __init__(self, work: Callable[[], object], end: Callable[[], object] = list) -> None:
        self._work = work
        self._end = end
        self._stop = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._work()
        except BaseException as error:  # noqa: BLE001 - the test raises it again
            self.failure = error
        finally:
            self._end()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure


def test_what_moves_while_it_looks_is_not_named(history_url: str, tmp_path: Path) -> None:
    router = ScriptedRouter(tmp_path / "spool", ManualClock())
    database = open_history(history_url)
    recorder = Recorder(database, router.outbox, "node-a", router.clock, batch_lines=7)
    recorder.run_once()
    recorder.close()
    done: list[int] = []

    def route_one_series() -> None:
        number = len(done)
        series = f"1.2.{number}"
        for image in (1, 2, 1):
            router.receive(series, image)
        task = router.take(series)
        if number % 3 == 0:
            router.discard(task)
            router.retire(task, Stage.DISCARD)
        else:
            for derived in router.route(task, "archive", "research"):
                router.deliver(derived)
                router.retire(derived, Stage.SUCCESS)
        done.append(number)

    reports: list[Report] = []
    with Reader(history_url) as history, Beside(route_one_series), Beside(recorder.run_once, recorder.close):
        while len(done) < SERIES:
            reports.append(Verifier(router.spool, "node-a", history, router.clock).run())

    assert [finding for report in reports for finding in report.findings] == []
    assert reports[-1].acknowledged > reports[0].acknowledged, "the router did run meanwhile"
