"""A verb ends at every durable step of it: nothing is lost, nothing is in two places, and the verb can be repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.control.configuration import setup
from appliance.control.session import Session
from mercure.config import Root
from mercure.durable import EXIT_AT_FAULT
from mercure.spool import Failure, Stage, load_task
from mercure.task_verbs import VerbName
from tests.support.tasks import NOW, place_task
from tests.support.verbs import change_task

CODE = """
import sys
from pathlib import Path
from appliance.control.configuration import setup
from appliance.control.api.queue import ChangeTask
from appliance.control.queue import task_actions
from appliance.control.session import Session
from mercure.config import Root
root, verb, task = sys.argv[1:]
session = Session(Root(Path(root)), "alice")
wanted = ChangeTask(task=task, reason="because") if task else None
setup.initialise(session) if verb == "init" else getattr(task_actions, verb)(session, wanted)
"""


def crash_at(step: int, root: Path, verb: str, task: str = "") -> bool:
    """Run a verb that ends before a step; tell whether it got as far as that."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, root, verb, task],
        env={**os.environ, "MERCURE_FAULT": f"exit@{step}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, EXIT_AT_FAULT), done.stderr
    return done.returncode == EXIT_AT_FAULT


def test_an_initialisation_that_is_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    # Every third step: the stages are all made in the same way.
    steps = iter(range(1, 500, 3))
    for step in steps:
        root = tmp_path / str(step) / "root"
        if not crash_at(step, root, "init"):
            break
        session = Session(Root(root), "alice")
        if not setup.is_initialised(session):
            setup.initialise(session)
        assert session.config.targets["delivered"].kind == "folder"
        assert session.services.value.receiver.instances == 1
        assert all(session.spool.stage(stage).is_dir() for stage in Stage)
    assert next(steps) > 30


@pytest.mark.parametrize(
    ("verb", "start", "end"),
    [
        ("retry", Stage.ERROR, Stage.OUTGOING),
        ("discard", Stage.OUTGOING, Stage.DISCARD),
        ("hold", Stage.OUTGOING, Stage.OUTGOING),
    ],
)
def test_a_task_is_in_one_place_whole_and_the_verb_can_be_repeated(
    tmp_path: Path, verb: VerbName, start: Stage, end: Stage
) -> None:
    session = Session(Root(tmp_path / "root"), "alice")
    setup.initialise(session)
    failure = Failure(stage="outgoing", reason="refused", at=NOW)
    step = 0
    while True:
        step += 1
        task = place_task(session, start, failure=failure if start is Stage.ERROR else None)
        crashed = crash_at(step, session.root.path, verb, task.id)
        (place,) = [stage for stage in Stage if session.spool.entry(stage, task.id).is_dir()]
        directory = session.spool.entry(place, task.id)
        assert place in (start, end)
        assert len(list(directory.glob("*.dcm"))) == 2
        model = load_task(directory)
        if not crashed:
            break
        if place is start and not (verb == "hold" and model.hold):
            change_task(session, verb, task.id, "again")
            assert session.spool.find(task.id) is end
    assert step > 4
    assert session.spool.find(task.id) is end
