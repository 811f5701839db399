"""What people do, each as a function that does it to all that it can be done to, once more after a crash too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.control.api.base import Nothing
from appliance.control.api.resend import BeginResend, PlanResend
from appliance.control.configuration import changes
from appliance.control.errors import ControlError
from appliance.control.queue import resend
from appliance.control.queue.resend import ResendWorker
from appliance.control.session import Session
from mercure.config import Root
from mercure.spool import Stage
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
