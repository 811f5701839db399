"""The services, each as a function that runs one to the end of its work: in a process of its own that can be killed."""

from __future__ import annotations

import itertools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from appliance.control.configuration import changes
from appliance.control.session import Session
from appliance.spool_move import move
from mercure.config import Root
from mercure.history.database import HistoryError
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.cleaner import RETELL_SECONDS, Cleaner
from mercure.services.common import Context
from mercure.services.dispatcher import Dispatcher
from mercure.services.processor import Processor
from mercure.services.router import Router
from mercure.spool import Changes, Spool, Stage, TaskError, load_task
from tests.support.polling import eventually
from tests.support.receipts import spoil
from tests.support.verbs import change_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mercure.clock import ManualClock
    from mercure.services.cleaner import States

EVERYTHING = Changes.everything()
PATIENT_TURNS = 20
"""After so many turns of a dispatcher the time goes faster: something waits for long."""
WAITING = (Stage.INCOMING, Stage.PROCESSING, Stage.OUTGOING)
OTHER_DISK = "other-disk"
"""Name, beside a root, of a link to a folder on another file system."""


@contextmanager
def _context(root: Path, service: str, clock: ManualClock) -> Iterator[Context]:
    context = Context(root, service, clock)
    assert context.start()
    try:
        yield context
    finally:
        context.events.close()


def _any(context: Context, *stages: Stage) -> bool:
    return any(context.spool.names(stage) for stage in stages)


def held(spool: Spool) -> set[str]:
    """Return the tasks in ``outgoing/`` that wait for a person."""
    found = set()
    for name in spool.names(Stage.OUTGOING):
        with suppress(OSError, TaskError):  # it is gone
            if load_task(spool.entry(Stage.OUTGOING, name)).hold is not None:
                found.add(name)
    return found


def route(root: Path, clock: ManualClock) -> None:
    """Run a router until nothing is left to decide."""
    with _context(root, "router", clock) as context:
        router = Router(context)
        for _ in range(20):
            router.turn(EVERYTHING)
            if not _any(context, Stage.INCOMING, Stage.ROUTING, Stage.STUDIES):
                return
            clock.advance(30)
        raise AssertionError("the router does not come to an end")


def process(root: Path, clock: ManualClock) -> None:
    """Run a processor until nothing waits for a module."""
    with _context(root, "processor", clock) as context:
        processor = Processor(context)

        def is_done() -> bool:
            processor.turn(EVERYTHING)
            clock.advance(1)
            return not _any(context, Stage.PROCESSING)

        eventually(is_done, seconds=60, what="everything is processed")
        context.stop.set()
        processor.end()


def dispatch(root: Path, clock: ManualClock) -> None:
    """Run a dispatcher until nothing waits for delivery."""
    with _context(root, "dispatcher", clock) as context:
        dispatcher = Dispatcher(context)
        turns = itertools.count()

        def is_done() -> bool:
            dispatcher.turn(EVERYTHING)
            clock.advance(3 if next(turns) < PATIENT_TURNS else 300)
            return set(context.spool.names(Stage.OUTGOING)) <= held(context.spool)

        eventually(is_done, seconds=60, what="everything is delivered")
        dispatcher.end()


def try_once(root: Path, clock: ManualClock) -> None:
    """Run a dispatcher for one try of each task, whatever comes of it."""
    with _context(root, "dispatcher", clock) as context:
        dispatcher = Dispatcher(context)
        dispatcher.turn(EVERYTHING)
        dispatcher.end()


def move_target(root: Path, clock: ManualClock) -> None:
    """Let target a be where target b is, as when a PACS moves to another machine."""
    session = Session(Root(root), "tester", clock=clock)
    content = changes.current(session, "mercure", session.loaded.revision)
    targets = content["targets"]
    targets["a"] = {**targets["a"], "port": targets["b"]["port"]}
    change = changes.Change(verb="targets.set", object="a", content=content, edited_from=session.loaded.revision)
    changes.save(session, change)


def flip_a_bit(root: Path, _clock: ManualClock) -> None:
    """Flip a bit in the pixels of the first image that waits for delivery, as a bad disk does."""
    spoil(sorted((root / "spool" / "outgoing").glob("*/*.dcm"))[0], "pixel")


def lose_a_sector(root: Path, _clock: ManualClock) -> None:
    """Let the last sector of the first image that waits for something read as zeros, as after a bad block."""
    path = sorted(path for stage in WAITING for path in (root / "spool" / stage.value).glob("*/*.dcm"))[0]
    spoil(path, "last sector of zeros")


def record(root: Path, clock: ManualClock) -> None:
    """Run a bookkeeper until the outbox is in the history."""
    with _context(root, "bookkeeper", clock) as context:
        bookkeeper = Bookkeeper(context)
        while bookkeeper.run_once().more:
            pass
        bookkeeper.end()


def clean(root: Path, clock: ManualClock) -> None:
    """Run a cleaner that finds everything due, and tells again what a crash kept from being told."""
    _clean(root, clock, None)


def clean_without_history(root: Path, clock: ManualClock) -> None:
    """Run a cleaner while the history cannot be asked."""
    _clean(root, clock, _no_answer)


def _no_answer(_tasks: Sequence[str]) -> Mapping[str, str]:
    raise HistoryError("it is away")


def _clean(root: Path, clock: ManualClock, states: States | None) -> None:
    with _context(root, "cleaner", clock) as context:
        cleaner = Cleaner(context, states)
        for _ in range(3):
            cleaner.turn(EVERYTHING)
            clock.advance(RETELL_SECONDS)
        cleaner.end()


def configure(root: Path, clock: ManualClock) -> None:
    """Change the configuration twice, as a person does."""
    for comment in ("first", "second"):
        session = Session(Root(root), "tester", clock=clock)
        revision = session.loaded.revision
        content = changes.current(session, "mercure", revision)
        content["rules"]["all"]["comment"] = comment
        changes.save(session, changes.Change(verb="rules.set", object="all", content=content, edited_from=revision))


def retry(root: Path, clock: ManualClock) -> None:
    """Send each failed task on its way again."""
    _with_failed(root, clock, lambda session, name: change_task(session, "retry", name))


def discard(root: Path, clock: ManualClock) -> None:
    """Throw each failed task away."""
    _with_failed(root, clock, lambda session, name: change_task(session, "discard", name))


def reroute(root: Path, clock: ManualClock) -> None:
    """Send each failed task to target b; one that is for b already, by a crash, is retried."""

    def to_b(session: Session, name: str) -> None:
        is_there = load_task(session.spool.entry(Stage.ERROR, name)).target == "b"
        _ = change_task(session, "retry", name) if is_there else change_task(session, "reroute", name, target="b")

    _with_failed(root, clock, to_b)


def release(root: Path, clock: ManualClock) -> None:
    """Let each task that waits for a person go on."""
    session = Session(Root(root), "tester", clock=clock)
    for name in sorted(held(session.spool)):
        change_task(session, "release", name)


def move_spool(root: Path, clock: ManualClock) -> None:
    """Move the spool to another place on its disk."""
    move(Session(Root(root), "tester", clock=clock), root.parent / "moved")


def move_spool_to_another_disk(root: Path, clock: ManualClock) -> None:
    """Move the spool to another disk."""
    move(Session(Root(root), "tester", clock=clock), (root.parent / OTHER_DISK).resolve() / "moved")


def _with_failed(root: Path, clock: ManualClock, change: Callable[[Session, str], object]) -> None:
    session = Session(Root(root), "tester", clock=clock)
    for name in session.spool.names(Stage.ERROR):
        change(session, name)
