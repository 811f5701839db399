"""What people do, each as a function that does it to all that it can be done to, once more after a crash too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from appliance.control import quarantine
from appliance.control.api.base import Nothing
from appliance.control.api.keep import AddKeep
from appliance.control.api.quarantine import ChangeObject, SendObject
from appliance.control.api.resend import BeginResend, PlanResend
from appliance.control.configuration import changes
from appliance.control.errors import ControlError
from appliance.control.queue import keeps, resend
from appliance.control.queue.resend import ResendWorker
from appliance.control.session import Session
from mercure.config import Root
from mercure.services.common import Context
from mercure.spool import Stage
from mercure.spool.place import read_place, write_place
from tests.crash.matrix.actors import OTHER_DISK
from tests.support.quarantine import put_aside
from tests.support.verbs import asked, change_task

if TYPE_CHECKING:
    from pathlib import Path

    from mercure.clock import ManualClock
    from mercure.task_verbs import VerbName


def _session(root: Path, clock: ManualClock) -> Session:
    return Session(Root(root), "tester", clock=clock)


def _each(root: Path, clock: ManualClock, verb: VerbName, *stages: Stage, **more: str) -> None:
    """Do something to each task of some stages to which it can be done."""
    session = _session(root, clock)
    for _stage, name in [*session.spool.tasks(stages)]:
        try:
            change_task(session, verb, name, **more)
        except ControlError as error:
            if error.kind != "invalid":
                raise


def hold(root: Path, clock: ManualClock) -> None:
    """Hold each waiting task."""
    _each(root, clock, "hold", Stage.OUTGOING)


def discard(root: Path, clock: ManualClock) -> None:
    """Discard each waiting task."""
    _each(root, clock, "discard", Stage.OUTGOING)


def reroute(root: Path, clock: ManualClock) -> None:
    """Send each waiting task to target b."""
    _each(root, clock, "reroute", Stage.OUTGOING, target="b")


def undo(root: Path, clock: ManualClock) -> None:
    """Take back what was done to each task."""
    _each(root, clock, "undo", Stage.OUTGOING, Stage.ERROR, Stage.DISCARD)


def keep(root: Path, clock: ManualClock) -> None:
    """Have all tasks of the study kept."""
    session = _session(root, clock)
    if not keeps.list_(session, Nothing()).keeps:
        until = clock.now() + timedelta(days=30)
        keeps.add(session, AddKeep(study="1.2.3", until=until, reason="the trial"))


def send_again(root: Path, clock: ManualClock) -> None:
    """Send what was delivered to target a there again."""
    _resend(root, clock, how="again", study="1.2.3", target="a", stages=("success",))


def send_to_b(root: Path, clock: ManualClock) -> None:
    """Send what was delivered to target b, too."""
    _resend(root, clock, how="elsewhere", study="1.2.3", stages=("success",), to=("b",))


def decide_anew(root: Path, clock: ManualClock) -> None:
    """Have the rules of now decide on what none wanted."""
    _resend(root, clock, how="anew", rule="(no rule)")


def _resend(root: Path, clock: ManualClock, **how: object) -> None:
    """Begin the job where none is there yet, and work until nothing is left to do."""
    session = _session(root, clock)
    if not resend.list_(session, Nothing()).jobs:
        plan = resend.plan(asked(session), PlanResend.model_validate(how))
        resend.begin(asked(session), BeginResend.model_validate({**how, "digest": plan.digest}))
    worker = ResendWorker(lambda: _session(root, clock))
    for _ in range(2):
        worker.turn()


def mend_rules(root: Path, clock: ManualClock) -> None:
    """Let all rules want everything."""
    session = _session(root, clock)
    content = changes.current(session, "mercure", session.loaded.revision)
    for rule in content["rules"].values():
        rule["rule"] = "True"
    change = changes.Change(verb="rules.set", object="all", content=content, edited_from=session.loaded.revision)
    changes.save(session, change)


def make_way(root: Path, _clock: ManualClock) -> None:
    """Remove the file that was in the way at target a."""
    for path in (root.parent / "a").iterdir():
        path.unlink()


def put_all_aside(root: Path, _clock: ManualClock) -> None:
    """Make of all that came what an older release could not read, and of which it told nothing."""
    spool = root / "spool"
    for path in spool.glob("outbox/*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "image.received" not in line), encoding="utf-8")
    for number, image in enumerate(sorted(spool.glob("incoming/*/*.dcm"))):
        put_aside(spool, image, f"20261121T110000{number:06}-0000abcd")


def read_again(root: Path, clock: ManualClock) -> None:
    """Read all in quarantine again."""
    session = _session(root, clock)
    for name in session.spool.names(Stage.QUARANTINE):
        assert quarantine.read_object_again(session, ChangeObject(entry=name)).read


def send_on(root: Path, clock: ManualClock) -> None:
    """Send all in quarantine to target a as it is."""
    session = _session(root, clock)
    for name in session.spool.names(Stage.QUARANTINE):
        assert quarantine.send_object(asked(session), SendObject(entry=name, target="a")).taken


def start_without_the_disk(root: Path, clock: ManualClock) -> None:
    """Start services while the disk of the spool is away: they wait, and begin nothing in the empty mount point."""
    disk = (root.parent / OTHER_DISK).resolve()
    away, place = disk.with_name(f"{disk.name}-away"), read_place(root)
    assert place is not None
    write_place(root, place.model_copy(update={"mount": str(disk)}))
    disk.rename(away)
    disk.mkdir()
    try:
        for service in ("router", "dispatcher", "cleaner"):
            context = Context(root, service, clock)
            context.stop.set()
            assert not context.start()
        assert list(disk.iterdir()) == []
    finally:
        disk.rmdir()
        away.rename(disk)
        write_place(root, place)
