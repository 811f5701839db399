"""Quarantine release: killed at each durable step, and done again: the object leaves once, and whole."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from appliance.control import quarantine as desk
from appliance.control.api.quarantine import ChangeObject, DiscardObject, SendObject
from appliance.control.configuration import setup
from appliance.control.errors import ControlError
from appliance.control.registry import Asked
from appliance.control.roles import Caller
from appliance.control.session import Session
from mercure.config import Root
from mercure.spool import Stage
from tests.support import killing
from tests.support.data_sets import ct_image, data_set_of
from tests.support.quarantine import put_aside, receive
from tests.support.tasks import events_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "20261121T110000000000-0000abcd"
DATA = ct_image("1.2.3.4", "1.2.3")


def read_again(root: Path) -> None:
    desk.read_object_again(Session(Root(root), "alice"), ChangeObject(entry=NAME, reason="crash"))


def send(root: Path) -> None:
    asked = Asked(Session(Root(root), "alice"), Caller("alice", 0, "admin"))
    desk.send_object(asked, SendObject(entry=NAME, target="delivered", reason="crash"))


def discard(root: Path) -> None:
    desk.discard_object(Session(Root(root), "alice"), DiscardObject(entry=NAME, reason="crash"))


def quiet(act: Callable[[Path], None], root: Path) -> None:
    """Do it as a command does: what it says is no traceback."""
    try:
        act(root)
    except (ControlError, OSError):
        os._exit(1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one object in quarantine that can be read now."""
    root = tmp_path_factory.mktemp("quarantine") / "root"
    session = Session(Root(root), "alice")
    setup.initialise(session)
    receive(root, DATA)
    events_of(session)
    (image,) = session.spool.stage(Stage.INCOMING).glob("*/*.dcm")
    put_aside(session.spool.root, image, NAME)
    return root


def fresh(template: Path, folder: Path, name: str) -> Path:
    root = folder / name
    shutil.copytree(template, root)
    config = root / "config" / "mercure.json"
    config.write_text(config.read_text().replace(str(template), str(root)))
    return root


def where(root: Path, act: Callable[[Path], None]) -> list[bytes]:
    """Return the data sets at the place to which an object is released."""
    folder = root / ("delivered" if act is send else "spool/incoming")
    return [data_set_of(path.read_bytes()) for path in sorted(folder.rglob("*.dcm"))]


def check(root: Path, act: Callable[[Path], None], what: str) -> None:
    spool = Session(Root(root), "alice").spool
    entry = spool.entry(Stage.QUARANTINE, NAME)
    if entry.exists():
        assert data_set_of((entry / "object.part").read_bytes()) == DATA, what
        act(root)
    assert not entry.exists(), what
    assert where(root, act) == ([] if act is discard else [DATA]), what
    verbs = [event.details["verb"] for event in events_of(Session(Root(root), "alice")) if event.type == "audit"]
    assert verbs, what


def steps_of(act: Callable[[Path], None], root: Path) -> int:
    log = root.parent / f"{root.name}.steps"
    with killing.started(quiet, act, root, log=log) as process:
        process.join(60)
        assert process.exitcode == 0
    return max(int(line.split()[1]) for line in log.read_text().splitlines())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("act", [read_again, send, discard])
@pytest.mark.parametrize("fault", ["kill", "ENOSPC"])
def test_release(template: Path, tmp_path: Path, act: Callable[[Path], None], fault: str) -> None:
    """The programs that are started count their own steps: the same number stops each of them."""
    steps = steps_of(act, fresh(template, tmp_path, "counted"))
    assert steps > 5
    for step in range(1, steps + 1):
        root = fresh(template, tmp_path, f"{step}")
        killing.run(quiet, act, root, fault=f"{fault}@{step}")
        check(root, act, f"{fault}@{step}")
        shutil.rmtree(root)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["kill", pytest.param("EIO", marks=pytest.mark.slow)])
def test_what_the_router_took_meanwhile_is_not_filed_twice(template: Path, tmp_path: Path, fault: str) -> None:
    """Reading again is cut off at each step, services go on, and it is done again: the image is there once."""
    for step in range(1, steps_of(read_again, fresh(template, tmp_path, "counted")) + 1):
        root = fresh(template, tmp_path, f"{step}")
        killing.run(quiet, read_again, root, fault=f"{fault}@{step}")
        taken = root / "taken"
        (root / "spool/incoming").rename(taken)
        (root / "spool/incoming").mkdir()
        if (root / "spool/quarantine" / NAME).exists():
            read_again(root)
        there = [data_set_of(path.read_bytes()) for path in (*taken.rglob("*.dcm"), *root.rglob("incoming/*/*.dcm"))]
        assert there == [DATA], f"{fault}@{step}"
        assert not (root / "spool/quarantine" / NAME).exists()
        assert [event.type for event in events_of(Session(Root(root), "alice"))].count("quarantine.read") in (1, 2)
        shutil.rmtree(root)
