"""DICOM nodes that answer as a test tells them to, through pynetdicom; and a dispatcher turned by hand over them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification  # type: ignore[attr-defined]

from mercure.services.dispatcher import Dispatcher
from mercure.spool import Stage
from tests.support.box import Box, deliveries, turn
from tests.support.incoming import Image
from tests.support.polling import eventually
from tests.support.series import synthetic_images
from tests.support.waiting import waiting_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUCCESS = 0x0000
RETRY = {"first_seconds": 10, "cap_seconds": 60, "max_refusals": 3}


@dataclass
class Node:
    """A DICOM node. `answers` gives the status by the last digits of the SOP Instance UID; others get success."""

    port: int
    classes: list[str] = field(default_factory=lambda: [CTImageStorage])
    answers: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    together: int = 0
    most: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self, event: Any) -> int:
        """Answer one C-STORE."""
        sop = str(event.request.AffectedSOPInstanceUID)
        with self._lock:
            self.asked[sop] += 1
        return next((status for end, status in self.answers.items() if sop.endswith(end)), SUCCESS)

    def opened(self, _event: Any) -> None:
        """Count an association."""
        with self._lock:
            self.together += 1
            self.most = max(self.most, self.together)

    def closed(self, _event: Any) -> None:
        """Count it off."""
        with self._lock:
            self.together -= 1

    @contextmanager
    def running(self, *, echo: bool = True) -> Iterator[Node]:
        """Run it for the length of a block; it knows the SOP classes that `classes` names now."""
        entity = AE(ae_title="NODE")
        for name in [*self.classes, *([Verification] if echo else [])]:
            entity.add_supported_context(name)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_ACCEPTED, self.opened),
            (evt.EVT_RELEASED, self.closed),
            (evt.EVT_ABORTED, self.closed),
            (evt.EVT_CONN_CLOSE, lambda _event: None),
        ]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield self
        finally:
            server.shutdown()


def dicom_target(port: int, **more: Any) -> dict[str, Any]:
    """Return the settings of a DICOM target with short limits."""
    limits = {"connect_timeout_seconds": 2, "acse_timeout_seconds": 1, "dimse_timeout_seconds": 1}
    return {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_aet": "NODE", "retry": RETRY, **limits, **more}


class Office:
    """A box with a dispatcher, and tasks of real images for its targets."""

    def __init__(self, root: Path, targets: dict[str, Any]) -> None:
        self.box = Box(root)
        self.box.configure(targets=targets, rules={})
        self.dispatcher = Dispatcher(self.box.context("dispatcher"))
        self._made = 0

    def wait_for(
        self, target: str, count: int, *, classes: tuple[str, ...] = (CTImageStorage,), pixels: int = 16
    ) -> Path:
        """Let a task of images with so many pixels a side wait, dealt out to SOP classes; return its folder.

        Each is a study of its own: the series of one would go one after the other.
        """
        self._made += 1
        images = []
        for index, sop_class in enumerate(classes):
            made = synthetic_images(count, pixels, pixels, seed=f"{self._made}-{index}", **_class(sop_class))
            images += [Image(uid, f"1.2.{self._made}", data, {"SOPInstanceUID": uid}) for uid, data in made]
        series, study = f"1.2.{self._made}", f"1.3.{self._made}"
        name = waiting_series(self.box, series, study=study, target=target, images=images)
        return self.box.spool.entry(Stage.OUTGOING, name)

    def settle(self, seconds: float = 30.0) -> None:
        """Turn until nothing is being delivered and nothing can be at this time."""
        turn(self.dispatcher)
        eventually(lambda: not deliveries(), seconds=seconds, what="the end of all deliveries")
        turn(self.dispatcher)
        eventually(lambda: not deliveries(), seconds=seconds, what="the end of all deliveries")

    def count(self, stage: Stage) -> int:
        """Count the tasks of a stage."""
        return len(self.box.tasks(stage))


def _class(sop_class: str) -> dict[str, object]:
    modality = {CTImageStorage: "CT", MRImageStorage: "MR"}[sop_class]
    return {"SOPClassUID": sop_class, "Modality": modality}
