"""A root, and a function that runs a command on it as a person or a script would."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.app import mercure
from appliance.control.configuration import setup
from appliance.control.session import Session
from mercure.clock import Clock
from mercure.config import Root
from mercure.event_details import Identity, ImageReceived, ImageRef, Origin, SeriesCompleted, TaskCreated
from mercure.events import EventWriter
from mercure.names import derived_id, new_id
from mercure.spool import Failure, Spool, Stage, Task
from tests.support.command_line import HOSTILE, Call
from tests.support.control_session import record
from tests.support.tasks import place_task


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An initialised root, by the real clock."""
    path = tmp_path / "root"
    setup.initialise(Session(Root(path), "alice"))
    return path


@pytest.fixture
def session(root: Path) -> Session:
    return Session(Root(root), "alice")


@pytest.fixture
def spool(session: Session) -> Spool:
    return session.spool


@pytest.fixture
def call(root: Path) -> Call:
    """Give a function that runs a command on the root, 80 columns wide."""

    def run(*arguments: str, input: str | bytes | None = None, at: Path | None = root) -> Result:
        environment = {"COLUMNS": "80", "MERCURE_ROOT": str(at) if at else None}
        return CliRunner(env=environment).invoke(mercure, arguments, input=input)

    return run


@pytest.fixture
def exam(session: Session, spool: Spool) -> Task:
    """A delivered exam in the history, whose sender chose its texts with care."""
    clock = Clock()
    events = EventWriter(spool.stage(Stage.OUTBOX), "test", clock)
    identity = Identity(
        PatientID="P-17",
        PatientName=HOSTILE,
        AccessionNumber="A-99",
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        Modality="MR",
        StudyDescription=HOSTILE,
        SeriesDescription=HOSTILE,
    )
    origin = Origin(address="10.0.0.7", calling_aet="SCANNER", first_received=clock.now(), last_received=clock.now())
    parent, image = new_id(), new_id()
    events.emit(
        ImageReceived(
            image=image,
            association=new_id(),
            file="1.2.3.4.5.dcm",
            folder="1.2.3.4",
            sop="1.2.3.4.5",
            study="1.2.3",
            series="1.2.3.4",
            patient="P-17",
            accession="A-99",
            modality="MR",
            bytes=2000,
            calling_aet="SCANNER",
        ),
        series="1.2.3.4",
    )
    refs = (ImageRef(image=image, file="1.2.3.4.5.dcm", sop="1.2.3.4.5", bytes=2000),)
    completed = SeriesCompleted(identity=identity, origin=origin, images=refs, bytes=2000, reason="released")
    events.emit(completed, task=parent, series="1.2.3.4", key="series.completed")
    task = place_task(
        session,
        Stage.ERROR,
        identity=identity,
        id=derived_id(parent, "route"),
        parent=parent,
        failure=Failure(stage="outgoing", reason=HOSTILE, advice="mend it", at=clock.now()),
    )
    created = TaskCreated(
        stage="outgoing",
        action="route",
        parent=parent,
        target="delivered",
        rules=("everything",),
        identity=identity,
        origin=origin,
        images=refs,
        bytes=2000,
    )
    events.emit(created, task=task.id, series="1.2.3.4", key="task.created")
    events.close()
    record(session)
    return task
