"""The history: how fast events become rows, how fast questions are answered, and how long a verification takes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypedDict

from mercure.clock import Clock
from mercure.history.database import open_history
from mercure.history.queries import History, ResultPage
from mercure.history.recorder import Recorder
from mercure.history.verify import Verifier
from mercure.names import derived_id
from mercure.spool import Spool, Stage
from tests.support import postgres

IMAGES: Final = 1_000_000
IMAGES_FOR_RATE: Final = 60_000
PER_SERIES: Final = 200
SERIES_PER_FILE: Final = 50
REPEATS: Final = 15

RATE_BOUND: Final = 2000.0
"""Images a second; 5,000 a minute are 83."""

QUERY_BOUND_MS: Final = 50.0
VERIFY_BOUND_S: Final = 30.0

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Row(TypedDict):
    """One figure; `bound` is the least (of a rate) or the most (of a time) that it may be."""

    name: str
    value: float
    unit: str
    bound: float


def run(images: int = IMAGES) -> list[Row]:
    """Measure the history.

    Parameters
    ----------
    images : int
        So many are in it when the questions are asked.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mercure-bench-")))
        cluster = stack.enter_context(postgres.cluster())
        stack.enter_context(cluster.server())
        sqlite, server = f"sqlite://{folder}/rate.db", cluster.create_database()
        rows = [
            _rate("history: images recorded, SQLite", sqlite, folder / "sqlite"),
            _rate("history: images recorded, PostgreSQL", server, folder / "postgresql"),
        ]
        url = f"sqlite://{folder}/history.db"
        record(url, folder / "many", images)
        rows += _questions(url, images)
        rows.append(_verification(url, folder / "many", images))
    return rows


def record(url: str, folder: Path, images: int) -> float:
    """Tell and record so many images with all that happens to them; return the seconds that recording took."""
    spool = Spool(folder)
    spool.create()
    outbox, seconds = spool.stage(Stage.OUTBOX), 0.0
    recorder = Recorder(open_history(url), outbox, "bench", Clock())
    recorder.run_once()
    series = images // PER_SERIES
    for first in range(0, series, SERIES_PER_FILE):
        numbers = range(first, min(first + SERIES_PER_FILE, series))
        name = derived_id(f"{_START:%Y%m%dT%H%M%S%f}-00000000", str(first))
        (outbox / f"story-{name}.jsonl").write_bytes(b"".join(line for n in numbers for line in story(n)))
        begin = time.perf_counter()
        while recorder.run_once().any:
            pass
        seconds += time.perf_counter() - begin
    recorder.close()
    return seconds


def story(number: int) -> Iterator[bytes]:
    """Tell one series from its images to the retirement of the delivered task, as lines of the outbox."""
    start = _START + timedelta(seconds=number * 10)
    uid, task = f"1.2.840.113619.2.{number}.1", derived_id(f"{start:%Y%m%dT%H%M%S%f}-00000000", "task")
    child, association = derived_id(task, "route:archive"), derived_id(task, "association")
    identity = (
        f'{{"PatientID":"P{number:07}","PatientName":"DOE{number}^JANE","AccessionNumber":"A{number:07}",'
        f'"StudyInstanceUID":"1.2.840.113619.1.{number}","SeriesInstanceUID":"{uid}","Modality":"CT",'
        '"StudyDescription":"CT HEAD","SeriesDescription":"Axial 1 mm","StudyDate":"20260101"}'
    )
    origin = f'{{"address":"10.0.0.{number % 9}","calling_aet":"CT{number % 9}","associations":["{association}"]}}'
    refs = []
    for index in range(PER_SERIES):
        moment = start + timedelta(milliseconds=10 * index)
        image, sop = derived_id(f"{moment:%Y%m%dT%H%M%S%f}-00000000", str(index)), f"{uid}.{index}"
        refs.append(f'{{"image":"{image}","file":"{sop}.dcm","sop":"{sop}","bytes":524288}}')
        details = (
            f'{{"image":"{image}","association":"{association}","file":"{sop}.dcm","folder":"{uid}","sop":"{sop}",'
            f'"sop_class":"1.2.840.10008.5.1.4.1.1.2","study":"1.2.840.113619.1.{number}","series":"{uid}",'
            f'"patient":"P{number:07}","accession":"A{number:07}","modality":"CT","bytes":524288,'
            f'"transfer_syntax":"1.2.840.10008.1.2.1","repetition":false,"address":"10.0.0.{number % 9}",'
            f'"calling_aet":"CT{number % 9}","called_aet":"MERCURE","durable":true}}'
        )
        yield _line(image, moment, "image.received", f'null,"series":"{uid}"', details)
    held = f'"images":[{",".join(refs)}],"bytes":{524288 * PER_SERIES}'
    whose = f'"identity":{identity},"origin":{origin}'
    told = [
        (task, "series.completed", f'{{{whose},{held},"reason":"released"}}'),
        (task, "series.decided", f'{{"rules":[{{"rule":"all","fired":true}}],"derived":["{child}"]}}'),
        (child, "task.created", _created(task, whose, held)),
        (child, "task.attempt", f'{{"target":"archive","number":1,"outcome":"success","images":{PER_SERIES}}}'),
        (child, "task.delivered", f'{{"target":"archive",{held}}}'),
        (child, "task.retired", f'{{"stage":"success","images":{PER_SERIES},"reason":"retention"}}'),
    ]
    for second, (about, type_, details) in enumerate(told, 60):
        moment = start + timedelta(seconds=second)
        yield _line(derived_id(about, type_), moment, type_, f'"{about}","series":"{uid}"', details)


