"""Series that are processed: after every turn of the real services each image is accounted for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mercure.config import Root
from mercure.event_details import ImageReceived
from mercure.history.queries import History
from mercure.history.verify import verify
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import Cleaner
from mercure.services.dispatcher import Dispatcher
from mercure.services.processor import Processor
from mercure.spool import Stage, load_task
from tests.support.box import Box, turn
from tests.support.incoming import Image
from tests.support.modules import COPY, script
from tests.support.polling import eventually
from tests.support.series import seeded_uid, synthetic_images

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.history.verify import Report
    from mercure.services.common import Service

RULES = {
    "copied": {
        "rule": 'tags.Modality == "CT"',
        "action": "both",
        "targets": ["archive"],
        "modules": ["copy", "measure"],
    },
    "sorted": {"rule": 'tags.Modality == "MR"', "action": "process", "modules": ["sort"]},
    "broken": {"rule": 'tags.Modality == "US"', "action": "process", "modules": ["bad"], "targets": ["archive"]},
}
MODULES = {
    "copy": script(COPY),
    "measure": script(COPY + '; echo \'{"size": 1}\' > "$MERCURE_OUT_DIR/result.json"'),
    "sort": script('echo \'{"__mercure_routing": {"discard": true}}\' > "$MERCURE_OUT_DIR/result.json"'),
    "bad": script("exit 1"),
}


def receive(box: Box, modality: str, **corrected: str) -> None:
    """Receive a series of three images as the receiver does, and tell of it; the first comes again corrected."""
    uid = seeded_uid("series", modality)
    events = box.context("receiver").events
    with box.associate() as association:
        images = list(synthetic_images(3, 16, 16, seed=modality, Modality=modality))
        if corrected:
            images += list(synthetic_images(1, 16, 16, seed=modality, Modality=modality, **corrected))
        for sop, data in images:
            tags: dict[str, object] = {
                "SOPInstanceUID": sop,
                "SeriesInstanceUID": uid,
                "StudyInstanceUID": "1.2",
                "Modality": modality,
            }
            image = Image(sop, uid, data, tags)
            association.store(image)
            lines = (box.spool.entry(Stage.INCOMING, uid) / f"{association.id}.jsonl").read_text().splitlines()
            told = json.loads(lines[-1])
            image_id, file = str(told["ImageID"]), str(told["FileName"])
            details = ImageReceived(
                image=image_id, association=association.id, file=file, folder=uid, sop=sop, series=uid
            )
            events.emit(details)
    events.close()


def check(box: Box) -> Report:
    report = verify(Root(box.root), box.context("router").config, box.clock)
    assert report.findings == (), report.findings
    return report


def test_every_image_of_a_processed_series_is_accounted_for(tmp_path: Path) -> None:
    box = Box(tmp_path / "root")
    folder = {"archive": {"kind": "folder", "path": str(box.delivered)}}
    retention = {"success_seconds": 100, "discard_seconds": 100, "pressure_free_bytes": 0}
    box.configure(targets=folder, rules=RULES, modules=MODULES, retention=retention)
    receive(box, "CT", PatientName="CORRECTED^NAME")
    receive(box, "MR")
    receive(box, "US")
    services: list[Service] = [
        box.router(),
        Processor(box.context("processor")),
        Dispatcher(box.context("dispatcher")),
        Bookkeeper(box.context("bookkeeper")),
    ]

    def rest() -> bool:
        box.clock.advance(30)
        for service in services:
            turn(service)
            check(box)
        return not any(box.tasks(stage) for stage in (Stage.INCOMING, Stage.ROUTING, Stage.PROCESSING, Stage.OUTGOING))

    eventually(rest, seconds=60, what="everything has come to its end")
    [told] = box.events("images.superseded")  # the module was given the corrected image only
    assert (told.details["module"], told.details["images"]) == ("copy", 1)
    sent = [load_task(path) for path in box.tasks(Stage.SUCCESS)]
    assert sorted(task.images for task in sent if task.target) == [3, 4]
    cleaner = Cleaner(box.context("cleaner"))

    def removed() -> bool:
        box.clock.advance(400)
        for service in (*services, cleaner):
            turn(service)
        check(box)
        return not box.tasks(Stage.SUCCESS) and not box.tasks(Stage.DISCARD)

    eventually(removed, seconds=60, what="what is finished is removed")
    for service in services:
        service.end()
    [kept] = box.tasks(Stage.ERROR)
    turn(services[3])
    with History.open(Root(box.root), box.context("router").config) as history:
        assert history.task_states([kept.name]) == {kept.name: "failed"}
    report = check(box)
    assert report.processed == 4
    box.close()
