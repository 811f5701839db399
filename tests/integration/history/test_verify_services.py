"""A verification after every turn of the real services, in an order drawn by lot: nothing is ever missing."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from appliance.control.api.resend import BeginResend, PlanResend
from appliance.control.queue import resend
from appliance.control.queue.resend import ResendWorker
from appliance.control.registry import Asked
from appliance.control.roles import Caller
from appliance.control.session import Session
from mercure.config import Root
from mercure.event_details import ImageReceived
from mercure.history.verify import Report, verify
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import Cleaner
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Stage
from tests.support.box import Box, turn
from tests.support.incoming import make_images
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercure.services.router import Router
    from tests.support.incoming import Image

RULES = {
    "phantoms": {"rule": 'tags.PatientID == "PHANTOM"', "action": "discard"},
    "whole-studies": {
        "rule": 'tags.Modality == "MR"',
        "targets": ["archive"],
        "trigger": "study",
        "study": {"quiet_seconds": 30},
    },
    "all": {"rule": 'tags.Modality == "CT"', "targets": ["archive", "research", "down"]},
    "again": {"rule": 'tags.Modality == "US"', "targets": ["archive"], "late": "again"},
}
STEPS = 100
SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4)))


class Hospital:
    """A box with all services in this process, and scanners around it."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.box = Box(root)
        self.box.clock.advance(seed)
        (root / "delivered").mkdir(parents=True)
        folders = {name: {"kind": "folder", "path": str(root / "delivered")} for name in ("archive", "research")}
        down = {"kind": "folder", "path": str(root / "unplugged")}
        retention = {"success_seconds": 100, "discard_seconds": 100, "pressure_free_bytes": 0}
        self.box.configure(targets={**folders, "down": down}, rules=RULES, retention=retention)
        self.receiver = self.box.context("receiver")
        self.router: Router = self.box.router()
        self.dispatcher = Dispatcher(self.box.context("dispatcher"))
        self.bookkeeper = Bookkeeper(self.box.context("bookkeeper"))
        self.cleaner = Cleaner(self.box.context("cleaner"))
        self.sent: list[list[Image]] = []
        self.acknowledged = 0

    def scan(self) -> None:
        """Let a scanner send a series, or some of an earlier one again, or what it had left out."""
        modality = self.random.choice(["CT", "MR", "US"])
        patient = self.random.choice(["P1", "P2", "PHANTOM"])
        number, exam = len(self.sent), len(self.sent) // 3
        fresh = make_images(
            self.random.randint(1, 4), series=f"1.2.{number}", study=f"1.{exam}", PatientID=patient, Modality=modality
        )
        self.sent.append(fresh)
        images = self.random.choice([fresh, self.random.choice(self.sent)])
        with self.box.associate() as association:
            for image in images[: self.random.randint(1, len(images))]:
                association.store(image)
                self._acknowledge(image, association.id)

    def _acknowledge(self, image: Image, association: str) -> None:
        folder = self.box.spool.entry(Stage.INCOMING, image.series)
        lines = [json.loads(line) for line in (folder / f"{association}.jsonl").read_text().splitlines()]
        others = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
        name = lines[-1]["FileName"]
        details = ImageReceived(
            image=lines[-1]["ImageID"],
            association=association,
            file=name,
            folder=image.series,
            sop=image.sop,
            series=image.series,
            repetition=sum(json.loads(line)["FileName"] == name for line in others) > 1,
            bytes=len(image.data),
        )
        self.receiver.events.emit(details, series=image.series)
        self.acknowledged += 1

    def dispatch(self) -> None:
        """Let the dispatcher look, and wait until what it began has ended."""
        turn(self.dispatcher)
        eventually(lambda: turn(self.dispatcher) >= 0 and not self._is_delivering(), what="the deliveries end")

    def _is_delivering(self) -> bool:
        return any(True for _ in self.dispatcher._pool)

    def send_again(self) -> None:
        """Let a person send again what is kept of a patient, in a way drawn by lot."""
        how = self.random.choice(["again", "anew", "elsewhere"])
        to = ("research",) if how == "elsewhere" else ()
        wanted = {"how": how, "to": to, "patient": self.random.choice(["P1", "P2", "PHANTOM"])}
        asked = Asked(self._session(), Caller("anna", 0, "admin"))
        plan = resend.plan(asked, PlanResend.model_validate(wanted))
        if plan.series:
            resend.begin(asked, BeginResend.model_validate({**wanted, "digest": plan.digest}))

    def _session(self) -> Session:
        return Session(Root(self.box.root), "anna", clock=self.box.clock)

    def steps(self) -> dict[str, Callable[[], object]]:
        """What may happen next."""
        return {
            "scan": self.scan,
            "another scan": self.scan,
            "route": lambda: turn(self.router),
            "dispatch": self.dispatch,
            "record": lambda: turn(self.bookkeeper),
            "clean": lambda: turn(self.cleaner),
            "send again": self.send_again,
            "work on the jobs": ResendWorker(self._session).turn,
            "a while": lambda: self.box.clock.advance(self.random.choice([0.5, 6, 40, 200])),
        }

    def verify(self) -> Report:
        """Verify."""
        return verify(Root(self.box.root), self.receiver.config, self.box.clock)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_image_is_accounted_for_at_any_moment(tmp_path: Path, seed: int) -> None:
    hospital = Hospital(tmp_path / "root", seed)
    try:
        turn(hospital.bookkeeper)
        done: list[str] = []
        for _ in range(STEPS):
            done.append(hospital.random.choice(list(hospital.steps())))
            hospital.steps()[done[-1]]()
            report = hospital.verify()
            assert report.findings == (), done
            assert report.exit_code == 0
            assert report.acknowledged == hospital.acknowledged

        (tmp_path / "root" / "unplugged").mkdir()
        for _ in range(40):
            hospital.box.clock.advance(60)
            for name in ("work on the jobs", "route", "dispatch", "record", "clean"):
                hospital.steps()[name]()
        report = hospital.verify()
        assert (report.findings, report.exit_code) == ((), 0)
        assert report.acknowledged == hospital.acknowledged
        assert report.before_routing == 0
        assert all(count.waiting == count.failed == 0 for count in report.targets.values())
        assert hospital.box.places() == {}, "everything was delivered or discarded, kept for its time, and removed"
    finally:
        hospital.bookkeeper.end()
        hospital.dispatcher.end()
        hospital.box.close()
