"""One run of a study that arrives over four associations, scrambled, and leaves through three dispatchers in order.

Everything is real but the senders and the clock: two routers, three dispatchers with an index each, their deliveries in
threads, the folder target. A seed decides what arrives when, who gets a turn, and what goes wrong. In which order the
images left is read from the step log (docs/reference/spool.md), which counts the steps of all threads.

The clock goes on with the deliveries: else a busy machine, on which threads are slow, made a minute of a moment, and a
series that is not taken for a minute is passed by those behind it in its study.
"""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Root
from mercure.services.dispatcher import Dispatcher
from mercure.spool import Changes, Stage, TaskError, image_files, load_task
from mercure.task_verbs import VerbName
from tests.support.box import DELIVERS, ROUTE_ALL, turn
from tests.support.incoming import make_images
from tests.support.verbs import change_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mercure.config.models import Order
    from mercure.services.router import Router
    from tests.support.box import Box
    from tests.support.incoming import Association, Image

ASSOCIATIONS = 4
DISPATCHERS = 3
ROUTERS = 2
STUDIES = {"1.2.1": 5, "1.2.2": 2}
"""How many series each study has: the second is there to be in the way."""
MOST_ROUNDS = 400
DELIVERY_SECONDS = 60.0
"""Longest real time of a delivery here."""