def _created(parent: str, whose: str, held: str) -> str:
    return (
        f'{{"stage":"outgoing","action":"route","parent":"{parent}","target":"archive","rules":["all"],{whose},{held}}}'
    )


def _line(name: str, moment: datetime, type_: str, about: str, details: str) -> bytes:
    head = f'{{"id":"{name}","time":"{moment.isoformat()}","service":"bench","type":"{type_}"'
    return f'{head},"task":{about},"details":{details}}}\n'.encode()


def _rate(name: str, url: str, folder: Path) -> Row:
    seconds = record(url, folder, IMAGES_FOR_RATE)
    return Row(name=name, value=IMAGES_FOR_RATE / seconds, unit="images/s", bound=RATE_BOUND)


def _questions(url: str, images: int) -> list[Row]:
    number = images // PER_SERIES // 2
    uid = f"1.2.840.113619.2.{number}.1"
    parent = derived_id(f"{_START + timedelta(seconds=number * 10):%Y%m%dT%H%M%S%f}-00000000", "task")
    task = derived_id(parent, "route:archive")
    day = _START + timedelta(days=1)
    with _history(url) as history:
        questions: dict[str, Callable[[], object]] = {
            "find a patient": lambda: history.find(f"p{number:07}"),
            "find a beginning that all share": lambda: history.find("1.2.840"),
            "find an image": lambda: history.find(f"{uid}.17"),
            "last 100 series": history.series,
            "last 100 images": history.images,
            "images of a task": lambda: history.images(task=task),
            "failed tasks": lambda: history.tasks(states=["failed"]),
            "last 100 tasks of a target": lambda: history.tasks(target="archive"),
            "story of a series": lambda: history.series_timeline(uid),
            "last 100 events of a type": lambda: history.events(type="task.delivered"),
            "one day of counters by 10 minutes": lambda: history.counters(["images.received"], _START, day, step=10),
            "states of 500 tasks": lambda: history.task_states([task] * 500),
            "page 50 of the series": lambda: history.series(ResultPage(offset=5000)),
        }
        assert history.find(f"p{number:07}")[0].images == PER_SERIES
        return [
            Row(name=f"history: {name}, {images:,} images", value=_median(ask), unit="ms", bound=QUERY_BOUND_MS)
            for name, ask in questions.items()
        ]


@contextmanager
def _history(url: str) -> Iterator[History]:
    with History(url) as history:
        history.check()
        yield history


def _median(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        ask()
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def _verification(url: str, folder: Path, images: int) -> Row:
    begin = time.perf_counter()
    with _history(url) as history:
        report = Verifier(Spool(folder), "bench", history, Clock()).run()
    seconds = time.perf_counter() - begin
    assert (report.acknowledged, report.exit_code) == (images // PER_SERIES * PER_SERIES, 0), report
    return Row(name=f"verify: {images:,} images", value=seconds, unit="s", bound=VERIFY_BOUND_S)