@dataclass
class Run:
    """One run; `go` plays it, then `left` says in which order the tasks went."""

    box: Box
    seed: int
    order: Order = "study"
    faults: bool = True
    sent: list[Image] = field(default_factory=list)
    _under_way: list[threading.Thread] = field(default_factory=list)
    """Deliveries that were under way when time passed last."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        settings = {"kind": "folder", "path": str(self.box.delivered), "layout": "series", "order": self.order}
        retry = {"first_seconds": 1, "cap_seconds": 4, "max_refusals": 1000}
        self.box.configure(
            targets={"archive": {**settings, "concurrency": self.random.randint(2, 6), "retry": retry}},
            rules=ROUTE_ALL,
            completion={"quiet_seconds": 30, "after_release_seconds": 2},
        )
        self.routers = [self.box.router() for _ in range(ROUTERS)]
        self.dispatchers = [Dispatcher(self.box.context("dispatcher")) for _ in range(DISPATCHERS)]
        self.senders = self._deal()

    def _deal(self) -> list[tuple[Association, list[Image]]]:
        """Deal the images of all series, shuffled, to the associations."""
        images = [
            image
            for study, count in STUDIES.items()
            for number in range(1, count + 1)
            for image in make_images(self.random.randint(1, 4), series=f"{study}.{number}", study=study)
        ]
        self.random.shuffle(images)
        self.sent = images
        return [(self.box.associate(), images[number::ASSOCIATIONS]) for number in range(ASSOCIATIONS)]

    def go(self) -> None:
        """Let everything arrive, be routed and leave."""
        acts: list[tuple[int, Callable[[], None]]] = [
            (6, self._store),
            (3, self._pass_time),
            (3, self._route),
            (6, self._dispatch),
            (1 if self.faults else 0, self._lose_or_find_target),
        ]
        weights = [weight for weight, _ in acts]
        while self.senders:
            self.random.choices([act for _, act in acts], weights)[0]()
        for _ in range(MOST_ROUNDS):
            if self._all_left():
                break
            self._find_target()
            self._pass_time()
            self._route()
            self._dispatch()
        self._end()
        assert self._all_left(), f"seed {self.seed}: after {MOST_ROUNDS} rounds not all is delivered"

    def left(self) -> dict[str, list[str]]:
        """Return by study the tasks in the order in which their images left; an interrupted one is there twice."""
        whose = self._tasks_of_images()
        renamed = [
            line.split(" ", 3)[3]
            for line in step_log(self.box).read_text(encoding="utf-8").splitlines()
            if line.split(" ", 3)[2] == "rename"
        ]
        prefix = f"{self.box.delivered}/"
        names = [path.rpartition("/")[2] for path in renamed if path.startswith(prefix)]
        return {
            study: [task for task, _ in groupby(whose[name] for name in names if name.startswith(f"{study}."))]
            for study in STUDIES
        }

    def _tasks_of_images(self) -> dict[str, str]:
        success = self.box.spool.stage(Stage.SUCCESS)
        return {image.name: task.name for task in success.iterdir() for image in image_files(task)}

    def _all_left(self) -> bool:
        return len(self._tasks_of_images()) == len(self.sent)

    def _end(self) -> None:
        for dispatcher in self.dispatchers:
            dispatcher.end()

    # --- what may happen next

    def _store(self) -> None:
        """One sender sends its next image, or goes when it has none left."""
        association, images = sender = self.random.choice(self.senders)
        if images:
            association.store(images.pop())
        else:
            association.close()
            self.senders.remove(sender)

    def _pass_time(self) -> None:
        """Let time pass, once while a delivery is under way and not twice."""
        for delivery in self._under_way:
            self._await(delivery)
        self._under_way = [thread for thread in threading.enumerate() if thread.name.startswith(DELIVERS)]
        self.box.clock.advance(self.random.choice([0.0005, 0.5, 3.0]))

    def _await(self, delivery: threading.Thread) -> None:
        delivery.join(DELIVERY_SECONDS)
        assert not delivery.is_alive(), f"{delivery.name} does not end"

    def _route(self) -> None:
        self._turn(self.random.choice(self.routers))

    def _dispatch(self) -> None:
        self._turn(self.random.choice(self.dispatchers))

    def _turn(self, service: Router | Dispatcher) -> None:
        # As `mercure.services.common.serve`: a disk error ends the turn, and the next one looks at everything.
        with suppress(OSError):
            turn(service, Changes.everything() if self.random.random() < 0.7 else Changes())

    def _lose_or_find_target(self) -> None:
        hidden = self.box.root / "unmounted"
        if hidden.exists():
            self._find_target()
        else:
            with suppress(OSError):
                self.box.delivered.rename(hidden)

    def _find_target(self) -> None:
        with suppress(FileNotFoundError):
            (self.box.root / "unmounted").rename(self.box.delivered)


@dataclass
class HeldRun(Run):
    """A run in which a person holds the first task of a study as soon as it is routed, until another has overtaken it.

    Without an order that happens in every such run, however the threads of the deliveries are scheduled; with one it
    cannot, and the run does not come to its end.
    """

    study: str = "1.2.1"
    held: str = ""
    released: bool = False

    def _route(self) -> None:
        super()._route()
        if not self.held:
            first = next((task for task in self._tasks(Stage.OUTGOING)), None)
            if first is not None:
                assert self._change("hold", first)
                self.held = first

    def _dispatch(self) -> None:
        super()._dispatch()
        if self.held and not self.released and any(task > self.held for task in self._tasks(Stage.SUCCESS)):
            self.released = self._change("release", self.held)

    def _tasks(self, stage: Stage) -> Iterator[str]:
        """Go through the ids of the study's tasks in a stage, in order."""
        for directory in self.box.tasks(stage):
            with suppress(TaskError):
                if load_task(directory).identity.StudyInstanceUID == self.study:
                    yield directory.name

    def _change(self, verb: VerbName, task: str) -> bool:
        """Do as a person does; the faults of the run are for the services, so it is tried again."""
        session = Session(Root(self.box.root), "alice", clock=self.box.clock)
        while True:
            try:
                change_task(session, verb, task)
            except OSError:
                continue
            except ControlError as error:
                return error.kind == "invalid"  # done before the fault; else a dispatcher looks at it just now
            return True


def step_log(box: Box) -> Path:
    """Return where the durable steps of a run are logged."""
    return box.root / "steps.log"


def random_faults(seed: int) -> str:
    """Return a value for MERCURE_FAULT: some single steps of the run fail with EIO or ENOSPC."""
    chooser = random.Random(f"faults {seed}")
    steps = sorted(chooser.sample(range(60, 560), 10))
    return ",".join(f"{chooser.choice(['EIO', 'ENOSPC'])}@{number}" for number in steps)


def in_order(left: list[str]) -> bool:
    """Tell whether tasks left one after the other, each once, by their ids."""
    return left == sorted(set(left))
